/**
 * The engine on epoll: any Linux, and where io_uring is forbidden.
 *
 * Strategy: edge-triggered. A descriptor is registered once, for everything, and never again touched in the
 * epoll set: the kernel says when something has changed, and what it said is kept as flags (`readable`,
 * `blocked`) until a call answers EAGAIN or moves less than it was offered. Pausing is then free. Reading
 * happens in the batch, a few buffers per connection and turn; sending at its end, all that is queued for a
 * connection in one call.
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
  /** Readable and not paused, but left for the next turn. */
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
    this.#ready = new ConnectionList(options.connectionsMax);
    this.#background = new ConnectionList(options.connectionsMax);
    this.#closing = new ConnectionList(options.connectionsMax);
  }

  // Handing over.

  protected handOver(): void {}

  protected flush(): void {
    this.#finishClosing();
    for (let left = this.dirty.count; left > 0; left--) {
      const connection = this.dirty.take();
      const flags = this.table.flags[connection]!;
      if ((flags & (OPEN | CONNECTED | FAILED | BLOCKED)) !== (OPEN | CONNECTED)) continue;
      if (!this.queue.isEmpty(connection)) this.#sendQueued(connection);
    }
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
      if (sent < 0) {
        const errno = this.calls.errno();
        if (errno === EINTR) continue;
        if (errno === EAGAIN) this.#setFlag(connection, BLOCKED);
        else if (this.breakSending(connection, -errno)) this.#setFlag(connection, HUNG_UP);
        return;
      }
      this.sent(connection, sent);
      if (sent < wanted) {
        this.#setFlag(connection, BLOCKED);
        return;
      }
    }
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
    // Those left over come first; what is left over again waits for the next turn.
    for (let left = this.#ready.count; left > 0; left--) this.#read(this.#ready.take());
    for (let i = 0; i < this.#eventCount; i++) {
      const kind = set.kindOf(i);
      if (kind === CONNECTION) this.#happened(set.indexOf(i), set.eventsOf(i));
      else if (kind === LISTENER) this.#accept(set.indexOf(i));
    }
    const backgroundCount = Math.min(this.#background.count, BACKGROUND_MAX);
    for (let left = backgroundCount; left > 0; left--) this.#read(this.#background.take());
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
    else if ((events & READ_EVENTS) === 0) return;
    else if ((flags & BACKGROUND) === 0) this.#read(connection);
    else this.#background.add(connection);
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

  /** Reads what there is, a few buffers at most. */
  #read(connection: number): void {
    const fd = this.table.fd[connection]!;
    for (let count = 0; ; count++) {
      const flags = this.table.flags[connection]!;
      if ((flags & (OPEN | READABLE | CONNECTED)) !== (OPEN | READABLE | CONNECTED)) return;
      if ((flags & (PAUSED | ENDED | FAILED)) !== 0) return;
      const slot = count < READS_MAX ? this.buffers.acquireLarge() : -1;
      if (slot < 0) {
        this.#readLater(connection);
        return;
      }
      const start = slot + HEADROOM;
      const bytes = this.calls.recv(fd, this.poolAddress + start, RECEIVE, 0);
      if (bytes > 0) {
        if (bytes < RECEIVE && (flags & HUNG_UP) === 0) this.table.flags[connection] = flags & ~READABLE;
        this.handler!.received(connection, start, start + bytes);
        continue;
      }
      const errno = bytes < 0 ? this.calls.errno() : 0;
      this.buffers.release(start);
      if (errno === EINTR) continue;
      this.table.flags[connection] = flags & ~READABLE;
      if (errno === EAGAIN) return;
      if (errno === 0) this.tellEnd(connection);
      else this.fail(connection, (flags & SEND_BROKEN) !== 0 ? this.table.errno[connection]! : -errno);
      return;
    }
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
    this.#set.close();
  }
}
