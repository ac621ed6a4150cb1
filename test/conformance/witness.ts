/**
 * A handler that believes nothing. It checks the laws of the contract that hold at all times, on every
 * engine, whatever a case is about, and remembers what happened to each connection.
 *
 * Handlers must not throw, so broken laws are collected; `engineContract` looks at them when a case is over.
 */
import { HEADROOM_BYTES, RECEIVE_BYTES, SMALL_SLOT_BYTES } from "../../src/base/buffer-pool.ts";
import type { Engine, Handler } from "../../src/contract/port.ts";
import type { Pattern, Tally } from "./pattern.ts";

/** What the witness knows of one connection, from `connect` or `accepted` to `close`. */
export class Seen {
  readonly connection: number;
  /** -1 for one that we opened. */
  readonly listener: number;
  isConnected: boolean;
  receivedBytes = 0;
  hasEnded = false;
  /** 0 until it fails. */
  errno = 0;
  drainedCount = 0;
  isClosed = false;
  isDrainedWanted = false;
  /** Where a case counts on a pattern. */
  tally: Tally | null = null;
  /** Bytes sent so far by `sendPattern`. */
  sentBytes = 0;

  constructor(connection: number, listener: number) {
    this.connection = connection;
    this.listener = listener;
    this.isConnected = listener >= 0;
  }
}

export class Witness implements Handler {
  readonly engine: Engine;
  readonly broken: string[] = [];
  /** By connection number; a closed one is replaced when its number comes back. */
  readonly #open = new Map<number, Seen>();
  readonly accepts: Seen[] = [];
  turnedAwayCount = 0;
  batchCount = 0;
  nowMs = -Infinity;
  /** Answer of `end`. */
  waitMs = -1;
  isStopped = false;
  #isInBatch = false;
  #isInPort = false;
  readonly #changed: () => void;

  /** What a case does; the default releases what comes and does nothing else. */
  onAccepted: (seen: Seen) => void = () => {};
  onConnected: (seen: Seen) => void = () => {};
  /** Takes over the reference. */
  onReceived: (seen: Seen, start: number, end: number) => void = (_seen, start) =>
    this.engine.buffers.release(start);
  onEnded: (seen: Seen) => void = () => {};
  onDrained: (seen: Seen) => void = () => {};
  onFailed: (seen: Seen) => void = () => {};
  onBegin: () => void = () => {};
  onEnd: () => void = () => {};

  constructor(engine: Engine, changed: () => void) {
    this.engine = engine;
    this.#changed = changed;
  }

  // ── Handler
  // ─────────────────────────────────────────────────────────────────────────────────────────────────────

  begin(nowMs: number): void {
    this.#law(!this.#isInBatch, "batches do not nest");
    this.#law(!this.#isInPort, "a port method calls no handler");
    this.#law(!this.isStopped, "nothing comes after stop");
    this.#law(nowMs >= this.nowMs, "time does not go back");
    this.#isInBatch = true;
    this.batchCount++;
    this.nowMs = nowMs;
    this.onBegin();
  }

  end(): number {
    this.#law(this.#isInBatch, "only what began ends");
    this.onEnd();
    this.#isInBatch = false;
    this.#changed();
    return this.waitMs;
  }

