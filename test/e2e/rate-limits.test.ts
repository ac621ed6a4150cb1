/** Rate limits of a real proxy: over all workers, without routes, and where workers share no memory. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { readStats } from "../../src/control/control-socket.ts";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { startOrigin } from "./origin.ts";
import { runToEnd, type Scope } from "./proxy-process.ts";

const timeout = 60_000;

/** Status and Retry-After of a request over a connection of its own. */
async function ask(port: number, path = "/"): Promise<{ status: number; retryAfter: string | undefined }> {
  return await new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, headers: { connection: "close" } };
    const asked = request(options, (response) => {
      response.resume();
      const retryAfter = response.headers["retry-after"];
      response.on("end", () => resolve({ status: response.statusCode!, retryAfter }));
    });
    asked.on("error", reject).end();
  });
}

async function countPassed(port: number, requests: number, path?: string): Promise<number> {
  let passed = 0;
  for (let i = 0; i < requests; i++) if ((await ask(port, path)).status === 200) passed++;
  return passed;
}

async function startProxy(t: Scope, more: object): Promise<ConfiguredProxy> {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const common = { listen: "127.0.0.1:0", backends: [origin.address] };
  return await ConfiguredProxy.start(t, { ...common, ...more });
}

test("a rate limit holds for all workers together, and through a reload", { timeout }, async (t) => {
  const limited = (path: string) => ({ path, rateLimit: { rate: "10/h" } });
  const proxy = await startProxy(t, {
    workers: 2,
    rateLimit: "6/h",
    routes: [limited("/a"), { prefix: "/" }],
  });
  const { port, logs } = proxy.process;
  if (logs.some(({ msg }) => msg.startsWith("rate limits:"))) return t.skip("workers share no memory here");
  assert.equal(await countPassed(port, 40, "/a"), 10);
  assert.equal(await countPassed(port, 20, "/b"), 6);
  const { status, retryAfter } = await ask(port, "/a");
  assert.equal(status, 429);
  assert.ok(Number(retryAfter) > 300 && Number(retryAfter) <= 360, `Retry-After: ${retryAfter}`);
  const { total } = await readStats(proxy.controlPath);
  assert.equal(total.errors.rate_limited, 45);

  const routes = [{ path: "/new" }, limited("/a"), { prefix: "/" }];
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const common = { listen: "127.0.0.1:0", workers: 2, backends: [origin.address] };
  proxy.write({ ...common, rateLimit: "6/h", routes });
  const changed = await proxy.reload();
  assert.deepEqual([changed.done, changed.errors], [true, []]);
  assert.equal(await countPassed(port, 3, "/a"), 0);
});

test("a rate limit needs no routes", { timeout }, async (t) => {
  const proxy = await startProxy(t, { workers: 1, rateLimit: { rate: "3/h", key: "all", status: 503 } });
  assert.equal(await countPassed(proxy.process.port, 5), 3);
  assert.deepEqual(await ask(proxy.process.port), { status: 503, retryAfter: "1200" });
  const folder = proxy.file.replace(/[^/]+$/, "");
  const [explained, checked] = await Promise.all([
    runToEnd(t, ["explain", "a/"], {}, folder),
    runToEnd(t, ["check"], {}, folder),
  ]);
  assert.match(explained.stdout, /^route +none: there are no routes/m);
  assert.match(explained.stdout, /^rate +3 in 1h, 3 at once, by nothing: all together; more get 503$/m);
  assert.match(explained.stdout, /^cluster +default$/m);
  assert.match(checked.stdout, /is right: 1 listener, 1 cluster, 1 backend/);
});

test("workers that share no memory count for themselves, and the log says so", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const without = { NODE_OPTIONS: `--import=${new URL("./without-ffi.ts", import.meta.url).href}` };
  const configuration = { listen: "127.0.0.1:0", workers: 2, backends: [origin.address], rateLimit: "5/h" };
  const proxy = await ConfiguredProxy.start(t, configuration, [], without);
  await proxy.process.log(({ msg }) => msg.startsWith("rate limits: workers share no memory here"));
  const passed = await countPassed(proxy.process.port, 30);
  assert.ok(passed >= 5 && passed <= 10, `${passed} passed`);
});

test("what check warns of is told when the proxy starts, and when it reads its configuration again", {
  timeout,
}, async (t) => {
  const guarded = { routes: [{ path: "/a", deny: ["10.0.0.0/8"] }, {}] };
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const common = { listen: "127.0.0.1:0", workers: 1, backends: [origin.address] };
  const proxy = await ConfiguredProxy.start(t, { ...common, ...guarded });
  const told = await proxy.process.log(({ msg }) => msg.includes("guards a path"));
  assert.match(told.msg, /^hp-proxy\.config\.json:1:\d+ routes\[0\]: .*policy\.rejectPaths/);
  proxy.write({ ...common, routes: [{ prefix: "/" }, { path: "/b", deny: ["10.0.0.0/8"] }] });
  assert.equal((await proxy.reload()).done, true);
  const again = await proxy.process.log(({ msg }) => msg.includes("/b guards a path"));
  assert.match(again.msg, / routes\[1\]: /);
});
