/**
 * The engine on epoll: any Linux, and where io_uring is forbidden.
 *
 * Strategy: edge-triggered. A descriptor is registered once, for everything, and never again touched in the
 * epoll set: the kernel says when something has changed, and what it said is kept as flags (`readable`,
 * `blocked`) until a call answers EAGAIN or moves less than it was offered. Pausing is then free. Reading
 * happens in the batch, a few buffers per connection and turn; sending at its end, all that is queued for a
 * connection in one call. Where several connections are to be read, or to be sent to, the first of it is done
 * for all of them in one call (`SocketBatch`); where the system does not have it, one by one.
 *
 * A closed connection's index stays taken until the batch is over: events of the old one may lie further back
 * in it. Closing is a costly call, so each turn makes a few: where thousands end at once, their descriptors stay
 * open for some turns more, and nobody looks at them.
 *
 * @hot
 */
import { HEADROOM_BYTES, RECEIVE_BYTES } from "../../base/buffer-pool.ts";
import type { Engine, EngineOptions } from "../../contract/port.ts";
import { BACKGROUND_READS_MAX } from "../../contract/port.ts";
import type { AddressRecord } from "../native/address-book.ts";
import { CLOSED_FD, ConnectionList, Flag } from "../native/connection-table.ts";
import { type Mapping, mapMemory } from "../native/memory.ts";
import { NativeEngine } from "../native/native-engine.ts";
import { requireMainThread } from "../native/syscalls.ts";
import { EpollSet, Events, Kind } from "./epoll-set.ts";
import { BATCH_MAX, VECTORS_MAX as BATCH_VECTORS_MAX, SocketBatch } from "./socket-batch.ts";

const BREAK_EVENTS = Events.hangUp | Events.error;
const READ_EVENTS = BREAK_EVENTS | Events.readable | Events.peerEnded;
const WRITE_EVENTS = BREAK_EVENTS | Events.writable;
const END_EVENTS = BREAK_EVENTS | Events.peerEnded;
const ALL_EVENTS = Events.readable | Events.writable | Events.peerEnded | Events.edgeTriggered;

const CONNECTION = Kind.connection;
const LISTENER = Kind.listener;
const WATCH = Kind.watch;

const OPEN = Flag.open;
const CONNECTED = Flag.connected;
const PAUSED = Flag.paused;
const ENDED = Flag.ended;
const FAILED = Flag.failed;
const SEND_BROKEN = Flag.sendBroken;
const FAIL_DUE = Flag.failDue;
const READABLE = Flag.readable;
const BLOCKED = Flag.blocked;
const HUNG_UP = Flag.hungUp;
const WATCHED = Flag.watched;
const END_WATCHED = Flag.endWatched;
const BACKGROUND = Flag.background;

const EINTR = 4;
const EAGAIN = 11;
const ECONNABORTED = 103;
const ENOTCONN = 107;
const EINPROGRESS = 115;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const MSG_NOSIGNAL = 0x4000;
const SOCK_CLOEXEC_NONBLOCK = 0x80800;

/** Buffers that one connection may fill in one turn, so that the others have theirs. */
const READS_MAX = 4;
/** Share of the large slots that may be filled before the first of them is told of. */
const READ_AHEAD_SHIFT = 3;
const BACKGROUND_MAX = BACKGROUND_READS_MAX;
const ACCEPTS_MAX = 128;
/** Descriptors closed in one batch, and again behind it: as many as a turn accepts, and their backends. */
const CLOSES_MAX = 128;
const VECTORS_MAX = 64;
const HEADROOM = HEADROOM_BYTES;
const RECEIVE = RECEIVE_BYTES;
const TWO_POW_32 = 0x1_0000_0000;

/** Where things lie in the engine's page of arguments, in words: an option, `struct msghdr`, its vectors. */
const OPTION_AT = 0;
const MESSAGE_AT = 16;
const VECTORS_AT = 32;

/**
 * An engine on epoll. Throws `EngineUnavailable` where it cannot run; other errors are those of opening a
 * listener.
 * @cold
 */
