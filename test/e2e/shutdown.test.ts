/**
 * How a proxy ends: what is in flight is finished, what comes late is refused, a second signal is obeyed at
 * once.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { Moment, startOrigin } from "./origin.ts";
import {
  ENGINES,
  engineMissing,
  type LogRecord,
  ProxyProcess,
  type Scope,
  temporaryFolder,
} from "./proxy-process.ts";

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
    const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1", "--engine", engine]);
    const client = connect(proxy.port, "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(client, "data");
    client.resume();
    proxy.kill("SIGTERM");
    await once(client, "close");
    assert.equal((await proxy.ended).status, 0);
  });
}

/**
 * A backend with a response that never ends at `/begun`, a tunnel where one is asked for, and silence at `/silent/…`:
 * `waiting` resolves once somebody has asked for that.
 */
async function endlessOrigin(scope: Scope) {
  const silent = new Map<string, Moment>();
  const momentOf = (target: string): Moment => {
    const moment = silent.get(target) ?? new Moment();
    silent.set(target, moment);
    return moment;
  };
  const origin = await startOrigin(scope, ({ url = "" }, response) => {
    if (url === "/begun") response.write("abc");
    else if (url.startsWith("/silent/")) momentOf(url).reach();
    else response.end();
  });
  const waiting = (target: string) => momentOf(target).reached;
  origin.server.on("upgrade", (_request, socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc");
  });
  return { origin, waiting };
}

interface Client {
  readonly text: () => string;
  /** "": FIN; otherwise the name of what broke it. */
  readonly end: Promise<string>;
  /** `part` of the response has come. */
  readonly has: (part: string) => Promise<void>;
}

/** Sends `head`, and reads what comes. */
function ask(port: number, head: string): Client {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (bytes) => {
    text += bytes.toString();
  });
  socket.write(`${head}\r\nHost: a\r\n\r\n`);
  const end = new Promise<string>((resolve) => {
    socket.on("end", () => resolve(""));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
  });
  const has = async (part: string) => {
    while (!text.includes(part)) await once(socket, "data");
  };
  return { text: () => text, end, has };
}

/**
 * A response under way, one that has not begun, and a tunnel; all have come to the backend. `number` is another one in
 * each call.
 */
async function askAll(
  port: number,
  waiting: (target: string) => Promise<void>,
  number = 0,
): Promise<readonly [Client, Client, Client]> {
  const begun = ask(port, "GET /begun HTTP/1.0");
  const silent = ask(port, `GET /silent/${number} HTTP/1.1`);
  const tunnel = ask(port, "GET /begun HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x");
  await Promise.all([begun.has("abc"), tunnel.has("abc"), waiting(`/silent/${number}`)]);
  return [begun, silent, tunnel];
}

async function assertCut([begun, silent, tunnel]: readonly [Client, Client, Client]): Promise<void> {
  assert.deepEqual(await Promise.all([begun.end, silent.end, tunnel.end]), ["ECONNRESET", "", "ECONNRESET"]);
  assert.match(silent.text(), /^HTTP\/1\.1 503 [\s\S]*\r\nProxy-Status: [^\r]*details="drain_cut"/i);
}

function cutsIn({ logs }: ProxyProcess): LogRecord[] {
  return logs.filter(({ reason }) => reason === "drain_cut");
}

for (const engine of ENGINES) {
  test(`${engine}: what --drain-timeout cuts is seen to be cut`, { timeout }, async (t) => {
    const missing = await engineMissing(engine);
    if (missing !== "") return t.skip(missing);
    const { origin, waiting } = await endlessOrigin(t);
    const argv = ["--workers", "1", "--engine", engine, "--drain-timeout", "100ms"];
    const proxy = await ProxyProcess.start(t, [origin.address], argv);
    const clients = await askAll(proxy.port, waiting);
    proxy.kill("SIGTERM");
    await assertCut(clients);
    assert.equal((await proxy.ended).status, 0);
    assert.equal(cutsIn(proxy).length, 3);
    assert.equal(proxy.logs.find(({ msg }) => msg.startsWith("drain timeout"))?.cut, 3);
  });

  test(`${engine}: so is what a second signal cuts`, { timeout }, async (t) => {
    const missing = await engineMissing(engine);
    if (missing !== "") return t.skip(missing);
    const { origin, waiting } = await endlessOrigin(t);
    const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1", "--engine", engine]);
    const clients = await askAll(proxy.port, waiting);
    proxy.kill("SIGTERM");
    await proxy.log((record) => record.msg.startsWith("SIGTERM"));
    const insisting = setInterval(() => proxy.kill("SIGTERM"), 5);
    t.after(() => clearInterval(insisting));
    await assertCut(clients);
    assert.equal((await proxy.ended).status, 2);
  });
}

test("a worker that a reload takes away cuts what it has after drainTimeout, and says so", {
  timeout,
}, async (t) => {
  const { origin, waiting } = await endlessOrigin(t);
  const folder = temporaryFolder(t);
  const file = path.join(folder, "hp-proxy.config.json");
  const write = (workers: number) =>
    writeFileSync(
      file,
      JSON.stringify({ listen: "127.0.0.1:0", backends: origin.address, workers, drainTimeout: "100ms" }),
    );
  write(2);
  const proxy = new ProxyProcess(t, ["--config", file, "--log-format", "json"]);
  await proxy.log((record) => record.msg.startsWith("listening on "));
  // One worker or the other has them: the second goes with those that are its.
  const all = await Promise.all(
    Array.from({ length: 8 }, (_, number) => askAll(proxy.port, waiting, number)),
  );
  write(1);
  proxy.kill("SIGHUP");
  await proxy.log((record) => record.reason === "drain_cut");
  const ends = all.flat().map(({ end }) => end);
  await Promise.any(ends);
  proxy.kill("SIGTERM");
  for (const clients of all) await assertCut(clients);
  assert.equal((await proxy.ended).status, 0);
});

test("--drain-timeout 0 with nothing in flight cuts nothing, and does not say so", { timeout }, async (t) => {
  const { origin } = await endlessOrigin(t);
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1", "--drain-timeout", "0"]);
  proxy.kill("SIGTERM");
  assert.equal((await proxy.ended).status, 0);
  assert.equal(
    proxy.logs.some(({ msg }) => msg.startsWith("drain timeout")),
    false,
  );
});

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
