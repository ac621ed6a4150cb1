/**
 * The engine on io_uring (Linux 6.1).
 *
 * Strategy: the ring is the thread's only wait (native/nested-loop.ts). Accepting and receiving are
 * multishot: armed once, they go on telling. Sends are gathered over a batch; a batch costs one system call,
 * however many connections took part.
 *
 * Who may still speak: an operation of a connection is in flight until its last completion (the one without
 * `more`). The table notes which are, a closed connection's index is free only when none is, and the
 * user_data of an operation is its kind and its connection's index: a completion can therefore never meet a
 * later user of the index. The descriptor is closed after the last completion too, in the order of the queue,
 * so no entry can name a number that means something else by then.
 *
 * @hot
 */
import { assert } from "../../base/assert.ts";
import { RECEIVE_BYTES } from "../../base/buffer-pool.ts";
import { Errno } from "../../contract/errno.ts";
import type { Engine, EngineOptions } from "../../contract/port.ts";
import type { AddressRecord } from "../native/address-book.ts";
import { Flag, InFlight } from "../native/connection-table.ts";
import { NativeEngine } from "../native/native-engine.ts";
import { requireMainThread } from "../native/syscalls.ts";
import { Accepting } from "./accepting.ts";
import { BufferRing } from "./buffer-ring.ts";
import { Gathering } from "./gathering.ts";
import { ImmediateSends, noteRefused } from "./immediate-sends.ts";
import { Messages } from "./messages.ts";
import { Operation } from "./operation.ts";
import {
  POLLRDHUP,
  prepCancel,
  prepClose,
  prepConnect,
  prepImmediate,
  prepPollIn,
  prepSend,
  prepSendmsg,
} from "./prep.ts";
import { Receiving } from "./receiving.ts";
import { CQE_BUFFER_SHIFT, CqeFlag, Ring, CQE_WORDS as WORDS_OF_CQE } from "./ring.ts";
import { endOperations } from "./tear-down.ts";

const RECEIVE = Operation.receive;
const SEND = Operation.send;
const CONNECT = Operation.connect;
const ACCEPT = Operation.accept;
const WATCH = Operation.watch;
const BREAK_POLL = Operation.breakPoll;
const READ_POLL = Operation.readPoll;
const SILENT = Operation.silent;
const SEND_IMMEDIATE = Operation.immediateSend;

const OPEN = Flag.open;
const CONNECTED = Flag.connected;
const PAUSED = Flag.paused;
const FAILED = Flag.failed;
const SEND_BROKEN = Flag.sendBroken;
const CANCELLING = Flag.cancelling;
const BLOCKED = Flag.blocked;
const WATCHED = Flag.watched;
const BACKGROUND = Flag.background;
const DRAIN_WANTED = Flag.drainWanted;
const FIN_WANTED = Flag.finWanted;
const RECEIVE_IN_FLIGHT = InFlight.receive;
const SEND_IN_FLIGHT = InFlight.send;
const IMMEDIATE_IN_FLIGHT = InFlight.send | InFlight.immediate;
const IMMEDIATE_BIT = InFlight.immediate;
const CONNECT_IN_FLIGHT = InFlight.connect;
const BUFFER = CqeFlag.buffer;
const MORE = CqeFlag.more;
const BUFFER_SHIFT = CQE_BUFFER_SHIFT;
const CQE_WORDS: number = WORDS_OF_CQE;
const FULL_BYTES = RECEIVE_BYTES;

const ECANCELED = Errno.ECANCELED;
const ENOBUFS = Errno.ENOBUFS;
const EINTR = -4;
const EAGAIN = -11;
/** Completions that a turn gathers of a burst. */
const BURST_MAX = 1024;

/**
 * An engine on io_uring. Throws `EngineUnavailable` where it cannot run; other errors are those of opening a
 * listener.
 * @cold
 */
export function createUringEngine(options: EngineOptions): Engine {
  requireMainThread();
  const ring = new Ring();
  try {
    return new UringEngine(ring, options);
  } catch (error) {
    ring.close();
    throw error;
  }
}

