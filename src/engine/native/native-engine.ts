/**
 * What the engines on bare sockets share: the table of connections, the queues of what is to be sent,
 * listeners, the frame of a batch, and how a connection ends. How bytes get to and from the kernel is the
 * subclass's.
 *
 * Strategy: a command only notes what is wanted. At the end of a batch `flush` looks at each connection that
 * was touched (the `dirty` list) once, so ten small `send`s to one connection become one system call or one
 * submission.
 *
 * @hot
 */
import { assert } from "../../base/assert.ts";
import { BufferPool } from "../../base/buffer-pool.ts";
import { Errno } from "../../contract/errno.ts";
import type { Engine, EngineName, EngineOptions, Handler, ListenerSource } from "../../contract/port.ts";
import { AddressBook, type AddressRecord } from "./address-book.ts";
import { ConnectionList, ConnectionTable, Flag } from "./connection-table.ts";
import { IdleMemory } from "./idle-memory.ts";
import { ListenerTable, type NativeListener } from "./listener-table.ts";
import { discardRange, mapLinear } from "./memory.ts";
import { type NestedLoop, type NestedSource, nestedLoop } from "./nested-loop.ts";
import { SendQueue } from "./send-queue.ts";
import { openStream, setAbortive, shutdownSend, takeSocketError, writePeerHost } from "./sockets.ts";
import { loadSyscalls, type Syscalls } from "./syscalls.ts";

const OPEN = Flag.open;
const CONNECTED = Flag.connected;
const PAUSED = Flag.paused;
const ENDED = Flag.ended;
const FAILED = Flag.failed;
const FIN_WANTED = Flag.finWanted;
const FIN_SENT = Flag.finSent;
const DRAIN_WANTED = Flag.drainWanted;
const DRAIN_DUE = Flag.drainDue;
const FAIL_DUE = Flag.failDue;
const SEND_BROKEN = Flag.sendBroken;
const WATCHED = Flag.watched;
const END_WATCHED = Flag.endWatched;
const BACKGROUND = Flag.background;

/** Bound once: the global is a getter. */
const clock = performance;
/** How long accepting rests when descriptors or memory have run out. */
const ACCEPT_REST_MS = 50;
/** Slots that are not used for so long give their memory back. */
const TRIM_MS = 1000;
/** Between two portions, where it is much. */
const TRIM_AGAIN_MS = 20;
/** Told in one batch of what no kernel event carries: thousands may break in one moment. */
const NOTICES_MAX = 128;
const ENOMEM = -12;
const NEVER = Number.POSITIVE_INFINITY;
const REGION_BYTES_MAX = 2 ** 31 - 1;

export abstract class NativeEngine implements Engine, NestedSource {
  abstract readonly name: EngineName;
  abstract readonly fd: number;
  readonly buffers: BufferPool;
  readonly connectionsMax: number;

  protected readonly calls: Syscalls = loadSyscalls();
  protected readonly loop: NestedLoop = nestedLoop();
  protected readonly poolAddress: number;
  protected readonly table: ConnectionTable;
  protected readonly queue: SendQueue;
  protected readonly listeners: readonly NativeListener[];
  /** Connections with something to hand over to the kernel. */
  protected readonly dirty: ConnectionList;
  protected handler: Handler | undefined;
  protected accepting = true;
  protected stopped = false;
  /** Time of the current batch. */
  protected nowMs = 0;
  protected acceptRestUntilMs = 0;
  readonly #regionBytes: number;
  readonly #addresses = new AddressBook();
  /** Connections with something to tell that no kernel event carries. */
  readonly #notices: ConnectionList;
  /** Accepted, but beyond `connectionsMax`: descriptor and listener in turn, oldest first. */
  readonly #parked: number[] = [];
  readonly #idleMemory: IdleMemory;
  #deadlineMs = NEVER;
  /** When to look for idle memory: some time after the last batch there is none, and no time is set. */
  #trimAtMs = NEVER;
  #wakeAsked = false;
  #inBatch = false;
  #stopDone: (() => void) | undefined;
  readonly #listenerTable: ListenerTable;
  readonly #blocking: boolean;

