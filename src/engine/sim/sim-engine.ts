/**
 * The engine of the simulated world: the contract of `src/contract/port.ts` over virtual sockets and a
 * virtual clock.
 *
 * Strategy: as the real ones do, it gathers what is ready and serves it in one batch, some time after it
 * became ready and in an order that chance decides. It prefers the rare: it cuts reads short, spreads one
 * connection's bytes over batches, and runs batches with nothing in them.
 */
import { assert } from "../../base/assert.ts";
import { BufferPool, HEADROOM_BYTES, RECEIVE_BYTES } from "../../base/buffer-pool.ts";
import type { LinearMemory } from "../../base/linear-memory.ts";
import { Errno } from "../../contract/errno.ts";
import {
  BACKGROUND_READS_MAX,
  type Engine,
  type EngineOptions,
  EngineUnavailable,
  type Handler,
  type ListenerSource,
} from "../../contract/port.ts";
import { parseConnectAddress } from "../net/address.ts";
import { newSimConnection, type SimConnection, whatBroke } from "./sim-connection.ts";
import { END_OF_STREAM, NOTHING_YET, type WireEnd, type WireOwner } from "./wire.ts";
import type { ListenerOwner, WireListener, World } from "./world.ts";

/** The host on which a simulated engine runs. */
const HOST = "127.0.0.1";
/** A batch begins this long at most after something became ready. */
const BATCH_WAIT_MS_MAX = 0.05;
/** While a connection waits for a slot: after this, and then after twice as long each time. */
const STARVED_POLL_MS = 1;
const STARVED_POLL_MS_MAX = 128;
/** Slots that one connection fills in one batch, at most. */
const READS_MAX = 4;

/** What only a simulation can know of its engine. Counted since it was made. */
export interface SimEngine extends Engine {
  readonly acceptedCount: number;
  readonly connectedCount: number;
  /** Bytes given to `send`, and handed out by `received`. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** The most that was queued for one connection at a time: bytes, and ranges. */
  readonly queuedBytesPeak: number;
  readonly queuedRangesPeak: number;
  readonly openCount: number;
}

/**
 * Opens a simulated engine in `world`. `region`: memory for the buffers, if it is large enough; the engine
 * does not clear it, and nobody else uses it at the same time. Throws `EngineUnavailable` for an inherited descriptor.
 */
export function createSimEngine(world: World, options: EngineOptions, region?: LinearMemory): SimEngine {
  return new VirtualEngine(world, options, region);
}

class VirtualEngine implements SimEngine, WireOwner, ListenerOwner {
  readonly name = "sim";
  readonly buffers: BufferPool;
  readonly connectionsMax: number;
  readonly listenerAddresses: string[];
  acceptedCount = 0;
  connectedCount = 0;
  sentBytes = 0;
  receivedBytes = 0;
  queuedBytesPeak = 0;
  queuedRangesPeak = 0;
  readonly #world: World;
  /** By number; null: not in use. */
  readonly #listeners: (WireListener | null)[];
  readonly #connections: (SimConnection | null)[];
  readonly #byEnd = new Map<WireEnd, SimConnection>();
  #handler: Handler | null = null;
  #ready: SimConnection[] = [];
  #isBatchPlanned = false;
  #isStopped = false;
  /** They wait for a slot. */
  #starved: SimConnection[] = [];
  #starvedPollMs = STARVED_POLL_MS;
  /** Counts deadlines: an older one that comes up is not the handler's any more. */
  #deadline = 0;
  /** Who waits for the end of a listener, by its number. */
  readonly #leaving = new Map<number, () => void>();

  constructor(world: World, options: EngineOptions, region: LinearMemory | null = null) {
    this.#world = world;
    const bytes = BufferPool.regionBytes(options.smallSlots, options.largeSlots);
    const linear = region === null || region.workStart < bytes ? null : region;
    const memory = new Uint8Array(linear?.buffer ?? new ArrayBuffer(bytes), 0, bytes);
    this.buffers = new BufferPool(memory, options.smallSlots, options.largeSlots, linear);
    this.connectionsMax = options.connectionsMax;
    this.#connections = new Array<SimConnection | null>(options.connectionsMax).fill(null);
    this.#listeners = options.listeners.map((source) => (source === null ? null : this.#listen(source)));
    this.listenerAddresses = this.#listeners.map((listener) => listener?.address ?? "");
  }

