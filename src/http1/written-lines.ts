/**
 * Walking the lines of a head that is already written and whose lines nobody has counted.
 *
 * @hot
 */
import { LOWER_CASE } from "../base/ascii.ts";

const FOLD = LOWER_CASE;
const LF = 0x0a;
const COLON = 0x3a;
const EACH_LF = 0x0a0a_0a0a;
const EACH_01 = 0x0101_0101;
const EACH_80 = 0x8080_8080 | 0;

/**
 * Where the line behind that at `pos` begins; past `end` where no LF comes before it. Looks at four bytes at a time
 * for the LF. `view` covers the same bytes as `memory`.
 */
export function nextLine(memory: Uint8Array, view: DataView, pos: number, end: number): number {
  for (; pos + 4 <= end; pos += 4) {
    const word = view.getInt32(pos, true) ^ EACH_LF;
    if (((word - EACH_01) & ~word & EACH_80) !== 0) break;
  }
  while (pos < end && memory[pos] !== LF) pos++;
  return pos + 1;
}

/** Whether the line at `line` is a field line of that name, which is in lower case. */
export function isNamed(memory: Uint8Array, line: number, name: Uint8Array): boolean {
  if (memory[line + name.length] !== COLON) return false;
  for (let i = 0; i < name.length; i++) {
    if (FOLD[memory[line + i]!] !== name[i]) return false;
  }
  return true;
}