  /** `blocking`: how the subclass wants its descriptors. */
  constructor(options: EngineOptions, blocking: boolean) {
    const { smallSlots, largeSlots, connectionsMax } = options;
    const regionBytes = BufferPool.regionBytes(smallSlots, largeSlots);
    assert(regionBytes <= REGION_BYTES_MAX, "positions in the pool fit 31 bits");
    this.#blocking = blocking;
    const { mapping, linear } = mapLinear(regionBytes);
    this.#regionBytes = regionBytes;
    this.poolAddress = mapping.address;
    this.buffers = new BufferPool(
      new Uint8Array(mapping.buffer, 0, regionBytes),
      smallSlots,
      largeSlots,
      linear,
    );
    this.#idleMemory = new IdleMemory(this.buffers, this.poolAddress);
    this.connectionsMax = connectionsMax;
    this.table = new ConnectionTable(connectionsMax);
    this.queue = new SendQueue(connectionsMax, this.buffers, this.poolAddress);
    this.dirty = new ConnectionList(connectionsMax);
    this.#notices = new ConnectionList(connectionsMax);
    this.#listenerTable = new ListenerTable(options.listeners, blocking);
    this.listeners = this.#listenerTable.list;
  }

  // What the subclass does.

  /** Hands over what the touched connections want. */
  protected abstract flush(): void;
  /** After `flush`, where no wait follows: what it only wrote down goes to the kernel. */
  protected abstract handOver(): void;
  /** Waits at most `waitMs` (-1: for ever). Returns how many events `dispatch` will find. */
  protected abstract wait(waitMs: number): number;
  /** Tells the handler of the events that `wait` found. */
  protected abstract dispatch(count: number): void;
  /** Has `flush` something to do although no connection is dirty? */
  protected abstract hasPending(): boolean;
  protected abstract beginConnect(connection: number, target: AddressRecord): void;
  /** A paused connection, or one that is being given up, is not read. Where it is watched, that begins. */
  protected abstract stopReceiving(connection: number): void;
  protected abstract startReceiving(connection: number): void;
  /** The handler let go: ends what the kernel works on, then `finish`. */
  protected abstract abandon(connection: number): void;
  /**
   * Writes into `slots`, in ascending order, those that are lent to the kernel and will not be used soon, as
   * `BufferPool.takeIdle` does for those that are free. Returns how many.
   */
  protected abstract takeIdleLent(slots: Int32Array): number;
  /** Ends everything the kernel works on, closes every descriptor of a connection. */
  protected abstract tearDown(): void;
  abstract watch(fd: number, token: number): void;
  abstract unwatch(fd: number, token: number): void;

  // Port.

