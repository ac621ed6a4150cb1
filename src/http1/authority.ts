/**
 * Which bytes may name a host: `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2), without user
 * information. IPv6 literals are checked for their bytes, not for their grammar; IPvFuture and zone ids are
 * refused, and so is what no name is long enough for: a host is written several times into what goes on.
 *
 * @hot
 */
import { HEX_VALUE, REG_NAME } from "../base/ascii.ts";

const NAME_BYTE = REG_NAME;
const HEX = HEX_VALUE;
const COLON = 0x3a;
const PERCENT = 0x25;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const DOT = 0x2e;
const DIGIT_ZERO = 0x30;
const PORT_MAX = 65_535;
/** Host and port. A registered name has at most 255 bytes (RFC 3986 §3.2.2), escapes three times as many. */
const AUTHORITY_BYTES_MAX = 1024;

/**
 * Where the host part of a valid authority `[start, end)` ends (before `:port`, or at `end`); -1 where it is
 * not valid.
 */
export function hostEndOf(memory: Uint8Array, start: number, end: number): number {
  let pos = start;
  if (end - start > AUTHORITY_BYTES_MAX) return -1;
  if (pos < end && memory[pos] === BRACKET_OPEN) {
    pos = literalEnd(memory, pos + 1, end);
    if (pos < 0) return -1;
  } else {
    while (pos < end && NAME_BYTE[memory[pos]!] !== 0) pos++;
    while (pos < end && memory[pos] === PERCENT) {
      if (pos + 2 >= end || HEX[memory[pos + 1]!] === 255 || HEX[memory[pos + 2]!] === 255) return -1;
      pos += 3;
      while (pos < end && NAME_BYTE[memory[pos]!] !== 0) pos++;
    }
    if (pos === start && end > start) return -1;
  }
  if (pos === end) return end;
  if (memory[pos] !== COLON) return -1;
  return isPort(memory, pos + 1, end) ? pos : -1;
}

/** Past the `]` of an IPv6 literal whose content begins at `pos`, or -1. */
function literalEnd(memory: Uint8Array, pos: number, end: number): number {
  const start = pos;
  let colons = 0;
  for (; pos < end; pos++) {
    const byte = memory[pos]!;
    if (byte === COLON) colons++;
    else if (HEX[byte] === 255 && byte !== DOT) break;
  }
  if (pos === end || memory[pos] !== BRACKET_CLOSE || pos === start || colons < 2) return -1;
  return pos + 1;
}

/** `*DIGIT` up to 65535; an empty port is allowed. */
function isPort(memory: Uint8Array, pos: number, end: number): boolean {
  let port = 0;
  for (; pos < end; pos++) {
    const digit = memory[pos]! - DIGIT_ZERO;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
    if (port > PORT_MAX) return false;
  }
  return true;
}
