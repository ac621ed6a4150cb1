import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeExchange } from "../../test/hooks/fake-exchange.ts";
import { BLOCK_BYTES, Counter } from "../contract/counters.ts";
import type { HookNotice } from "../contract/notices.ts";
import { HookChain } from "./hook-chain.ts";
import type { HookContext, HookRecord, HookRequest, HookResponse, Hooks } from "./hooks.ts";
import { type HookSurroundings, REAL_CLOCK } from "./link.ts";

class World implements HookSurroundings {
  readonly clock = REAL_CLOCK;
  readonly clusterNames = ["app", "canary"];
  readonly cells = new Float64Array(BLOCK_BYTES / 8);
  readonly told: HookNotice[] = [];
  readonly strays: string[] = [];

  tell(notice: HookNotice): void {
    this.told.push(notice);
  }

  stray(where: string, error: unknown): void {
    this.strays.push(`${where}: ${String(error)}`);
  }
}

const never = new Promise<undefined>(() => {});

function chainOf(world: World, ...all: readonly (Hooks & { timeoutMs?: number })[]): HookChain {
  const links = all.map((hooks, index) => ({
    name: `hooks-${index}.ts`,
    hooks,
    budgetMs: 1_000,
    timeoutMs: hooks.timeoutMs ?? 10_000,
    isClosed: hooks.onFailure !== "open",
    number: 0,
  }));
  return new HookChain(links, world);
}

/** Lets promises settle. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await null;
}

/** Fails with the message of `what` a moment later. */
const failing = (what: string) => () => Promise.reject(new Error(what));
const later = (ms: number) => new Promise<undefined>((resolve) => setTimeout(resolve, ms));

const VERDICTS: readonly {
  name: string;
  hooks: readonly (Hooks & { timeoutMs?: number })[];
  verdicts: readonly string[];
  told?: readonly string[];
  waitMs?: number;
}[] = [
  { name: "nothing returned: it goes on, never held", hooks: [{ onRequest() {} }], verdicts: [] },
  {
    name: "an answer",
    hooks: [{ onRequest: () => ({ status: 401 }) }],
    verdicts: ["answer 401"],
  },
  {
    name: "an answer ends the chain",
    hooks: [{ onRequest: () => ({ status: 401 }) }, { onRequest: () => assert.fail("not asked") }],
    verdicts: ["answer 401"],
  },
  {
    name: "a promise of nothing",
    hooks: [{ onRequest: async () => undefined }],
    verdicts: ["hold", "proceed"],
  },
  {
    name: "several promises hold once",
    hooks: [{ onRequest: async () => undefined }, {}, { onRequest: async () => undefined }],
    verdicts: ["hold", "proceed"],
  },
  {
    name: "a promise of an answer",
    hooks: [{ onRequest: async () => ({ status: 403 }) }],
    verdicts: ["hold", "answer 403"],
  },
  {
    name: "thrown, closed",
    hooks: [
      {
        onRequest() {
          throw new Error("no");
        },
      },
    ],
    verdicts: ["fail hook_threw"],
    told: ["threw"],
  },
  {
    name: "thrown, open: the next is asked",
    hooks: [
      {
        onFailure: "open",
        onRequest() {
          throw new Error("no");
        },
      },
      { onRequest: () => ({ status: 200 }) },
    ],
    verdicts: ["answer 200"],
    told: ["threw"],
  },
  {
    name: "rejected, closed",
    hooks: [{ onRequest: failing("no") }],
    verdicts: ["hold", "fail hook_threw"],
    told: ["threw"],
  },
  {
    name: "rejected, open",
    hooks: [{ onFailure: "open", onRequest: failing("no") }],
    verdicts: ["hold", "proceed"],
    told: ["threw"],
  },
  {
    name: "late, closed",
    hooks: [{ timeoutMs: 5, onRequest: () => never }],
    verdicts: ["hold", "fail hook_late"],
    told: ["late"],
    waitMs: 30,
  },
  {
    name: "late, open",
    hooks: [{ timeoutMs: 5, onFailure: "open", onRequest: () => never }],
    verdicts: ["hold", "proceed"],
    told: ["late"],
    waitMs: 30,
  },
  {
    name: "settled after it was late: no second verdict",
    hooks: [{ timeoutMs: 5, onRequest: async () => later(15).then(() => ({ status: 200 })) }],
    verdicts: ["hold", "fail hook_late"],
    told: ["late"],
    waitMs: 60,
  },
  {
    name: "no answer at all, closed",
    hooks: [{ onRequest: () => ({ status: 99 }) }],
    verdicts: ["fail hook_threw"],
    told: ["threw"],
  },
  {
    name: "no answer at all, open",
    hooks: [{ onFailure: "open", onRequest: () => "yes" as never }],
    verdicts: [],
    told: ["threw"],
  },
  {
    name: "a field of an answer that is the proxy's",
    hooks: [{ onRequest: () => ({ status: 200, headers: { "Content-Length": "5" } }) }],
    verdicts: ["fail hook_threw"],
    told: ["threw"],
  },
];

