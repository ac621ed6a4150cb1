/**
 * When requests are due in an open loop: request k at k / rate after the start, whatever happened to those
 * before it.
 *
 * Strategy: due moments are computed from the count, so no rounding adds up. A request that lost its
 * connection without anyone's fault goes back in and is due since the same moment as before.
 *
 * @hot
 */
import { assert } from "../base/assert.ts";

const ROUNDING = 1e-6;

export class Schedule {
  readonly #intervalMs: number;
  readonly #returned: Float64Array;
  #returnedFirst = 0;
  #returnedCount = 0;
  #startMs = 0;
  #count = 0;
  #countMax = 0;

  /** At most `returnedMax` requests can be waiting after `giveBack`. */
  constructor(ratePerSecond: number, returnedMax: number) {
    this.#intervalMs = 1000 / ratePerSecond;
    this.#returned = new Float64Array(returnedMax);
  }

  /** The first request is due at `startMs`, the last one less than `spanMs` later. */
  start(startMs: number, spanMs: number): void {
    this.#startMs = startMs;
    // A whole number of intervals must not become one more by rounding.
    this.#countMax = Math.ceil(spanMs / this.#intervalMs - ROUNDING);
  }

  /** When the next request is or was due; Infinity when there is none left. */
  nextMs(): number {
    if (this.#returnedCount > 0) return this.#returned[this.#returnedFirst]!;
    if (this.#count >= this.#countMax) return Number.POSITIVE_INFINITY;
    return this.#startMs + this.#count * this.#intervalMs;
  }

  /** Takes the request that `nextMs` told of. */
  take(): void {
    if (this.#returnedCount === 0) {
      this.#count++;
      return;
    }
    this.#returnedCount--;
    this.#returnedFirst = this.#returnedFirst + 1 === this.#returned.length ? 0 : this.#returnedFirst + 1;
  }

  /** A taken request, due at `dueMs`, is to be sent again. */
  giveBack(dueMs: number): void {
    const capacity = this.#returned.length;
    assert(this.#returnedCount < capacity, "no more requests come back than were in flight");
    this.#returned[(this.#returnedFirst + this.#returnedCount) % capacity] = dueMs;
    this.#returnedCount++;
  }

  /** Requests that were due by `nowMs` and were not taken. */
  leftCount(nowMs: number): number {
    const dueCount = Math.min(this.#countMax, Math.ceil((nowMs - this.#startMs) / this.#intervalMs));
    return Math.max(0, dueCount - this.#count) + this.#returnedCount;
  }
}
