import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { FakeExchange } from "../../test/hooks/fake-exchange.ts";
import { BLOCK_BYTES, Counter } from "../contract/counters.ts";
import type { MirrorLink } from "../contract/hooking.ts";
import { HookChain } from "./hook-chain.ts";
import type { Hooks } from "./hooks.ts";
import { type HookSurroundings, REAL_CLOCK } from "./link.ts";
import { MIRRORS_MAX, Mirrors } from "./mirror.ts";

const LINK: MirrorLink = { kind: "mirror", cluster: "next", percent: 100, bodyBytesMax: 1_000 };
const ANSWER_MS = 50;

interface Seen {
  readonly line: string;
  readonly fields: readonly string[];
  readonly body: string;
}

class World implements HookSurroundings {
  readonly clock = REAL_CLOCK;
  readonly clusterNames = ["app", "next"];
  readonly cells = new Float64Array(BLOCK_BYTES / 8);
  readonly seen: Seen[] = [];
  readonly wrong: string[] = [];
  readonly mirrors: Mirrors;
  endpoints: readonly string[] = [];
  answer: (response: ServerResponse) => void = (response) => response.end("thrown away");

  constructor(answerMs = 10_000) {
    this.mirrors = new Mirrors(this.cells, (name) => (name === "next" ? this.endpoints : []), { answerMs });
  }