class UringEngine extends NativeEngine {
  readonly name = "uring";
  readonly fd: number;
  readonly #ring: Ring;
  readonly #bufferRing: BufferRing;
  readonly #receiving: Receiving;
  /** Of entries that are not submitted yet. */
  readonly #messages = new Messages();
  readonly #gathering: Gathering;
  readonly #accepting: Accepting;
  #batchNumber = 0;
  #watchCount = 0;
  /** Written, and not known to be done. */
  readonly #immediate: ImmediateSends;

  constructor(ring: Ring, options: EngineOptions) {
    super(options, true);
    this.#ring = ring;
    this.fd = ring.fd;
    this.#bufferRing = new BufferRing(ring, this.buffers, this.poolAddress);
    this.#receiving = new Receiving(ring, this.table, this.buffers, this.#bufferRing);
    this.#immediate = new ImmediateSends(options.connectionsMax);
    this.#gathering = new Gathering(options.connectionsMax);
    this.#accepting = new Accepting(ring, this.listeners);
  }

  // Handing over.

  protected handOver(): void {
    this.#ring.submit();
    this.#handedOver();
  }

  /** After a system call: which sends are done. */
  #handedOver(): void {
    const ring = this.#ring;
    if (ring.pending !== 0) return;
    this.#messages.reset();
    const immediate = this.#immediate;
    const { count } = immediate;
    if (count === 0 || ring.hasOverflowed()) return;
    noteRefused(ring, this.table.inFlight);
    for (let i = 0; i < count; i++) this.#hasLeft(immediate.connectionAt(i));
    immediate.clear();
  }

  /** An immediate send has been handed over; unless a completion tells otherwise, its bytes have left. */
  #hasLeft(connection: number): void {
    const inFlight = this.table.inFlight[connection]!;
    if ((inFlight & IMMEDIATE_BIT) === 0) return;
    this.table.inFlight[connection] = inFlight & ~IMMEDIATE_IN_FLIGHT;
    if ((this.table.flags[connection]! & OPEN) !== 0) {
      this.sent(connection, this.#immediate.bytesOf(connection));
      if (!this.queue.isEmpty(connection)) this.dirty.add(connection);
    } else if ((inFlight & ~IMMEDIATE_IN_FLIGHT) === 0) this.#close(connection);
  }

  protected wait(waitMs: number): number {
    const ring = this.#ring;
    // Of the last batch, whether its handler came to the end or threw.
    ring.cqAdvance();
    if (ring.hasMinWait) this.#gathering.direct(ring, this.nowMs);
    let count = ring.submitAndWait(waitMs);
    if (this.#receiving.background.beginTurn()) count = this.#gatherBurst(count);
    this.#handedOver();
    // What only Node waits for needs no batch.
    while (count > 0) {
      const at = (ring.cqHead & ring.cqMask) * CQE_WORDS;
      if (ring.cqes[at + 1] !== WATCH) break;
      ring.cqHead = (ring.cqHead + 1) | 0;
      this.#watchDone(ring.cqes[at]!, ring.cqes[at + 2]!);
      count--;
    }
    return count;
  }

  /** Of a burst each call brings some completions. Returns how many there are then. */
  #gatherBurst(count: number): number {
    let before = 0;
    let now = count;
    while (now > before && now < BURST_MAX) {
      before = now;
      now = this.#ring.submitAndWait(0);
    }
    return now;
  }

  protected hasPending(): boolean {
    return this.#receiving.hasPending();
  }

  protected flush(): void {
    this.#batchNumber = (this.#batchNumber + 1) | 0;
    this.#bufferRing.topUp();
    this.buffers.lentLargeCount = this.#bufferRing.available;
    for (let left = this.dirty.count; left > 0; left--) {
      const connection = this.dirty.take();
      const flags = this.table.flags[connection]!;
      if ((flags & (OPEN | CONNECTED | FAILED)) !== (OPEN | CONNECTED)) continue;
      const inFlight = this.table.inFlight[connection]!;
      if ((inFlight & SEND_IN_FLIGHT) === 0 && !this.queue.isEmpty(connection)) this.#armSend(connection);
      if ((inFlight & RECEIVE_IN_FLIGHT) === 0) this.#receiving.arm(connection);
    }
    this.#receiving.feed();
    if (this.accepting) this.#accepting.arm(this.mayAccept(), this.table.freeCount);
    else this.#accepting.cancelAll();
  }

  #armSend(connection: number): void {
    const ring = this.#ring;
    const fd = this.table.fd[connection]!;
    const queue = this.queue;
    let at: number;
    let bytes: number;
    const isSingle = queue.isSingle(connection);
    if (isSingle) {
      const start = queue.firstStart(connection);
      bytes = queue.firstEnd(connection) - start;
      at = ring.nextSqe();
      prepSend(ring.sqes, at, fd, this.poolAddress + start, bytes, SEND, connection);
    } else {
      if (this.#messages.isFull()) {
        ring.submit();
        assert(ring.pending === 0, "the kernel takes entries");
        this.#messages.reset();
      }
      const message = this.#messages.write(queue, connection);
      bytes = this.#messages.bytes;
      at = ring.nextSqe();
      prepSendmsg(ring.sqes, at, fd, message, SEND, connection);
    }
    let inFlight: number = SEND_IN_FLIGHT;
    if (this.#maySendImmediately(connection, isSingle || bytes === queue.bytesOf(connection))) {
      inFlight = IMMEDIATE_IN_FLIGHT;
      prepImmediate(ring.sqes, at, SEND_IMMEDIATE);
      this.#immediate.add(connection, bytes);
    }
    this.table.inFlight[connection] = this.table.inFlight[connection]! | inFlight;
  }

  /** Where its end is to be told, more is to follow, or a receive waits for its buffer, a send ends the wait. */
  #maySendImmediately(connection: number, isAll: boolean): boolean {
    return (
      (this.table.flags[connection]! & (BLOCKED | DRAIN_WANTED | FIN_WANTED)) === 0 &&
      isAll &&
      !this.#receiving.hasStarved &&
      !this.#immediate.isFull()
    );
  }

  // What the handler asks for.

  protected beginConnect(connection: number, target: AddressRecord): void {
    this.admitted(connection);
    this.table.inFlight[connection] = CONNECT_IN_FLIGHT;
    const fd = this.table.fd[connection]!;
    prepConnect(this.#ring.sqes, this.#ring.nextSqe(), fd, target.address, target.bytes, CONNECT, connection);
  }

  protected override admitted(connection: number): void {
    this.#receiving.volume.begin(connection);
  }

  protected stopReceiving(connection: number): void {
    const flags = this.table.flags[connection]!;
    if ((this.table.inFlight[connection]! & RECEIVE_IN_FLIGHT) === 0) {
      if ((flags & WATCHED) !== 0) {
        // A poll that is there may have told before of what is watched for only now.
        this.#receiving.breakPolls.cancel(connection);
        this.dirty.add(connection);
      }
      return;
    }
    if ((flags & CANCELLING) !== 0) return;
    this.table.flags[connection] = flags | CANCELLING;
    prepCancel(this.#ring.sqes, this.#ring.nextSqe(), RECEIVE, connection, SILENT);
  }

  protected startReceiving(connection: number): void {
    this.#receiving.breakPolls.cancel(connection);
    this.dirty.add(connection);
  }

  protected abandon(connection: number): void {
    const inFlight = this.table.inFlight[connection]!;
    if (inFlight === 0) {
      this.#close(connection);
      return;
    }
    this.stopReceiving(connection);
    this.#receiving.breakPolls.cancel(connection);
    this.#receiving.background.cancel(connection);
    const ring = this.#ring;
    // An immediate send cannot wait, so there is nothing to end: `#hasLeft` closes.
    if ((inFlight & IMMEDIATE_IN_FLIGHT) === SEND_IN_FLIGHT) {
      prepCancel(ring.sqes, ring.nextSqe(), SEND, connection, SILENT);
    } else if ((inFlight & SEND_IN_FLIGHT) === 0) this.queue.clear(connection);
    if ((inFlight & CONNECT_IN_FLIGHT) !== 0)
      prepCancel(ring.sqes, ring.nextSqe(), CONNECT, connection, SILENT);
  }

  #close(connection: number): void {
    prepClose(this.#ring.sqes, this.#ring.nextSqe(), this.table.fd[connection]!, SILENT);
    this.finish(connection);
  }

  // What the kernel tells.

  protected dispatch(count: number): void {
    const ring = this.#ring;
    const cqes = ring.cqes;
    for (let left = count; left > 0; left--) {
      const at = (ring.cqHead & ring.cqMask) * CQE_WORDS;
      const index = cqes[at]!;
      const kind = cqes[at + 1]!;
      const result = cqes[at + 2]!;
      const flags = cqes[at + 3]!;
      ring.cqHead = (ring.cqHead + 1) | 0;
      if (kind === RECEIVE) this.#received(index, result, flags);
      else if (kind === SEND) this.#sent(index, result);
      else if (kind === SEND_IMMEDIATE) this.#refused(index, result);
      else if (kind === ACCEPT) this.#accepted(index, result, flags);
      else if (kind === CONNECT) this.#connected(index, result);
      else if (kind === WATCH) this.#watchDone(index, result);
      else if (kind === READ_POLL) this.#readPolled(index);
      else if (kind === BREAK_POLL) this.#breakPolled(index, result, flags);
    }
    this.buffers.lentLargeCount = this.#bufferRing.available;
  }

  #received(connection: number, result: number, cqeFlags: number): void {
    const last = (cqeFlags & MORE) === 0;
    this.#gathering.spoke(connection);
    // It has ended, so nothing is to be cancelled; it counts as in flight until its bytes are told, so that
    // nobody closes it twice.
    if (last) this.table.flags[connection] = this.table.flags[connection]! | CANCELLING;
    if ((cqeFlags & BUFFER) !== 0) this.#deliver(connection, cqeFlags >>> BUFFER_SHIFT, result);
    if ((this.table.flags[connection]! & (OPEN | BACKGROUND)) === (OPEN | BACKGROUND)) {
      const { volume } = this.#receiving;
      if (result > 0) volume.noteReceive(connection, result);
      // It goes on, and should only tell that there is something.
      if (!last && volume.isCalm(connection)) this.stopReceiving(connection);
    }
    if (!last) return;
    this.#operationEnded(connection, RECEIVE_IN_FLIGHT);
    const flags = this.table.flags[connection]! & ~CANCELLING;
    this.table.flags[connection] = flags;
    if ((flags & OPEN) === 0) {
      if (this.table.inFlight[connection] === 0) this.#close(connection);
      return;
    }
    if (result > 0 || result === ECANCELED || result === EINTR || result === EAGAIN) {
      if ((flags & (PAUSED | WATCHED)) !== PAUSED) this.dirty.add(connection);
    } else if (result === 0) {
      this.tellEnd(connection);
    } else if (result === ENOBUFS) {
      this.#receiving.starve(connection);
    } else {
      this.fail(connection, (flags & SEND_BROKEN) !== 0 ? this.table.errno[connection]! : result);
    }
  }

  /** Passes on `bytes` in the buffer `id`, and in those behind it when it is a bundle. */
  #deliver(connection: number, id: number, bytes: number): void {
    let left = bytes;
    let current = id;
    do {
      const start = this.#bufferRing.take(current);
      const count = Math.min(left, FULL_BYTES);
      // Asked anew for each: the handler may close the connection between two.
      if (count > 0 && (this.table.flags[connection]! & (OPEN | FAILED)) === OPEN) {
        if (this.#receiving.volume.note(connection, count, this.#batchNumber)) this.stopReceiving(connection);
        this.handler!.received(connection, start, start + count);
      } else {
        this.buffers.release(start);
      }
      left -= count;
      current = this.#bufferRing.after(current);
    } while (left > 0);
  }

  #readPolled(connection: number): void {
    this.#receiving.background.told(connection);
    const isOpen = (this.table.flags[connection]! & OPEN) !== 0;
    if (!isOpen && this.table.inFlight[connection] === 0) this.#close(connection);
  }

  /** Something happened to a connection that is not read; or the poll was cancelled. */
  #breakPolled(connection: number, result: number, cqeFlags: number): void {
    const last = (cqeFlags & MORE) === 0;
    if (last) this.#receiving.breakPolls.ended(connection);
    const flags = this.table.flags[connection]!;
    if ((flags & OPEN) === 0) {
      if (this.table.inFlight[connection] === 0) this.#close(connection);
      return;
    }
    // The end of the peer's side alone is told behind its bytes, unless it is watched for.
    const isWatched = result > 0 && (flags & WATCHED) !== 0;
    const errno = isWatched ? this.whatBroke(connection, (result & POLLRDHUP) !== 0) : 0;
    if (errno < 0) this.fail(connection, errno);
    else if (last && result === ECANCELED) this.dirty.add(connection);
  }

  /** An immediate send was not taken whole. What is left the kernel shall take when it can. */
  #refused(connection: number, result: number): void {
    this.table.flags[connection] = this.table.flags[connection]! | BLOCKED;
    this.#operationEnded(connection, IMMEDIATE_BIT);
    this.#sent(connection, result);
  }

  #sent(connection: number, result: number): void {
    this.#operationEnded(connection, SEND_IN_FLIGHT);
    const flags = this.table.flags[connection]!;
    if ((flags & OPEN) === 0) {
      if (this.table.inFlight[connection] === 0) this.#close(connection);
      return;
    }
    if (result >= 0) {
      this.sent(connection, result);
      if (this.queue.isEmpty(connection))
        this.table.flags[connection] = this.table.flags[connection]! & ~BLOCKED;
      else this.dirty.add(connection);
    } else if (result === EINTR || result === EAGAIN || result === ECANCELED) {
      this.dirty.add(connection);
    } else if ((flags & FAILED) === 0 && this.breakSending(connection, result)) {
      // Reading goes on to its end, and must be under way for that.
      this.dirty.add(connection);
    }
  }

  #connected(connection: number, result: number): void {
    this.#operationEnded(connection, CONNECT_IN_FLIGHT);
    const flags = this.table.flags[connection]!;
    if ((flags & OPEN) === 0) {
      this.#close(connection);
    } else if (result < 0) {
      this.fail(connection, result);
    } else {
      this.table.flags[connection] = flags | CONNECTED;
      this.dirty.add(connection);
      this.handler!.connected(connection);
    }
  }

  #accepted(index: number, result: number, cqeFlags: number): void {
    if ((cqeFlags & MORE) === 0) this.#accepting.ended(index);
    if (result < 0) {
      this.acceptFailed(result);
      return;
    }
    this.admit(result, index);
    if (this.table.freeCount === 0 && this.#accepting.goesOn(index)) this.#accepting.cancel(index);
  }

  #operationEnded(connection: number, bit: number): void {
    this.table.inFlight[connection] = this.table.inFlight[connection]! & ~bit;
  }

  // Node's descriptor, and those of other engines.

  watch(fd: number, token: number): void {
    this.#watchCount++;
    prepPollIn(this.#ring.sqes, this.#ring.nextSqe(), fd, WATCH, token);
  }

  unwatch(_fd: number, token: number): void {
    prepCancel(this.#ring.sqes, this.#ring.nextSqe(), WATCH, token, SILENT);
  }

  #watchDone(token: number, result: number): void {
    this.#watchCount--;
    if (result !== ECANCELED) this.loop.watchFired(token);
  }

  protected takeIdleLent(slots: Int32Array): number {
    // A completion that is not read yet may be of a buffer with bytes in it.
    return this.#ring.cqReady() > 0 ? 0 : this.#bufferRing.takeIdle(slots);
  }

  protected tearDown(): void {
    endOperations(this.#ring, this.table, this.listeners, this.#watchCount, this.calls);
    this.#bufferRing.takeBack();
    this.#ring.close();
  }
}
