/**
 * What one proxied GET costs in the data plane alone: a session over a port that does nothing. Prints
 * nanoseconds per exchange and a checksum. `node src/session/http-session.bench.ts [exchanges]`
 */
import { BufferPool, HEADROOM_BYTES } from "../base/buffer-pool.ts";
import { asciiBytes, writeBytes } from "../base/bytes.ts";
import { linearMemory } from "../base/linear-memory.ts";
import { BLOCK_BYTES } from "../contract/counters.ts";
import type { Chain } from "../contract/interception.ts";
import { DEFAULT_LIMITS, DEFAULT_POLICY, DEFAULT_TIMEOUTS, type Snapshot } from "../contract/snapshot.ts";
import { NullPort } from "../engine/null-port.ts";
import { createHttpSession } from "./http-session.ts";

const CONNECTIONS = 64;
const CONNECTIONS_MAX = 4096;
const SMALL_SLOTS = 4096;
const LARGE_SLOTS = 512;
const WARM_UP_EXCHANGES = 500 * CONNECTIONS;
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

/** Counts what is sent, and to which connections to backends. */
class CountingPort extends NullPort {
  /** Bytes sent so far: the checksum. */
  sentBytes = 0;
  readonly targets = new Int32Array(CONNECTIONS);
  targetCount = 0;
  /** Connections that were made since this was last read. */
  readonly #connected: number[] = [];
  #next = CONNECTIONS;

  constructor() {
    const bytes = BufferPool.regionBytes(SMALL_SLOTS, LARGE_SLOTS);
    const linear = linearMemory(bytes);
    const region = new Uint8Array(linear?.buffer ?? new ArrayBuffer(bytes), 0, bytes);
    super(new BufferPool(region, SMALL_SLOTS, LARGE_SLOTS, linear), CONNECTIONS_MAX, asciiBytes("127.0.0.1"));
  }

  connect(): number {
    this.#connected.push(this.#next);
    return this.#next++;
  }

  takeConnected(): number {
    return this.#connected.pop() ?? -1;
  }

  send(connection: number, start: number, end: number): void {
    this.sentBytes += end - start;
    if (connection >= CONNECTIONS) this.targets[this.targetCount++] = connection;
    this.buffers.release(start);
  }
}

/**
 * A session with 64 clients. The function returned plays at least that many exchanges, in rounds of one for
 * each client, and returns the bytes sent so far. `chain`: the hooks of every request.
 */
export function prepareExchanges(chain?: Chain): (exchanges: number) => number {
  const port = new CountingPort();
  const session = createHttpSession(
    port,
    chain === undefined ? SNAPSHOT : { ...SNAPSHOT, hooking: { version: 1, chains: [[]] }, chain: 0 },
    new Float64Array(BLOCK_BYTES / 8),
    { admits: () => true, failure: () => {}, endpoint: () => {}, drained: () => {} },
    0,
    undefined,
    chain === undefined ? undefined : { chains: [chain], wake: () => {} },
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
  return (exchanges) => {
    for (let played = 0; played < exchanges; played += CONNECTIONS) round();
    return port.sentBytes;
  };
}

/** Runs `exchanges` GETs, rounded up to a multiple of 64, behind a warm-up. */
export function run(exchanges: number, chain?: Chain): { nsPerExchange: number; checksum: number } {
  const play = prepareExchanges(chain);
  const count = Math.ceil(exchanges / CONNECTIONS) * CONNECTIONS;
  play(Math.min(count, WARM_UP_EXCHANGES));
  const began = performance.now();
  const checksum = play(count);
  return { nsPerExchange: ((performance.now() - began) * 1e6) / count, checksum };
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
