/**
 * Identifiers of 128 bits that cannot be guessed from one another: the key stream of ChaCha8 (Bernstein 2008),
 * keyed by a seed of 16 bytes. That two are equal in the life of one source is as unlikely as with true
 * chance.
 *
 * Why a cipher: identifiers reach backends and logs, and with a plain generator one of them would give away
 * all that follow. A block gives four of them, and eight rounds are the price.
 *
 * @hot
 */
import { assert } from "./assert.ts";

export const SEED_BYTES = 16;
/** Characters of an identifier. */
export const ID_BYTES = 32;

const WORDS = 16;
const WORDS_PER_ID = 4;
const DOUBLE_ROUNDS = 4;
/** "expand 16-byte k", the constant for keys of 16 bytes. */
const CONSTANTS = Int32Array.of(0x6170_7865, 0x3120_646e, 0x7962_2d36, 0x6b20_6574);
const COUNTER_WORD = 12;
const DIGITS = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

export class UnguessableIds {
  readonly #input = new Int32Array(WORDS);
  readonly #block = new Int32Array(WORDS);
  #next = WORDS;

  /** `seed` has `SEED_BYTES` bytes of true chance. */
  constructor(seed: Uint8Array) {
    assert(seed.length === SEED_BYTES, "a seed has 16 bytes");
    const view = new DataView(seed.buffer, seed.byteOffset, SEED_BYTES);
    this.#input.set(CONSTANTS);
    for (let i = 0; i < WORDS_PER_ID; i++) {
      const word = view.getInt32(i * 4, true);
      this.#input[4 + i] = word;
      this.#input[8 + i] = word;
    }
  }

  /** Writes the next one, `ID_BYTES` lower-case hexadecimal digits, at `at`; returns the offset past it. */
  write(memory: Uint8Array, at: number): number {
    if (this.#next === WORDS) this.#refill();
    const block = this.#block;
    for (const end = this.#next + WORDS_PER_ID; this.#next < end; this.#next++) {
      const word = block[this.#next]!;
      for (let shift = 28; shift >= 0; shift -= 4) memory[at++] = DIGITS[(word >>> shift) & 15]!;
    }
    return at;
  }

  #refill(): void {
    const block = this.#block;
    const input = this.#input;
    for (let i = 0; i < WORDS; i++) block[i] = input[i]!;
    for (let round = 0; round < DOUBLE_ROUNDS; round++) {
      quarterRound(block, 0, 4, 8, 12);
      quarterRound(block, 1, 5, 9, 13);
      quarterRound(block, 2, 6, 10, 14);
      quarterRound(block, 3, 7, 11, 15);
      quarterRound(block, 0, 5, 10, 15);
      quarterRound(block, 1, 6, 11, 12);
      quarterRound(block, 2, 7, 8, 13);
      quarterRound(block, 3, 4, 9, 14);
    }
    for (let i = 0; i < WORDS; i++) block[i] = (block[i]! + input[i]!) | 0;
    input[COUNTER_WORD] = (input[COUNTER_WORD]! + 1) | 0;
    if (input[COUNTER_WORD] === 0) input[COUNTER_WORD + 1] = (input[COUNTER_WORD + 1]! + 1) | 0;
    this.#next = 0;
  }
}

function quarterRound(x: Int32Array, a: number, b: number, c: number, d: number): void {
  x[a] = (x[a]! + x[b]!) | 0;
  x[d] = rotated(x[d]! ^ x[a]!, 16);
  x[c] = (x[c]! + x[d]!) | 0;
  x[b] = rotated(x[b]! ^ x[c]!, 12);
  x[a] = (x[a]! + x[b]!) | 0;
  x[d] = rotated(x[d]! ^ x[a]!, 8);
  x[c] = (x[c]! + x[d]!) | 0;
  x[b] = rotated(x[b]! ^ x[c]!, 7);
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
