import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeExchange } from "../../test/hooks/fake-exchange.ts";
import { BLOCK_BYTES } from "../contract/counters.ts";
import { HookChain } from "./hook-chain.ts";
import type { HookRequest, HookResponse, Hooks } from "./hooks.ts";
import { REAL_CLOCK } from "./link.ts";

const surroundings = {
  clock: REAL_CLOCK,
  clusterNames: ["app", "canary"],
  cells: new Float64Array(BLOCK_BYTES / 8),
  tell: ({ message }: { message: string }) => assert.fail(message),
  stray: () => {},
};

/** Calls `look` with the request as a hook sees it. */
function seen(exchange: FakeExchange, hooks: Hooks): FakeExchange {
  const link = { name: "a.ts", hooks, budgetMs: 1_000, timeoutMs: 1_000, isClosed: true, number: 0 };
  const chain = new HookChain([link], surroundings);
  if (hooks.onRequest !== undefined) chain.request(exchange);
  if (hooks.onResponse !== undefined) chain.response(exchange);
  return exchange;
}

function request(head: string, look: (request: HookRequest) => void): FakeExchange {
  return seen(new FakeExchange(head), { onRequest: (each) => look(each) });
}

const HEAD = [
  "PURGE /a/%20b?x=1&x=2&y=%26 HTTP/1.1",
  "Host: shop.example:80",
  "X-Empty:",
  "Accept: text/html",
  "ACCEPT:   text/plain\t ",
  "X-Bytes: caf\xe9 \xff",
  "X-Colon: a:b: c",
  "Set-Cookie: a=1, b",
  "X-Request-Id: 17",
  "",
  "",
].join("\r\n");

test("parts of a request", () => {
  request(HEAD, (each) => {
    assert.equal(each.method, "PURGE");
    assert.equal(each.target, "/a/%20b?x=1&x=2&y=%26");
    assert.equal(each.path, "/a/%20b");
    assert.deepEqual(each.query.getAll("x"), ["1", "2"]);
    assert.equal(each.query.get("y"), "&");
    assert.equal(each.host, "shop.example:80");
    assert.equal(each.id, "17");
    assert.equal(each.client, "192.0.2.7");
    assert.equal(each.route, "shop");
  });
});

const VALUES: readonly [name: string, value: string | null][] = [
  ["x-empty", ""],
  ["X-EMPTY", ""],
  ["accept", "text/html, text/plain"],
  ["x-bytes", "café ÿ"],
  ["x-colon", "a:b: c"],
  ["x-colo", null],
  ["x-colon2", null],
  ["http", null],
  ["purge /a/%20b?x=1&x=2&y=%26 http/1.1", null],
];

for (const [name, value] of VALUES)
  test(`header field ${name} is ${value}`, () => {
    request(HEAD, ({ headers }) => {
      if (/ /.test(name)) assert.throws(() => headers.get(name), TypeError);
      else {
        assert.equal(headers.get(name), value);
        assert.equal(headers.has(name), value !== null);
      }
    });
  });

test("every line, in order, with names in lower case", () => {
  request(HEAD, ({ headers }) => {
    const names = [...headers].map(([name]) => name);
    const rest = ["x-bytes", "x-colon", "set-cookie", "x-request-id"];
    assert.deepEqual(names, ["host", "x-empty", "accept", "accept", ...rest]);
    assert.deepEqual(headers.getAll("accept"), ["text/html", "text/plain"]);
    assert.deepEqual(headers.getAll("x-none"), []);
  });
});

test("fields are edited where they lie, byte for byte", () => {
  const exchange = request(HEAD, ({ headers }) => {
    headers.set("Accept", " a\xe9 ");
    headers.append("x-new", "1");
    headers.append("x-new", "2");
    headers.delete("X-Bytes");
    headers.delete("x-none");
    for (const [name] of headers) if (name === "x-new") headers.set("x-loop", "1");
    assert.deepEqual(headers.getAll("x-new"), ["1", "2"]);
  });
  assert.match(exchange.requestHead, /\r\naccept: a\xe9\r\nx-new: 1\r\nx-new: 2\r\nx-loop: 1\r\n\r\n$/);
  assert.doesNotMatch(exchange.requestHead, /X-Bytes/);
});