  get openCount(): number {
    return this.#connections.reduce((count, connection) => count + (connection === null ? 0 : 1), 0);
  }

  // Port.

  connect(address: string): number {
    if (parseConnectAddress(address) === null) return Errno.EINVAL;
    const number = this.#freeNumber();
    if (number < 0 || this.#isStopped) return Errno.EMFILE;
    this.#open(number, this.#world.dial(address, HOST, this));
    return number;
  }

  send(number: number, start: number, end: number): void {
    const connection = this.#of(number);
    assert(connection.isConnected && !connection.isShutdown, "sending is between connected and shutdown");
    this.sentBytes += end - start;
    if (start === end || connection.hasFailed) {
      this.buffers.release(start);
      return;
    }
    connection.ranges.push(start, end);
    connection.queuedBytes += end - start;
    this.queuedBytesPeak = Math.max(this.queuedBytesPeak, connection.queuedBytes);
    this.queuedRangesPeak = Math.max(this.queuedRangesPeak, connection.ranges.length >> 1);
    this.#makeReady(connection);
  }

  queuedBytes(number: number): number {
    return this.#of(number).queuedBytes;
  }

  wantDrained(number: number): void {
    const connection = this.#of(number);
    connection.wantsDrained = true;
    this.#makeReady(connection);
  }

  pause(number: number, isWatched = false, isEndWatched = false): void {
    const connection = this.#of(number);
    connection.isPaused = true;
    connection.isWatched = isWatched;
    connection.isEndWatched = isEndWatched;
    if (whatBroke(connection) !== 0) this.#makeReady(connection);
  }

  resume(number: number): void {
    const connection = this.#of(number);
    connection.isPaused = false;
    connection.isWatched = false;
    connection.isEndWatched = false;
    this.#makeReady(connection);
  }

  setBackground(number: number, isBackground: boolean): void {
    this.#of(number).isBackground = isBackground;
  }

  shutdown(number: number): void {
    const connection = this.#of(number);
    connection.isShutdown = true;
    this.#makeReady(connection);
  }

  close(number: number): void {
    const connection = this.#of(number);
    this.#giveUp(connection);
    connection.end.close();
  }

  reset(number: number): void {
    const connection = this.#of(number);
    this.#giveUp(connection);
    connection.end.reset();
  }

  writePeerAddress(number: number, offset: number): number {
    const { remoteAddress } = this.#of(number).end;
    const colon = remoteAddress.lastIndexOf(":");
    const isUnix = remoteAddress.startsWith("unix:");
    const text = isUnix ? "unix:" : remoteAddress.slice(0, colon).replace("[", "").replace("]", "");
    for (let i = 0; i < text.length; i++) this.buffers.memory[offset + i] = text.charCodeAt(i);
    return offset + text.length;
  }

  // Engine.

  start(handler: Handler): void {
    assert(this.#handler === null, "an engine is started once");
    this.#handler = handler;
    this.#planBatch();
  }

  stopAccepting(): void {
    for (const listener of this.#listeners) if (listener !== null) this.#world.refuse(listener);
  }

  async addListener(number: number, source: ListenerSource): Promise<string> {
    assert((this.#listeners[number] ?? null) === null, "a number has one listener");
    const listener = this.#listen(source);
    assert(number <= this.#listeners.length, "numbers have no gap");
    this.#listeners[number] = listener;
    this.listenerAddresses[number] = listener.address;
    return listener.address;
  }

  removeListener(number: number): Promise<void> {
    const listener = this.#listeners[number] ?? null;
    if (listener === null || this.#leaving.has(number)) return Promise.resolve();
    this.#world.refuse(listener);
    this.listenerAddresses[number] = "";
    this.#planBatch();
    return new Promise((resolve) => this.#leaving.set(number, resolve));
  }

  wake(): void {
    this.#planBatch();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.stopAccepting();
    for (const listener of this.#listeners) for (const end of listener?.queue.splice(0) ?? []) end.reset();
    for (const [number, resolve] of this.#leaving) this.#left(number, resolve);
    for (const connection of this.#connections) if (connection !== null) this.close(connection.number);
  }

  // What the wire tells.

  wireIncoming(): void {
    this.#planBatch();
  }

  wireConnected(end: WireEnd): void {
    this.#makeEndReady(end);
  }

  wireReadable(end: WireEnd): void {
    this.#makeEndReady(end);
  }

  wireWritable(end: WireEnd): void {
    this.#makeEndReady(end);
  }

  // Batches.

  #planBatch(): void {
    if (this.#isBatchPlanned || this.#isStopped || this.#handler === null) return;
    this.#isBatchPlanned = true;
    const waitMs = (this.#world.prng.below(1000) / 1000) * BATCH_WAIT_MS_MAX;
    this.#world.after(waitMs, () => this.#runBatch());
  }

  #runBatch(): void {
    this.#isBatchPlanned = false;
    if (this.#isStopped) return;
    const handler = this.#handler!;
    const ready = this.#shuffled(this.#ready);
    this.#ready = [];
    for (const connection of ready) connection.isReady = false;
    // What was sent in an earlier batch; what is sent in this one, from its beginning on, leaves behind it in one go.
    for (const connection of ready) if (!connection.isGivenUp) this.#write(connection);
    handler.begin(this.#world.nowMs);
    for (const connection of ready) if (!connection.isBackground) this.#serve(connection, handler);
    this.#serveBackground(ready, handler);
    this.#acceptWaiting(handler);
    const waitMs = handler.end();
    if (this.#isStopped) return;
    // What was sent meanwhile leaves now.
    for (let i = 0; i < this.#ready.length; i++) {
      const connection = this.#ready[i]!;
      if (!connection.isGivenUp) this.#write(connection);
    }
    this.#planDeadline(waitMs);
    this.#planStarved();
  }

  /** Whoever waits for a slot tries again, after a while that grows as long as none is free. */
  #planStarved(): void {
    if (this.#starved.length === 0) {
      this.#starvedPollMs = STARVED_POLL_MS;
      return;
    }
    const starved = this.#starved;
    this.#starved = [];
    this.#world.after(this.#starvedPollMs, () => {
      for (const connection of starved) if (!connection.isGivenUp) this.#makeReady(connection);
    });
    this.#starvedPollMs = Math.min(2 * this.#starvedPollMs, STARVED_POLL_MS_MAX);
  }

  #planDeadline(waitMs: number): void {
    const deadline = ++this.#deadline;
    if (waitMs < 0) return;
    this.#world.after(waitMs, () => {
      if (deadline === this.#deadline) this.#planBatch();
    });
  }

  /** Few of them, and often fewer than would be allowed: the others wait for the next batch. */
  #serveBackground(ready: readonly SimConnection[], handler: Handler): void {
    const waiting = ready.filter((connection) => connection.isBackground);
    if (waiting.length === 0) return;
    const count = this.#world.prng.between(1, BACKGROUND_READS_MAX);
    for (const connection of waiting.slice(0, count)) this.#serve(connection, handler);
    for (const connection of waiting.slice(count)) if (!connection.isGivenUp) this.#makeReady(connection);
  }

  #serve(connection: SimConnection, handler: Handler): void {
    if (connection.isGivenUp || connection.hasFailed) return;
    if (!connection.isConnected) {
      if (connection.end.errno !== 0) {
        this.#fail(connection, connection.end.errno, handler);
        return;
      }
      if (!connection.end.isConnected) return;
      connection.isConnected = true;
      this.connectedCount++;
      handler.connected(connection.number);
      // Bytes may come in the same batch or in a later one.
      if (this.#world.prng.oneIn(2)) {
        this.#makeReady(connection);
        return;
      }
    }
    const broke = whatBroke(connection);
    if (broke !== 0) {
      this.#fail(connection, broke, handler);
      return;
    }
    this.#read(connection, handler);
    if (connection.isGivenUp || connection.hasFailed) return;
    // Reading finds what broke the connection, behind the bytes that came before; where nothing is read,
    // writing does.
    if (connection.writeErrno !== 0 && (connection.hasEnded || connection.isPaused)) {
      this.#fail(connection, connection.writeErrno, handler);
      return;
    }
    if (connection.wantsDrained && connection.queuedBytes === 0) {
      connection.wantsDrained = false;
      handler.drained(connection.number);
    }
  }

  #read(connection: SimConnection, handler: Handler): void {
    const { end, number } = connection;
    for (let reads = 0; reads < READS_MAX; reads++) {
      if (connection.isGivenUp || connection.hasFailed || connection.isPaused || connection.hasEnded) break;
      if (!end.isReadable()) return;
      const slot = this.buffers.acquireLarge();
      if (slot < 0) {
        this.#starved.push(connection);
        return;
      }
      const start = slot + HEADROOM_BYTES;
      const isShort = this.#world.prng.oneIn(8);
      const countMax = isShort ? this.#world.prng.between(1, RECEIVE_BYTES) : RECEIVE_BYTES;
      const count = end.read(this.buffers.memory, start, countMax);
      if (count > 0) {
        this.receivedBytes += count;
        handler.received(number, start, start + count);
        continue;
      }
      this.buffers.release(slot);
      if (count === NOTHING_YET) return;
      if (count === END_OF_STREAM) {
        connection.hasEnded = true;
        handler.ended(number);
      } else {
        this.#fail(connection, count, handler);
      }
      return;
    }
    if (!connection.isPaused && !connection.hasEnded && end.isReadable()) this.#makeReady(connection);
  }

  #acceptWaiting(handler: Handler): void {
    for (const [index, listener] of this.#listeners.entries()) {
      if (listener === null) continue;
      while (listener.queue.length > 0) {
        const number = this.#freeNumber();
        if (number < 0) return;
        const end = listener.queue.shift()!;
        const connection = this.#open(number, end);
        connection.isConnected = true;
        end.adopt(this);
        this.acceptedCount++;
        handler.accepted(number, index);
      }
      const resolve = this.#leaving.get(index);
      if (resolve !== undefined) this.#left(index, resolve);
    }
  }

  #left(number: number, resolve: () => void): void {
    this.#leaving.delete(number);
    this.#listeners[number] = null;
    resolve();
  }

  // Connections.

  #listen(source: ListenerSource): WireListener {
    if ("fd" in source) throw new EngineUnavailable("a simulated engine inherits no descriptors");
    const host = source.host.includes(":") ? `[${source.host}]` : source.host;
    const listener = this.#world.listen(`${host}:${source.port}`, this);
    if (listener === null) throw new Error(`${host}:${source.port}: EADDRINUSE`);
    return listener;
  }

  #of(number: number): SimConnection {
    const connection = this.#connections[number];
    assert(connection !== null && connection !== undefined, "the connection is open");
    return connection;
  }

  #freeNumber(): number {
    return this.#connections.indexOf(null);
  }

  #open(number: number, end: WireEnd): SimConnection {
    const connection = newSimConnection(number, end);
    this.#connections[number] = connection;
    this.#byEnd.set(end, connection);
    return connection;
  }

