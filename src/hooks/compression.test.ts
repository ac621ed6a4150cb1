import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeExchange } from "../../test/hooks/fake-exchange.ts";
import { BLOCK_BYTES, Counter } from "../contract/counters.ts";
import type { CompressLink } from "../contract/hooking.ts";
import { COMPRESSIONS_MAX, Compressions } from "./compression.ts";
import { HookChain } from "./hook-chain.ts";
import type { Hooks } from "./hooks.ts";
import { type HookSurroundings, REAL_CLOCK } from "./link.ts";

const LINK: CompressLink = {
  kind: "compress",
  encodings: ["zstd", "br", "gzip"],
  types: ["text/*", "application/json", "*+xml"],
  bytesMin: 1_000,
  levels: { gzip: 5, br: 4, zstd: 3 },
  secrets: "skip",
};

class World implements HookSurroundings {
  readonly clock = REAL_CLOCK;
  readonly clusterNames: readonly string[] = [];
  readonly cells = new Float64Array(BLOCK_BYTES / 8);
  readonly compressions = new Compressions(this);
  readonly wrong: string[] = [];

  tell({ message }: { message: string }): void {
    this.wrong.push(message);
  }

  stray(where: string, error: unknown): void {
    this.wrong.push(`${where}: ${String(error)}`);
  }

  chain(link: CompressLink): HookChain {
    const hooks = this.compressions.hooksOf(link);
    return new HookChain(
      [{ name: "compress", hooks, budgetMs: 1_000, timeoutMs: 1_000, isClosed: true, number: 0 }],
      this,
    );
  }
}

interface Case {
  readonly name: string;
  /** Field lines of the request, between commas; Accept-Encoding unless it has one. */
  readonly request?: string;
  readonly response?: readonly string[];
  readonly link?: Partial<CompressLink>;
  readonly exchange?: Partial<Record<"method" | "clientMinor" | "status", number>> &
    Partial<Record<"mayTunnel" | "isEventStream" | "hasResponseBody", boolean>>;
  /** Field lines that come out, in order. */
  readonly expect: readonly string[];
}

const HTML = "content-type: text/html; charset=utf-8";
const VARY = "vary: Accept-Encoding";
const GZIP = "content-encoding: gzip";
const LONG = "content-length: 5000";
const COOKIE = "Cookie: a=1";