for (const { name, hooks, verdicts, told = [], waitMs = 0 } of VERDICTS)
  test(`verdict: ${name}`, async () => {
    const world = new World();
    const exchange = new FakeExchange();
    chainOf(world, ...hooks).request(exchange);
    await settle();
    // Timers of this size are what is tested here; they fire in order, however late.
    if (waitMs > 0) await later(waitMs);
    assert.deepEqual(exchange.verdicts, verdicts);
    const kinds = world.told.map(({ kind }) => kind);
    assert.deepEqual(kinds, told);
    assert.equal(world.cells[Counter.hooksThrown], told.filter((kind) => kind === "threw").length);
    assert.equal(world.cells[Counter.hooksLate], told.filter((kind) => kind === "late").length);
  });

const BODIES: readonly {
  name: string;
  hooks: Hooks;
  body: string;
  isWhole?: true;
  verdict: string;
  told: readonly string[];
}[] = [
  {
    name: "none of it has come",
    hooks: { onRequest: async (request) => void (await request.text()) },
    body: "",
    verdict: "fail body_late",
    told: [],
  },
  {
    name: "half of it has come",
    hooks: { onRequest: async (request) => void (await request.bytes()) },
    body: "half",
    verdict: "fail body_late",
    told: [],
  },
  {
    name: "all of it has come, and the hook waits for something else",
    hooks: { onRequest: async (request) => void (await Promise.all([request.text(), never])) },
    body: "all",
    isWhole: true,
    verdict: "fail hook_late",
    told: ["late"],
  },
  {
    name: "the hook does not read it",
    hooks: { onRequest: () => never },
    body: "",
    verdict: "fail hook_late",
    told: ["late"],
  },
  {
    name: "half of it has come, open",
    hooks: { onFailure: "open", onRequest: async (request) => void (await request.text()) },
    body: "half",
    verdict: "proceed",
    told: ["late"],
  },
];

for (const { name, hooks, body, isWhole, verdict, told } of BODIES)
  test(`late at a request's body: ${name}`, async () => {
    const world = new World();
    const exchange = new FakeExchange("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange.hasRequestBody = true;
    chainOf(world, { ...hooks, timeoutMs: 5 }).request(exchange);
    if (body !== "") exchange.feed(body);
    if (isWhole === true) exchange.stages.at(-1)!.end();
    while (exchange.verdicts.length < 2) await later(1);
    assert.deepEqual(exchange.verdicts, ["hold", verdict]);
    const kinds = world.told.map(({ kind }) => kind);
    assert.deepEqual(kinds, told);
  });

test("what is thrown is told with its place, and bounded", () => {
  const world = new World();
  const hooks: Hooks = {
    onRequest() {
      throw new TypeError("x".repeat(5_000));
    },
  };
  chainOf(world, hooks).request(new FakeExchange());
  const [{ message, hook, source, route }] = world.told as [HookNotice];
  assert.deepEqual({ hook, source, route }, { hook: "onRequest", source: "hooks-0.ts", route: "shop" });
  assert.match(message, /^TypeError: xxx/);
  assert.ok(message.length < 700);
});

test("a call over its budget is counted and told, and goes on", () => {
  const world = new World();
  const spin = () => {
    for (const endMs = performance.now() + 3; performance.now() < endMs; );
  };
  const exchange = new FakeExchange();
  const common = { name: "a.ts", timeoutMs: 1_000, isClosed: true, number: 0 };
  const link = { ...common, hooks: { onRequest: spin }, budgetMs: 1 };
  new HookChain([link], world).request(exchange);
  assert.deepEqual(exchange.verdicts, []);
  assert.equal(world.cells[Counter.hooksOverBudget], 1);
  assert.match(world.told[0]!.message, /^it held the worker for \d+\.\d ms, its budget is 1 ms$/);
});

test("on the way in hooks are called in order, on the way out in reverse", () => {
  const calls: string[] = [];
  const hooks = (name: string): Hooks => ({
    onRequest: () => void calls.push(`request ${name}`),
    onUpstream: () => void calls.push(`upstream ${name}`),
    onResponse: () => void calls.push(`response ${name}`),
    onLog: () => void calls.push(`log ${name}`),
  });
  const exchange = new FakeExchange();
  const chain = chainOf(new World(), hooks("a"), hooks("b"));
  chain.request(exchange);
  chain.upstream(exchange);
  chain.response(exchange);
  chain.log(exchange);
  assert.deepEqual(calls, [
    ...["request a", "request b", "upstream a", "upstream b"],
    ...["response b", "response a", "log a", "log b"],
  ]);
});

test("the client leaves while a hook waits: no verdict, the signal says so, edits throw", async () => {
  const exchange = new FakeExchange();
  const seen: string[] = [];
  const world = new World();
  const chain = chainOf(world, {
    async onRequest(request, { signal }) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      seen.push(String((signal.reason as Error).name), String(request.signal.aborted));
      assert.throws(() => request.headers.set("x-a", "1"), { name: "HookError", code: "ended" });
      assert.throws(() => request.method, { name: "HookError", code: "ended" });
      assert.throws(() => request.headers.get("host"), { name: "HookError", code: "ended" });
      seen.push("done");
      return { status: 200 };
    },
  });
  chain.request(exchange);
  exchange.end();
  await settle();
  assert.deepEqual(seen, ["HookError", "true", "done"]);
  assert.deepEqual(exchange.verdicts, ["hold"]);
  assert.deepEqual(world.told, []);
});

