/**
 * Token buckets by key, in a table of fixed size that several processes may share.
 *
 * Strategy: a bucket is one number, the time at which it will be full again (the generic cell rate algorithm:
 * ITU-T I.371). Taking a token moves it on by the time that one token takes to come; a request is refused
 * where that would be later than a bucket takes to fill. A cell is a key, of which 52 bits of its hash are
 * kept, and that time. A full bucket says nothing, so its cell is free.
 *
 * Cells stand in sets of four, one cache line each; the hash says in which. Where all four of a set are in
 * use, the bucket with the most tokens left goes: what is known of those who asked most stays, however many
 * others come. Who does not know the hash's key cannot aim at a set.
 *
 * Why there are no locks: a cell's two numbers are aligned, so that each is read and written whole. Processes
 * that take from one bucket within the same few nanoseconds may both get the same token, which lets one
 * request more pass. A lock would cost each request more than that, and could be left behind by a process
 * that dies.
 *
 * @hot
 */

const CELLS_PER_SET = 4;
const NUMBERS_PER_CELL = 2;
const NUMBERS_PER_SET = CELLS_PER_SET * NUMBERS_PER_CELL;
/** What stands in front of the sets, in as many numbers as a set has: the key of the hash. */
const HEADER_NUMBERS = NUMBERS_PER_SET;
/** Times are sums of fractions. */
const ROUNDING_MS = 0.001;

/** Numbers (float64) of a table for `keys` keys, a power of two from 4 up. */
export function rateNumbers(keys: number): number {
  return HEADER_NUMBERS + keys * NUMBERS_PER_CELL;
}

/** Writes the key of the hash, two numbers of 32 bits, into a new table. Once, before anybody uses it. */
export function writeRateKey(numbers: Float64Array, key0: number, key1: number): void {
  numbers[0] = key0 | 0;
  numbers[1] = key1 | 0;
}

export class RateTable {
  /** Key of the hash. */
  readonly key0: number;
  readonly key1: number;
  /** Buckets that were not full and had to go, as far as they went here. */
  evictedCount = 0;
  readonly #numbers: Float64Array;
  readonly #mask: number;

  /** `numbers`: as many as `rateNumbers` says, on a border of 64 bytes; zero but for the key. */
  constructor(numbers: Float64Array) {
    this.#numbers = numbers;
    this.key0 = numbers[0]! | 0;
    this.key1 = numbers[1]! | 0;
    this.#mask = (numbers.length - HEADER_NUMBERS) / NUMBERS_PER_SET - 1;
  }

  /**
   * Takes a token from the bucket of the key with the hash `(low, high)`, which gets one each `tokenMs` and
   * holds as many as come in `fullMs`. 0: it is taken. More: there is none, and one comes in so many
   * milliseconds. `nowMs`: a clock that all users of the table share, and that only goes on.
   */
  take(low: number, high: number, nowMs: number, tokenMs: number, fullMs: number): number {
    const numbers = this.#numbers;
    const first = HEADER_NUMBERS + (low & this.#mask) * NUMBERS_PER_SET;
    // Never 0, which is an empty cell.
    const key = (high >>> 0) * 0x20_0000 + ((low >>> 11) | 1);
    let at = first;
    let freest = first;
    let freestMs = Infinity;
    for (let cell = 0; cell < CELLS_PER_SET; cell++, at += NUMBERS_PER_CELL) {
      const fullAtMs = numbers[at + 1]!;
      if (numbers[at] === key) {
        // Later than any bucket is full: the clock began anew.
        const sinceMs = Math.min(fullAtMs, nowMs + fullMs);
        const nextMs = Math.max(sinceMs, nowMs) + tokenMs;
        const waitMs = nextMs - nowMs - fullMs;
        if (waitMs > ROUNDING_MS) return waitMs;
        numbers[at + 1] = nextMs;
        return 0;
      }
      if (fullAtMs < freestMs) {
        freestMs = fullAtMs;
        freest = at;
      }
    }
    if (freestMs > nowMs) this.evictedCount++;
    numbers[freest] = key;
    numbers[freest + 1] = nowMs + tokenMs;
    return 0;
  }
}
