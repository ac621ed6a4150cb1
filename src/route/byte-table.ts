/**
 * A hash table from (owner, bytes) to a small number, built once and then only asked: open addressing, at most
 * half full.
 *
 * Keys come from the configuration; what a request brings is looked up and never stored, so no request can make
 * a chain longer. The hash (FNV-1a, seeded) keeps whoever writes the configuration from choosing keys that
 * collide in every worker.
 *
 * @hot
 */
import { LOWER_CASE } from "../base/ascii.ts";
import { writeBytes } from "../base/bytes.ts";

const FNV_PRIME = 0x0100_0193;
const FOLD = LOWER_CASE;

export interface TableKey {
  /** Whose key it is: 0 or more. */
  readonly owner: number;
  readonly bytes: Uint8Array;
  /** What is found under it: 0 or more. */
  readonly value: number;
}

/** `hash` with one more byte. */
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, FNV_PRIME);
}

/** The hash of nothing, for `owner`. */
export function hashOf(seed: number, owner: number): number {
  return Math.imul(seed ^ owner, 0x9e37_79b1) ^ (owner >>> 7);
}

export class ByteTable {
  readonly #seed: number;
  readonly #backwards: boolean;
  readonly #mask: number;
  /** By place: number of the key, or -1. */
  readonly #places: Int32Array;
  /** By key. */
  readonly #hashes: Int32Array;
  readonly #owners: Int32Array;
  readonly #starts: Int32Array;
  readonly #values: Int32Array;
  readonly #bytes: Uint8Array;

  /**
   * `backwards`: keys are hashed from their last byte to their first, so that one pass gives the hash of every
   * tail; and without regard to case: their bytes are lower case here, and any case is found.
   */
  constructor(seed: number, keys: readonly TableKey[], backwards = false) {
    this.#seed = seed;
    this.#backwards = backwards;
    let size = 4;
    while (size < keys.length * 2) size *= 2;
    this.#mask = size - 1;
    this.#places = new Int32Array(size).fill(-1);
    this.#hashes = new Int32Array(keys.length);
    this.#owners = new Int32Array(keys.length);
    this.#starts = new Int32Array(keys.length + 1);
    this.#values = new Int32Array(keys.length);
    this.#bytes = new Uint8Array(keys.reduce((sum, { bytes }) => sum + bytes.length, 0));
    for (const [number, key] of keys.entries()) this.#insert(key, number);
  }

  /** @cold */
  #insert({ owner, bytes, value }: TableKey, number: number): void {
    let hash = hashOf(this.#seed, owner);
    for (let i = 0; i < bytes.length; i++) {
      hash = hashByte(hash, bytes[this.#backwards ? bytes.length - 1 - i : i]!);
    }
    const start = this.#starts[number]!;
    this.#starts[number + 1] = writeBytes(this.#bytes, start, bytes);
    this.#hashes[number] = hash;
    this.#owners[number] = owner;
    this.#values[number] = value;
    let place = placeOf(hash, this.#mask);
    while (this.#places[place] !== -1) place = (place + 1) & this.#mask;
    this.#places[place] = number;
  }

  /** The value of `memory[start, end)` for `owner`, or -1. */
  find(owner: number, memory: Uint8Array, start: number, end: number): number {
    let hash = hashOf(this.#seed, owner);
    for (let pos = start; pos < end; pos++) hash = Math.imul(hash ^ memory[pos]!, FNV_PRIME);
    return this.findHashed(hash, owner, memory, start, end);
  }

  /** As `find`, with the hash of the range at hand. */
  findHashed(hash: number, owner: number, memory: Uint8Array, start: number, end: number): number {
    let place = placeOf(hash, this.#mask);
    for (;;) {
      const key = this.#places[place]!;
      if (key < 0) return -1;
      if (this.#hashes[key] === hash && this.#owners[key] === owner && this.#isKey(key, memory, start, end))
        return this.#values[key]!;
      place = (place + 1) & this.#mask;
    }
  }

  #isKey(key: number, memory: Uint8Array, start: number, end: number): boolean {
    const keyStart = this.#starts[key]!;
    if (this.#starts[key + 1]! - keyStart !== end - start) return false;
    const bytes = this.#bytes;
    if (this.#backwards) {
      for (let i = keyStart; start < end; start++, i++) if (FOLD[memory[start]!] !== bytes[i]) return false;
    } else {
      for (let i = keyStart; start < end; start++, i++) if (memory[start] !== bytes[i]) return false;
    }
    return true;
  }
}

function placeOf(hash: number, mask: number): number {
  return (hash ^ (hash >>> 15)) & mask;
}
