/** How often a request has passed a proxy before, as its Via fields tell (RFC 9110 §7.6.3). */
import { equalsIgnoreCase } from "../base/ascii.ts";
import { Field } from "./field-names.ts";
import type { MessageHead } from "./message-head.ts";

const VIA = Field.via;
const SP = 0x20;
const HTAB = 0x09;
const COMMA = 0x2c;
const PARENTHESIS_OPEN = 0x28;
const PARENTHESIS_CLOSE = 0x29;
const BACKSLASH = 0x5c;

/** Elements of all Via fields of `head` whose received-by is `lowerCaseName`, in any case. */
export function viaCount(memory: Uint8Array, head: MessageHead, lowerCaseName: Uint8Array): number {
  let count = 0;
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.fieldIds[index] !== VIA) continue;
    const end = head.fields[(index << 2) + 3]!;
    for (let pos = head.fields[(index << 2) + 2]!; pos < end; pos++) {
      pos = wordEnd(memory, skipped(memory, pos, end), end);
      const nameStart = skipped(memory, pos, end);
      pos = wordEnd(memory, nameStart, end);
      if (equalsIgnoreCase(memory, nameStart, pos, lowerCaseName)) count++;
      pos = elementEnd(memory, pos, end);
    }
  }
  return count;
}

function skipped(memory: Uint8Array, pos: number, end: number): number {
  while (pos < end && (memory[pos] === SP || memory[pos] === HTAB)) pos++;
  return pos;
}

function wordEnd(memory: Uint8Array, pos: number, end: number): number {
  while (pos < end && memory[pos] !== SP && memory[pos] !== HTAB && memory[pos] !== COMMA) pos++;
  return pos;
}

/** The comma behind an element, or `end`; a comma within a comment ends nothing (RFC 9110 §5.6.5). */
function elementEnd(memory: Uint8Array, pos: number, end: number): number {
  let depth = 0;
  for (; pos < end; pos++) {
    const byte = memory[pos]!;
    if (byte === PARENTHESIS_OPEN) depth++;
    else if (byte === PARENTHESIS_CLOSE) depth--;
    else if (byte === BACKSLASH && depth > 0) pos++;
    else if (byte === COMMA && depth <= 0) return pos;
  }
  return end;
}
