/** Whole runs against tiny servers on loopback: what a server does is what the result says. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { chooseEngine } from "../engine/choose.ts";
import { parseCommandLine } from "./options.ts";
import type { ErrorName, Result } from "./result.ts";
import { runLoad } from "./run.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/** Answers request number `index` (from 0, over all connections). */
type Answer = (socket: Socket, index: number) => void;

/** A server that counts heads and calls `answer` for each; returns where it listens. */
async function serve(t: TestContext, answer: Answer, path?: string): Promise<string> {
  let index = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    let tail = "";
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.on("data", (data) => {
      const text = tail + data.toString("latin1");
      const heads = text.split("\r\n\r\n");
      tail = heads.pop()!;
      for (const _head of heads) if (!socket.destroyed) answer(socket, index++);
    });
  });
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(path, resolve);
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return typeof address === "object" ? `127.0.0.1:${address!.port}` : `unix:${address}`;
}

async function run(argv: readonly string[], engine = "net"): Promise<Result> {
  const parsed = parseCommandLine([...argv, "--engine", engine]);
  if (parsed.kind !== "run") return assert.fail(JSON.stringify(parsed));
  return await runLoad(parsed.configuration, {
    version: "0.0.0",
    openEngine: (options) => chooseEngine(parsed.configuration.engine, options),
    began: () => {},
    progressed: () => {},
    stopSignal: new AbortController().signal,
  });
}

interface Case {
  readonly name: string;
  readonly answer: Answer;
  readonly argv?: readonly string[];
  /** The only statuses that may come; empty for none. */
  readonly statuses: readonly number[];
  /** The only error that may come, and must; absent for none. */
  readonly error?: ErrorName;
  readonly reason?: string;
  readonly reconnects: boolean;
}

const write =
  (text: string): Answer =>
  (socket) =>
    void socket.write(text, "latin1");
const writeAndEnd =
  (text: string): Answer =>
  (socket) =>
    void socket.end(text, "latin1");