export function createEpollEngine(options: EngineOptions): Engine {
  requireMainThread();
  const set = new EpollSet();
  try {
    return new EpollEngine(set, options);
  } catch (error) {
    set.close();
    throw error;
  }
}

class EpollEngine extends NativeEngine {
  readonly name = "epoll";
  readonly fd: number;
  readonly #set: EpollSet;
  readonly #arguments: Mapping;
  readonly #argumentWords: Int32Array;
  readonly #batch: SocketBatch | null;
  /** By request of the batch: whose it is, and where what is read begins or how much is to be written. */
  readonly #batchConnections = new Int32Array(BATCH_MAX);
  readonly #batchOperands = new Int32Array(BATCH_MAX);
  /** How many reads of a batch leave the handler enough slots. */
  readonly #readsAheadMax: number;
  /** Readable and not paused: to be read in this turn, or left for the next. */
  readonly #ready: ConnectionList;
  /** The same of background connections, of which a turn reads so many. */
  readonly #background: ConnectionList;
  /** Closed in this batch, or yet to be. */
  readonly #closing: ConnectionList;
  #closesLeft = CLOSES_MAX;
  #unclosedCount = 0;
  readonly #watchedTokens: boolean[] = [];
  #eventCount = 0;

  constructor(set: EpollSet, options: EngineOptions) {
    super(options, false);
    this.#set = set;
    this.fd = set.fd;
    this.#arguments = mapMemory((VECTORS_AT + VECTORS_MAX * 4) * 4);
    this.#argumentWords = new Int32Array(this.#arguments.buffer);
    this.#argumentWords[MESSAGE_AT + 4] = (this.#arguments.address + VECTORS_AT * 4) | 0;
    this.#argumentWords[MESSAGE_AT + 5] = ((this.#arguments.address + VECTORS_AT * 4) / TWO_POW_32) | 0;
    this.#batch = SocketBatch.open();
    this.#readsAheadMax = Math.min(BATCH_MAX, options.largeSlots >> READ_AHEAD_SHIFT);
    this.#ready = new ConnectionList(options.connectionsMax);
    this.#background = new ConnectionList(options.connectionsMax);
    this.#closing = new ConnectionList(options.connectionsMax);
  }

  // Handing over.

  protected handOver(): void {}

  protected flush(): void {
    this.#finishClosing();
    const batch = this.dirty.count > 1 ? this.#batch : null;
    for (let left = this.dirty.count; left > 0; left--) {
      const connection = this.dirty.take();
      const flags = this.table.flags[connection]!;
      if ((flags & (OPEN | CONNECTED | FAILED | BLOCKED)) !== (OPEN | CONNECTED)) continue;
      if (this.queue.isEmpty(connection)) continue;
      if (batch === null) this.#sendQueued(connection);
      else this.#addSend(batch, connection);
    }
    if (batch !== null && batch.count > 0) this.#sendBatch(batch);
    for (let i = 0; i < this.listeners.length; i++) {
      const listener = this.listeners[i]!;
      if (listener.done || listener.armed === (this.mayAccept() && !listener.leaving)) continue;
      listener.armed = !listener.armed;
      if (listener.armed) this.#set.add(listener.fd, Events.readable, LISTENER, i);
      else this.#set.remove(listener.fd);
    }
  }

  /** Frees the indexes of what is closed, and closes what had to wait, oldest first. */
  #finishClosing(): void {
    this.#closesLeft = CLOSES_MAX;
    for (let left = this.#closing.count; left > 0; left--) {
      const connection = this.#closing.take();
      if (this.table.fd[connection] === CLOSED_FD) this.finish(connection);
      else if (this.#closesLeft === 0) this.#closing.add(connection);
      else {
        this.#unclosedCount--;
        this.#closeNow(connection);
        this.finish(connection);
      }
    }
  }