const REFUSED: readonly [name: string, value: string][] = [
  ["", "a"],
  ["a b", "a"],
  ["a:", "a"],
  ["a\r\nb", "a"],
  ["x\xe9", "a"],
  ["x-a", "a\r\nx-b: c"],
  ["x-a", "a\0"],
  ["x-a", "a\x07"],
  ["x-a", "a\x7f"],
  ["x-a", "日本"],
  ["x-a", undefined as never],
];

for (const [name, value] of REFUSED)
  test(`no header field: ${JSON.stringify(name)} = ${JSON.stringify(value)}`, () => {
    const exchange = request(HEAD, ({ headers }) => {
      assert.throws(() => headers.set(name, value), TypeError);
      assert.throws(() => headers.append(name, value), TypeError);
    });
    assert.equal(exchange.requestHead, HEAD);
  });

test("what the session refuses is an error with the reason", () => {
  request(HEAD, ({ headers }) => {
    const framing = { name: "HookError", code: "refused", message: /framing depends on it/ };
    assert.throws(() => headers.set("Content-Length", "5"), framing);
    assert.throws(() => headers.delete("content-length"), framing);
    assert.throws(() => headers.append("Content-Length", "5"), framing);
  });
});

test("a limit of a body that is no number is refused", async () => {
  for (const maxBytes of [NaN, -1, "1mb", null] as unknown as number[]) {
    let read: Promise<string> | undefined;
    const exchange = new FakeExchange("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange.hasRequestBody = true;
    seen(exchange, {
      onRequest(each) {
        read = each.text({ maxBytes });
      },
    });
    await assert.rejects(read!, /maxBytes is a number of bytes/);
  }
});

test("target, path and cluster can be set", () => {
  const exchange = request(HEAD, (each) => {
    each.path = "/new";
    assert.equal(each.target, "/new?x=1&x=2&y=%26");
    each.target = "/other?z";
    assert.equal(each.path, "/other");
    assert.throws(() => {
      each.path = "new";
    }, /is not a path/);
    assert.throws(() => {
      each.path = "/a?b";
    }, /is not a path/);
    assert.throws(() => {
      each.target = "/a b";
    }, /is not a request target/);
    each.cluster = "canary";
    assert.equal(each.cluster, "canary");
    assert.throws(() => {
      each.cluster = "canari";
    }, /"canari" is not a cluster; did you mean canary\?/);
  });
  assert.equal(exchange.routedTo, 1);
  assert.match(exchange.requestHead, /^PURGE \/other\?z HTTP\/1\.1\r\n/);
});

test("a response's status and fields", () => {
  const exchange = new FakeExchange();
  exchange.status = 200;
  exchange.responseHead = "HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n";
  const look = (response: HookResponse) => {
    assert.deepEqual(response.headers.getAll("set-cookie"), ["a", "b"]);
    response.headers.delete("server");
    response.status = 404;
    assert.throws(() => {
      response.status = 100;
    }, /is not a status/);
  };
  seen(exchange, { onResponse: (response) => look(response) });
  assert.equal(exchange.status, 404);
  assert.doesNotMatch(exchange.responseHead, /Server/);
});

test("the same head is read by whatever name it is asked, however it is written", () => {
  for (const head of [
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\na:\r\n\r\n",
    "GET / HTTP/1.1\r\na:  \r\nb:c\r\n\r\n",
  ])
    request(head, ({ headers }) => {
      assert.equal([...headers].length, (head.match(/^[ab]:/gm) ?? []).length);
      assert.equal(headers.get("b"), head.includes("b:") ? "c" : null);
    });
});