const CASES: readonly Case[] = [
  { name: "length", answer: write(OK), statuses: [200], reconnects: false },
  {
    name: "chunked",
    answer: write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    statuses: [200],
    reconnects: false,
  },
  {
    name: "until close",
    answer: writeAndEnd("HTTP/1.1 200 OK\r\n\r\nhello"),
    statuses: [200],
    reconnects: true,
  },
  {
    name: "close announced",
    answer: writeAndEnd("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
    statuses: [200],
    reconnects: true,
  },
  {
    name: "close asked for",
    answer: write(OK),
    argv: ["-H", "Connection: close"],
    statuses: [200],
    reconnects: true,
  },
  {
    name: "HEAD",
    answer: write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    argv: ["-m", "HEAD"],
    statuses: [200],
    reconnects: false,
  },
  {
    name: "interim response first",
    answer: write(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`),
    statuses: [200],
    reconnects: false,
  },
  {
    name: "every other response is an error",
    answer: (socket, index) =>
      void socket.write(index % 2 === 0 ? OK : "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
    statuses: [200, 503],
    reconnects: false,
  },
  {
    name: "malformed",
    answer: write("HTTP/9 200\r\n\r\n--------"),
    statuses: [],
    error: "badResponse",
    reason: "bad_status_line",
    reconnects: true,
  },
  {
    name: "two responses to one request",
    answer: write(OK + OK),
    statuses: [200],
    error: "badResponse",
    reason: "bytes_without_request",
    reconnects: true,
  },
  {
    name: "body cut short",
    answer: writeAndEnd("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"),
    statuses: [],
    error: "closedEarly",
    reconnects: true,
  },
  {
    name: "closed without an answer",
    answer: (socket) => void socket.end(),
    statuses: [],
    error: "closedEarly",
    reconnects: true,
  },
  {
    name: "reset",
    answer: (socket) => void socket.resetAndDestroy(),
    statuses: [],
    error: "read",
    reason: "ECONNRESET",
    reconnects: true,
  },
  {
    name: "no answer in time",
    answer: () => {},
    argv: ["--timeout", "50ms"],
    statuses: [],
    error: "timeout",
    reconnects: true,
  },
];

const LOOPS = [
  { name: "closed loop", argv: [] },
  { name: "open loop", argv: ["--rate", "200"] },
];

/** The portable engine, and the one that is best here. */
const { engine: best } = await chooseEngine("auto", {
  listeners: [],
  connectionsMax: 1,
  smallSlots: 1,
  largeSlots: 1,
});
await best.stop();
const ENGINES = [...new Set(["net", best.name])];

for (const engine of ENGINES) {
  for (const loop of LOOPS) {
    for (const row of CASES) test(`${row.name}, ${loop.name}, ${engine}`, (t) => check(t, row, loop, engine));
  }
}

async function check(t: TestContext, row: Case, loop: (typeof LOOPS)[number], engine: string): Promise<void> {
  const address = await serve(t, row.answer);
  const result = await run([address, "-c", "3", "-d", "150ms", ...(row.argv ?? []), ...loop.argv], engine);
  assert.equal(result.engine.name, engine);
  assert.deepEqual(Object.keys(result.statuses).map(Number), row.statuses);
  const failing = Object.entries(result.errors).filter(([, { count }]) => count > 0);
  assert.deepEqual(
    failing.map(([name]) => name),
    row.error === undefined ? [] : [row.error],
  );
  if (row.reason !== undefined) assert.equal(failing[0]![1].reason, row.reason);
  assert.equal(result.reconnects > 0, row.reconnects, `${result.reconnects} reconnects`);
  assert.equal(result.latencyUs.count, result.responses, "every response has a latency");
  if (row.error === undefined) assert.ok(result.bytesIn > 0 && result.bytesOut > 0);
  if (loop.argv.length > 0 && row.error === undefined) {
    assert.equal(result.responses, 30, "the whole schedule is answered");
  }
}

test("a refused connection is counted, and a hopeless run ends early", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const result = await run([`127.0.0.1:${port}`, "-c", "2", "-d", "60s"]);
  assert.ok(result.errors.connect.count >= 2);
  assert.equal(result.errors.connect.reason, "ECONNREFUSED");
  assert.equal(result.responses, 0);
  assert.ok(result.elapsedMs < 30_000);
});

test("pipelining keeps the depth in flight and matches answers in order", async (t) => {
  const depth = 8;
  const waiting: number[] = [];
  let deepest = 0;
  const address = await serve(t, (socket, index) => {
    waiting.push(index);
    deepest = Math.max(deepest, waiting.length);
    if (waiting.length > 1) return;
    setImmediate(() => {
      for (const each of waiting.splice(0)) {
        socket.write(each % 4 === 3 ? "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n" : OK);
      }
    });
  });
  const result = await run([address, "-c", "1", "-d", "250ms", "-p", `${depth}`]);
  assert.equal(deepest, depth);
  assert.equal(result.errorCount, 0);
  const ratio = result.statuses["200"]! / result.statuses["404"]!;
  assert.ok(ratio > 2 && ratio < 4.5, `three to one: ${JSON.stringify(result.statuses)}`);
});

test("an announced close gives pipelined requests of an open loop back to the schedule", async (t) => {
  const address = await serve(t, (socket, index) => {
    if (index % 5 === 4) socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    else if (!socket.writableEnded) socket.write(OK);
  });
  const result = await run([address, "-c", "2", "-d", "500ms", "-p", "8", "--rate", "1000"]);
  assert.equal(result.responses, 500);
  assert.equal(result.unsent, 0);
  assert.equal(result.errorCount, 0);
  assert.ok(result.reconnects > 0);
});

test("an open loop shows one stall in every request that it held up", async (t) => {
  const stallMs = 500;
  let isStalled = false;
  const held: Socket[] = [];
  const address = await serve(t, (socket, index) => {
    if (index === 20) {
      isStalled = true;
      setTimeout(() => {
        isStalled = false;
        for (const each of held) each.write(OK);
      }, stallMs);
    }
    if (isStalled) held.push(socket);
    else socket.write(OK);
  });
  // 200 requests in a second: some 100 fall due during the stall, though only 2 are in flight.
  const result = await run([address, "-c", "2", "-d", "1s", "--rate", "200"]);
  const slow = (cells: Result["cells"]["latency"]) =>
    cells.filter(([us]) => us > 100_000).reduce((sum, [, count]) => sum + count, 0);
  assert.equal(result.responses, 200, "nothing of the schedule is dropped");
  assert.ok(result.latencyUs.p99_9 >= 400_000, `p99.9 ${result.latencyUs.p99_9}`);
  assert.ok(slow(result.cells.latency) >= 60, `${slow(result.cells.latency)} waited`);
  assert.ok(slow(result.cells.service) < 30, `${slow(result.cells.service)} were in flight`);
});

test("warm-up is not counted", async (t) => {
  let seen = 0;
  const address = await serve(t, (socket) => {
    seen++;
    socket.write(OK);
  });
  const result = await run([address, "-c", "1", "-d", "200ms", "-w", "300ms", "--rate", "100"]);
  assert.equal(seen, 50);
  assert.ok(result.responses === 20 || result.responses === 21, `${result.responses} of ${seen}`);
});

test("a schedule that cannot be kept is told of", async (t) => {
  const address = await serve(t, (socket) => void setTimeout(() => socket.write(OK), 50));
  const result = await run([address, "-c", "1", "-d", "300ms", "--rate", "1000", "-t", "200ms"]);
  assert.ok(result.unsent > 200, `${result.unsent} never sent`);
  assert.equal(result.responses + result.unsent + result.errorCount, 300);
});

test("a body larger than a buffer slot arrives whole", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "hp-bench-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const body = Buffer.alloc(200_000, "abcdefg");
  writeFileSync(join(folder, "body"), body);
  const server = createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      received = Buffer.concat([received, Buffer.from(data)]);
      const bodyStart = received.indexOf("\r\n\r\n") + 4;
      if (received.length - bodyStart < body.length) return;
      const isSame = received.subarray(bodyStart, bodyStart + body.length).equals(body);
      received = received.subarray(bodyStart + body.length);
      socket.write(isSame ? OK : "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const result = await run([`127.0.0.1:${port}`, "-c", "2", "-d", "250ms", "-b", join(folder, "body")]);
  assert.deepEqual(Object.keys(result.statuses), ["200"]);
  assert.equal(result.configuration.method, "POST");
});

test("a unix socket is a target", { skip: process.platform === "win32" && "no socket paths" }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "hp-bench-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const address = await serve(t, write(OK), join(folder, "s"));
  const result = await run([`${address}:/x`, "-c", "2", "-d", "150ms"]);
  assert.deepEqual(Object.keys(result.statuses), ["200"]);
});

test("the engine that is best here does the same", async (t) => {
  const address = await serve(t, write(OK));
  const result = await run([address, "-c", "4", "-d", "1100ms", "-p", "2"], "auto");
  assert.deepEqual(Object.keys(result.statuses), ["200"]);
  assert.equal(result.errorCount, 0);
  const inSeries = result.seconds.reduce((sum, { responses }) => sum + responses, 0);
  assert.equal(inSeries, result.responses, "the series adds up");
  const inCells = result.cells.latency.reduce((sum, [, count]) => sum + count, 0);
  assert.equal(inCells, result.responses, "the histogram adds up");
});