const CASES: readonly Case[] = [
  { name: "a page", response: [HTML], expect: [HTML, VARY, GZIP] },
  {
    name: "types: by their suffix",
    response: ["content-type: image/svg+xml"],
    expect: ["content-type: image/svg+xml", VARY, GZIP],
  },
  {
    name: "types: one alone, in any case",
    response: ["content-type: Application/JSON"],
    expect: ["content-type: Application/JSON", VARY, GZIP],
  },
  { name: "another type", response: ["content-type: image/png"], expect: ["content-type: image/png"] },
  { name: "no type", response: ["x: y"], expect: ["x: y"] },
  {
    name: "an event stream, by its type",
    response: ["content-type: text/event-stream"],
    expect: ["content-type: text/event-stream"],
  },
  {
    name: "an event stream, by what the session knows",
    response: [HTML],
    exchange: { isEventStream: true },
    expect: [HTML],
  },
  {
    name: "compressed already",
    response: [HTML, "content-encoding: br"],
    expect: [HTML, "content-encoding: br"],
  },
  {
    name: "a part (RFC 9110 §14)",
    response: [HTML, "content-range: bytes 0-1/2"],
    exchange: { status: 206 },
    expect: [HTML, "content-range: bytes 0-1/2"],
  },
  {
    name: "a range of another kind",
    response: [HTML, "content-range: bytes */2"],
    exchange: { status: 416 },
    expect: [HTML, "content-range: bytes */2"],
  },
  { name: "204", response: [HTML], exchange: { status: 204, hasResponseBody: false }, expect: [HTML] },
  {
    name: "no-transform (RFC 9111 §5.2.2.6)",
    response: [HTML, "cache-control: max-age=5,No-Transform"],
    expect: [HTML, "cache-control: max-age=5,No-Transform"],
  },
  {
    name: "not no-transform",
    response: [HTML, "cache-control: x-no-transform-x"],
    expect: [HTML, "cache-control: x-no-transform-x", VARY, GZIP],
  },
  { name: "an error page", response: [HTML], exchange: { status: 500 }, expect: [HTML, VARY, GZIP] },
  {
    name: "shorter than it must be",
    response: [HTML, "content-length: 999"],
    expect: [HTML, "content-length: 999"],
  },
  {
    name: "just long enough",
    response: [HTML, "content-length: 1000"],
    expect: [HTML, "content-length: 1000", VARY, GZIP],
  },
  {
    name: "another tag for other bytes (RFC 9110 §8.8.3)",
    response: [HTML, 'etag: "a"'],
    expect: [HTML, VARY, GZIP, 'etag: W/"a"'],
  },
  { name: "a weak tag stays", response: [HTML, 'etag: W/"a"'], expect: [HTML, 'etag: W/"a"', VARY, GZIP] },
  {
    name: "digests and ranges of what it was",
    response: [
      HTML,
      "accept-ranges: bytes",
      "content-md5: x",
      "digest: x",
      "content-digest: x",
      "repr-digest: x",
    ],
    expect: [HTML, VARY, GZIP],
  },
  {
    name: "Vary that says it already",
    response: [HTML, "vary: Origin, accept-Encoding"],
    expect: [HTML, "vary: Origin, accept-Encoding", GZIP],
  },
  { name: "Vary that says everything", response: [HTML, "vary: *"], expect: [HTML, "vary: *", GZIP] },
  {
    name: "Vary that says something else",
    response: [HTML, "vary: Origin"],
    expect: [HTML, "vary: Origin", VARY, GZIP],
  },
  {
    name: "a client that accepts none",
    request: "Accept-Encoding: identity",
    response: [HTML, 'etag: "a"'],
    expect: [HTML, 'etag: "a"', VARY],
  },
  { name: "a client that says nothing", request: "X: y", response: [HTML], expect: [HTML, VARY] },
  {
    name: "HEAD",
    response: [HTML, LONG],
    exchange: { method: 2, hasResponseBody: false },
    expect: [HTML, LONG, VARY],
  },
  { name: "HTTP/1.0", response: [HTML, LONG], exchange: { clientMinor: 0 }, expect: [HTML, LONG, VARY] },
  { name: "a tunnel", response: [HTML], exchange: { mayTunnel: true }, expect: [HTML] },
  { name: "secrets: a cookie", request: `Accept-Encoding: gzip,${COOKIE}`, response: [HTML], expect: [HTML] },
  {
    name: "secrets: a password",
    request: "Accept-Encoding: gzip,Authorization: Basic x",
    response: [HTML],
    expect: [HTML],
  },
  {
    name: "secrets: a new cookie, whatever it says",
    response: [HTML, "set-cookie: a=1", "cache-control: public"],
    expect: [HTML, "set-cookie: a=1", "cache-control: public"],
  },
  {
    name: "no secret: it is for all",
    request: `Accept-Encoding: gzip,${COOKIE}`,
    response: [HTML, "cache-control: Public, max-age=60"],
    expect: [HTML, "cache-control: Public, max-age=60", VARY, GZIP],
  },
  {
    name: "secrets: republican",
    request: `Accept-Encoding: gzip,${COOKIE}`,
    response: [HTML, "cache-control: x-public-x"],
    expect: [HTML, "cache-control: x-public-x"],
  },
  {
    name: "secrets: allowed",
    request: `Accept-Encoding: gzip,${COOKIE}`,
    link: { secrets: "allow" },
    response: [HTML, "set-cookie: a=1"],
    expect: [HTML, "set-cookie: a=1", VARY, GZIP],
  },
  {
    name: "304 by the tag that was weakened (RFC 9111 §4.3.4)",
    request: 'Accept-Encoding: gzip,If-None-Match: "b"; W/"a"',
    response: ['etag: "a"'],
    exchange: { status: 304, hasResponseBody: false },
    expect: ['etag: W/"a"', VARY],
  },
  {
    name: "304 by a strong tag",
    request: 'Accept-Encoding: gzip,If-None-Match: "a"',
    response: ['etag: "a"'],
    exchange: { status: 304, hasResponseBody: false },
    expect: ['etag: "a"'],
  },
];

