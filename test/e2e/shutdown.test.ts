/**
 * How a proxy ends: what is in flight is finished, what comes late is refused, a second signal is obeyed at
 * once.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { Moment, startOrigin } from "./origin.ts";
import { ENGINES, engineMissing, ProxyProcess, type Scope } from "./proxy-process.ts";

const timeout = 30_000;

/** A backend that answers the head and half of the body at once, the rest when `release` is reached. */
async function slowOrigin(scope: Scope) {
  const asked = new Moment();
  const release = new Moment();
  const origin = await startOrigin(scope, async (request, response) => {
    if (request.url === "/health") {
      response.end();
      return;
    }
    response.writeHead(200, { "content-length": "10" });
    response.write("first");
    asked.reach();
    await release.reached;
    response.end(" half");
  });
  return { origin, asked, release };
}

async function refused(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const event = await Promise.race([
    once(socket, "connect").then(() => "connect"),
    once(socket, "error").then(([error]) => (error as NodeJS.ErrnoException).code),
  ]).catch((error: NodeJS.ErrnoException) => error.code);
  socket.destroy();
  return event === "ECONNREFUSED";
}

/** Connecting is refused from some moment on: the listening sockets close a little after the signal. */
async function untilRefused(port: number): Promise<void> {
  while (!(await refused(port)));
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} to an idle proxy: exit 0`, { timeout }, async (t) => {
    const proxy = await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "2"]);
    proxy.kill(signal);
    const { status } = await proxy.ended;
    assert.equal(status, 0);
  });
}

for (const engine of ENGINES) {
  const argv = ["--workers", "2", "--engine", engine];

  test(`${engine}: SIGTERM finishes what is in flight, refuses new connections, exit 0`, {
    timeout,
  }, async (t) => {
    const missing = await engineMissing(engine);
    if (missing !== "") return t.skip(missing);
    const { origin, asked, release } = await slowOrigin(t);
    const proxy = await ProxyProcess.start(t, [origin.address], argv);
    const response = fetch(proxy.url);
    await asked.reached;
    const { port } = proxy;
    proxy.kill("SIGTERM");
    await untilRefused(port);
    release.reach();
    assert.equal(await (await response).text(), "first half");
    const { status } = await proxy.ended;
    assert.equal(status, 0);
  });

  test(`${engine}: SIGTERM closes idle keep-alive connections`, { timeout }, async (t) => {
    const missing = await engineMissing(engine);
    if (missing !== "") return t.skip(missing);
    const origin = await startOrigin(t, (_request, response) => response.end("ok"));
    const proxy = await ProxyProcess.start(t, [origin.address], argv);
    const client = connect(proxy.port, "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(client, "data");
    client.resume();
    proxy.kill("SIGTERM");
    await once(client, "close");
    assert.equal((await proxy.ended).status, 0);
  });
}

test("a second signal ends at once, exit 2", { timeout }, async (t) => {
  const { origin, asked } = await slowOrigin(t);
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1"]);
  const cut = fetch(proxy.url).then((response) => response.text());
  cut.catch(() => {});
  await asked.reached;
  proxy.kill("SIGTERM");
  await proxy.log((record) => record.msg.startsWith("SIGTERM"));
  // One that comes too close is taken for an echo, so it is said until nobody is left to hear it.
  const insisting = setInterval(() => proxy.kill("SIGTERM"), 5);
  t.after(() => clearInterval(insisting));
  assert.equal((await proxy.ended).status, 2);
  await assert.rejects(cut, "the request in flight is cut");
});

test("a signal to the process and then to its group is one", { timeout }, async (t) => {
  const { origin, asked } = await slowOrigin(t);
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1", "--drain-timeout", "300ms"]);
  const cut = fetch(proxy.url).then((response) => response.text());
  cut.catch(() => {});
  await asked.reached;
  proxy.kill("SIGTERM");
  proxy.kill("SIGTERM");
  proxy.kill("SIGINT");
  await proxy.log((record) => record.msg.startsWith("drain timeout"));
  assert.equal((await proxy.ended).status, 0);
  await assert.rejects(cut, "the request in flight is cut");
});

test("what is in flight after --drain-timeout is cut, exit 0", { timeout }, async (t) => {
  const { origin, asked } = await slowOrigin(t);
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1", "--drain-timeout", "100ms"]);
  const cut = fetch(proxy.url).then((response) => response.text());
  cut.catch(() => {});
  await asked.reached;
  proxy.kill("SIGTERM");
  await proxy.log((record) => record.msg.startsWith("drain timeout"));
  assert.equal((await proxy.ended).status, 0);
  await assert.rejects(cut, "the request in flight is cut");
});
