/** The test kit: the same seed gives the same run, and what it says is what the product does. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { mock, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import zlib from "node:zlib";
import type { Config, Hooks } from "../../src/index.ts";
import { type Simulation, type SimulationOptions, simulate } from "../../src/testing.ts";

const timeout = 30_000;
const ONE: Config = { backends: ["app:3000"], health: { kind: "off" } };

/** A bit of everything that chance or a promise could change. */
async function visit(seed: number): Promise<readonly string[]> {
  const hooks: Hooks = {
    async onRequest(request) {
      // Real work, which takes another time in each run.
      await readFile(import.meta.filename);
      request.headers.set("x-hook", request.path);
    },
  };
  const config: Config = {
    clusters: { a: { backends: ["a:1", "a:2"] }, b: { backends: ["b:1"] } },
    routes: [
      {
        to: { a: 70, b: 30 },
      },
    ],
    policy: { requestId: "generate" },
    hooks,
  };
  const upstreams: SimulationOptions["upstreams"] = {
    a: async (request) => ({ body: ["x".repeat(5_000), request.text()], pause: "3ms" }),
    b: (request) => Response.json({ id: request.headers.get("x-request-id") }),
  };
  const proxy = await simulate(config, { seed, upstreams });
  for (let i = 0; i < 4; i++)
    await proxy.fetch(`http://site/${i}`, { method: "POST", body: "y".repeat(2_000) });
  await Promise.all(Array.from({ length: 5 }, (_, i) => proxy.fetch(`http://site/many/${i}`)));
  proxy.upstream("a:1").down();
  await proxy.advance("30s");
  const response = await proxy.fetch("http://site/last");
  return [...proxy.trace, JSON.stringify([...response.headers]), JSON.stringify(proxy.stats())];
}

test("the same seed gives the same run, and another seed another", { timeout }, async () => {
  const first = await visit(1);
  assert.ok(first.length > 20);
  assert.deepEqual(await visit(1), first);
  assert.notDeepEqual(await visit(2), first);
});

const ANSWERS: readonly {
  readonly name: string;
  readonly answer: NonNullable<SimulationOptions["upstreams"]>[string];
  readonly status: number;
  readonly body?: string;
  readonly afterMs?: number;
}[] = [
  { name: "a body", answer: () => ({ body: "text" }), status: 200, body: "text" },
  {
    name: "a response of the web",
    answer: () => new Response("web", { status: 201 }),
    status: 201,
    body: "web",
  },
  { name: "a promise", answer: async () => ({ status: 404, body: "no" }), status: 404, body: "no" },
  {
    name: "chunks",
    answer: () => ({ body: ["a", "b", "c"], pause: "1s" }),
    status: 200,
    body: "abc",
    afterMs: 2_000,
  },
  { name: "no content", answer: () => ({ status: 204 }), status: 204, body: "" },
  { name: "late", answer: () => ({ delay: "3s", body: "late" }), status: 200, body: "late", afterMs: 3_000 },
  { name: "never", answer: () => "hang", status: 504, afterMs: 60_000 },
  { name: "a reset", answer: () => "reset", status: 502 },
  { name: "the end", answer: () => "close", status: 502 },
];

for (const { name, answer, status, body, afterMs = 0 } of ANSWERS) {
  test(`an upstream answers: ${name}`, { timeout }, async () => {
    const proxy = await simulate(ONE, { upstreams: { "app:3000": answer } });
    const response = await proxy.fetch("http://site/");
    assert.equal(response.status, status);
    if (body !== undefined) assert.equal(await response.text(), body);
    assert.ok(proxy.nowMs >= afterMs && proxy.nowMs < afterMs + 50, `after ${proxy.nowMs} ms`);
  });
}

test("a response that breaks off is one to fetch", { timeout }, async () => {
  const upstreams = { "app:3000": () => ({ body: "0123456789", resetAfter: 4 }) };
  const proxy = await simulate(ONE, { upstreams });
  await assert.rejects(proxy.fetch("http://site/"), /^TypeError: GET http:\/\/site\/: the proxy has /);
  assert.equal(proxy.log[0]?.fields.reason, "response_cut");
});

test("an upstream sees the request as the proxy sends it", { timeout }, async () => {
  const proxy = await simulate({ ...ONE, viaName: "mine" });
  const body = "grüße".repeat(1_000);
  const headers = { "x-one": "1", connection: "x-one" };
  await proxy.fetch("http://site:8080/a?b=c", { method: "PUT", body, headers, from: "192.0.2.77" });
  const [request] = proxy.upstream("app:3000").requests;
  assert.deepEqual([request?.method, request?.target, request?.path], ["PUT", "/a?b=c", "/a"]);
  assert.equal(request?.query.get("b"), "c");
  assert.equal(request?.text(), body);
  assert.equal(request?.headers.get("host"), "site:8080");
  assert.equal(request?.headers.get("x-forwarded-for"), "192.0.2.77");
  assert.equal(request?.headers.get("via"), "1.1 mine");
  assert.equal(request?.headers.has("x-one"), false);
});

