/** What one turn of a native engine does at most, however many connections want it in one moment. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type Engine, type EngineOptions, EngineUnavailable, type Handler } from "../../contract/port.ts";
import { createEpollEngine } from "../epoll/epoll-engine.ts";
import { createUringEngine } from "../uring/uring-engine.ts";

const CONNECTIONS = 600;
const NOTICES_MAX = 128;
/** In the batch itself, before Node has its pass, and after. */
const CLOSES_MAX = 3 * 128;
const OPTIONS = { listeners: [], connectionsMax: 1024, smallSlots: 16, largeSlots: 64 };

/** Opens so many connections, and then does what a case says. */
class Crowd implements Handler {
  readonly engine: Engine;
  readonly drainedPerBatch: number[] = [];
  connectedCount = 0;
  onAll: () => void = () => {};
  onBegin: () => void = () => {};

  constructor(engine: Engine) {
    this.engine = engine;
  }

  begin(): void {
    this.drainedPerBatch.push(0);
    this.onBegin();
  }
  accepted(): void {}
  connected(): void {
    if (++this.connectedCount === CONNECTIONS) this.onAll();
  }
  received(_connection: number, start: number): void {
    this.engine.buffers.release(start);
  }
  ended(): void {}
  drained(): void {
    this.drainedPerBatch.push(this.drainedPerBatch.pop()! + 1);
  }
  failed(): void {}
  end(): number {
    return -1;
  }
}

/** A crowd that is about to connect, and its connections; undefined where the engine cannot run. */
async function open(
  t: TestContext,
  create: (options: EngineOptions) => Engine,
): Promise<{ crowd: Crowd; connections: readonly number[]; acceptedCount: () => number } | undefined> {
  let engine: Engine;
  try {
    engine = create(OPTIONS);
  } catch (error) {
    if (!(error instanceof EngineUnavailable) || process.env.CI) throw error;
    t.skip(error.message);
    return undefined;
  }
  // Its own ends stay open: only the engine closes meanwhile.
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => {}));
  const sockets: { destroy(): unknown }[] = [];
  server.on("connection", (socket) => sockets.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    await engine.stop();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const crowd = new Crowd(engine);
  engine.start(crowd);
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connections = Array.from({ length: CONNECTIONS }, () => engine.connect(address));
  return { crowd, connections, acceptedCount: () => sockets.length };
}

for (const [name, create] of [["uring", createUringEngine] as const, ["epoll", createEpollEngine] as const]) {
  test(`${name}: what no event carries is told to some in each batch, and to all`, {
    timeout: 20_000,
  }, async (t) => {
    const opened = await open(t, create);
    if (opened === undefined) return;
    const { crowd, connections } = opened;
    crowd.onAll = () => {
      for (const connection of connections) crowd.engine.wantDrained(connection);
    };
    await new Promise<void>((resolve) => {
      crowd.onBegin = () => {
        if (crowd.drainedPerBatch.reduce((sum, count) => sum + count, 0) === CONNECTIONS) resolve();
        else if (crowd.connectedCount === CONNECTIONS) crowd.engine.wake();
      };
    });
    assert.equal(Math.max(...crowd.drainedPerBatch), NOTICES_MAX);
  });
}

test("epoll: of many connections closed in one batch a turn closes some, and all are closed", {
  timeout: 20_000,
}, async (t) => {
  const opened = await open(t, createEpollEngine);
  if (opened === undefined) return;
  const { crowd, connections, acceptedCount } = opened;
  const { engine } = crowd;
  /** Descriptors of this process: when all were open, and as of each batch behind their closing. */
  const counts: number[] = [];
  const countDescriptors = () => counts.push(readdirSync("/proc/self/fd").length);
  await new Promise<void>((resolve) => {
    crowd.onBegin = () => {
      if (counts.length > 0) countDescriptors();
      else if (crowd.connectedCount === CONNECTIONS && acceptedCount() === CONNECTIONS) {
        countDescriptors();
        for (const connection of connections) engine.close(connection);
      }
      if (counts.length > 0 && counts[0]! - counts.at(-1)! >= CONNECTIONS) resolve();
      else engine.wake();
    };
  });
  for (let i = 1; i < counts.length; i++) {
    const closed = counts[i - 1]! - counts[i]!;
    assert.ok(closed <= CLOSES_MAX, `${closed} closed at once`);
  }
});
