/** A proxy in this very process: it serves, changes, ends, and leaves nothing behind. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { setImmediate as nextPass } from "node:timers/promises";
import { type Config, createProxy, ProxyError } from "../../src/index.ts";
import { testEachEngine } from "../harness/engines.ts";
import { deferred, isRefused, nextEvent, startOrigin, textOf } from "./origin.ts";

const timeout = 30_000;
const LISTEN = "127.0.0.1:0";

testEachEngine("serves, tells figures, closes", { timeout }, async (t, engine) => {
  const origin = await startOrigin(t);
  const proxy = createProxy({ listen: LISTEN, backends: [origin.address], engine });
  assert.deepEqual(proxy.addresses, []);
  const [address] = await proxy.listen();
  assert.deepEqual(proxy.addresses, [address]);
  assert.equal(await textOf(address!, "/a?b"), "/a?b");
  const stats = proxy.stats();
  assert.equal(stats.engine, engine);
  assert.equal(stats.total.requests, 1);
  assert.deepEqual(
    stats.workers.map(({ pid }) => pid),
    [process.pid],
  );
  assert.match(proxy.metrics(), /^hp_proxy_requests_total 1$/m);
  await proxy.close();
  assert.equal(await isRefused(address!), true);
});

testEachEngine("a reload adds and removes listeners under way", { timeout }, async (t, engine) => {
  const [one, two] = [await startOrigin(t), await startOrigin(t, (_, response) => response.end("two"))];
  const config: Config = { listen: [LISTEN], backends: [one.address], engine };
  await using proxy = createProxy(config);
  const [first] = await proxy.listen();
  const open = fetch(`http://${first}/open`);
  const more: Config = {
    ...config,
    listen: [LISTEN, { address: "127.0.0.2:0", cluster: "two" }],
    clusters: { two: { backends: [two.address] } },
  };
  const { changes, problems } = await proxy.reload(more);
  assert.deepEqual(problems, []);
  assert.ok(changes.includes(`clusters.two.backends: added, ${two.address}`), changes.join("\n"));
  assert.equal((await open).status, 200);
  const [same, added] = proxy.addresses;
  assert.equal(same, first);
  assert.equal(await textOf(added!, "/"), "two");
  await proxy.reload(config);
  assert.deepEqual(proxy.addresses, [first]);
  assert.equal(await textOf(first!, "/again"), "/again");
  assert.equal(await isRefused(added!), true);
});

testEachEngine("leaves no descriptor behind", { timeout }, async (t, engine) => {
  if (process.platform !== "linux") return t.skip("there is no /proc");
  const origin = await startOrigin(t);
  const visit = async () => {
    const config: Config = { listen: LISTEN, backends: [origin.address], engine };
    const proxy = createProxy(config);
    const [address] = await proxy.listen();
    await proxy.reload({ ...config, listen: [LISTEN, "127.0.0.2:0"] });
    const closes = { headers: { connection: "close" } };
    for (const each of [address, proxy.addresses[1]]) await (await fetch(`http://${each}/`, closes)).text();
    await proxy.reload(config);
    await proxy.close({ drainTimeout: 0 });
    await nextPass();
  };
  await visit();
  const before = sockets();
  await visit();
  assert.ok(sockets() <= before, `${before} descriptors before, ${sockets()} after`);
});

function sockets(): number {
  return readdirSync("/proc/self/fd").length;
}

testEachEngine("the program's own work goes on beside it", { timeout }, async (t, engine) => {
  const origin = await startOrigin(t);
  const own = await startOrigin(t, (_, response) => setTimeout(() => response.end("own"), 1));
  await using proxy = createProxy({ listen: LISTEN, backends: [origin.address], engine });
  const [address] = await proxy.listen();
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  const answers = await Promise.all(
    Array.from({ length: 80 }, (_, i) =>
      i % 2 === 0 ? textOf(address!, `/${i}`) : textOf(own.address, "/"),
    ),
  );
  clearInterval(ticking);
  assert.deepEqual(
    answers,
    answers.map((_, i) => (i % 2 === 0 ? `/${i}` : "own")),
  );
  assert.ok(ticks > 0, "timers came due meanwhile");
});

testEachEngine("close finishes what is in flight", { timeout }, async (t, engine) => {
  const arrived = deferred<() => void>();
  const origin = await startOrigin(t, (_, response) => arrived.resolve(() => response.end("whole")));
  const proxy = createProxy({ listen: LISTEN, backends: [origin.address], engine, health: { kind: "off" } });
  const [address] = await proxy.listen();
  const answer = fetch(`http://${address}/slow`);
  const finish = await arrived.promise;
  const closed = proxy.close();
  finish();
  assert.equal(await (await answer).text(), "whole");
  await closed;
});

testEachEngine("what is in flight for too long is cut", { timeout }, async (t, engine) => {
  for (const drainTimeout of [0, "50ms"] as const) {
    const arrived = deferred<void>();
    const origin = await startOrigin(t, () => arrived.resolve());
    const proxy = createProxy({
      listen: LISTEN,
      backends: [origin.address],
      engine,
      health: { kind: "off" },
    });
    const [address] = await proxy.listen();
    const answer = fetch(`http://${address}/never`);
    await arrived.promise;
    await proxy.close({ drainTimeout });
    assert.equal((await answer).status, 503);
  }
});

test("two proxies in one process, one behind the other", { timeout }, async (t) => {
  const origin = await startOrigin(t, (request, response) => response.end(request.headers.via));
  await using inner = createProxy({ listen: LISTEN, backends: [origin.address], viaName: "inner" });
  const [behind] = await inner.listen();
  await using outer = createProxy({ listen: LISTEN, backends: [behind!], viaName: "outer" });
  const [address] = await outer.listen();
  const answers = await Promise.all(Array.from({ length: 20 }, () => textOf(address!, "/")));
  assert.deepEqual(new Set(answers), new Set(["1.1 outer, 1.1 inner"]));
  await inner.close();
  assert.equal((await fetch(`http://${address}/`)).status, 502);
});

test("events: a failure, a backend that goes and comes, a reload, the log", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const health = { interval: "50ms", fall: 1, rise: 1 } as const;
  const config: Config = { listen: LISTEN, backends: [origin.address], health };
  const logged: string[] = [];
  await using proxy = createProxy(config, {
    log: ({ level, message }) => logged.push(`${level} ${message}`),
  });
  const up = nextEvent(proxy, "log", ({ message }) => message.startsWith("listening on"));
  const [address] = await proxy.listen();
  assert.equal((await up).level, "info");
  const down = nextEvent(proxy, "endpoint", (event) => !event.up);
  await origin.close();
  const { reason, atMs: _, ...event } = { atMs: 0, ...(await down) };
  assert.deepEqual(event, { cluster: "default", name: origin.address, address: origin.address, up: false });
  assert.notEqual(reason, "");
  const failed = nextEvent(proxy, "failure");
  assert.equal((await fetch(`http://${address}/x`)).status, 503);
  assert.deepEqual([(await failed).status, (await failed).request], [503, "GET /x"]);
  const back = nextEvent(proxy, "endpoint", (each) => each.up);
  await startOrigin(t, undefined, origin.port);
  assert.equal((await back).reason, "");
  const reloaded = nextEvent(proxy, "reloaded");
  const report = await proxy.reload({ ...config, timeouts: { connect: "1s" } });
  assert.deepEqual(report, { changes: ["timeouts.connect: 3s → 1s"], problems: [] });
  assert.deepEqual(await reloaded, report);
  assert.ok(logged.includes("warn backend is down"), logged.join("\n"));
});

test("a listener that throws is the program's own trouble", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const proxy = createProxy({ listen: LISTEN, backends: [origin.address] });
  const uncaught = deferred<unknown>();
  process.setUncaughtExceptionCaptureCallback((error) => uncaught.resolve(error));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  proxy.on("reloaded", () => {
    throw new Error("mine");
  });
  await proxy.listen();
  await proxy.reload({ listen: LISTEN, backends: [origin.address], viaName: "x" });
  assert.equal(((await uncaught.promise) as Error).message, "mine");
  await proxy.close();
});

test("worker processes, as many as asked for", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  await using proxy = createProxy({ listen: LISTEN, backends: [origin.address] }, { workers: 2 });
  const [address] = await proxy.listen();
  assert.equal(await textOf(address!, "/x"), "/x");
  const pids = proxy.stats().workers.map(({ pid }) => pid);
  assert.equal(new Set([...pids, process.pid]).size, 3, "none of them is this process");
});

test("mode tcp", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  await using proxy = createProxy({ mode: "tcp", listen: LISTEN, backends: [origin.address] });
  const [address] = await proxy.listen();
  assert.equal(await textOf(address!, "/through"), "/through");
});

test("methods that do not fit are refused", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const code = (wanted: string) => (error: unknown) => error instanceof ProxyError && error.code === wanted;
  const proxy = createProxy({ listen: LISTEN, backends: [origin.address] });
  assert.throws(() => proxy.stats(), code("wrong-state"));
  await assert.rejects(proxy.reload(), code("wrong-state"));
  await proxy.listen();
  await assert.rejects(proxy.listen(), code("wrong-state"));
  await assert.rejects(proxy.close({ drainTimeout: "5" as "5s" }), code("wrong-option"));
  await proxy.close();
  await proxy.close();
  await assert.rejects(proxy.listen(), code("wrong-state"));
  const never = createProxy({ backends: [origin.address] });
  await never.close();
  for (const workers of [0, 1.5, "many" as "auto"])
    await assert.rejects(createProxy({ backends: "a:1" }, { workers }).listen(), code("wrong-option"));
});

const WRONG_OPTIONS: readonly { readonly options: object; readonly message: string }[] = [
  { options: { worker: 1 }, message: "createProxy has no option worker; did you mean workers?" },
  { options: { listen: ":1" }, message: "createProxy has no option listen; there are workers, log" },
  {
    options: { log: "verbose" },
    message: 'log "verbose" is no level; there are false, trace, debug, info, warn, error',
  },
  { options: { log: "wran" }, message: 'log "wran" is no level; did you mean warn?' },
  {
    options: { log: true },
    message: 'log "true" is no level; there are false, trace, debug, info, warn, error',
  },
];

for (const { options, message } of WRONG_OPTIONS) {
  test(`options are refused: ${JSON.stringify(options)}`, { timeout }, async () => {
    const proxy = createProxy({ listen: LISTEN, backends: "127.0.0.1:1" }, options);
    await assert.rejects(proxy.listen(), { name: "ProxyError", code: "wrong-option", message });
    const mistyped = { drainTimout: 0 } as object;
    await assert.rejects(proxy.close(mistyped), {
      code: "wrong-option",
      message: /did you mean drainTimeout\?$/,
    });
    await proxy.close();
  });
}

test("a port that is taken is told, and listening can be tried again", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  await using proxy = createProxy({ listen: `127.0.0.1:${port}`, backends: [origin.address] });
  await assert.rejects(proxy.listen(), {
    name: "ProxyError",
    code: "listen-failed",
    message: `127.0.0.1:${port} is in use by another program; stop that one, or choose another port`,
  });
  await new Promise((resolve) => other.close(resolve));
  assert.deepEqual(await proxy.listen(), [`127.0.0.1:${port}`]);
});
