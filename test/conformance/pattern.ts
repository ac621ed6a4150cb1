/**
 * Bytes that say where they belong: byte `n` of stream `seed` is known, so that whoever receives a stream
 * sees at once what was lost, doubled, or crossed from another stream, without keeping it.
 */
import { Prng } from "../../src/base/prng.ts";

/** A prime, so that no power of two of bytes can vanish unseen. */
const PERIOD_BYTES = 65_521;

export class Pattern {
  readonly #bytes = Buffer.alloc(PERIOD_BYTES);

  constructor(seed: number) {
    const prng = new Prng(seed);
    for (let i = 0; i < PERIOD_BYTES; i++) this.#bytes[i] = prng.below(256);
  }

  /** Writes the stream's bytes from `offset` on into `target[start, end)`. */
  fill(target: Uint8Array, start: number, end: number, offset: number): void {
    for (let at = start; at < end; ) {
      const from = (offset + at - start) % PERIOD_BYTES;
      const count = Math.min(end - at, PERIOD_BYTES - from);
      target.set(this.#bytes.subarray(from, from + count), at);
      at += count;
    }
  }

  /** The stream's bytes from `offset` on. */
  slice(offset: number, count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count);
    this.fill(bytes, 0, count, offset);
    return bytes;
  }

  /** Whether `bytes[start, end)` is what the stream has at `offset`. */
  matches(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    for (let at = start; at < end; ) {
      const from = (offset + at - start) % PERIOD_BYTES;
      const count = Math.min(end - at, PERIOD_BYTES - from);
      if (this.#bytes.compare(bytes, at, at + count, from, from + count) !== 0) return false;
      at += count;
    }
    return true;
  }
}

/** Checks a stream as it comes. */
export class Tally {
  bytes = 0;
  /** Offset in the stream of the first chunk that was wrong; -1 while all is well. */
  wrongAt = -1;
  readonly #pattern: Pattern;

  constructor(pattern: Pattern) {
    this.#pattern = pattern;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    if (this.wrongAt < 0 && !this.#pattern.matches(bytes, start, end, this.bytes)) this.wrongAt = this.bytes;
    this.bytes += end - start;
  }
}

const patterns = new Map<number, Pattern>();

/** The pattern of stream `seed`. */
export function patternOf(seed: number): Pattern {
  let pattern = patterns.get(seed);
  if (pattern === undefined) {
    pattern = new Pattern(seed);
    patterns.set(seed, pattern);
  }
  return pattern;
}
