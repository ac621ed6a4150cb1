/**
 * What waits to be sent: for each connection a list of ranges, each holding one reference to its slot.
 *
 * Nearly always one range waits, so the first has a place of its own; those behind it are nodes of a list.
 * Nodes live in arrays that double when all are taken; the number of nodes is the handler's to bound
 * (`Port.queuedBytes`).
 *
 * @hot
 */
import { assert } from "../../base/assert.ts";
import type { BufferPool } from "../../base/buffer-pool.ts";

const NONE = -1;
const NODES_AT_FIRST = 1024;
const TWO_POW_32 = 0x1_0000_0000;

export class SendQueue {
  readonly #buffers: BufferPool;
  /** Address of the pool's first byte, for the kernel. */
  readonly #poolAddress: number;
  /** The range that is first in each list; -1: nothing waits. */
  readonly #headStart: Int32Array;
  readonly #headEnd: Int32Array;
  /** Nodes of the ranges behind it. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  /** Bytes behind the first range; the handler keeps them far below 2 GiB (`Port.queuedBytes`). */
  readonly #moreBytes: Int32Array;
  #start = new Int32Array(NODES_AT_FIRST);
  #end = new Int32Array(NODES_AT_FIRST);
  #next = new Int32Array(NODES_AT_FIRST);
  #free = NONE;

  constructor(connectionsMax: number, buffers: BufferPool, poolAddress: number) {
    this.#buffers = buffers;
    this.#poolAddress = poolAddress;
    this.#headStart = new Int32Array(connectionsMax).fill(NONE);
    this.#headEnd = new Int32Array(connectionsMax);
    this.#first = new Int32Array(connectionsMax).fill(NONE);
    this.#last = new Int32Array(connectionsMax).fill(NONE);
    this.#moreBytes = new Int32Array(connectionsMax);
    this.#linkFree(0);
  }

  /** Bytes that wait, those in flight included. */
  bytesOf(connection: number): number {
    const start = this.#headStart[connection]!;
    return start === NONE ? 0 : this.#headEnd[connection]! - start + this.#moreBytes[connection]!;
  }

  isEmpty(connection: number): boolean {
    return this.#headStart[connection] === NONE;
  }

  /** True when exactly one range waits. The queue must not be empty. */
  isSingle(connection: number): boolean {
    return this.#first[connection] === NONE;
  }

  /** Offset of the first byte that waits. The queue must not be empty. */
  firstStart(connection: number): number {
    return this.#headStart[connection]!;
  }

  /** Just past the last byte of the first range. */
  firstEnd(connection: number): number {
    return this.#headEnd[connection]!;
  }

  /** Queues a range and takes over its reference. */
  push(connection: number, start: number, end: number): void {
    if (this.#headStart[connection] !== NONE) {
      this.#append(connection, start, end);
      return;
    }
    this.#headStart[connection] = start;
    this.#headEnd[connection] = end;
  }

  /**
   * `count` bytes have left: takes them off the front and gives back the references of ranges that are
   * through.
   */
  consume(connection: number, count: number): void {
    let left = count;
    while (left > 0) {
      const start = this.#headStart[connection]!;
      assert(start !== NONE, "no more leaves than was queued");
      const bytes = this.#headEnd[connection]! - start;
      if (left < bytes) {
        this.#headStart[connection] = start + left;
        return;
      }
      left -= bytes;
      this.#dropHead(connection, start);
    }
  }

  /** Gives up everything that waits. */
  clear(connection: number): void {
    for (let start = this.#headStart[connection]!; start !== NONE; start = this.#headStart[connection]!) {
      this.#dropHead(connection, start);
    }
  }

  /**
   * Writes the first ranges, at most `countMax`, as `struct iovec` (address, length; 64 bits each) at
   * `words[at]`. Returns how many.
   */
  writeVectors(connection: number, words: Int32Array, at: number, countMax: number): number {
    let start = this.#headStart[connection]!;
    let end = this.#headEnd[connection]!;
    let node = this.#first[connection]!;
    let count = 0;
    while (start !== NONE && count < countMax) {
      const address = this.#poolAddress + start;
      const word = at + count * 4;
      words[word] = address | 0;
      words[word + 1] = (address / TWO_POW_32) | 0;
      words[word + 2] = end - start;
      words[word + 3] = 0;
      count++;
      if (node === NONE) break;
      start = this.#start[node]!;
      end = this.#end[node]!;
      node = this.#next[node]!;
    }
    return count;
  }

  #append(connection: number, start: number, end: number): void {
    if (this.#free === NONE) this.#grow();
    const node = this.#free;
    this.#free = this.#next[node]!;
    this.#start[node] = start;
    this.#end[node] = end;
    this.#next[node] = NONE;
    const last = this.#last[connection]!;
    if (last === NONE) this.#first[connection] = node;
    else this.#next[last] = node;
    this.#last[connection] = node;
    this.#moreBytes[connection] = this.#moreBytes[connection]! + (end - start);
  }

  #dropHead(connection: number, start: number): void {
    this.#buffers.release(start);
    const node = this.#first[connection]!;
    if (node === NONE) {
      this.#headStart[connection] = NONE;
      return;
    }
    const nodeStart = this.#start[node]!;
    const nodeEnd = this.#end[node]!;
    const next = this.#next[node]!;
    this.#headStart[connection] = nodeStart;
    this.#headEnd[connection] = nodeEnd;
    this.#moreBytes[connection] = this.#moreBytes[connection]! - (nodeEnd - nodeStart);
    this.#first[connection] = next;
    if (next === NONE) this.#last[connection] = NONE;
    this.#next[node] = this.#free;
    this.#free = node;
  }

  #grow(): void {
    const count = this.#next.length;
    this.#start = doubled(this.#start);
    this.#end = doubled(this.#end);
    this.#next = doubled(this.#next);
    this.#linkFree(count);
  }

  /** Links the nodes from `from` on into the empty free list. */
  #linkFree(from: number): void {
    const count = this.#next.length;
    for (let i = from; i < count; i++) this.#next[i] = i + 1 === count ? NONE : i + 1;
    this.#free = from;
  }
}

function doubled(cells: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(cells.length * 2);
  twice.set(cells);
  return twice;
}
