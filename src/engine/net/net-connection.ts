/**
 * One socket of the net engine: the ranges queued on it, and what may happen to it next.
 *
 * Strategy: a record lives as long as its socket, not as long as its number, so an event of a socket that was
 * given up finds a record that says so, and never the number's next owner. The socket points at its record,
 * and the listeners are shared functions: a connection costs no closures.
 *
 * @hot
 */
import type { Socket } from "node:net";
import { type BufferPool, RECEIVE_BYTES } from "../../base/buffer-pool.ts";
import { errnoOf } from "./net-errno.ts";

/** What a socket tells its engine. */
export interface SocketEvents {
  hasConnected(connection: NetConnection): void;
  /**
   * Takes `bytes[0, count)`, which the caller may overwrite afterwards. Returns false when reading must stop.
   */
  hasReceived(connection: NetConnection, bytes: Buffer, count: number): boolean;
  hasEnded(connection: NetConnection): void;
  hasFailed(connection: NetConnection, errno: number): void;
  /** The write that was under way has left. */
  hasDrained(connection: NetConnection): void;
  /** Nothing of the socket is left. */
  hasClosed(connection: NetConnection): void;
}

/** A socket that knows its record. */
export interface OwnedSocket extends Socket {
  owner: NetConnection;
}

/** The most bytes in one write: a slow reader is seen to make progress in steps of at most this. */
const WRITE_BYTES_MAX = 131_072;
/**
 * Several ranges of at most this together are joined by copying: cheaper than a list of buffers for node and
 * kernel.
 */
const JOIN_BYTES_MAX = 4096;
const RECEIVE_MAX = RECEIVE_BYTES;

export class NetConnection {
  readonly number: number;
  readonly socket: OwnedSocket;
  readonly isUnix: boolean;
  readonly engine: SocketEvents;
  /** The handler gave it up: no event may carry its number. */
  isGivenUp = false;
  /** `failed` was delivered. */
  hasFailed = false;
  /** The socket has emitted `close`: nothing of it is left in the kernel. */
  isSocketClosed = false;
  isPaused = false;
  isShutdown = false;
  wantsDrained = false;
  /** In the engine's list of connections with something to write. */
  isDirty = false;
  isBackground = false;
  /** In a list of those that wait for a buffer slot or for their turn. */
  isHeldBack = false;
  /** Chunks that could not be passed on, oldest first; null when there are none. */
  held: Buffer[] | null = null;
  hasEndedBehindHeld = false;
  /** An errno to report behind `held`; 0 when there is none. */
  failedBehindHeld = 0;
  /** Bytes given to `send` and not yet taken by the kernel. */
  queuedBytes = 0;

  /** Pairs of start and end; the first `#inFlightCount` numbers are being written. */
  readonly #ranges: number[] = [];
  #rangeCount = 0;
  #inFlightCount = 0;

  constructor(number: number, socket: Socket, isUnix: boolean, engine: SocketEvents) {
    this.number = number;
    this.socket = socket as OwnedSocket;
    this.isUnix = isUnix;
    this.engine = engine;
    this.socket.owner = this;
  }

  get isWriting(): boolean {
    return this.#inFlightCount > 0;
  }