  accepted(connection: number, listener: number): void {
    this.#event();
    this.#law(
      connection >= 0 && connection < this.engine.connectionsMax,
      "accepted: a number below the limit",
    );
    this.#law(!this.#open.has(connection), "accepted: the number is free");
    this.#law(
      listener >= 0 && listener < this.engine.listenerAddresses.length,
      "accepted: a listener of ours",
    );
    const seen = new Seen(connection, listener);
    this.#open.set(connection, seen);
    this.accepts.push(seen);
    this.onAccepted(seen);
  }

  turnedAway(count: number): void {
    this.#event();
    this.#law(count > 0, "turnedAway: of some");
    this.turnedAwayCount += count;
  }

  connected(connection: number): void {
    const seen = this.#eventOf(connection, "connected");
    if (seen === null) return;
    this.#law(seen.listener < 0 && !seen.isConnected, "connected comes once, and to our own");
    seen.isConnected = true;
    this.onConnected(seen);
  }

  received(connection: number, start: number, end: number): void {
    const { buffers } = this.engine;
    const seen = this.#eventOf(connection, "received");
    if (seen === null) {
      buffers.release(start);
      return;
    }
    this.#law(seen.isConnected && !seen.hasEnded, "received comes between connected and ended");
    this.#law(
      start < end && end - start <= RECEIVE_BYTES,
      "received: a range of a byte at least, of a slot at most",
    );
    this.#law(buffers.referencesOf(start) === 1, "received: the slot is not shared");
    const slotStart = buffers.slotStart(start);
    this.#law(start - slotStart >= HEADROOM_BYTES, "received: there is headroom");
    this.#law(end <= buffers.slotEnd(start), "received: the range lies in one slot");
    // What lies around the range is the handler's: an engine that still used it would show.
    buffers.memory.fill(0xdb, slotStart, start);
    buffers.memory.fill(0xdb, end, buffers.slotEnd(start));
    seen.receivedBytes += end - start;
    seen.tally?.add(buffers.memory, start, end);
    this.onReceived(seen, start, end);
  }

  ended(connection: number): void {
    const seen = this.#eventOf(connection, "ended");
    if (seen === null) return;
    this.#law(seen.isConnected && !seen.hasEnded, "ended comes once, after connected");
    seen.hasEnded = true;
    this.onEnded(seen);
  }

  drained(connection: number): void {
    const seen = this.#eventOf(connection, "drained");
    if (seen === null) return;
    this.#law(seen.isDrainedWanted, "drained comes when it was asked for");
    this.#law(this.engine.queuedBytes(connection) === 0, "drained: nothing is queued");
    seen.isDrainedWanted = false;
    seen.drainedCount++;
    this.onDrained(seen);
  }

  failed(connection: number, errno: number): void {
    const seen = this.#eventOf(connection, "failed");
    if (seen === null) return;
    this.#law(errno < 0 && Number.isInteger(errno), "failed carries a negative errno");
    seen.errno = errno;
    this.onFailed(seen);
  }

  // ── Port, watched
  // ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Connects; throws when the engine refuses. */
  connect(address: string): Seen {
    const connection = this.tryConnect(address);
    if (typeof connection === "number") throw new Error(`connect to ${address}: ${connection}`);
    return connection;
  }

  /** Connects, or returns the errno. */
  tryConnect(address: string): Seen | number {
    const connection = this.#ask(() => this.engine.connect(address));
    if (connection < 0) return connection;
    this.#law(connection < this.engine.connectionsMax, "connect: a number below the limit");
    this.#law(!this.#open.has(connection), "connect: the number is free");
    const seen = new Seen(connection, -1);
    this.#open.set(connection, seen);
    return seen;
  }

  send(seen: Seen, start: number, end: number): void {
    this.#ask(() => this.engine.send(seen.connection, start, end));
  }

  wantDrained(seen: Seen): void {
    seen.isDrainedWanted = true;
    this.#ask(() => this.engine.wantDrained(seen.connection));
  }

  pause(seen: Seen, isWatched = false, isEndWatched = false): void {
    this.#ask(() => this.engine.pause(seen.connection, isWatched, isEndWatched));
  }

  resume(seen: Seen): void {
    this.#ask(() => this.engine.resume(seen.connection));
  }

  setBackground(seen: Seen, isBackground: boolean): void {
    this.#ask(() => this.engine.setBackground(seen.connection, isBackground));
  }

  shutdown(seen: Seen): void {
    this.#ask(() => this.engine.shutdown(seen.connection));
  }

  close(seen: Seen): void {
    this.#gone(seen);
    this.#ask(() => this.engine.close(seen.connection));
  }

  reset(seen: Seen): void {
    this.#gone(seen);
    this.#ask(() => this.engine.reset(seen.connection));
  }

  queuedBytes(seen: Seen): number {
    return this.engine.queuedBytes(seen.connection);
  }

  /**
   * Sends `count` bytes of `pattern` behind those that `sendPattern` sent before. False when the slots did
   * not suffice.
   */
  sendPattern(seen: Seen, pattern: Pattern, count: number): boolean {
    const { buffers } = this.engine;
    let left = count;
    while (left > 0) {
      const isSmall = left <= SMALL_SLOT_BYTES;
      const slot = isSmall ? buffers.acquireSmall() : buffers.acquireLarge();
      if (slot < 0) return false;
      const bytes = Math.min(left, isSmall ? SMALL_SLOT_BYTES : RECEIVE_BYTES);
      pattern.fill(buffers.memory, slot, slot + bytes, seen.sentBytes);
      seen.sentBytes += bytes;
      this.send(seen, slot, slot + bytes);
      left -= bytes;
    }
    return true;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** The engine was stopped: nothing is open any more. */
  forget(): void {
    this.#open.clear();
  }

  closeAll(): void {
    for (const seen of [...this.#open.values()]) this.close(seen);
  }

  #gone(seen: Seen): void {
    seen.isClosed = true;
    this.#open.delete(seen.connection);
  }

  #ask<T>(call: () => T): T {
    const before = this.#isInPort;
    this.#isInPort = true;
    const result = call();
    this.#isInPort = before;
    return result;
  }

  #event(): void {
    this.#law(this.#isInBatch, "events come within a batch");
    this.#law(!this.#isInPort, "a port method calls no handler");
    this.#law(!this.isStopped, "nothing comes after stop");
  }

  #eventOf(connection: number, event: string): Seen | null {
    this.#event();
    const seen = this.#open.get(connection);
    if (seen === undefined) {
      this.broken.push(`${event}: on connection ${connection}, which is not open`);
      return null;
    }
    this.#law(seen.errno === 0, "nothing comes after failed");
    return seen;
  }

  #law(holds: boolean, law: string): void {
    if (!holds) this.broken.push(law);
  }
}