test("a backend that is down is skipped, told by health checks, and comes back", { timeout }, async () => {
  const proxy = await simulate({ backends: ["a:1", "b:1"], health: { interval: "1s", fall: 2, rise: 2 } });
  const ups = () => proxy.endpoints.map(({ up }) => up);
  proxy.upstream("a:1").down();
  for (let i = 0; i < 4; i++) assert.equal(await textOf(proxy), "b:1");
  assert.deepEqual(ups(), [true, true]);
  await proxy.advance("3s");
  assert.deepEqual(ups(), [false, true]);
  proxy.upstream("b:1").down();
  await proxy.advance("3s");
  assert.equal((await proxy.fetch("http://site/")).status, 503);
  proxy.upstream("a:1").up();
  await proxy.advance("3s");
  assert.deepEqual(ups(), [true, false]);
  assert.equal(await textOf(proxy), "a:1");
  const told = proxy.log.filter(({ message }) => message.startsWith("backend is"));
  assert.deepEqual(
    told.map(({ level, fields }) => [level, fields.backend]),
    [
      ["warn", "a:1"],
      ["warn", "b:1"],
      ["info", "a:1"],
    ],
  );
});

async function textOf(proxy: Simulation): Promise<string> {
  return await (await proxy.fetch("http://site/")).text();
}

test("a mute backend costs the time to connect", { timeout }, async () => {
  const proxy = await simulate({ ...ONE, timeouts: { connect: "2s" } });
  proxy.upstream("app:3000").mute();
  assert.equal((await proxy.fetch("http://site/")).status, 504);
  assert.ok(proxy.nowMs >= 2_000 && proxy.nowMs < 2_100, `${proxy.nowMs}`);
});

