/**
 * The whole HTTP data plane on a desk: a real session over a port that only keeps what it is given. No
 * sockets, no clock, no engine: what a test hands in is answered when `receive` returns, so that a fuzzer runs
 * thousands of connections a second through every layer. One desk at a time.
 */
import { BufferPool, HEADROOM_BYTES } from "../../src/base/buffer-pool.ts";
import { asciiBytes, textOf, writeBytes } from "../../src/base/bytes.ts";
import { linearMemory } from "../../src/base/linear-memory.ts";
import { BLOCK_BYTES } from "../../src/contract/counters.ts";
import type { Port } from "../../src/contract/port.ts";
import {
  DEFAULT_LIMITS,
  DEFAULT_POLICY,
  DEFAULT_TIMEOUTS,
  type Policy,
  type Snapshot,
} from "../../src/contract/snapshot.ts";
import { createHttpSession } from "../../src/session/http-session.ts";
import type { Session } from "../../src/session/session.ts";

const CONNECTIONS_MAX = 64;
const ECONNRESET = -104;
const SMALL_SLOTS = 48;
const LARGE_SLOTS = 16;
/** One desk after the other uses it, and finds in it what the last one left. */
const REGION_BYTES = BufferPool.regionBytes(SMALL_SLOTS, LARGE_SLOTS);
const REGION = linearMemory(REGION_BYTES)!;

/** What became of one connection of the session. */
export class DeskConnection {
  readonly id: number;
  readonly isClient: boolean;
  /** All that the session sent here. */
  sent = "";
  /** The session has sent FIN, or let go of the connection. */
  ended = false;
  /** The session has let go of it; it may not be used any more. */
  closed = false;
  wasReset = false;
  paused = false;
  /** What waits until the session reads again. */
  readonly waiting: string[] = [];

  constructor(id: number, isClient: boolean) {
    this.id = id;
    this.isClient = isClient;
  }
}

export class Desk implements Port {
  readonly connectionsMax = CONNECTIONS_MAX;
  readonly buffers: BufferPool;
  /** Every connection to a backend so far, oldest first. */
  readonly origins: DeskConnection[] = [];
  /** Called when the session has sent to a backend, and nothing else is under way. */
  onForwarded: (origin: DeskConnection) => void = () => {};
  readonly #session: Session;
  readonly #connections: (DeskConnection | undefined)[] = new Array(CONNECTIONS_MAX).fill(undefined);
  readonly #todo: (() => void)[] = [];
  #nowMs = 1000;
  #busy = false;

  constructor(policy: Partial<Policy> = {}, more: Partial<Snapshot> = {}) {
    this.buffers = new BufferPool(
      new Uint8Array(REGION.buffer, 0, REGION_BYTES),
      SMALL_SLOTS,
      LARGE_SLOTS,
      REGION,
    );
    const endpoint = { name: "backend", address: "192.0.2.9:80", healthy: true };
    const snapshot: Snapshot = {
      version: 1,
      mode: "http",
      viaName: "desk",
      clusters: [{ name: "main", endpoints: [endpoint] }],
      listeners: [{ cluster: 0 }],
      timeouts: DEFAULT_TIMEOUTS,
      limits: DEFAULT_LIMITS,
      policy: { ...DEFAULT_POLICY, ...policy },
      ...more,
    };
    const notices = { admits: () => true, failure: () => {}, endpoint: () => {}, drained: () => {} };
    this.#session = createHttpSession(this, snapshot, new Float64Array(BLOCK_BYTES / 8), notices, 0);
  }

  /** A client connects. */
  client(): DeskConnection {
    const made = this.#make(true);
    this.#later(() => this.#session.accepted(made.id, 0));
    return made;
  }

  /** `text` comes from the other side of `connection`. What is closed takes nothing. */
  receive(connection: DeskConnection, text: string): void {
    connection.waiting.push(text);
    this.#later(() => this.#deliver(connection));
  }

  /** The other side of `connection` sends FIN. */
  end(connection: DeskConnection): void {
    this.#later(() => {
      if (!connection.closed) this.#session.ended(connection.id);
    });
  }

  /** Everybody goes: each connection breaks. Afterwards the session holds no slot but those for addresses. */
  breakAll(): void {
    for (const connection of this.#connections) {
      if (connection === undefined) continue;
      this.#later(() => {
        if (!connection.closed) this.#session.failed(connection.id, ECONNRESET);
      });
    }
  }

  /** Large slots, and small ones, that are not free. */
  get slotsHeld(): readonly [number, number] {
    const { largeCount, freeLargeCount, smallCount, freeSmallCount } = this.buffers;
    return [largeCount - freeLargeCount, smallCount - freeSmallCount];
  }

  connect(): number {
    const made = this.#make(false);
    this.origins.push(made);
    this.#todo.push(() => {
      if (!made.closed) this.#session.connected(made.id);
    });
    return made.id;
  }

  send(id: number, start: number, end: number): void {
    const connection = this.#at(id);
    if (connection.ended) throw new Error("sent behind the end");
    connection.sent += textOf(this.buffers.memory, start, end);
    this.buffers.release(start);
    if (!connection.isClient) this.#todo.push(() => this.onForwarded(connection));
  }

  queuedBytes(): number {
    return 0;
  }

  wantDrained(id: number): void {
    const connection = this.#at(id);
    this.#todo.push(() => {
      if (!connection.closed) this.#session.drained(id);
    });
  }

  pause(id: number): void {
    this.#at(id).paused = true;
  }

  resume(id: number): void {
    const connection = this.#at(id);
    connection.paused = false;
    this.#todo.push(() => this.#deliver(connection));
  }

  setBackground(): void {}

  shutdown(id: number): void {
    this.#at(id).ended = true;
  }

  close(id: number): void {
    const connection = this.#at(id);
    connection.ended = true;
    connection.closed = true;
    this.#connections[id] = undefined;
  }

  reset(id: number): void {
    this.#at(id).wasReset = true;
    this.close(id);
  }

  writePeerAddress(_id: number, offset: number): number {
    return writeBytes(this.buffers.memory, offset, asciiBytes("192.0.2.1"));
  }

  #make(isClient: boolean): DeskConnection {
    const id = this.#connections.indexOf(undefined);
    if (id < 0) throw new Error("more connections than the desk has room for");
    const made = new DeskConnection(id, isClient);
    this.#connections[id] = made;
    return made;
  }

  #at(id: number): DeskConnection {
    const connection = this.#connections[id];
    if (connection === undefined) throw new Error(`no connection has number ${id}`);
    return connection;
  }

  #deliver(connection: DeskConnection): void {
    while (!connection.closed && !connection.paused && connection.waiting.length > 0) {
      const start = this.buffers.acquireLarge() + HEADROOM_BYTES;
      const end = writeBytes(this.buffers.memory, start, asciiBytes(connection.waiting.shift()!));
      if (end > start) this.#session.received(connection.id, start, end);
      else this.buffers.release(start);
    }
  }

  /** Runs `event` and all that follows from it, each in a batch of its own. */
  #later(event: () => void): void {
    this.#todo.push(event);
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#todo.shift(); next !== undefined; next = this.#todo.shift()) {
      this.#nowMs += 0.1;
      this.#session.begin(this.#nowMs);
      next();
      this.#session.end();
    }
    this.#busy = false;
  }
}