function exchangeOf({
  request = "Accept-Encoding: gzip",
  response = [],
  exchange: more = {},
}: Case): FakeExchange {
  const fields = request.split(",").map((line) => `${line.replaceAll(";", ",")}\r\n`);
  const exchange = new FakeExchange(`GET / HTTP/1.1\r\nHost: a\r\n${fields.join("")}\r\n`);
  exchange.status = 200;
  exchange.responseHead = `HTTP/1.1 200 OK\r\n${response.map((line) => `${line}\r\n`).join("")}\r\n`;
  return Object.assign(exchange, more);
}

for (const each of CASES)
  test(`compress: ${each.name}`, () => {
    const world = new World();
    const exchange = exchangeOf(each);
    const chain = world.chain({ ...LINK, ...each.link });
    chain.request(exchange);
    chain.response(exchange);
    assert.deepEqual(exchange.verdicts, []);
    const lines = exchange.responseHead.trimEnd().split("\r\n").slice(1);
    assert.deepEqual(lines, each.expect);
    const isCompressed = each.expect.includes(GZIP);
    assert.equal(exchange.stages.length, isCompressed ? 1 : 0);
    assert.equal(world.cells[Counter.compressions], isCompressed ? 1 : 0);
    assert.equal(world.compressions.activeCount, isCompressed ? 1 : 0);
    exchange.end();
    assert.deepEqual(world.wrong, []);
  });

test("compress: where there is no room for the fields, or none for the body, it goes on as it came", () => {
  for (const refused of ["vary", "content-encoding", "transform"]) {
    const world = new World();
    const exchange = exchangeOf({ name: "", response: [HTML, 'etag: "a"'], expect: [] });
    const { setField, addField } = exchange;
    const isRefused = (name: Uint8Array) => Buffer.from(name).toString() === refused;
    exchange.setField = (which, name, ...value) =>
      !isRefused(name) && setField.call(exchange, which, name, ...value);
    exchange.addField = (which, name, ...value) =>
      !isRefused(name) && addField.call(exchange, which, name, ...value);
    if (refused === "transform") exchange.transform = () => null;
    world.chain(LINK).response(exchange);
    const vary = refused === "vary" ? "" : `${VARY}\r\n`;
    assert.equal(exchange.responseHead, `HTTP/1.1 200 OK\r\n${HTML}\r\netag: "a"\r\n${vary}\r\n`);
    assert.equal(world.cells[Counter.compressions], 0, refused);
    assert.deepEqual(exchange.verdicts, []);
  }
});

test("compress: not more than so many at a time, and what ends makes room", async () => {
  const world = new World();
  const chain = world.chain(LINK);
  const open = Array.from({ length: COMPRESSIONS_MAX }, () =>
    exchangeOf({ name: "", response: [HTML], expect: [] }),
  );
  for (const exchange of open) chain.response(exchange);
  assert.equal(world.compressions.activeCount, COMPRESSIONS_MAX);
  const beyond = exchangeOf({ name: "", response: [HTML], expect: [] });
  chain.response(beyond);
  assert.equal(beyond.responseHead, `HTTP/1.1 200 OK\r\n${HTML}\r\n${VARY}\r\n\r\n`);
  assert.equal(world.cells[Counter.compressionsSkipped], 1);
  // Some while they work, one at its end.
  open[0]!.feed("x");
  open[1]!.stages[0]!.end();
  for (const exchange of open) exchange.end();
  while (world.compressions.activeCount > 0) await new Promise<void>((resolve) => setImmediate(resolve));
});

test("compress: a password that goes no further than the proxy makes the answer one user's all the same", () => {
  const world = new World();
  const exchange = exchangeOf({
    name: "",
    request: "Accept-Encoding: gzip,Authorization: Basic x",
    response: [HTML],
    expect: [],
  });
  const taking: Hooks = { onRequest: ({ headers }) => headers.delete("authorization") };
  const all = [world.compressions.hooksOf(LINK), taking];
  const common = { name: "compress", budgetMs: 1_000, timeoutMs: 1_000, isClosed: true, number: 0 };
  const chain = new HookChain(
    all.map((hooks) => ({ ...common, hooks })),
    world,
  );
  chain.request(exchange);
  assert.doesNotMatch(exchange.requestHead, /authorization/i);
  chain.response(exchange);
  assert.equal(exchange.responseHead, `HTTP/1.1 200 OK\r\n${HTML}\r\n\r\n`);
});
