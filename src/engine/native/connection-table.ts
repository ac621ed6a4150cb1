/**
 * What a native engine knows of each connection: parallel arrays, about 40 bytes a connection, none of them
 * objects.
 *
 * A connection's index is free, or open (it belongs to the handler), or closing: the handler has let go of it
 * and the kernel has not yet (`inFlight` names what it still holds). It is given out again only after that.
 *
 * @hot
 */
import { assert } from "../../base/assert.ts";

/** Bits of `ConnectionTable.flags`. */
export const Flag = {
  /** Belongs to the handler. */
  open: 1,
  connected: 2,
  paused: 4,
  /** `ended` was told. */
  ended: 8,
  /** `failed` was told. */
  failed: 16,
  /** The handler asked for FIN; it goes out when the queue is empty. */
  finWanted: 32,
  finSent: 64,
  drainWanted: 128,
  /** `drained` is to be told with the next batch. */
  drainDue: 256,
  /** `failed` with `errno` is to be told with the next batch. */
  failDue: 512,
  /** Sending failed with `errno`; `failed` waits for what can still be read. */
  sendBroken: 1024,
  /** uring: the receive was asked to end. */
  cancelling: 2048,
  /** epoll: something may wait to be read; the kernel will not say so again. */
  readable: 4096,
  /** The kernel took no more: epoll waits until it says so, uring leaves the waiting to the kernel. */
  blocked: 8192,
  /** epoll: the peer has closed or broken the connection, so that reading has an end to reach. */
  hungUp: 16384,
  /** Paused, and `failed` is wanted all the same. */
  watched: 32768,
  /** Watched, and the peer's FIN breaks it off as well. */
  endWatched: 65536,
  /** What comes on it waits for what comes on others. */
  background: 131072,
} as const;

/** Bits of `ConnectionTable.inFlight`: what the kernel works on. */
export const InFlight = {
  receive: 1,
  send: 2,
  connect: 4,
  /** uring: the send is one that is done when it has been handed over. */
  immediate: 8,
  /** uring: the poll of a connection that is paused and watched. */
  breakPoll: 16,
  /** uring: the poll of a background connection that is to be read. */
  readPoll: 32,
} as const;

const NONE = -1;
/** Stands for a descriptor that is closed while its index is still taken. */
export const CLOSED_FD = -2;

export class ConnectionTable {
  readonly capacity: number;
  readonly fd: Int32Array;
  readonly flags: Int32Array;
  readonly inFlight: Uint8Array;
  readonly errno: Int16Array;
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(capacity: number) {
    assert(capacity > 0, "there is room for a connection");
    this.capacity = capacity;
    this.fd = new Int32Array(capacity).fill(NONE);
    this.flags = new Int32Array(capacity);
    this.inFlight = new Uint8Array(capacity);
    this.errno = new Int16Array(capacity);
    this.#free = new Int32Array(capacity);
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
    this.#freeCount = capacity;
  }

  get freeCount(): number {
    return this.#freeCount;
  }

  /** A free index with these flags for this descriptor, or -1 when all are taken. */
  acquire(fd: number, flags: number): number {
    if (this.#freeCount === 0) return NONE;
    const connection = this.#free[--this.#freeCount]!;
    assert(this.fd[connection] === NONE, "a free connection has no descriptor");
    this.fd[connection] = fd;
    this.flags[connection] = flags;
    this.inFlight[connection] = 0;
    return connection;
  }

  /** Frees the index. The descriptor is the caller's to close. */
  release(connection: number): void {
    assert(this.fd[connection] !== NONE, "a connection is released once");
    assert(this.inFlight[connection] === 0, "the kernel holds nothing of a released connection");
    this.fd[connection] = NONE;
    this.flags[connection] = 0;
    this.#free[this.#freeCount++] = connection;
  }
}

/**
 * Connections that want something done, each at most once, in the order of asking. An entry outlives its
 * connection: whoever takes it looks at the flags.
 */
export class ConnectionList {
  readonly #items: Int32Array;
  readonly #listed: Uint8Array;
  #head = 0;
  #count = 0;

  constructor(capacity: number) {
    this.#items = new Int32Array(capacity);
    this.#listed = new Uint8Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  has(connection: number): boolean {
    return this.#listed[connection] === 1;
  }

  add(connection: number): void {
    if (this.#listed[connection] === 1) return;
    this.#listed[connection] = 1;
    let at = this.#head + this.#count++;
    if (at >= this.#items.length) at -= this.#items.length;
    this.#items[at] = connection;
  }

  /** Takes the first one. The list must not be empty. */
  take(): number {
    assert(this.#count > 0, "there is one to take");
    const connection = this.#items[this.#head]!;
    this.#head = this.#head + 1 === this.#items.length ? 0 : this.#head + 1;
    this.#count--;
    this.#listed[connection] = 0;
    return connection;
  }
}
