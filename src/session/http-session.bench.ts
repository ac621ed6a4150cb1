/**
 * What one proxied GET costs in the data plane alone: a session over a port that does nothing. Prints
 * nanoseconds per exchange and a checksum. `node src/session/http-session.bench.ts [exchanges]`
 */
import { BufferPool, HEADROOM_BYTES } from "../base/buffer-pool.ts";
import { asciiBytes, writeBytes } from "../base/bytes.ts";
import { BLOCK_BYTES } from "../contract/counters.ts";
import type { Port } from "../contract/port.ts";
import { DEFAULT_LIMITS, DEFAULT_POLICY, DEFAULT_TIMEOUTS, type Snapshot } from "../contract/snapshot.ts";
import { createHttpSession } from "./http-session.ts";

const CONNECTIONS = 64;
const REQUEST = asciiBytes("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
const RESPONSE = asciiBytes(
  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 08:25:10 GMT\r\n" +
    "Content-Type: text/plain\r\nContent-Length: 13\r\nConnection: keep-alive\r\n\r\nhello, world!",
);

const SNAPSHOT: Snapshot = {
  version: 1,
  mode: "http",
  viaName: "hp-proxy",
  clusters: [
    {
      name: "main",
      endpoints: [
        { name: "a", address: "127.0.0.1:1", healthy: true },
        { name: "b", address: "127.0.0.1:2", healthy: true },
        { name: "c", address: "127.0.0.1:3", healthy: true },
      ],
    },
  ],
  listeners: [{ cluster: 0 }],
  timeouts: DEFAULT_TIMEOUTS,
  limits: DEFAULT_LIMITS,
  policy: DEFAULT_POLICY,
};

/** A port whose connections take everything at once and tell nothing. */
class NullPort implements Port {
  readonly connectionsMax = 4096;
  readonly buffers: BufferPool;
  /** Bytes sent so far: the checksum. */
  sentBytes = 0;
  /** Connections that a request was sent to since this was last read. */
  readonly #connected: number[] = [];
  #next = CONNECTIONS;

  constructor() {
    const bytes = BufferPool.regionBytes(4096, 512);
    this.buffers = new BufferPool(new Uint8Array(bytes), 4096, 512);
  }

  connect(): number {
    this.#connected.push(this.#next);
    return this.#next++;
  }

  takeConnected(): number {
    return this.#connected.pop() ?? -1;
  }

  readonly targets = new Int32Array(CONNECTIONS);
  targetCount = 0;

  send(connection: number, start: number, end: number): void {
    this.sentBytes += end - start;
    if (connection >= CONNECTIONS) this.targets[this.targetCount++] = connection;
    this.buffers.release(start);
  }

  queuedBytes(): number {
    return 0;
  }

  wantDrained(): void {}
  pause(): void {}
  resume(): void {}
  shutdown(): void {}
  close(): void {}
  reset(): void {}

  writePeerAddress(_connection: number, offset: number): number {
    return writeBytes(this.buffers.memory, offset, asciiBytes("127.0.0.1"));
  }
}

/** Runs `exchanges` GETs in batches of 64 clients. Returns nanoseconds per exchange. */
export function run(exchanges: number): { nsPerExchange: number; checksum: number } {
  const port = new NullPort();
  const session = createHttpSession(
    port,
    SNAPSHOT,
    new Float64Array(BLOCK_BYTES / 8),
    { admits: () => true, failure: () => {}, endpoint: () => {}, drained: () => {} },
    0,
  );
  let nowMs = 1000;
  session.begin(nowMs);
  for (let client = 0; client < CONNECTIONS; client++) session.accepted(client, 0);
  session.end();
  const { buffers } = port;
  const deliver = (connection: number, bytes: Uint8Array): void => {
    const start = buffers.acquireLarge() + HEADROOM_BYTES;
    session.received(connection, start, writeBytes(buffers.memory, start, bytes));
  };
  const round = (): void => {
    nowMs += 0.3;
    session.begin(nowMs);
    for (let client = 0; client < CONNECTIONS; client++) deliver(client, REQUEST);
    for (let made = port.takeConnected(); made >= 0; made = port.takeConnected()) session.connected(made);
    session.end();
    const count = port.targetCount;
    port.targetCount = 0;
    session.begin(nowMs);
    for (let i = 0; i < count; i++) deliver(port.targets[i]!, RESPONSE);
    session.end();
  };
  const rounds = Math.ceil(exchanges / CONNECTIONS);
  for (let i = 0; i < Math.min(rounds, 500); i++) round();
  const began = performance.now();
  for (let i = 0; i < rounds; i++) round();
  const ns = ((performance.now() - began) * 1e6) / (rounds * CONNECTIONS);
  return { nsPerExchange: ns, checksum: port.sentBytes };
}

/** A moment of it, so that it cannot rot. */
export function smoke(): void {
  const { checksum } = run(640);
  if (checksum === 0) throw new Error("nothing was sent");
}

if (import.meta.main) {
  const { nsPerExchange, checksum } = run(Number(process.argv[2] ?? 2_000_000));
  console.log(`${nsPerExchange.toFixed(0)} ns per exchange (checksum ${checksum})`);
}
