/**
 * Field lines found by WebAssembly, sixteen bytes at a time, in the memory that messages arrive in.
 *
 * Strategy: the code is in `field-scanner.wat`, and beside it what `npm run generate` makes of that. It reads only
 * heads that are in order and complete, and leaves all others to the parser in TypeScript (field-lines.ts), which
 * alone says what is wrong. So there is one judge, and both know one grammar: `field-scanner.fuzz.ts` compares them.
 */
import { type LinearMemory, WORK_BYTES, webAssembly } from "../base/linear-memory.ts";
import { FIELD_FAMILY, FIELD_NAMES, NAME_BYTES_MAX } from "./field-names.ts";
import { FIELD_SCANNER_CODE } from "./field-scanner-code.ts";

/** Where things lie behind the beginning of the room for work; the code knows the first six. */
const FAMILY_AT = 16;
const FAMILY_MASK_AT = 32;
const FAMILY_ID_AT = 48;
const CANDIDATES_AT = 64;
const NAMES_AT = 1088;
const MASKS_AT = 2112;
const HEADS_AT = 4096;

const ROW_BYTES = NAME_BYTES_MAX + 1;
const ONES = 0xff;
const FOLD = 0x20;
const LOW_FIVE_BITS = 31;
/** Four offsets of 32 bits. */
const BYTES_PER_LINE = 16;

/** Where the lines of one head are written, for ever. */
export interface FieldTable {
  /** nameStart, nameEnd, valueStart, valueEnd of each line. */
  readonly fields: Int32Array;
  readonly fieldIds: Uint8Array;
  /** Where the two begin in the memory. */
  readonly fieldsAt: number;
  readonly fieldIdsAt: number;
}

/**
 * Reads field lines from `pos`, where a line begins, up to the empty line, nothing of it at or beyond `limit`.
 * Returns the offset just past that line, or 0: look yourself.
 */
type Scan = (pos: number, limit: number, fieldsAt: number, fieldIdsAt: number, countMax: number) => number;

/** Compiled once. */
let compiled: object | undefined;

export class FieldScanner {
  /** What it can read: the same object that parsers are given. */
  readonly memory: Uint8Array;
  readonly scan: Scan;
  readonly #linear: LinearMemory;
  readonly #count: Int32Array;
  /** Where the next table may begin. */
  #freeAt: number;

  /**
   * Takes over the room for work of `linear`, with which `memory` begins. Throws where this processor cannot run
   * the code.
   */
  constructor(memory: Uint8Array, linear: LinearMemory) {
    const { buffer, workStart } = linear;
    const api = webAssembly()!;
    compiled ??= new api.Module(bytesOfHex(FIELD_SCANNER_CODE));
    const { exports } = new api.Instance(compiled, { host: { memory: linear.memory, tables: workStart } });
    this.memory = memory;
    this.scan = exports.scan as Scan;
    this.#linear = linear;
    this.#count = new Int32Array(buffer, workStart, 1);
    this.#freeAt = workStart + HEADS_AT;
    writeNames(new Uint8Array(buffer, workStart, HEADS_AT));
  }

  /** How many lines `scan` found last. */
  get count(): number {
    return this.#count[0]!;
  }

  /** Room for `fieldCountMax` lines; null where there is none left. @cold */
  table(fieldCountMax: number): FieldTable | null {
    const { buffer, workStart } = this.#linear;
    const fieldsAt = this.#freeAt;
    const fieldIdsAt = fieldsAt + fieldCountMax * BYTES_PER_LINE;
    const end = Math.ceil((fieldIdsAt + fieldCountMax) / BYTES_PER_LINE) * BYTES_PER_LINE;
    if (end > workStart + WORK_BYTES) return null;
    this.#freeAt = end;
    const fields = new Int32Array(buffer, fieldsAt, fieldCountMax * (BYTES_PER_LINE / 4));
    return { fields, fieldIds: new Uint8Array(buffer, fieldIdsAt, fieldCountMax), fieldsAt, fieldIdsAt };
  }
}

/** For heads that lie in `memory`; null where TypeScript reads them alone. @cold */
export function fieldScannerOf(memory: Uint8Array, linear: LinearMemory | null): FieldScanner | null {
  if (linear === null) return null;
  try {
    return new FieldScanner(memory, linear);
  } catch {
    // A processor without SIMD.
    return null;
  }
}

function writeNames(tables: Uint8Array): void {
  tables.fill(0);
  for (let id = 1; id < FIELD_NAMES.length; id++) {
    const name = FIELD_NAMES[id]!;
    tables[CANDIDATES_AT + name.length * ROW_BYTES + (name.charCodeAt(0) & LOW_FIVE_BITS)] = id;
    writeFolded(tables, NAMES_AT + id * ROW_BYTES, name);
  }
  for (let length = 0; length < ROW_BYTES; length++) {
    const row = MASKS_AT + length * ROW_BYTES;
    tables.fill(ONES, row, row + length);
  }
  writeFolded(tables, FAMILY_AT, FIELD_FAMILY.prefix);
  tables.fill(ONES, FAMILY_MASK_AT, FAMILY_MASK_AT + FIELD_FAMILY.prefix.length);
  tables[FAMILY_ID_AT] = FIELD_FAMILY.id;
}

function writeFolded(tables: Uint8Array, at: number, name: string): void {
  for (let i = 0; i < name.length; i++) tables[at + i] = name.charCodeAt(i) | FOLD;
}

function bytesOfHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}
