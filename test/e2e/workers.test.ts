/** Worker processes: what happens when one dies, and when their supervisor does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { readStats } from "../../src/control/control-socket.ts";
import type { StatsReport, WorkerStats } from "../../src/control/stats-report.ts";
import { REFUSE_URING_ERRNO } from "../harness/refuse-uring.ts";
import { startOrigin } from "./origin.ts";
import { ENGINES, engineMissing, ProxyProcess } from "./proxy-process.ts";

const timeout = 30_000;
const ENOMEM = 12;
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async function stats(proxy: ProxyProcess): Promise<StatsReport> {
  return await readStats(`${proxy.runtimeFolder}/hp-proxy/${proxy.child.pid}.sock`);
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

async function answer(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes.toString();
}

for (const engine of ENGINES) {
  test(`${engine}: a worker that dies is replaced, and a connection in its queue is answered`, {
    timeout,
  }, async (t) => {
    const missing = await engineMissing(engine);
    if (missing !== "") return t.skip(missing);
    const origin = await startOrigin(t, (_request, response) => response.end("ok"));
    const proxy = await ProxyProcess.start(
      t,
      [origin.address],
      ["--workers", "1", "--engine", engine, "--log-level", "debug"],
    );
    if (proxy.logs.some((record) => record.msg.startsWith("workers open their own"))) {
      return t.skip("listening sockets are handed down by FFI, which is not there");
    }
    const { pid } = (await stats(proxy)).workers[0]!;
    process.kill(pid, "SIGKILL");
    await proxy.log((record) => record.msg.startsWith("worker died"));
    // Its successor needs much longer to begin than it takes to connect: nobody accepts now.
    const queued = await open(proxy.port);
    queued.write(GET);
    assert.match(await answer(queued), /^HTTP\/1\.1 200 /);
    queued.destroy();
    const report = await stats(proxy);
    assert.equal(report.restarts, 1);
    assert.notEqual(report.workers[0]!.pid, pid);
  });
}

test("the siblings of a worker that dies do not notice", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "2"]);
  const sockets: Socket[] = [];
  // Connections are spread by hash: as many as it takes until each worker has one.
  let report: StatsReport;
  do {
    const socket = await open(proxy.port);
    socket.on("error", () => {});
    socket.write(GET);
    await answer(socket);
    sockets.push(socket);
    report = await stats(proxy);
  } while (report.workers.some(({ clients }) => clients.open === 0));
  const [victim, sibling] = report.workers as readonly [WorkerStats, WorkerStats];
  let closed = 0;
  const lost = new Promise<void>((resolve) => {
    for (const socket of sockets) {
      socket.on("close", () => {
        if (++closed === victim.clients.open) resolve();
      });
    }
  });
  const logged = proxy.logs.length;
  process.kill(victim.pid, "SIGKILL");
  await lost;
  const alive = sockets.filter((socket) => !socket.closed && !socket.destroyed);
  assert.equal(alive.length, sibling.clients.open);
  for (const socket of alive) {
    socket.write(GET);
    assert.match(await answer(socket), /^HTTP\/1\.1 200 /);
  }
  await proxy.log((record) => record.msg.startsWith("worker died"), logged);
  for (const socket of sockets) socket.destroy();
});

test("workers whose supervisor is killed finish and go", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1"]);
  const client = await open(proxy.port);
  client.write(GET);
  await answer(client);
  const { port } = proxy;
  proxy.kill("SIGKILL");
  await once(client, "close");
  let code: string | undefined;
  do {
    const socket = connect(port, "127.0.0.1");
    code = await Promise.race([
      once(socket, "connect").then(() => "connected"),
      once(socket, "error").then(([error]) => (error as NodeJS.ErrnoException).code),
    ]).catch((error: NodeJS.ErrnoException) => error.code);
    socket.destroy();
  } while (code !== "ECONNREFUSED");
});

test("a signal to the whole group is obeyed by the supervisor alone", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1"]);
  const { pid } = (await stats(proxy)).workers[0]!;
  process.kill(pid, "SIGINT");
  process.kill(pid, "SIGTERM");
  const response = await fetch(proxy.url, { headers: { connection: "close" } });
  assert.equal(await response.text(), "ok");
  assert.equal((await stats(proxy)).workers[0]!.pid, pid);
});

test("without FFI several workers share a port, and figures outlive a worker", { timeout }, async (t) => {
  if (process.platform !== "linux") return t.skip("only Linux spreads connections over such sockets");
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "2", "--log-level", "debug"], {
    NODE_OPTIONS: `--import ${new URL("./without-ffi.ts", import.meta.url).href}`,
  });
  const told = proxy.logs.find((record) => record.msg.startsWith("engine net; passed over "));
  assert.match(told?.msg ?? "", /uring \(.+\), epoll \(.+\)/);
  const ask = async () => (await fetch(proxy.url, { headers: { connection: "close" } })).text();
  for (let i = 0; i < 4; i++) assert.equal(await ask(), "ok");
  // Workers send their figures once a second.
  let report: StatsReport;
  do report = await stats(proxy);
  while (report.total.requests < 4);
  const logged = proxy.logs.length;
  for (const { pid } of report.workers) process.kill(pid, "SIGKILL");
  for (const worker of [0, 1]) {
    await proxy.log((record) => record.msg === "worker accepts" && record.worker === worker, logged);
  }
  assert.equal(await ask(), "ok");
  do report = await stats(proxy);
  while (report.total.requests < 5);
  assert.equal(report.total.requests, 5);
});

test("a user whose memory for rings is used up: auto passes over uring, and one line says why", {
  timeout,
}, async (t) => {
  const missing = await engineMissing("epoll");
  if (missing !== "") return t.skip(missing);
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "2"], {
    NODE_OPTIONS: `--import ${new URL("../harness/refuse-uring.ts", import.meta.url).href}`,
    [REFUSE_URING_ERRNO]: String(ENOMEM),
  });
  assert.equal(await (await fetch(proxy.url)).text(), "ok");
  const told = proxy.logs.map(({ msg }) => msg).filter((msg) => msg.includes("io_uring"));
  const reason = "io_uring_setup: ENOMEM (too little locked memory allowed: ulimit -l)";
  assert.deepEqual(told, [`engine epoll; passed over uring (${reason})`]);
});