  #giveUp(connection: SimConnection): void {
    connection.isGivenUp = true;
    this.#drop(connection);
    this.#byEnd.delete(connection.end);
    this.#connections[connection.number] = null;
    // Whoever waits in a queue may come now.
    this.#planBatch();
  }

  #fail(connection: SimConnection, errno: number, handler: Handler): void {
    connection.hasFailed = true;
    this.#drop(connection);
    handler.failed(connection.number, errno);
  }

  #drop(connection: SimConnection): void {
    for (let i = 0; i < connection.ranges.length; i += 2) this.buffers.release(connection.ranges[i]!);
    connection.ranges.length = 0;
    connection.queuedBytes = 0;
  }

  /** Gives the wire what it takes. */
  #write(connection: SimConnection): void {
    const { end, ranges } = connection;
    if (connection.hasFailed || !connection.isConnected) return;
    while (ranges.length > 0) {
      const taken = end.write(this.buffers.memory, ranges[0]!, ranges[1]!);
      if (taken < 0) {
        this.#drop(connection);
        connection.writeErrno = taken;
        this.#makeReady(connection);
        return;
      }
      if (taken === 0) return;
      connection.queuedBytes -= taken;
      if (taken < ranges[1]! - ranges[0]!) {
        ranges[0] = ranges[0]! + taken;
        return;
      }
      this.buffers.release(ranges[0]!);
      ranges.splice(0, 2);
    }
    if (connection.isShutdown) end.shutdown();
    if (connection.wantsDrained) this.#makeReady(connection);
  }

  #makeEndReady(end: WireEnd): void {
    const connection = this.#byEnd.get(end);
    if (connection !== undefined) this.#makeReady(connection);
  }

  #makeReady(connection: SimConnection): void {
    if (!connection.isReady) {
      connection.isReady = true;
      this.#ready.push(connection);
    }
    this.#planBatch();
  }

  #shuffled(connections: SimConnection[]): SimConnection[] {
    for (let i = connections.length - 1; i > 0; i--) {
      const other = this.#world.prng.below(i + 1);
      const swapped = connections[i]!;
      connections[i] = connections[other]!;
      connections[other] = swapped;
    }
    return connections;
  }
}
