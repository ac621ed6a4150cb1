/**
 * A keyed hash of 64 bits (HalfSipHash-2-4: Aumasson and Bernstein 2012, in words of 32 bits). Who does not
 * know the key can neither choose texts that collide nor tell where one ends up in a table.
 *
 * Why this one: it is made of 32-bit additions and rotations, which JavaScript does in registers; SipHash
 * itself needs 64-bit words.
 *
 * @hot
 */

const V2 = 0x6c79_6765;
const V3 = 0x7465_6462;
const FINAL_ROUNDS = 4;
const MIX_ROUNDS = 2;

export class HalfSipHash {
  /** After `end`: the hash, two signed numbers. */
  low = 0;
  high = 0;
  readonly #key0: number;
  readonly #key1: number;
  #v0 = 0;
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;
  /** Bytes so far, and those of them that make no whole word yet. */
  #bytes = 0;
  #word = 0;

  /** The key: two numbers of 32 bits. */
  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
  }

  /** Forgets what was added. */
  begin(): void {
    this.#v0 = this.#key0;
    this.#v1 = this.#key1 ^ 0xee;
    this.#v2 = V2 ^ this.#key0;
    this.#v3 = V3 ^ this.#key1;
    this.#bytes = 0;
    this.#word = 0;
  }

  addByte(byte: number): void {
    this.#word |= byte << ((this.#bytes & 3) << 3);
    this.#bytes++;
    if ((this.#bytes & 3) !== 0) return;
    const word = this.#word;
    this.#word = 0;
    this.#v3 ^= word;
    this.#rounds(MIX_ROUNDS);
    this.#v0 ^= word;
  }

  /** The four bytes of `word`, lowest first. */
  addWord(word: number): void {
    this.addByte(word & 255);
    this.addByte((word >>> 8) & 255);
    this.addByte((word >>> 16) & 255);
    this.addByte(word >>> 24);
  }

  addRange(memory: Uint8Array, start: number, end: number): void {
    for (let pos = start; pos < end; pos++) this.addByte(memory[pos]!);
  }

  /** Leaves the hash of all that was added in `low` and `high`. */
  end(): void {
    const last = this.#word | (this.#bytes << 24);
    this.#v3 ^= last;
    this.#rounds(MIX_ROUNDS);
    this.#v0 ^= last;
    this.#v2 ^= 0xee;
    this.#rounds(FINAL_ROUNDS);
    this.low = this.#v1 ^ this.#v3;
    this.#v1 ^= 0xdd;
    this.#rounds(FINAL_ROUNDS);
    this.high = this.#v1 ^ this.#v3;
  }

  #rounds(count: number): void {
    let v0 = this.#v0;
    let v1 = this.#v1;
    let v2 = this.#v2;
    let v3 = this.#v3;
    for (let round = 0; round < count; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }
}
