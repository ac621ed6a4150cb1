/**
 * What waits to be sent: for each connection a list of ranges, each holding one reference to its slot.
 *
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
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #bytes: Float64Array;
  #start = new Int32Array(NODES_AT_FIRST);
  #end = new Int32Array(NODES_AT_FIRST);
  #next = new Int32Array(NODES_AT_FIRST);
  #free = NONE;

  constructor(connectionsMax: number, buffers: BufferPool, poolAddress: number) {
    this.#buffers = buffers;
    this.#poolAddress = poolAddress;
    this.#first = new Int32Array(connectionsMax).fill(NONE);
    this.#last = new Int32Array(connectionsMax).fill(NONE);
    this.#bytes = new Float64Array(connectionsMax);
    this.#linkFree(0);
  }

  /** Bytes that wait, those in flight included. */
  bytesOf(connection: number): number {
    return this.#bytes[connection]!;
  }

  isEmpty(connection: number): boolean {
    return this.#first[connection] === NONE;
  }

  /** True when exactly one range waits. */
  isSingle(connection: number): boolean {
    const first = this.#first[connection]!;
    return first !== NONE && this.#next[first] === NONE;
  }

  /** Offset of the first byte that waits. The queue must not be empty. */
  firstStart(connection: number): number {
    return this.#start[this.#first[connection]!]!;
  }

  /** Just past the last byte of the first range. */
  firstEnd(connection: number): number {
    return this.#end[this.#first[connection]!]!;
  }

  /** Queues a range and takes over its reference. */
  push(connection: number, start: number, end: number): void {
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
    this.#bytes[connection] = this.#bytes[connection]! + (end - start);
  }

  /**
   * `count` bytes have left: takes them off the front and gives back the references of ranges that are
   * through.
   */
  consume(connection: number, count: number): void {
    this.#bytes[connection] = this.#bytes[connection]! - count;
    let left = count;
    while (left > 0) {
      const node = this.#first[connection]!;
      assert(node !== NONE, "no more leaves than was queued");
      const bytes = this.#end[node]! - this.#start[node]!;
      if (left < bytes) {
        this.#start[node] = this.#start[node]! + left;
        return;
      }
      left -= bytes;
      this.#dropFirst(connection, node);
    }
  }

  /** Gives up everything that waits. */
  clear(connection: number): void {
    for (let node = this.#first[connection]!; node !== NONE; node = this.#first[connection]!) {
      this.#dropFirst(connection, node);
    }
    this.#bytes[connection] = 0;
  }

  /**
   * Writes the first ranges, at most `countMax`, as `struct iovec` (address, length; 64 bits each) at
   * `words[at]`. Returns how many.
   */
  writeVectors(connection: number, words: Int32Array, at: number, countMax: number): number {
    let count = 0;
    let word = at;
    for (let node = this.#first[connection]!; node !== NONE && count < countMax; node = this.#next[node]!) {
      const start = this.#start[node]!;
      const address = this.#poolAddress + start;
      words[word] = address | 0;
      words[word + 1] = (address / TWO_POW_32) | 0;
      words[word + 2] = this.#end[node]! - start;
      words[word + 3] = 0;
      word += 4;
      count++;
    }
    return count;
  }

  #dropFirst(connection: number, node: number): void {
    this.#buffers.release(this.#start[node]!);
    const next = this.#next[node]!;
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