  /** Queues a range that is not empty. */
  enqueue(start: number, end: number): void {
    const ranges = this.#ranges;
    if (this.#rangeCount === ranges.length) {
      ranges.push(start, end);
    } else {
      ranges[this.#rangeCount] = start;
      ranges[this.#rangeCount + 1] = end;
    }
    this.#rangeCount += 2;
    this.queuedBytes += end - start;
  }

  /**
   * Writes what is queued, unless a write is under way. Returns true when everything has left; otherwise the
   * socket's `drain` tells when `completeWrite` must be called. `memory` is the whole pool.
   */
  write(memory: Buffer, pool: BufferPool, scratch: JoinScratch): boolean {
    while (this.#rangeCount > 0) {
      if (this.#inFlightCount > 0) return false;
      this.#inFlightCount = this.#writeSome(memory, scratch);
      // Node tries to write at once. What the kernel took is no longer counted here.
      if (this.socket.writableLength > 0) {
        scratch.giveAway();
        return false;
      }
      this.completeWrite(pool);
    }
    return true;
  }

  /** The write under way has left: releases its ranges. */
  completeWrite(pool: BufferPool): void {
    const ranges = this.#ranges;
    const count = this.#inFlightCount;
    for (let i = 0; i < count; i += 2) {
      this.queuedBytes -= ranges[i + 1]! - ranges[i]!;
      pool.release(ranges[i]!);
    }
    const left = this.#rangeCount - count;
    if (left > 0) ranges.copyWithin(0, count, this.#rangeCount);
    this.#rangeCount = left;
    this.#inFlightCount = 0;
  }

  /** Releases what is queued and not being written. */
  dropQueued(pool: BufferPool): void {
    const ranges = this.#ranges;
    for (let i = this.#inFlightCount; i < this.#rangeCount; i += 2) {
      this.queuedBytes -= ranges[i + 1]! - ranges[i]!;
      pool.release(ranges[i]!);
    }
    this.#rangeCount = this.#inFlightCount;
  }

  /** Keeps a copy of `bytes[from, to)` behind what is held already. */
  hold(bytes: Buffer, from: number, to: number): void {
    const copy = Buffer.from(bytes.subarray(from, to));
    if (this.held === null) this.held = [copy];
    else this.held.push(copy);
  }

  /** Moves the oldest held bytes, as many as one slot takes, to `memory[start, …)`. Returns the end. */
  unhold(memory: Buffer, start: number): number {
    const chunk = this.held![0]!;
    const end = start + chunk.copy(memory, start, 0, RECEIVE_MAX);
    if (chunk.length > RECEIVE_MAX) this.held![0] = chunk.subarray(RECEIVE_MAX);
    else this.held!.shift();
    if (this.held!.length === 0) this.held = null;
    return end;
  }

  /** Hands one write to the socket. Returns how many numbers of `#ranges` it covers. */
  #writeSome(memory: Buffer, scratch: JoinScratch): number {
    const ranges = this.#ranges;
    const socket = this.socket;
    scratch.isUsed = false;
    if (this.#rangeCount === 2) {
      socket.write(memory.subarray(ranges[0]!, ranges[1]!));
      return 2;
    }
    if (this.queuedBytes <= JOIN_BYTES_MAX) {
      let at = 0;
      for (let i = 0; i < this.#rangeCount; i += 2) {
        at += memory.copy(scratch.bytes, at, ranges[i]!, ranges[i + 1]!);
      }
      scratch.isUsed = true;
      socket.write(scratch.bytes.subarray(0, at));
      return this.#rangeCount;
    }
    let count = 0;
    let bytes = 0;
    socket.cork();
    do {
      bytes += ranges[count + 1]! - ranges[count]!;
      socket.write(memory.subarray(ranges[count]!, ranges[count + 1]!));
      count += 2;
    } while (count < this.#rangeCount && bytes < WRITE_BYTES_MAX);
    socket.uncork();
    return count;
  }
}

/**
 * Where small ranges are joined. Shared by all connections, because node usually writes before it returns.
 */
export class JoinScratch {
  bytes: Buffer = Buffer.allocUnsafeSlow(JOIN_BYTES_MAX);
  isUsed = false;

  /** The last write is still under way: whoever joins next needs other memory. */
  giveAway(): void {
    if (this.isUsed) this.bytes = Buffer.allocUnsafeSlow(JOIN_BYTES_MAX);
  }
}

// Listeners, shared by all sockets.

export function onLanded(this: OwnedSocket, count: number, landing: Uint8Array): boolean {
  return this.owner.engine.hasReceived(this.owner, landing as Buffer, count);
}

export function onData(this: OwnedSocket, chunk: Buffer): void {
  this.owner.engine.hasReceived(this.owner, chunk, chunk.length);
}

export function onConnect(this: OwnedSocket): void {
  this.owner.engine.hasConnected(this.owner);
}

export function onEnd(this: OwnedSocket): void {
  this.owner.engine.hasEnded(this.owner);
}

export function onDrain(this: OwnedSocket): void {
  this.owner.engine.hasDrained(this.owner);
}

export function onError(this: OwnedSocket, error: NodeJS.ErrnoException): void {
  this.owner.engine.hasFailed(this.owner, errnoOf(error));
}

export function onClose(this: OwnedSocket): void {
  this.owner.engine.hasClosed(this.owner);
}

export function onFinishReset(this: OwnedSocket): void {
  this.resetAndDestroy();
}
