/**
 * The portable engine: node:net sockets behind the engine contract. It runs wherever Node runs and needs no
 * FFI.
 *
 * Strategy: libuv calls back once per readable socket; the first of these calls in a pass of the event loop
 * begins a batch, and a `setImmediate` (which libuv runs after all of them) ends it. Writes wait for the end
 * of the batch, so that what belongs together leaves in one system call. Reading goes through one landing
 * buffer for all sockets where Node allows it (`onread`), and is copied into a slot of the pool: Node's own
 * way allocates 64 KiB per read. Both high-water marks are 1 byte: a paused socket then reads at most one
 * chunk ahead, and `drain` tells of every write that Node could not finish at once, without a callback per
 * write.
 *
 * A listening descriptor that was inherited is closed when the engine stops accepting; the copies of other
 * processes stay open.
 *
 * @hot
 */
import { Socket, type TcpSocketConnectOpts } from "node:net";
import { assert } from "../../base/assert.ts";
import { BufferPool, HEADROOM_BYTES, RECEIVE_BYTES } from "../../base/buffer-pool.ts";
import { linearMemory } from "../../base/linear-memory.ts";
import { Errno } from "../../contract/errno.ts";
import type { Engine, EngineOptions, Handler, ListenerSource } from "../../contract/port.ts";
import { ConnectTargets, peerHost } from "./address.ts";
import { BatchTimer } from "./batch-timer.ts";
import { ConnectionTable } from "./connection-table.ts";
import { HeldInput } from "./held-input.ts";
import { type LandingOptions, reopenForLanding } from "./landing.ts";
import {
  JoinScratch,
  NetConnection,
  onClose,
  onConnect,
  onData,
  onDrain,
  onEnd,
  onError,
  onFinishReset,
  onLanded,
  type SocketEvents,
} from "./net-connection.ts";
import { type NetListener, NetListeners } from "./net-listener.ts";

/** While connections wait for a slot, and nothing happens, look this often. */
const STARVED_POLL_MS = 2;
/**
 * Accepted connections that wait for a number; more are turned away. Node cannot leave them in the kernel's
 * queue. Each has a descriptor, of the few that are kept back for what is no connection (control/capacity.ts).
 */
const WAITING_MAX = 16;
const HEADROOM = HEADROOM_BYTES;
const RECEIVE_MAX = RECEIVE_BYTES;

/** How accepted sockets are read: through the landing buffer, or by Node's `data` events. */
export type NetReading = "landing" | "data";

/**
 * Opens the listeners. Throws what `listen` throws (EADDRINUSE, EACCES): no other engine could do better.
 * @cold
 */
export async function createNetEngine(
  options: EngineOptions,
  reading: NetReading = "landing",
): Promise<Engine> {
  const listeners = new NetListeners();
  await listeners.openAll(options.listeners);
  return new NetEngine(options, listeners, reading);
}

class NetEngine implements Engine, SocketEvents {
  readonly name = "net";
  readonly buffers: BufferPool;
  readonly connectionsMax: number;
  readonly listenerAddresses: readonly string[];

  readonly #memory: Buffer;
  readonly #landing = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  readonly #scratch = new JoinScratch();
  readonly #socketOptions: LandingOptions;
  readonly #readsByLanding: boolean;
  readonly #targets = new ConnectTargets();
  readonly #listeners: NetListeners;
  readonly #connections: ConnectionTable;
  /** Accepted sockets for which no number was free, or which came before `start`. */
  #waiting: { socket: Socket; listener: number; isUnix: boolean }[] = [];
  /** Accepted beyond these and closed, of which the handler has not been told. */
  #turnedAwayCount = 0;

  #handler: Handler | null = null;
  #isInBatch = false;
  #isTickDue = false;
  #isStopped = false;
  /** Connections with something to write, and those that are owed a `drained`. */
  #dirty: NetConnection[] = [];
  #dirtyNext: NetConnection[] = [];
  #drainedDue: NetConnection[] = [];
  readonly #held: HeldInput;
  #socketsOpen = 0;
  #whenSocketsClosed: (() => void) | null = null;
  readonly #tick = (): void => this.#runTick();
  readonly #timer = new BatchTimer(() => this.#tickSoon());

