/** Health checks against real backends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { startOrigin } from "./origin.ts";
import { type LogRecord, ProxyProcess } from "./proxy-process.ts";

const timeout = 30_000;
const QUICK = ["--workers", "1", "--health-interval", "20ms", "--health-fall", "2", "--health-rise", "2"];

test("a backend that fails its check is skipped until it passes again", { timeout }, async (t) => {
  let healthy = true;
  const sick = await startOrigin(t, (request, response) => {
    if (request.url === "/up") response.statusCode = healthy ? 204 : 503;
    response.end(request.url === "/up" ? undefined : "sick");
  });
  const well = await startOrigin(t, (_request, response) => response.end("well"));
  const proxy = await ProxyProcess.start(t, [sick.address, well.address], [...QUICK, "--health-path", "/up"]);
  healthy = false;
  const down = await proxy.log((record) => record.msg === "backend is down");
  assert.equal(down.address, sick.address);
  assert.equal(down.reason, "answered 503");
  const before = proxy.logs.length;
  for (let i = 0; i < 6; i++) assert.equal(await (await fetch(proxy.url)).text(), "well");
  healthy = true;
  await proxy.log((record) => record.msg === "backend is up" && record.address === sick.address, before);
  const seen = new Set<string>();
  while (seen.size < 2) seen.add(await (await fetch(proxy.url)).text());
});

test("all backends down: 503 with Retry-After", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.statusCode = 500;
    response.end();
  });
  const proxy = await ProxyProcess.start(t, [origin.address], QUICK);
  await proxy.log((record) => record.msg === "backend is down");
  const response = await fetch(proxy.url);
  assert.equal(response.status, 503);
  assert.match(response.headers.get("retry-after") ?? "", /^\d+$/);
});

test("a backend without /health is up unless a path was asked for", { timeout }, async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === "/health") response.statusCode = 404;
    response.end("ok");
  });
  const lenient = await ProxyProcess.start(t, [origin.address], QUICK);
  assert.equal((await fetch(lenient.url)).status, 200);
  const strict = await ProxyProcess.start(t, [origin.address], [...QUICK, "--health-path", "/health"]);
  const down = await strict.log((record) => record.msg === "backend is down");
  assert.equal(down.reason, "answered 404");
  assert(!lenient.logs.some((record) => record.msg === "backend is down"), "404 is no failure there");
});

test("a check by TCP asks for a connection only", { timeout }, async (t) => {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy = await ProxyProcess.start(t, [`127.0.0.1:${port}`], [...QUICK, "--mode", "tcp"]);
  server.close();
  const down = await proxy.log((record) => record.msg === "backend is down");
  assert.equal(down.reason, "ECONNREFUSED");
  const before = proxy.logs.length;
  server.listen(port, "127.0.0.1");
  t.after(() => server.close());
  await proxy.log((record) => record.msg === "backend is up", before);
});

test("backends on localhost that listen on IPv4 only are found, and nothing is down", {
  timeout,
}, async (t) => {
  const first = await startOrigin(t, (_request, response) => response.end("first"));
  const second = await startOrigin(t, (_request, response) => response.end("second"));
  const names = [`localhost:${first.port}`, `localhost:${second.port}`];
  const proxy = await ProxyProcess.start(t, names, QUICK);
  const seen = new Map<string, number>();
  for (let i = 0; i < 8; i++) {
    const text = await (await fetch(proxy.url)).text();
    seen.set(text, (seen.get(text) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(seen), { first: 4, second: 4 });
  assert(
    !proxy.logs.some((record) => record.msg === "backend is down"),
    "no address is tried that nobody listens on",
  );
});

test("with --health off a backend that refuses connections is told of, once", { timeout }, async (t) => {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const proxy = await ProxyProcess.start(t, [`127.0.0.1:${port}`], ["--workers", "1", "--health", "off"]);
  for (let i = 0; i < 3; i++) assert.equal((await fetch(proxy.url)).status, 502);
  const told = (record: LogRecord) => record.msg === "backend cannot be connected to";
  const { address, reason } = await proxy.log(told);
  assert.deepEqual([address, reason], [`127.0.0.1:${port}`, "ECONNREFUSED"]);
  proxy.kill("SIGTERM");
  await proxy.ended;
  assert.equal(proxy.logs.filter(told).length, 1);
});
