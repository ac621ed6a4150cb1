/**
 * Queues of byte ranges, first in first out. All queues of a store share one set of nodes in typed arrays; a
 * queue itself is two integers in its owner's record, so ten thousand empty queues cost nothing.
 *
 * The store knows nothing of buffers: whoever puts a range in decides which reference goes with it.
 *
 * @hot
 */
import { assert } from "./assert.ts";

/** The end of a queue, and an empty one. */
export const NONE = -1;

/** One queue. Lives inside its owner's record. */
export class RangeQueue {
  first: number = NONE;
  last: number = NONE;
}

export class RangeStore {
  #start: Float64Array;
  #end: Float64Array;
  #next: Int32Array;
  #free: number = NONE;
  #used = 0;

  /** `capacity` nodes at first; doubles when needed. What bounds it is backpressure, not this store. */
  constructor(capacity: number) {
    assert(capacity > 0, "a store has room for a node");
    this.#start = new Float64Array(capacity);
    this.#end = new Float64Array(capacity);
    this.#next = new Int32Array(capacity).fill(NONE);
  }

  isEmpty(queue: RangeQueue): boolean {
    return queue.first === NONE;
  }

  /** Appends `[start, end)`. */
  push(queue: RangeQueue, start: number, end: number): void {
    const node = this.#acquire();
    this.#start[node] = start;
    this.#end[node] = end;
    this.#next[node] = NONE;
    if (queue.last === NONE) queue.first = node;
    else this.#next[queue.last] = node;
    queue.last = node;
  }

  /** Puts `[start, end)` in front of all others. */
  unshift(queue: RangeQueue, start: number, end: number): void {
    const node = this.#acquire();
    this.#start[node] = start;
    this.#end[node] = end;
    this.#next[node] = queue.first;
    if (queue.first === NONE) queue.last = node;
    queue.first = node;
  }

  /** Start of the first range; the queue is not empty. */
  firstStart(queue: RangeQueue): number {
    assert(queue.first !== NONE, "a range is there to look at");
    return this.#start[queue.first]!;
  }

  /** End of the first range; the queue is not empty. */
  firstEnd(queue: RangeQueue): number {
    assert(queue.first !== NONE, "a range is there to look at");
    return this.#end[queue.first]!;
  }

  /** The first range begins at `start` from now on: what stood before it has been used. */
  advanceFirst(queue: RangeQueue, start: number): void {
    assert(start <= this.firstEnd(queue), "a range is used from its start to its end");
    this.#start[queue.first] = start;
  }

  /** Drops the first range. */
  shift(queue: RangeQueue): void {
    const node = queue.first;
    assert(node !== NONE, "a range is there to drop");
    queue.first = this.#next[node]!;
    if (queue.first === NONE) queue.last = NONE;
    this.#next[node] = this.#free;
    this.#free = node;
  }

  #acquire(): number {
    if (this.#free !== NONE) {
      const node = this.#free;
      this.#free = this.#next[node]!;
      return node;
    }
    if (this.#used === this.#next.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const capacity = this.#next.length * 2;
    const start = new Float64Array(capacity);
    const end = new Float64Array(capacity);
    const next = new Int32Array(capacity).fill(NONE);
    start.set(this.#start);
    end.set(this.#end);
    next.set(this.#next);
    this.#start = start;
    this.#end = end;
    this.#next = next;
  }
}