test("a client byte by byte, a tunnel, and draining", { timeout }, async () => {
  const upstreams: SimulationOptions["upstreams"] = {
    "app:3000": () => ({ status: 101, headers: { connection: "upgrade", upgrade: "echo" } }),
  };
  const proxy = await simulate({ ...ONE, timeouts: { requestHead: "5s" } }, { upstreams });
  const slow = proxy.connect();
  slow.send("GET / HTTP/1.1\r\nHost: s");
  assert.match(await slow.until((received) => received.includes("\r\n\r\n")), /^HTTP\/1\.1 408 /);
  const tunnel = proxy.connect();
  tunnel.send("GET / HTTP/1.1\r\nHost: s\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
  await tunnel.until((received) => received.includes("\r\n\r\n"));
  tunnel.send("ping");
  await tunnel.until((received) => received.endsWith("ping"));
  assert.equal(proxy.stats().tunnels.open, 1);
  const drained = proxy.drain();
  tunnel.reset();
  await drained;
  assert.equal(proxy.stats().clients.open, 0);
  const late = proxy.connect();
  await late.until(() => false);
  assert.notEqual(late.state, "open");
});

test("code that takes real time takes none of the clock, and sleep does", { timeout }, async () => {
  let proxy: Simulation;
  const hooks: Hooks = {
    async onRequest(request) {
      if (request.path === "/files") for (let i = 0; i < 3; i++) await readFile(import.meta.filename);
      if (request.path === "/sleeps") await proxy.sleep("400ms");
    },
  };
  proxy = await simulate({ ...ONE, hooks });
  await proxy.fetch("http://site/files");
  assert.ok(proxy.nowMs < 50, `${proxy.nowMs}`);
  await proxy.fetch("http://site/sleeps");
  assert.ok(proxy.nowMs >= 400 && proxy.nowMs < 500, `${proxy.nowMs}`);
});

const LONG = "0123456789".repeat(6_000);
const PLAIN = { "content-type": "text/plain" };

/** Takes real time for each piece. */
const slow = () =>
  new TransformStream<Uint8Array, Uint8Array>({
    async transform(piece, controller) {
      await delay(2);
      controller.enqueue(piece);
    },
  });

async function* slowPieces(): AsyncGenerator<string> {
  for (let at = 0; at < LONG.length; at += 6_000) {
    await delay(1);
    yield LONG.slice(at, at + 6_000);
  }
}

/** A body of `LONG`, unless `body` says another. */
const BODIES: readonly {
  readonly name: string;
  readonly config: Partial<Config>;
  readonly body?: string;
  readonly accepts?: string;
  /** Works on threads ahead of what it has asked for, so the moment may be another. */
  readonly isAhead?: boolean;
}[] = [
  {
    name: "a stream of the web",
    config: { hooks: { onResponse: (response) => response.transformBody(new TransformStream()) } },
  },
  {
    name: "a stream that takes real time",
    config: { hooks: { onResponse: (response) => response.transformBody(slow()) } },
  },
  {
    name: "two streams",
    config: {
      hooks: {
        onResponse(response) {
          response.transformBody(slow());
          response.transformBody((body) => body.pipeThrough(slow()));
        },
      },
    },
  },
  {
    name: "CompressionStream",
    config: {
      hooks: {
        onResponse(response) {
          response.headers.set("content-encoding", "gzip");
          response.transformBody(new CompressionStream("gzip") as unknown as TransformStream<Uint8Array>);
        },
      },
    },
    isAhead: true,
  },
  { name: "gzip", config: { compress: true }, accepts: "gzip" },
  { name: "br", config: { compress: true }, accepts: "br" },
  { name: "zstd", config: { compress: true }, accepts: "zstd" },
  {
    name: "a request's stream",
    config: { hooks: { onRequest: (request) => request.transformBody(slow()) } },
  },
  {
    name: "a request that is read",
    config: {
      hooks: {
        async onRequest(request) {
          await request.text();
        },
      },
    },
  },
  { name: "a request that is buffered", config: { routes: [{ buffer: { request: "1MiB" }, to: "app" }] } },
  {
    name: "a hook's answer in pieces",
    config: { hooks: { onRequest: () => ({ status: 200, body: slowPieces() }) } },
  },
  {
    name: "a hook's answer from elsewhere",
    config: {
      hooks: {
        async onRequest() {
          await delay(5);
          const pieces = slowPieces();
          const body = new ReadableStream<Uint8Array>({
            async pull(controller) {
              const { done, value } = await pieces.next();
              if (done === true) controller.close();
              else controller.enqueue(Buffer.from(value));
            },
          });
          return new Response(body);
        },
      },
    },
  },
  {
    name: "a stream behind a promise",
    config: {
      hooks: {
        async onResponse(response) {
          await delay(5);
          response.transformBody(slow());
        },
      },
    },
    body: "short",
  },
];

for (const { name, config, body = LONG, accepts = "identity", isAhead = false } of BODIES) {
  test(`a body that passes through code takes none of the clock: ${name}`, { timeout }, async () => {
    const { routes } = config;
    const full: Config = {
      ...config,
      ...(routes === undefined ? ONE : { clusters: { app: ONE }, routes }),
    } as Config;
    const runs: string[] = [];
    for (let i = 0; i < 2; i++) {
      const proxy = await simulate(full, {
        upstreams: { "app:3000": (request) => ({ body: request.text(), headers: PLAIN }) },
      });
      const headers = { "accept-encoding": accepts };
      const response = await proxy.fetch("http://site/", { method: "POST", body, headers });
      assert.equal(response.status, 200);
      assert.equal(decoded(response.headers, Buffer.from(await response.arrayBuffer())).toString(), body);
      assert.ok(proxy.nowMs < 100, `after ${proxy.nowMs} ms`);
      runs.push(isAhead ? "" : proxy.trace.join("\n"));
    }
    assert.equal(runs[1], runs[0], "the same run again");
  });
}

function decoded(headers: Headers, bytes: Buffer): Buffer {
  const coding = headers.get("content-encoding");
  if (coding === "gzip") return zlib.gunzipSync(bytes);
  if (coding === "br") return zlib.brotliDecompressSync(bytes);
  return coding === "zstd" ? zlib.zstdDecompressSync(bytes) : bytes;
}

test("what a compressor keeps follows when the backend pauses", { timeout }, async () => {
  const upstreams: SimulationOptions["upstreams"] = {
    "app:3000": () => ({ body: ["first", "last"], pause: "20s", headers: PLAIN }),
  };
  const proxy = await simulate({ ...ONE, compress: { minSize: 1 } }, { upstreams });
  const client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: s\r\nAccept-Encoding: br\r\n\r\n");
  await client.until((received) => received.includes("\r\n\r\n"));
  await proxy.advance("1s");
  assert.match(client.received, /content-encoding: br[\s\S]*\r\n\r\n[\s\S]*first/i);
});

test("a stream that waits for the backend lets the clock go on", { timeout }, async () => {
  const chunk = "x".repeat(100_000);
  const upstreams: SimulationOptions["upstreams"] = {
    "app:3000": () => ({ body: [chunk, chunk], pause: "5s" }),
  };
  const hooks: Hooks = { onResponse: (response) => response.transformBody(slow()) };
  const proxy = await simulate({ ...ONE, hooks }, { upstreams });
  const response = await proxy.fetch("http://site/");
  assert.equal((await response.text()).length, 200_000);
  assert.ok(proxy.nowMs >= 5_000 && proxy.nowMs < 5_100, `${proxy.nowMs}`);
});

test("a hook that is late, by the virtual clock", { timeout }, async () => {
  let proxy: Simulation;
  const hooks: Hooks = {
    timeout: "3s",
    onRequest: async () => await proxy.sleep("1h"),
  };
  proxy = await simulate({ ...ONE, hooks });
  assert.equal((await proxy.fetch("http://site/")).status, 500);
  assert.ok(proxy.nowMs >= 3_000 && proxy.nowMs < 3_100, `${proxy.nowMs}`);
  assert.equal(proxy.log[0]?.message.includes("late"), true);
});

test("mocked timers follow the clock", { timeout }, async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  let firedAtMs = 0;
  const proxy = await simulate(ONE, { onTick: (ms) => mock.timers.tick(ms) });
  setTimeout(() => {
    firedAtMs = proxy.nowMs;
  }, 5_000);
  await proxy.advance("4s");
  assert.equal(firedAtMs, 0);
  await proxy.advance("2s");
  assert.ok(firedAtMs >= 5_000);
});