test("what is kept of an exchange that is over sees nothing of the one behind it", () => {
  const exchange = new FakeExchange();
  const world = new World();
  let kept: [HookRequest, HookResponse, HookContext] | undefined;
  const chain = chainOf(world, {
    onResponse(response, request, context) {
      request.state.user = "ada";
      assert.equal(request.headers.get("host"), "a");
      assert.equal(response.headers.get("server"), "x");
      kept ??= [request, response, context];
    },
  });
  exchange.responseHead = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";
  chain.response(exchange);
  assert.equal(exchange.edge?.ended(), true, "the chain keeps nothing of it");
  exchange.edge = null;
  exchange.cluster = "app";
  chain.response(exchange);
  const before = [exchange.requestHead, exchange.responseHead, exchange.status];
  const [request, response, context] = kept!;
  const ended = { name: "HookError", code: "ended" };
  const uses: (() => unknown)[] = [
    () => request.method,
    () => request.target,
    () => (request.target = "/new"),
    () => request.headers.get("host"),
    () => [...request.headers],
    () => request.headers.set("x-a", "1"),
    () => request.headers.append("x-a", "1"),
    () => request.headers.delete("host"),
    () => request.transformBody((body) => body),
    () => response.headers.get("server"),
    () => response.headers.set("x-a", "1"),
    () => (response.status = 404),
    () => response.transformBody((body) => body),
  ];
  for (const use of uses) assert.throws(use, ended, use.toString());
  assert.deepEqual([exchange.requestHead, exchange.responseHead, exchange.status], before);
  assert.deepEqual([request.route, request.cluster, response.status, response.endpoint], ["", "", 0, ""]);
  assert.deepEqual(context.state, { user: "ada" });
  assert.equal(request.signal.aborted, true);
  assert.deepEqual(world.told, []);
});

test("state is shared by the hooks of an exchange and by its moments, and by no other", () => {
  const seen: unknown[] = [];
  const chain = chainOf(
    new World(),
    {
      onRequest(request) {
        request.state.user = "ada";
      },
    },
    {
      onResponse: (_response, request, context) =>
        void seen.push(context.state === request.state, request.state.user),
    },
  );
  const [one, other] = [new FakeExchange(), new FakeExchange()];
  chain.request(one);
  chain.response(one);
  chain.response(other);
  assert.deepEqual(seen, [true, "ada", true, undefined]);
});

test("an error can be answered, and a hook that fails there leaves the usual answer", () => {
  const world = new World();
  const chain = chainOf(world, {
    onError({ reason, message, status, by }) {
      if (reason === "other") throw new Error("no");
      return { status: 200, headers: { "x-reason": `${reason} ${message} ${status} ${by}` } };
    },
  });
  const exchange = new FakeExchange();
  Object.assign(exchange, {
    failureReason: "no_endpoint",
    failureText: "none is up",
    failureBy: "proxy",
    status: 503,
  });
  chain.error(exchange);
  assert.equal(exchange.answerLines, "x-reason: no_endpoint none is up 503 proxy\r\n");
  const other = new FakeExchange();
  other.failureReason = "other";
  chain.error(other);
  assert.deepEqual(other.verdicts, []);
  assert.equal(world.told.length, 1);
});

