/**
 * Chance by seed: sfc32 (Doty-Humphrey's small fast counting generator, public domain), 128 bits of state,
 * period at least 2^32. The same seed gives the same numbers on every machine. Not for secrets.
 */
import { assert } from "./assert.ts";

const WARM_UP_ROUNDS = 12;

export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** `seed` is any whole number; its low 32 bits count. */
  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.imul(seed, 0x9e37_79b9) | 0;
    this.#c = ~seed;
    for (let i = 0; i < WARM_UP_ROUNDS; i++) this.next();
  }

  /** A whole number, 0 <= n < 2^32. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number, 0 <= n < `bound`, for bounds up to 2^32. */
  below(bound: number): number {
    assert(bound >= 1, "there is a number below the bound");
    return Math.floor((this.next() / 0x1_0000_0000) * bound);
  }

  /** A whole number, `low` <= n <= `high`. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
}
