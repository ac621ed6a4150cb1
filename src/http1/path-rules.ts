/**
 * Paths that two readers could take for different ones: encoded slashes, dot segments, NUL. Nothing is ever
 * rewritten; a path is passed on byte for byte or refused.
 *
 * Judged as by the most forgiving backend: a segment ends at `/`, at a backslash, at either of them encoded,
 * and its name at a `;` (path parameters, which some servers cut off before they look for dots). Escapes are
 * decoded once. The query is not looked at.
 *
 * @hot
 */
import { HEX_VALUE } from "../base/ascii.ts";

/** Bits of `rules`. */
export const PathRule = {
  /** `%2F` and `%5C` in any case, and a backslash. */
  encodedSlash: 1,
  /** A segment `.` or `..`, dots encoded or not. */
  dotSegment: 2,
  /** `%00`. */
  encodedNul: 4,
} as const;

const ENCODED_SLASH = PathRule.encodedSlash;
const DOT_SEGMENT = PathRule.dotSegment;
const ENCODED_NUL = PathRule.encodedNul;
const HEX = HEX_VALUE;
const NO_DIGIT = 255;
const PERCENT = 0x25;
const DOT = 0x2e;
const SLASH = 0x2f;
const SEMICOLON = 0x3b;
const QUESTION = 0x3f;
const BACKSLASH = 0x5c;
/** This segment has other bytes than dots, or there is none yet. */
const NO_DOTS = -1;

/** Whether the path that begins at `start`, up to a `?` or `end`, breaks one of `rules` (`PathRule` bits). */
export function breaksPathRule(memory: Uint8Array, start: number, end: number, rules: number): boolean {
  let dots = NO_DOTS;
  for (let pos = start; pos < end && memory[pos] !== QUESTION; ) {
    const byte = decoded(memory, pos, end);
    const bytes = memory[pos] === PERCENT && byte !== PERCENT_ALONE ? 3 : 1;
    pos += bytes;
    if (byte === SLASH || byte === BACKSLASH) {
      if ((rules & ENCODED_SLASH) !== 0 && (bytes === 3 || byte === BACKSLASH)) return true;
      if ((rules & DOT_SEGMENT) !== 0 && isDotSegment(dots)) return true;
      dots = 0;
    } else if (byte === SEMICOLON) {
      if ((rules & DOT_SEGMENT) !== 0 && isDotSegment(dots)) return true;
      dots = NO_DOTS;
    } else if (byte === DOT && dots >= 0) dots++;
    else dots = NO_DOTS;
    if (byte === 0 && (rules & ENCODED_NUL) !== 0) return true;
  }
  return (rules & DOT_SEGMENT) !== 0 && isDotSegment(dots);
}

/** A `%` that begins no escape. */
const PERCENT_ALONE = -1;

/** The byte at `pos`, or the one that the escape there stands for, or `PERCENT_ALONE`. */
function decoded(memory: Uint8Array, pos: number, end: number): number {
  const byte = memory[pos]!;
  if (byte !== PERCENT) return byte;
  if (pos + 2 >= end) return PERCENT_ALONE;
  const high = HEX[memory[pos + 1]!]!;
  const low = HEX[memory[pos + 2]!]!;
  return high === NO_DIGIT || low === NO_DIGIT ? PERCENT_ALONE : (high << 4) | low;
}

function isDotSegment(dots: number): boolean {
  return dots === 1 || dots === 2;
}