test("a hook that throws fails as its policy says, and is in the log", { timeout }, async () => {
  const hooks = (onFailure: "open" | "closed"): Hooks => ({
    onFailure,
    onRequest() {
      throw new Error("broken");
    },
  });
  const proxy = await simulate({ ...ONE, hooks: hooks("closed") });
  assert.equal((await proxy.fetch("http://site/")).status, 500);
  assert.ok(proxy.log.some(({ message }) => message.includes("broken")));
  assert.equal(proxy.stats().hooks.threw, 1);
  await proxy.reload({ ...ONE, hooks: hooks("open") });
  assert.equal((await proxy.fetch("http://site/")).status, 200);
});

test("a reload counts from the next request on", { timeout }, async () => {
  const proxy = await simulate(ONE);
  await proxy.reload({ ...ONE, backends: ["other:1"] });
  assert.equal(await textOf(proxy), "other:1");
  await assert.rejects(proxy.reload({ ...ONE, listen: ":1" }), { code: "needs-restart" });
  await assert.rejects(proxy.reload({ backends: "x" }), { name: "ConfigurationError" });
  assert.equal(await textOf(proxy), "other:1");
});

test("a reload takes a backend away that has a handler, and brings it back", { timeout }, async () => {
  const off = { health: { kind: "off" } } as const;
  const upstreams = { "a:1": () => ({ body: "mine" }) };
  const proxy = await simulate({ ...off, backends: ["a:1", "b:1"] }, { upstreams });
  await proxy.reload({ ...off, backends: ["b:1"] });
  assert.deepEqual([await textOf(proxy), await textOf(proxy)], ["b:1", "b:1"]);
  await proxy.reload({ ...off, backends: ["a:1"] });
  assert.equal(await textOf(proxy), "mine");
});

test("what a handler throws is what the test sees", { timeout }, async () => {
  for (const handler of [
    () => {
      throw new RangeError("mine");
    },
    () => Promise.reject(new RangeError("mine")),
  ]) {
    const proxy = await simulate(ONE, { upstreams: { "app:3000": handler } });
    await assert.rejects(proxy.fetch("http://site/"), new RangeError("mine"));
  }
});

test("mistakes are told with a remedy", { timeout }, async () => {
  const upstreams = { "ap:3000": () => ({}) };
  await assert.rejects(simulate(ONE, { upstreams }), {
    message: 'upstream "ap:3000" is no backend of the configuration; did you mean app:3000?',
  });
  await assert.rejects(simulate(ONE, { upstream: {} } as object), {
    message: "simulate has no option upstream; did you mean upstreams?",
  });
  await assert.rejects(simulate({ backends: [] }), { name: "ConfigurationError" });
  const proxy = await simulate(ONE);
  assert.throws(() => proxy.upstream("app"), /^ProxyError: upstream "app" is no backend/);
  await assert.rejects(proxy.advance("5" as "5s"), /^ProxyError: "5": has no unit; /);
  assert.throws(() => proxy.connect({ listener: 1 }), /^ProxyError: listener 1 is not there/);
});

test("mode tcp", { timeout }, async () => {
  const proxy = await simulate({ ...ONE, mode: "tcp" });
  assert.equal(await textOf(proxy), "app:3000");
});
