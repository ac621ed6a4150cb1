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

const CASE_BITS = 0x2020_2020;

/**
 * A constant of at least four lower-case letters, digits, `-` or `/`, kept as words of four bytes; the last of them
 * are the last four bytes. Set-up only.
 */
export class KnownText {
  readonly length: number;
  readonly words: Int32Array;

  constructor(text: string) {
    this.length = text.length;
    this.words = new Int32Array(Math.ceil(text.length / 4));
    for (let i = 0; i < this.words.length; i++) {
      const at = Math.min(i * 4, text.length - 4);
      for (let byte = 3; byte >= 0; byte--) {
        this.words[i] = (this.words[i]! << 8) | text.charCodeAt(at + byte);
      }
    }
  }
}

/**
 * Whether the range `[start, end)` of a field value equals `known`, ASCII case ignored. Setting one bit folds case:
 * with it only a control could be taken for a digit, `-` or `/`, and no value has any but HTAB.
 */
export function equalsKnown(view: DataView, start: number, end: number, known: KnownText): boolean {
  const { length, words } = known;
  if (end - start !== length) return false;
  const last = words.length - 1;
  for (let i = 0; i < last; i++) {
    if ((view.getInt32(start + (i << 2), true) | CASE_BITS) !== words[i]) return false;
  }
  return (view.getInt32(end - 4, true) | CASE_BITS) === words[last];
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