  static async open(t: TestContext, answerMs?: number): Promise<World> {
    const world = new World(answerMs);
    const server = createServer((request, response) => void world.#take(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      world.mirrors.stop();
      server.closeAllConnections();
      server.close();
    });
    world.endpoints = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
    return world;
  }

  tell({ message }: { message: string }): void {
    this.wrong.push(message);
  }

  stray(where: string, error: unknown): void {
    this.wrong.push(`${where}: ${String(error)}`);
  }

  chain(link: Partial<MirrorLink> = {}, ...before: Hooks[]): HookChain {
    const all = [...before, this.mirrors.hooksOf({ ...LINK, ...link })];
    const common = { name: "mirror", budgetMs: 1_000, timeoutMs: 1_000, isClosed: true, number: 0 };
    return new HookChain(
      all.map((hooks) => ({ ...common, hooks })),
      this,
    );
  }

  /** Sent, failed, skipped, when nothing is on its way any more. */
  async counts(): Promise<number[]> {
    while (this.mirrors.activeCount > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    return [Counter.mirrorsSent, Counter.mirrorsFailed, Counter.mirrorsSkipped].map(
      (cell) => this.cells[cell]!,
    );
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url, rawHeaders } = request;
    const fields = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}`] : []));
    const body = Buffer.concat(await request.toArray()).toString("latin1");
    this.seen.push({ line: `${method} ${url}`, fields, body });
    this.answer(response);
  }
}

function post(length: number | "chunked"): FakeExchange {
  const line = length === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
  const exchange = new FakeExchange(`POST /p HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`);
  exchange.hasRequestBody = true;
  return exchange;
}

test("mirror: the head as it would go to a backend, but for what is about its connection", async (t) => {
  const world = await World.open(t);
  const before: Hooks = { onRequest: (request) => request.headers.set("x-hook", "1") };
  const exchange = new FakeExchange(
    "GET /a%20b?c HTTP/1.1\r\nHost: shop.example:81\r\nX-Two: 1\r\nX-Two: \u00e92\r\nX-Mirrored: 7\r\n" +
      "Connection: close\r\nTE: trailers\r\nExpect: 100-continue\r\nVia: 1.1 x\r\n\r\n",
  );
  world.chain({}, before).request(exchange);
  assert.deepEqual(exchange.verdicts, []);
  assert.equal(world.seen.length, 0, "the original comes first");
  assert.deepEqual(await world.counts(), [1, 0, 0]);
  const [{ line, fields, body } = { line: "", fields: [], body: "" }] = world.seen;
  assert.deepEqual([line, body], ["GET /a%20b?c", ""]);
  assert.deepEqual(fields, [
    "host: shop.example:81",
    "x-two: 1",
    "x-two: \u00e92",
    "via: 1.1 x",
    "x-hook: 1",
    "x-mirrored: 1",
    "Connection: keep-alive",
  ]);
});

test("mirror: a share of requests, evenly", async (t) => {
  const world = await World.open(t);
  const chain = world.chain({ percent: 10 });
  for (let i = 1; i <= 100; i++) {
    chain.request(new FakeExchange());
    assert.equal((await world.counts())[0], Math.floor(i / 10));
  }
});

for (const length of [1_000, "chunked"] as const)
  test(`mirror: a body that flows by (${length}) is copied whole`, async (t) => {
    const world = await World.open(t);
    const exchange = post(length);
    world.chain().request(exchange);
    for (const piece of ["a", "b", "c", "d"]) exchange.feed(piece.repeat(250));
    assert.equal(world.seen.length, 0);
    exchange.stages[0]!.end();
    assert.deepEqual(await world.counts(), [1, 0, 0]);
    const all = ["a", "b", "c", "d"].map((piece) => piece.repeat(250)).join("");
    assert.equal(exchange.sinks[0]!.text, all);
    assert.ok(exchange.sinks[0]!.ended);
    assert.equal(world.seen[0]!.body, all);
    assert.ok(world.seen[0]!.fields.includes("content-length: 1000"));
    assert.equal(exchange.keepsLength, true);
  });

test("mirror: a body that came with its head is taken from there, and can be sent again", async (t) => {
  const world = await World.open(t);
  const exchange = post(5);
  Buffer.from(exchange.memory.buffer).write("hello", exchange.requestHeadEnd);
  exchange.requestBodyBytes = 5;
  world.chain().request(exchange);
  exchange.memory.fill(0x21, exchange.requestHeadEnd);
  assert.deepEqual(await world.counts(), [1, 0, 0]);
  assert.equal(exchange.stages.length, 0);
  assert.equal(world.seen[0]!.body, "hello");
});

test("mirror: a body that a hook has read is not looked for behind the head", async (t) => {
  const world = await World.open(t);
  const exchange = post(5);
  const reader: Hooks = { onRequest: (request) => request.text().then(() => undefined) };
  world.chain({}, reader).request(exchange);
  exchange.feed("hello");
  exchange.requestBodyBytes = 5;
  exchange.stages[0]!.end();
  while (!exchange.verdicts.includes("proceed")) await new Promise<void>((resolve) => setImmediate(resolve));
  assert.deepEqual(await world.counts(), [1, 0, 0]);
  assert.equal(world.seen[0]!.body, "hello");
  assert.equal(exchange.sinks[0]!.text, "hello");
});

test("mirror: POST without a byte says so", async (t) => {
  const world = await World.open(t);
  world.chain().request(new FakeExchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
  assert.deepEqual(await world.counts(), [1, 0, 0]);
  assert.ok(world.seen[0]!.fields.includes("content-length: 0"));
});

const SKIPPED: readonly (readonly [
  string,
  FakeExchange,
  (exchange: FakeExchange) => void,
  Partial<World>?,
])[] = [
  ["a body that is said to be too long", post(1_001), () => {}],
  ["a body that turns out too long", post("chunked"), (each) => each.feed("x".repeat(1_001))],
  ["a body that is broken off", post(10), (each) => each.feed("x") && each.end()],
  ["no backend up", new FakeExchange(), () => {}, { endpoints: [] }],
];

for (const [name, exchange, go, changes] of SKIPPED)
  test(`mirror: ${name}: no copy`, async (t) => {
    const world = Object.assign(await World.open(t), changes);
    world.chain().request(exchange);
    go(exchange);
    for (const stage of exchange.stages) stage.end();
    assert.deepEqual(await world.counts(), [0, 0, 1]);
    assert.deepEqual([world.seen, exchange.verdicts, world.wrong], [[], [], []]);
  });

test("mirror: upgrades are not copied, and do not count", async (t) => {
  const world = await World.open(t);
  const exchange = new FakeExchange();
  exchange.mayTunnel = true;
  world.chain().request(exchange);
  assert.deepEqual(await world.counts(), [0, 0, 0]);
});

test("mirror: not more than so many at a time", async (t) => {
  const world = await World.open(t);
  const waiting: ServerResponse[] = [];
  world.answer = (response) => waiting.push(response);
  const chain = world.chain();
  for (let i = 0; i < MIRRORS_MAX + 3; i++) chain.request(new FakeExchange());
  assert.equal(world.mirrors.activeCount, MIRRORS_MAX);
  while (waiting.length < MIRRORS_MAX) await new Promise<void>((resolve) => setImmediate(resolve));
  for (const response of waiting) response.end();
  assert.deepEqual(await world.counts(), [MIRRORS_MAX, 0, 3]);
});

test("mirror: nobody listens, nobody answers, half an answer: it has failed", async (t) => {
  const world = await World.open(t, ANSWER_MS);
  const { endpoints } = world;
  world.endpoints = ["127.0.0.1:1"];
  world.chain().request(new FakeExchange());
  assert.deepEqual(await world.counts(), [0, 1, 0]);
  world.endpoints = endpoints;
  world.answer = () => {};
  world.chain().request(new FakeExchange());
  assert.deepEqual(await world.counts(), [0, 2, 0]);
  world.answer = (response) => response.write("half", () => response.socket!.destroy());
  world.chain().request(new FakeExchange());
  assert.deepEqual(await world.counts(), [0, 3, 0]);
  assert.deepEqual(world.wrong, []);
});