  constructor(options: EngineOptions, listeners: NetListeners, reading: NetReading) {
    const bytes = BufferPool.regionBytes(options.smallSlots, options.largeSlots);
    const linear = linearMemory(bytes);
    this.#memory = Buffer.from(linear?.buffer ?? new ArrayBuffer(bytes), 0, bytes);
    this.buffers = new BufferPool(this.#memory, options.smallSlots, options.largeSlots, linear);
    this.#held = new HeldInput(this.#memory, this.buffers);
    this.connectionsMax = options.connectionsMax;
    this.#connections = new ConnectionTable(options.connectionsMax);
    this.#socketOptions = {
      allowHalfOpen: true,
      highWaterMark: 1,
      onread: { buffer: this.#landing, callback: onLanded },
    };
    this.#readsByLanding = reading === "landing";
    this.#listeners = listeners;
    this.listenerAddresses = listeners.addresses;
    for (const listener of listeners.all()) listener.server.on("connection", this.#acceptOn(listener));
  }

  // Port.

  connect(address: string): number {
    const target = this.#targets.of(address);
    if (target === null) return Errno.EINVAL;
    if (this.#connections.isFull || this.#isStopped) return Errno.EMFILE;
    const socket = new Socket(this.#socketOptions);
    const isUnix = target.path !== "";
    const connection = this.#adopt(socket, isUnix);
    socket.on("connect", onConnect);
    if (isUnix) socket.connect({ path: target.path });
    else socket.connect({ host: target.host, port: target.port, noDelay: true } as TcpSocketConnectOpts);
    return connection.number;
  }

  send(number: number, start: number, end: number): void {
    const connection = this.#connections.of(number);
    assert(!connection.isShutdown, "nothing is sent after shutdown");
    if (start === end || connection.hasFailed) {
      this.buffers.release(start);
      return;
    }
    connection.enqueue(start, end);
    if (!connection.isDirty && !connection.isWriting) this.#markDirty(connection);
  }

  queuedBytes(number: number): number {
    return this.#connections.of(number).queuedBytes;
  }

  wantDrained(number: number): void {
    const connection = this.#connections.of(number);
    if (connection.wantsDrained) return;
    connection.wantsDrained = true;
    if (connection.queuedBytes === 0) this.#oweDrained(connection);
  }

  pause(number: number): void {
    const connection = this.#connections.of(number);
    if (connection.isPaused) return;
    connection.isPaused = true;
    connection.socket.pause();
  }

  resume(number: number): void {
    const connection = this.#connections.of(number);
    if (!connection.isPaused) return;
    connection.isPaused = false;
    if (connection.held === null) {
      connection.socket.resume();
      return;
    }
    this.#held.wait(connection);
    this.#tickSoon();
  }

  setBackground(number: number, isBackground: boolean): void {
    this.#connections.of(number).isBackground = isBackground;
  }

  shutdown(number: number): void {
    const connection = this.#connections.of(number);
    if (connection.isShutdown) return;
    connection.isShutdown = true;
    if (connection.queuedBytes === 0) connection.socket.end();
  }

  close(number: number): void {
    this.#giveUp(this.#connections.of(number), false);
  }

  reset(number: number): void {
    this.#giveUp(this.#connections.of(number), true);
  }

  writePeerAddress(number: number, offset: number): number {
    const connection = this.#connections.of(number);
    const text = connection.isUnix ? "unix:" : peerHost(connection.socket.remoteAddress ?? "");
    return offset + this.#memory.write(text, offset, "latin1");
  }

  // Engine.

  start(handler: Handler): void {
    assert(this.#handler === null, "an engine is started once");
    this.#handler = handler;
    if (this.#waiting.length + this.#turnedAwayCount > 0) this.#tickSoon();
  }

  stopAccepting(): void {
    this.#listeners.stopAccepting();
  }

  /** @cold */
  async addListener(number: number, source: ListenerSource): Promise<string> {
    const listener = await this.#listeners.open(number, source);
    listener.server.on("connection", this.#acceptOn(listener));
    return listener.address;
  }

  /** @cold */
  removeListener(number: number): Promise<void> {
    return this.#listeners.remove(number);
  }

  wake(): void {
    this.#tickSoon();
  }

  /** @cold */
  async stop(): Promise<void> {
    if (!this.#isStopped) {
      this.#isStopped = true;
      this.#timer.clear();
      for (const { socket } of this.#waiting) socket.destroy();
      this.#waiting = [];
      for (const connection of this.#connections.all()) {
        if (connection.isGivenUp) connection.socket.destroy();
        else this.#giveUp(connection, false);
      }
    }
    await this.#listeners.close();
    if (this.#socketsOpen > 0) {
      await new Promise<void>((resolve) => {
        const before = this.#whenSocketsClosed;
        this.#whenSocketsClosed = () => {
          before?.();
          resolve();
        };
      });
    }
  }

  // What sockets tell.

  hasConnected(connection: NetConnection): void {
    if (connection.isGivenUp) return;
    this.#inBatch().connected(connection.number);
  }

  /** Takes `bytes[0, count)`, which the caller will overwrite. Returns false when reading must stop. */
  hasReceived(connection: NetConnection, bytes: Buffer, count: number): boolean {
    if (connection.isGivenUp) return false;
    if (connection.held !== null || this.#held.hasStarved) return this.#hold(connection, bytes, 0, count);
    const handler = this.#inBatch();
    if (!this.#held.mayPass(connection)) return this.#hold(connection, bytes, 0, count);
    let from = 0;
    do {
      const slot = this.buffers.acquireLarge();
      if (slot < 0) return this.#hold(connection, bytes, from, count);
      const to = count - from > RECEIVE_MAX ? from + RECEIVE_MAX : count;
      const start = slot + HEADROOM;
      bytes.copy(this.#memory, start, from, to);
      handler.received(connection.number, start, start + to - from);
      from = to;
      if (connection.isGivenUp) return false;
    } while (from < count);
    return true;
  }

  hasEnded(connection: NetConnection): void {
    if (connection.isGivenUp || connection.hasFailed) return;
    if (connection.held !== null) {
      connection.hasEndedBehindHeld = true;
      return;
    }
    const handler = this.#inBatch();
    if (this.#held.mayPass(connection)) handler.ended(connection.number);
    else this.#held.holdEnd(connection);
  }

  hasFailed(connection: NetConnection, errno: number): void {
    if (connection.isGivenUp || connection.hasFailed) return;
    if (connection.held !== null && !connection.isPaused) {
      connection.failedBehindHeld = errno;
      return;
    }
    connection.held = null;
    this.#fail(connection, errno);
  }

  hasDrained(connection: NetConnection): void {
    if (!connection.isWriting) return;
    connection.completeWrite(this.buffers);
    if (connection.queuedBytes > 0) this.#markDirty(connection);
    else this.#allHasLeft(connection);
    if (this.#held.hasStarved) this.#tickSoon();
  }

  hasClosed(connection: NetConnection): void {
    connection.isSocketClosed = true;
    connection.completeWrite(this.buffers);
    connection.dropQueued(this.buffers);
    if (connection.isGivenUp) this.#freeNumber(connection);
    this.#socketsOpen--;
    if (this.#held.hasStarved) this.#tickSoon();
    if (this.#socketsOpen === 0) this.#whenSocketsClosed?.();
  }

  // Connections.

  #adopt(socket: Socket, isUnix: boolean): NetConnection {
    const connection = new NetConnection(this.#connections.peekFree(), socket, isUnix, this);
    this.#connections.add(connection);
    this.#socketsOpen++;
    socket.on("end", onEnd);
    socket.on("drain", onDrain);
    socket.on("error", onError);
    socket.on("close", onClose);
    return connection;
  }

  #acceptOn({ index: listener, isUnix }: NetListener): (socket: Socket) => void {
    return (socket) => {
      if (this.#isStopped) {
        socket.destroy();
      } else if (this.#waiting.length >= WAITING_MAX) {
        socket.destroy();
        this.#turnedAwayCount++;
        this.#tickSoon();
      } else if (this.#handler === null || this.#connections.isFull || this.#waiting.length > 0) {
        socket.on("error", ignore);
        this.#waiting.push({ socket, listener, isUnix });
      } else {
        this.#accept(socket, listener, isUnix);
      }
    };
  }

  #accept(accepted: Socket, listener: number, isUnix: boolean): void {
    const landed = this.#readsByLanding ? reopenForLanding(accepted, this.#socketOptions) : null;
    const socket = landed ?? accepted;
    const connection = this.#adopt(socket, isUnix);
    this.#inBatch().accepted(connection.number, listener);
    if (connection.isGivenUp || landed !== null) return;
    socket.on("data", onData);
    if (!connection.isPaused) socket.resume();
  }

  /** @cold */
  #tellTurnedAway(handler: Handler): void {
    const count = this.#turnedAwayCount;
    this.#turnedAwayCount = 0;
    handler.turnedAway?.(count);
  }

  #giveUp(connection: NetConnection, isReset: boolean): void {
    connection.isGivenUp = true;
    connection.held = null;
    connection.wantsDrained = false;
    connection.dropQueued(this.buffers);
    const socket = connection.socket;
    if (connection.isSocketClosed) this.#freeNumber(connection);
    else if (!isReset || connection.isUnix || socket.connecting) socket.destroy();
    // libuv cannot reset a socket whose FIN is still to be sent.
    else if (socket.writableEnded && !socket.writableFinished) socket.once("finish", onFinishReset);
    else socket.resetAndDestroy();
  }

  #freeNumber(connection: NetConnection): void {
    this.#connections.remove(connection);
    if (this.#waiting.length > 0) this.#tickSoon();
  }

  #fail(connection: NetConnection, errno: number): void {
    connection.hasFailed = true;
    connection.wantsDrained = false;
    connection.dropQueued(this.buffers);
    this.#inBatch().failed(connection.number, errno);
  }

  /** Keeps `bytes[from, to)` until they can be passed on. Returns false: no more may be read. */
  #hold(connection: NetConnection, bytes: Buffer, from: number, to: number): boolean {
    this.#held.hold(connection, bytes, from, to);
    this.#tickSoon();
    return false;
  }

  // Batches.

  /** Opens a batch unless one is open. */
  #inBatch(): Handler {
    const handler = this.#handler!;
    if (!this.#isInBatch) {
      this.#isInBatch = true;
      this.#held.beginBatch();
      handler.begin(performance.now());
      this.#tickSoon();
    }
    return handler;
  }

  #tickSoon(): void {
    if (this.#isTickDue || this.#isStopped || this.#handler === null) return;
    this.#isTickDue = true;
    setImmediate(this.#tick);
  }

  #runTick(): void {
    if (this.#isStopped) return;
    const handler = this.#inBatch();
    // Only now: a batch that begins here asks for no tick to end it.
    this.#isTickDue = false;
    if (this.#drainedDue.length > 0) this.#deliverDrained(handler);
    if (this.#turnedAwayCount > 0) this.#tellTurnedAway(handler);
    this.#held.feed(handler);
    while (this.#waiting.length > 0 && !this.#connections.isFull) {
      const { socket, listener, isUnix } = this.#waiting.shift()!;
      if (!socket.destroyed) this.#accept(socket, listener, isUnix);
    }
    const waitMs = handler.end();
    this.#isInBatch = false;
    if (this.#isStopped) return;
    this.#flush();
    this.#arm(waitMs);
  }

  #flush(): void {
    const dirty = this.#dirty;
    this.#dirty = this.#dirtyNext;
    this.#dirtyNext = dirty;
    for (let i = 0; i < dirty.length; i++) {
      const connection = dirty[i]!;
      connection.isDirty = false;
      if (connection.isGivenUp || connection.isSocketClosed) continue;
      if (connection.write(this.#memory, this.buffers, this.#scratch)) this.#allHasLeft(connection);
    }
    dirty.length = 0;
  }

  #markDirty(connection: NetConnection): void {
    connection.isDirty = true;
    this.#dirty.push(connection);
    if (!this.#isInBatch) this.#tickSoon();
  }

  #allHasLeft(connection: NetConnection): void {
    if (connection.isGivenUp) return;
    if (connection.isShutdown && !connection.socket.writableEnded) connection.socket.end();
    if (connection.wantsDrained) this.#oweDrained(connection);
  }

  #oweDrained(connection: NetConnection): void {
    this.#drainedDue.push(connection);
    this.#tickSoon();
  }

  #deliverDrained(handler: Handler): void {
    const due = this.#drainedDue;
    this.#drainedDue = [];
    for (const connection of due) {
      if (!connection.wantsDrained) continue;
      // More was queued meanwhile: it is told when that has left.
      if (connection.queuedBytes > 0) continue;
      connection.wantsDrained = false;
      handler.drained(connection.number);
    }
  }

  #arm(waitMs: number): void {
    if (waitMs === 0 || this.#held.hasBackground) this.#tickSoon();
    const nowMs = performance.now();
    const isShort = this.#held.hasStarved && (waitMs < 0 || waitMs > STARVED_POLL_MS);
    const spanMs = isShort ? STARVED_POLL_MS : waitMs;
    this.#timer.set(spanMs < 0 ? Infinity : nowMs + spanMs, nowMs);
  }
}

function ignore(): void {}