test("the record of an exchange is plain data", () => {
  const records: HookRecord[] = [];
  const chain = chainOf(new World(), { onLog: (record) => void records.push(record) });
  const exchange = new FakeExchange("POST /a?b HTTP/1.1\r\nHost: shop\r\nX-Request-Id: 7\r\n\r\n");
  Object.assign(exchange, { status: 201, endpoint: "b:1", cluster: "app", attempts: 2, requestBodyBytes: 5 });
  chain.log(exchange);
  assert.deepEqual(JSON.parse(JSON.stringify(records)), [
    {
      ...{ id: "7", method: "POST", target: "/a?b", host: "shop", route: "shop", client: "192.0.2.7" },
      ...{ status: 201, durationMs: 250, requestBytes: 5, responseBytes: 0 },
      ...{ cluster: "app", endpoint: "b:1", attempts: 2, failure: "" },
    },
  ]);
});

test("a log hook that throws or rejects disturbs nobody", async () => {
  const world = new World();
  let called = 0;
  const chain = chainOf(
    world,
    {
      onLog() {
        throw new Error("a");
      },
    },
    { onLog: failing("b") },
    { onLog: () => void called++ },
  );
  const exchange = new FakeExchange();
  exchange.requestStart = -1;
  chain.log(exchange);
  await settle();
  assert.equal(called, 1);
  const starts = world.told.map(({ message }) => message.slice(0, 8));
  assert.deepEqual(starts, ["Error: a", "Error: b"]);
});

const refuse = (): never => {
  throw new Error("do not look");
};
const unseen: never = new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse }) as never;

function streamThatIsRead(): ReadableStream<Uint8Array> {
  const stream = new ReadableStream<Uint8Array>();
  stream.getReader();
  return stream;
}

const HUGE = { "x-a": "a".repeat(70_000) };

const HOSTILE: readonly [name: string, onRequest: NonNullable<Hooks["onRequest"]>, verdicts: string[]][] = [
  ["a then that throws", () => unseen, ["hold", "fail hook_threw"]],
  ["a promise of that", async () => unseen, ["hold", "fail hook_threw"]],
  [
    "a promise whose constructor throws",
    () => Object.defineProperty(Promise.resolve(), "constructor", { get: refuse }),
    ["hold", "fail hook_threw"],
  ],
  [
    "thrown: what cannot be looked at",
    () => {
      throw unseen;
    },
    ["fail hook_threw"],
  ],
  [
    "a body that gives no iterator",
    () => ({ status: 200, body: { [Symbol.asyncIterator]: () => null as never } }),
    ["fail hook_threw"],
  ],
  [
    "a body whose iterator throws",
    () => ({ status: 200, body: { [Symbol.asyncIterator]: refuse } }),
    ["fail hook_threw"],
  ],
  ["a stream that somebody reads", () => ({ status: 200, body: streamThatIsRead() }), ["fail hook_threw"]],
  ["an answer with a head that fits nowhere", () => ({ status: 200, headers: HUGE }), ["fail hook_threw"]],
  ["a Response with such a head", () => new Response("", { headers: HUGE }), ["fail hook_threw"]],
  ["a Response that somebody reads", () => new Response(streamThatIsRead()), ["fail hook_threw"]],
];

for (const [name, onRequest, verdicts] of HOSTILE)
  test(`hostile: ${name}`, async () => {
    for (const onFailure of ["closed", "open"] as const) {
      const world = new World();
      const exchange = new FakeExchange();
      chainOf(world, { onFailure, onRequest }).request(exchange);
      await settle();
      const goesOn = verdicts[0] === "hold" ? ["hold", "proceed"] : [];
      assert.deepEqual(exchange.verdicts, onFailure === "closed" ? verdicts : goesOn);
      const named = world.told.map(({ hook }) => hook);
      assert.deepEqual(named, ["onRequest"]);
    }
  });

test("hostile: a body whose iterator throws when nobody wants the rest", async () => {
  const exchange = new FakeExchange();
  const next = () => new Promise<IteratorResult<string>>(() => {});
  const body = { [Symbol.asyncIterator]: () => ({ next, return: refuse }) };
  chainOf(new World(), { onRequest: () => ({ status: 200, body }) }).request(exchange);
  exchange.answerSink.onAborted?.();
  await settle();
  assert.deepEqual(exchange.verdicts, ["answer 200"]);
});