  #closeNow(connection: number): void {
    this.#closesLeft--;
    this.calls.close(this.table.fd[connection]!);
    this.table.fd[connection] = CLOSED_FD;
  }

  #addSend(batch: SocketBatch, connection: number): void {
    const fd = this.table.fd[connection]!;
    const queue = this.queue;
    const index = batch.count;
    let wanted = 0;
    if (queue.isSingle(connection)) {
      const start = queue.firstStart(connection);
      wanted = queue.firstEnd(connection) - start;
      batch.write(fd, this.poolAddress + start, wanted);
    } else {
      const words = batch.vectorWords;
      const at = batch.vectorsAt;
      const count = queue.writeVectors(connection, words, at, BATCH_VECTORS_MAX);
      for (let i = 0; i < count; i++) wanted += words[at + i * 4 + 2]!;
      batch.writeVectors(fd, count);
    }
    this.#batchConnections[index] = connection;
    this.#batchOperands[index] = wanted;
    if (batch.count === BATCH_MAX) this.#sendBatch(batch);
  }

  #sendBatch(batch: SocketBatch): void {
    const count = batch.count;
    const done = batch.submit();
    for (let i = 0; i < count; i++) {
      const connection = this.#batchConnections[i]!;
      const isSent = i < done && this.#tookSend(connection, batch.result(i), this.#batchOperands[i]!);
      if ((isSent || i >= done) && !this.queue.isEmpty(connection)) this.#sendQueued(connection);
    }
  }

  /** Sends until nothing is queued or the kernel takes no more. */
  #sendQueued(connection: number): void {
    const fd = this.table.fd[connection]!;
    const queue = this.queue;
    while (!queue.isEmpty(connection)) {
      let wanted = 0;
      let sent = 0;
      if (queue.isSingle(connection)) {
        const start = queue.firstStart(connection);
        wanted = queue.firstEnd(connection) - start;
        sent = this.calls.send(fd, this.poolAddress + start, wanted, MSG_NOSIGNAL);
      } else {
        const words = this.#argumentWords;
        const count = queue.writeVectors(connection, words, VECTORS_AT, VECTORS_MAX);
        for (let i = 0; i < count; i++) wanted += words[VECTORS_AT + i * 4 + 2]!;
        words[MESSAGE_AT + 6] = count;
        sent = this.calls.sendmsg(fd, this.#arguments.address + MESSAGE_AT * 4, MSG_NOSIGNAL);
      }
      if (!this.#tookSend(connection, sent < 0 ? -this.calls.errno() : sent, wanted)) return;
    }
  }

  /** The kernel has taken `sent` bytes of `wanted`, or none for an errno. Returns false where it takes no more. */
  #tookSend(connection: number, sent: number, wanted: number): boolean {
    if (sent >= 0) {
      this.sent(connection, sent);
      if (sent === wanted) return true;
      this.#setFlag(connection, BLOCKED);
      return false;
    }
    if (sent === -EINTR) return true;
    if (sent === -EAGAIN) this.#setFlag(connection, BLOCKED);
    else if (this.breakSending(connection, sent)) this.#setFlag(connection, HUNG_UP);
    return false;
  }

  protected hasPending(): boolean {
    return this.#unclosedCount > 0 || this.#hasReadable();
  }

  #hasReadable(): boolean {
    return this.#ready.count + this.#background.count > 0 && this.buffers.freeLargeCount > 0;
  }

  // What the handler asks for.

  protected beginConnect(connection: number, target: AddressRecord): void {
    const fd = this.table.fd[connection]!;
    if (this.calls.connect(fd, target.address, target.bytes) < 0) {
      const errno = this.calls.errno();
      if (errno !== EINPROGRESS && errno !== EINTR) {
        this.table.errno[connection] = -errno;
        this.notice(connection, FAIL_DUE);
        return;
      }
    }
    this.admitted(connection);
  }

  protected override admitted(connection: number): void {
    this.#set.add(this.table.fd[connection]!, ALL_EVENTS, CONNECTION, connection);
  }

  protected stopReceiving(connection: number): void {
    const wanted = OPEN | WATCHED | HUNG_UP;
    // What was said of it before is not said again.
    if ((this.table.flags[connection]! & wanted) === wanted) this.#noteBreak(connection);
  }

  /** Tells with the next batch, if a watched connection is broken. @cold */
  #noteBreak(connection: number): void {
    const errno = this.whatBroke(connection, (this.table.flags[connection]! & HUNG_UP) !== 0);
    if (errno === 0) return;
    this.table.errno[connection] = errno;
    this.notice(connection, FAIL_DUE);
  }

  protected startReceiving(connection: number): void {
    if ((this.table.flags[connection]! & READABLE) !== 0) this.#readLater(connection);
  }

  protected abandon(connection: number): void {
    this.queue.clear(connection);
    this.#closing.add(connection);
    if (this.#closesLeft > 0) this.#closeNow(connection);
    else this.#unclosedCount++;
  }

  // What the kernel tells.

  protected wait(waitMs: number): number {
    const set = this.#set;
    this.#eventCount = set.wait(waitMs < 0 ? -1 : Math.ceil(waitMs));
    let told = this.#hasReadable() ? 1 : 0;
    for (let i = 0; i < this.#eventCount; i++) {
      if (set.kindOf(i) === WATCH) this.loop.watchFired(set.indexOf(i));
      else told++;
    }
    return told;
  }

  protected dispatch(): void {
    const set = this.#set;
    for (let i = 0; i < this.#eventCount; i++) {
      const kind = set.kindOf(i);
      if (kind === CONNECTION) this.#happened(set.indexOf(i), set.eventsOf(i));
      else if (kind === LISTENER) this.#accept(set.indexOf(i));
    }
    this.#readReady();
    const backgroundCount = Math.min(this.#background.count, BACKGROUND_MAX);
    for (let left = backgroundCount; left > 0; left--) this.#read(this.#background.take(), 0);
  }

  #happened(connection: number, events: number): void {
    let flags = this.table.flags[connection]!;
    if ((flags & OPEN) === 0) return;
    if ((flags & CONNECTED) === 0) {
      if ((events & WRITE_EVENTS) === 0 || !this.#concludeConnect(connection)) return;
      flags = this.table.flags[connection]!;
    }
    if ((events & WRITE_EVENTS) !== 0 && (flags & BLOCKED) !== 0) {
      flags &= ~BLOCKED;
      this.dirty.add(connection);
    }
    if ((events & END_EVENTS) !== 0) flags |= HUNG_UP;
    if ((events & READ_EVENTS) !== 0) flags |= READABLE;
    this.table.flags[connection] = flags;
    const breaks = (flags & END_WATCHED) === 0 ? BREAK_EVENTS : END_EVENTS;
    if ((flags & WATCHED) !== 0 && (events & breaks) !== 0) this.#noteBreak(connection);
    else if ((events & READ_EVENTS) !== 0) this.#readLater(connection);
  }

  /** Tells how connecting went. Returns true when the connection stands and is still the handler's. */
  #concludeConnect(connection: number): boolean {
    const fd = this.table.fd[connection]!;
    const words = this.#argumentWords;
    const address = this.#arguments.address + OPTION_AT * 4;
    words[OPTION_AT] = 0;
    words[OPTION_AT + 1] = 4;
    this.calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, address, address + 4);
    if (words[OPTION_AT]! !== 0) {
      this.fail(connection, -words[OPTION_AT]!);
      return false;
    }
    // An event of an earlier socket with this index would look the same.
    words[OPTION_AT + 1] = 0;
    const peer = this.calls.getpeername(fd, address, address + 4);
    if (peer < 0 && this.calls.errno() === ENOTCONN) return false;
    this.#setFlag(connection, CONNECTED);
    this.dirty.add(connection);
    this.handler!.connected(connection);
    return (this.table.flags[connection]! & OPEN) !== 0;
  }

  /** Reads those that are ready: the ones left over first. What is left over again waits for the next turn. */
  #readReady(): void {
    const ready = this.#ready;
    let left = ready.count;
    const batch = left > 1 && this.#readsAheadMax > 1 && !this.buffers.isTight ? this.#batch : null;
    if (batch === null) {
      for (; left > 0; left--) this.#read(ready.take(), 0);
      return;
    }
    while (left > 0) {
      for (; left > 0 && batch.count < this.#readsAheadMax; left--) this.#addRead(batch, ready.take());
      this.#readBatch(batch);
    }
  }

  #addRead(batch: SocketBatch, connection: number): void {
    if (!this.#mayRead(connection)) return;
    const slot = this.buffers.acquireLarge();
    if (slot < 0) {
      this.#readLater(connection);
      return;
    }
    const start = slot + HEADROOM;
    this.#batchConnections[batch.count] = connection;
    this.#batchOperands[batch.count] = start;
    batch.read(this.table.fd[connection]!, this.poolAddress + start, RECEIVE);
  }

  /** Has them read, and tells of each: what the handler does with one may close or pause others of them. */
  #readBatch(batch: SocketBatch): void {
    const count = batch.count;
    if (count === 0) return;
    const done = batch.submit();
    for (let i = 0; i < count; i++) {
      const connection = this.#batchConnections[i]!;
      const start = this.#batchOperands[i]!;
      if (i >= done) this.buffers.release(start);
      else if (!this.#tookRead(connection, start, batch.result(i))) continue;
      this.#read(connection, i < done ? 1 : 0);
    }
  }

  /** Reads what there is, a few buffers at most, of which `filledCount` have been filled in this turn. */
  #read(connection: number, filledCount: number): void {
    const fd = this.table.fd[connection]!;
    for (let count = filledCount; this.#mayRead(connection); count++) {
      const slot = count < READS_MAX ? this.buffers.acquireLarge() : -1;
      if (slot < 0) {
        this.#readLater(connection);
        return;
      }
      const start = slot + HEADROOM;
      const bytes = this.calls.recv(fd, this.poolAddress + start, RECEIVE, 0);
      if (!this.#tookRead(connection, start, bytes < 0 ? -this.calls.errno() : bytes)) return;
    }
  }

  #mayRead(connection: number): boolean {
    const wanted = OPEN | READABLE | CONNECTED;
    return (this.table.flags[connection]! & (wanted | PAUSED | ENDED | FAILED)) === wanted;
  }

  /** The kernel has given `bytes` at `start`, 0 for the end, or an errno. Returns false where it gives no more. */
  #tookRead(connection: number, start: number, bytes: number): boolean {
    const flags = this.table.flags[connection]!;
    // Closed by what another of its batch led to.
    if ((flags & (OPEN | FAILED)) !== OPEN) {
      this.buffers.release(start);
      return false;
    }
    if (bytes > 0) {
      const isMoreLikely = bytes === RECEIVE || (flags & HUNG_UP) !== 0;
      if (!isMoreLikely) this.table.flags[connection] = flags & ~READABLE;
      this.handler!.received(connection, start, start + bytes);
      return isMoreLikely;
    }
    this.buffers.release(start);
    if (bytes === -EINTR) return true;
    this.table.flags[connection] = flags & ~READABLE;
    if (bytes === 0) this.tellEnd(connection);
    else if (bytes !== -EAGAIN) {
      this.fail(connection, (flags & SEND_BROKEN) !== 0 ? this.table.errno[connection]! : bytes);
    }
    return false;
  }

  #readLater(connection: number): void {
    if ((this.table.flags[connection]! & BACKGROUND) === 0) this.#ready.add(connection);
    else this.#background.add(connection);
  }

  #accept(index: number): void {
    const listener = this.listeners[index]!;
    for (let count = 0; count < ACCEPTS_MAX && this.mayAccept(); count++) {
      const fd = this.calls.accept4(listener.fd, 0, 0, SOCK_CLOEXEC_NONBLOCK);
      if (fd >= 0) {
        this.admit(fd, index);
        continue;
      }
      const errno = this.calls.errno();
      if (errno === EINTR || errno === ECONNABORTED) continue;
      this.acceptFailed(-errno);
      return;
    }
  }

  #setFlag(connection: number, flag: number): void {
    this.table.flags[connection] = this.table.flags[connection]! | flag;
  }

  // Node's descriptor, and those of other engines: level-triggered, so that one registration does.

  watch(fd: number, token: number): void {
    if (this.#watchedTokens[token] === true) return;
    this.#watchedTokens[token] = true;
    this.#set.add(fd, Events.readable, WATCH, token);
  }

  unwatch(fd: number, token: number): void {
    this.#watchedTokens[token] = false;
    this.#set.remove(fd);
  }

  protected takeIdleLent(): number {
    return 0;
  }

  protected tearDown(): void {
    this.#batch?.close();
    this.#set.close();
  }
}
