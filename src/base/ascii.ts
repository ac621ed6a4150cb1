/**
 * Byte classes and case folding for the ASCII of HTTP.
 *
 * A class is a `Uint8Array(256)` that holds 1 for each member, so that a scanner asks one load per byte and
 * no range checks. They are shared: nobody writes to them.
 *
 * @hot
 */

/** Members of a class, as characters and as inclusive ranges of code units. Set-up only. */
function byteClass(characters: string, ranges: readonly (readonly [number, number])[]): Uint8Array {
  const table = new Uint8Array(256);
  for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)] = 1;
  for (const [first, last] of ranges) table.fill(1, first, last + 1);
  return table;
}

const DIGITS = [0x30, 0x39] as const;
const UPPER = [0x41, 0x5a] as const;
const LOWER = [0x61, 0x7a] as const;

/** `tchar` (RFC 9110 §5.6.2): what methods, field names and connection options are made of. */
export const TOKEN = byteClass("!#$%&'*+-.^_`|~", [DIGITS, UPPER, LOWER]);

/** Bytes inside a field value or reason phrase: HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5). */
export const FIELD_VALUE = byteClass("\t", [
  [0x20, 0x7e],
  [0x80, 0xff],
]);

/**
 * Bytes of a request target: VCHAR without `#`, which never belongs there (RFC 9112 §3.2, RFC 3986 §3.5).
 * Wider than RFC 3986 (`"<>\^{|}` and the backtick pass), because browsers send these unescaped.
 */
export const TARGET = byteClass("", [
  [0x21, 0x22],
  [0x24, 0x7e],
]);

/**
 * Bytes of a registered name or IPv4 address: unreserved and sub-delims (RFC 3986 §3.2.2); `%` is checked
 * apart.
 */
export const REG_NAME = byteClass("-._~!$&'()*+,;=", [DIGITS, UPPER, LOWER]);

/** Value of a hexadecimal digit, or 255. */
export const HEX_VALUE = new Uint8Array(256).fill(255);
for (let i = 0; i < 10; i++) HEX_VALUE[0x30 + i] = i;
for (let i = 0; i < 6; i++) HEX_VALUE[0x41 + i] = HEX_VALUE[0x61 + i] = 10 + i;

/** Lower case of each byte; only A to Z change. */
export const LOWER_CASE = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte,
);

const FOLD = LOWER_CASE;

/** Whether `memory[start, end)` equals `lowerCaseBytes`, ASCII case ignored. */
export function equalsIgnoreCase(
  memory: Uint8Array,
  start: number,
  end: number,
  lowerCaseBytes: Uint8Array,
): boolean {
  if (end - start !== lowerCaseBytes.length) return false;
  for (let i = 0; start < end; i++, start++) {
    if (FOLD[memory[start]!] !== lowerCaseBytes[i]) return false;
  }
  return true;
}

/** Whether two ranges of `memory` are equal, ASCII case ignored. */
export function rangesEqualIgnoreCase(
  memory: Uint8Array,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (; start < end; start++, otherStart++) {
    if (FOLD[memory[start]!] !== FOLD[memory[otherStart]!]) return false;
  }
  return true;
}