  connect(address: string): number {
    if (this.stopped) return Errno.ECANCELED;
    const target = this.#addresses.lookup(address);
    if (target === undefined) return Errno.EINVAL;
    if (this.table.freeCount === 0) return Errno.EMFILE;
    const fd = openStream(target.family, this.#blocking);
    if (fd < 0) return fd;
    const connection = this.table.acquire(fd, OPEN);
    this.beginConnect(connection, target);
    return connection;
  }

  send(connection: number, start: number, end: number): void {
    const flags = this.table.flags[connection]!;
    assert((flags & OPEN) !== 0 || this.stopped, "only an open connection sends");
    if (start === end || this.stopped || (flags & (FAILED | SEND_BROKEN)) !== 0) {
      this.buffers.release(start);
      return;
    }
    assert((flags & FIN_WANTED) === 0, "nothing is sent after shutdown");
    this.queue.push(connection, start, end);
    this.dirty.add(connection);
  }

  queuedBytes(connection: number): number {
    return this.queue.bytesOf(connection);
  }

  wantDrained(connection: number): void {
    const flags = this.table.flags[connection]!;
    if ((flags & OPEN) === 0) return;
    if (this.queue.isEmpty(connection)) this.notice(connection, DRAIN_DUE);
    else this.table.flags[connection] = flags | DRAIN_WANTED;
  }

  pause(connection: number, isWatched = false, isEndWatched = false): void {
    const flags = this.table.flags[connection]!;
    const watched = isWatched ? (isEndWatched ? WATCHED | END_WATCHED : WATCHED) : 0;
    const paused = (flags & ~(WATCHED | END_WATCHED)) | PAUSED | watched;
    if ((flags & OPEN) === 0 || paused === flags) return;
    this.table.flags[connection] = paused;
    // What can still be read is not wanted: nothing to wait for.
    if ((flags & SEND_BROKEN) !== 0) this.notice(connection, FAIL_DUE);
    this.stopReceiving(connection);
  }

  resume(connection: number): void {
    const flags = this.table.flags[connection]!;
    if ((flags & (OPEN | PAUSED)) !== (OPEN | PAUSED)) return;
    this.table.flags[connection] = flags & ~(PAUSED | WATCHED | END_WATCHED);
    this.startReceiving(connection);
  }

  /** Only a flag: it counts when the connection is to be read next. */
  setBackground(connection: number, isBackground: boolean): void {
    const flags = this.table.flags[connection]!;
    this.table.flags[connection] = isBackground ? flags | BACKGROUND : flags & ~BACKGROUND;
  }

  /** What broke a watched connection, as a negative errno; 0: nothing. `hasEnded`: its peer has sent FIN. @cold */
  protected whatBroke(connection: number, hasEnded: boolean): number {
    const errno = takeSocketError(this.table.fd[connection]!);
    const isLost = hasEnded && (this.table.flags[connection]! & END_WATCHED) !== 0;
    return errno === 0 && isLost ? Errno.ECONNRESET : errno;
  }

  shutdown(connection: number): void {
    const flags = this.table.flags[connection]!;
    if ((flags & (OPEN | FIN_WANTED)) !== OPEN) return;
    this.table.flags[connection] = flags | FIN_WANTED;
    if (this.queue.isEmpty(connection)) this.#sendFin(connection);
  }

  close(connection: number): void {
    if (this.stopped) return;
    const flags = this.table.flags[connection]!;
    assert((flags & OPEN) !== 0, "a connection is closed once");
    this.table.flags[connection] = flags & ~OPEN;
    this.abandon(connection);
  }

  reset(connection: number): void {
    if (this.stopped) return;
    setAbortive(this.table.fd[connection]!);
    this.close(connection);
  }

  writePeerAddress(connection: number, offset: number): number {
    return writePeerHost(this.table.fd[connection]!, this.buffers.memory, offset);
  }

  // Engine.

  start(handler: Handler): void {
    assert(this.handler === undefined && !this.stopped, "an engine is started once");
    this.handler = handler;
    this.loop.add(this);
  }

  stopAccepting(): void {
    this.accepting = false;
    this.wake();
  }

  get listenerAddresses(): readonly string[] {
    return this.#listenerTable.addresses;
  }

  /** @cold */
  async addListener(number: number, source: ListenerSource): Promise<string> {
    const address = this.#listenerTable.add(number, source);
    this.wake();
    return address;
  }

  /** @cold */
  removeListener(number: number): Promise<void> {
    this.wake();
    return this.stopped ? Promise.resolve() : this.#listenerTable.remove(number);
  }

  wake(): void {
    this.#wakeAsked = true;
    if (this.#inBatch) this.loop.yieldSoon();
  }

  /** @cold */
  stop(): Promise<void> {
    if (this.stopped) return Promise.resolve();
    this.stopped = true;
    this.loop.remove(this);
    // No event finds its connection open any more.
    for (let i = 0; i < this.connectionsMax; i++) this.table.flags[i] = this.table.flags[i]! & ~OPEN;
    return new Promise((resolve) => {
      this.#stopDone = resolve;
      if (this.#inBatch) setImmediate(() => this.#finishStop());
      else this.#finishStop();
    });
  }

  // NestedSource.

  idleMs(nowMs: number): number {
    if (this.#wakeAsked || this.#notices.count > 0 || this.hasPending()) return 0;
    let dueMs = Math.min(this.#deadlineMs, this.#trimAtMs);
    if (this.acceptRestUntilMs > 0 && this.acceptRestUntilMs < dueMs) dueMs = this.acceptRestUntilMs;
    if (dueMs === NEVER) return -1;
    return dueMs > nowMs ? dueMs - nowMs : 0;
  }

  submit(): void {
    this.#inBatch = false;
    this.flush();
    this.handOver();
  }

  turn(waitMs: number): number {
    // Still set where a handler threw.
    this.#inBatch = false;
    this.flush();
    const count = this.wait(this.#notices.count > 0 ? 0 : waitMs);
    const nowMs = clock.now();
    this.nowMs = nowMs;
    if (this.acceptRestUntilMs !== 0 && nowMs >= this.acceptRestUntilMs) this.acceptRestUntilMs = 0;
    if (count > 0 || this.#notices.count > 0 || this.#wakeAsked || nowMs >= this.#deadlineMs) {
      this.#batch(count, nowMs);
    }
    if (nowMs >= this.#trimAtMs) this.#trim(nowMs);
    return nowMs;
  }

  #batch(count: number, nowMs: number): void {
    const handler = this.handler!;
    this.#inBatch = true;
    this.#wakeAsked = false;
    handler.begin(nowMs);
    if (this.#parked.length > 0) this.#admitParked();
    if (this.#notices.count > 0) this.#tellNotices(handler);
    if (count > 0) this.dispatch(count);
    if (!this.accepting || this.#listenerTable.leavingCount > 0) this.#takeQueues();
    if (!this.stopped) {
      const restMs = handler.end();
      this.#deadlineMs = restMs < 0 ? NEVER : nowMs + restMs;
    }
    if (this.#trimAtMs === NEVER) this.#trimAtMs = nowMs + TRIM_MS;
    this.#inBatch = false;
  }

  /** Gives idle memory back, and looks again as long as there may be more. @cold */
  #trim(nowMs: number): void {
    const { slots } = this.#idleMemory;
    const free = this.buffers.takeIdle(slots);
    this.#idleMemory.discard(free);
    const lent = this.takeIdleLent(slots);
    this.#idleMemory.discard(lent);
    if (free === slots.length) this.#trimAtMs = nowMs + TRIM_AGAIN_MS;
    else if (lent > 0 || this.buffers.mayHaveIdle) this.#trimAtMs = nowMs + TRIM_MS;
    else this.#trimAtMs = NEVER;
  }

  /** Some of those noted before this batch, oldest first: what they lead to is told with a later one. */
  #tellNotices(handler: Handler): void {
    for (let left = Math.min(this.#notices.count, NOTICES_MAX); left > 0 && !this.stopped; left--) {
      const connection = this.#notices.take();
      const flags = this.table.flags[connection]!;
      this.table.flags[connection] = flags & ~(DRAIN_DUE | FAIL_DUE);
      if ((flags & OPEN) === 0) continue;
      if ((flags & FAIL_DUE) !== 0) this.fail(connection, this.table.errno[connection]!);
      else if ((flags & (DRAIN_DUE | FAILED)) === DRAIN_DUE) handler.drained(connection);
    }
  }

  // For the subclass, within a batch.

  /** Tells with the next batch: `drainDue`, or `failDue` with `errno` set. */
  protected notice(connection: number, flag: number): void {
    this.table.flags[connection] = this.table.flags[connection]! | flag;
    this.#notices.add(connection);
  }

  protected fail(connection: number, errno: number): void {
    const flags = this.table.flags[connection]!;
    if ((flags & (OPEN | FAILED)) !== OPEN) return;
    this.table.flags[connection] = flags | FAILED;
    this.handler!.failed(connection, errno);
  }

  /** Reading came to its end: by FIN, or because sending broke the connection before. */
  protected tellEnd(connection: number): void {
    const flags = this.table.flags[connection]!;
    if ((flags & (OPEN | ENDED | FAILED)) !== OPEN) return;
    if ((flags & SEND_BROKEN) !== 0) {
      this.fail(connection, this.table.errno[connection]!);
      return;
    }
    this.table.flags[connection] = flags | ENDED;
    this.handler!.ended(connection);
  }

  /** `bytes` have left. `drained` is told at once where a batch is going on, else with the next. */
  protected sent(connection: number, bytes: number): void {
    this.queue.consume(connection, bytes);
    if (!this.queue.isEmpty(connection)) return;
    const flags = this.table.flags[connection]!;
    if ((flags & FIN_WANTED) !== 0) this.#sendFin(connection);
    if ((flags & DRAIN_WANTED) === 0) return;
    this.table.flags[connection] = this.table.flags[connection]! & ~DRAIN_WANTED;
    if (this.#inBatch) this.handler!.drained(connection);
    else this.notice(connection, DRAIN_DUE);
  }

  /**
   * Sending failed. What the peer sent before must come first, so `failed` waits for the end of reading where
   * that is wanted and sure to come. Returns true when it waits.
   */
  protected breakSending(connection: number, errno: number): boolean {
    const flags = this.table.flags[connection]!;
    this.table.errno[connection] = errno;
    this.queue.clear(connection);
    if ((flags & (PAUSED | ENDED)) !== 0) {
      this.notice(connection, FAIL_DUE);
      return false;
    }
    this.table.flags[connection] = flags | SEND_BROKEN;
    this.calls.shutdown(this.table.fd[connection]!, 2);
    return true;
  }

  /** A connection came in. Without a free index it waits for one. */
  protected admit(fd: number, listener: number): void {
    if (this.table.freeCount === 0 || this.stopped) {
      this.#parked.push(fd, listener);
      return;
    }
    const connection = this.table.acquire(fd, OPEN | CONNECTED);
    this.admitted(connection);
    this.dirty.add(connection);
    this.handler!.accepted(connection, listener);
  }

  /** Hook of `admit`: a new connection has its index. */
  protected admitted(_connection: number): void {}

  /** A connection that the kernel has let go of: its index is free, and whoever waits for one has it. */
  protected finish(connection: number): void {
    this.queue.clear(connection);
    this.table.release(connection);
    if (this.#parked.length > 0) this.#wakeAsked = true;
  }

  /** May connections be accepted now? */
  protected mayAccept(): boolean {
    return (
      this.accepting &&
      this.table.freeCount > 0 &&
      this.#parked.length === 0 &&
      this.nowMs >= this.acceptRestUntilMs
    );
  }

  /** Accepting failed. Where descriptors or memory have run out, the next try comes later. */
  protected acceptFailed(errno: number): void {
    if (errno === Errno.EMFILE || errno === Errno.ENFILE || errno === Errno.ENOBUFS || errno === ENOMEM) {
      this.acceptRestUntilMs = this.nowMs + ACCEPT_REST_MS;
    }
  }

  #admitParked(): void {
    while (this.#parked.length > 0 && this.table.freeCount > 0 && !this.stopped) {
      const fd = this.#parked.shift()!;
      this.admit(fd, this.#parked.shift()!);
    }
  }

  /** @cold */
  #takeQueues(): void {
    this.#listenerTable.takeQueues(!this.accepting, (fd, listener) => this.admit(fd, listener));
  }

  #sendFin(connection: number): void {
    const flags = this.table.flags[connection]!;
    if ((flags & FIN_SENT) !== 0) return;
    this.table.flags[connection] = flags | FIN_SENT;
    shutdownSend(this.table.fd[connection]!);
  }

  #finishStop(): void {
    this.tearDown();
    for (let i = 0; i < this.connectionsMax; i++) {
      const fd = this.table.fd[i]!;
      if (fd >= 0) this.calls.close(fd);
      this.queue.clear(i);
    }
    for (let i = 0; i < this.#parked.length; i += 2) this.calls.close(this.#parked[i]!);
    this.#listenerTable.close();
    discardRange(this.poolAddress, this.#regionBytes);
    this.#stopDone?.();
  }
}
