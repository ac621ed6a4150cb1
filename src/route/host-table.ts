/**
 * Which host patterns a name matches, the most specific first. One pass over the name from its end gives the
 * hash of the whole and of every tail.
 *
 * @hot
 */
import { LOWER_CASE } from "../base/ascii.ts";
import { asciiBytes } from "../base/bytes.ts";
import { ByteTable, hashByte, hashOf } from "./byte-table.ts";

const FOLD = LOWER_CASE;
const EXACT = 0;
const WILDCARD = 1;
const DOT = 0x2e;

export class HostTable {
  readonly #seed: number;
  readonly #table: ByteTable;
  /** Number of the pattern "" (any host), or -1. */
  readonly #any: number;
  /** Dots in the longest wildcard: tails with more are not looked up. */
  readonly #dotsMax: number;
  /** After `find`: numbers of the patterns that match, and how many there are. */
  readonly found: Int32Array;
  count = 0;

  /** `patterns` are as in `Route.hosts`, and "" for any host. */
  constructor(seed: number, patterns: readonly string[]) {
    this.#seed = seed;
    this.#any = patterns.indexOf("");
    const keys = patterns.flatMap((pattern, value) => {
      if (pattern === "") return [];
      const isWildcard = pattern.startsWith("*.");
      const owner = isWildcard ? WILDCARD : EXACT;
      return [{ owner, bytes: asciiBytes(isWildcard ? pattern.slice(1) : pattern), value }];
    });
    this.#table = new ByteTable(seed, keys, true);
    const dots = keys.map(({ owner, bytes }) =>
      owner === WILDCARD ? bytes.reduce((sum, byte) => sum + (byte === DOT ? 1 : 0), 0) : 0,
    );
    this.#dotsMax = dots.reduce((most, count) => Math.max(most, count), 0);
    this.found = new Int32Array(this.#dotsMax + 2);
  }

  /** Looks up the name `memory[start, end)`, in any case. Sets `found` and `count`. */
  find(memory: Uint8Array, start: number, end: number): void {
    const { found } = this;
    let exact = hashOf(this.#seed, EXACT);
    let tail = hashOf(this.#seed, WILDCARD);
    let dots = 0;
    // Wildcards are met from the shortest to the longest, and stand at the end of `found` meanwhile.
    let wildcards = found.length;
    for (let pos = end - 1; pos >= start; pos--) {
      const byte = FOLD[memory[pos]!]!;
      exact = hashByte(exact, byte);
      if (dots >= this.#dotsMax) continue;
      tail = hashByte(tail, byte);
      if (byte !== DOT || pos === start) continue;
      dots++;
      const value = this.#table.findHashed(tail, WILDCARD, memory, pos, end);
      if (value >= 0) found[--wildcards] = value;
    }
    let count = 0;
    if (end > start) {
      const value = this.#table.findHashed(exact, EXACT, memory, start, end);
      if (value >= 0) found[count++] = value;
    }
    while (wildcards < found.length) found[count++] = found[wildcards++]!;
    if (this.#any >= 0) found[count++] = this.#any;
    this.count = count;
  }
}
