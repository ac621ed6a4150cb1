/**
 * Field lines found by WebAssembly, sixteen bytes at a time, in the memory that messages arrive in; and what goes on of
 * heads copied as fast.
 *
 * Strategy: the code is in `field-scanner.wat`, and beside it what `npm run generate` makes of that. It reads only
 * heads that are in order and complete, and leaves all others to the parser in TypeScript (field-lines.ts), which
 * alone says what is wrong. So there is one judge, and both know one grammar: `field-scanner.fuzz.ts` compares them.
 */
import { ConstantBytes, textOf } from "../base/bytes.ts";
import { type LinearMemory, WORK_BYTES, webAssembly } from "../base/linear-memory.ts";
import { FIELD_FAMILY, FIELD_NAMES, Field, NAME_BYTES_MAX } from "./field-names.ts";
import { FIELD_SCANNER_CODE } from "./field-scanner-code.ts";

/** Where things lie behind the beginning of the room for work; the code knows all but the last. */
const FAMILY_AT = 16;
const FAMILY_MASK_AT = 32;
const FAMILY_ID_AT = 48;
const HOST_ID_AT = 49;
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

/** Copies `[from, end)` to `[to, …)`, which lies apart, and returns where the copy ends. */
type Copy = (from: number, end: number, to: number) => number;

/** Compiled once. */
let compiled: object | undefined;

export class FieldScanner {
  /** What it can read: the same object that parsers are given. */
  readonly memory: Uint8Array;
  readonly scan: Scan;
  readonly copy: Copy;
  readonly #linear: LinearMemory;
  readonly #results: Int32Array;
  /** Where the next table may begin. */
  #freeAt: number;
  /** Where what lies beside the tables begins, by its text. */
  readonly #placed = new Map<string, number>();

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
    this.copy = exports.copy as Copy;
    this.#linear = linear;
    this.#results = new Int32Array(buffer, workStart, 2);
    this.#freeAt = workStart + HEADS_AT;
    writeNames(new Uint8Array(buffer, workStart, HEADS_AT));
  }

  /** How many lines `scan` found last. */
  get count(): number {
    return this.#results[0]!;
  }

  /** Where the value of a Host line among them begins that is valid for sure; 0: there is none. */
  get plainHostAt(): number {
    return this.#results[1]!;
  }

  /** Room for `fieldCountMax` lines; null where there is none left. @cold */
  table(fieldCountMax: number): FieldTable | null {
    const { buffer } = this.#linear;
    const fieldsAt = this.#room(fieldCountMax * (BYTES_PER_LINE + 1));
    if (fieldsAt < 0) return null;
    const fieldIdsAt = fieldsAt + fieldCountMax * BYTES_PER_LINE;
    const fields = new Int32Array(buffer, fieldsAt, fieldCountMax * (BYTES_PER_LINE / 4));
    return { fields, fieldIds: new Uint8Array(buffer, fieldIdsAt, fieldCountMax), fieldsAt, fieldIdsAt };
  }

  /**
   * Where `bytes`, of ASCII, lie in the memory for ever, to be copied from there; -1 where there is no room for them.
   * The same bytes take room once. @cold
   */
  place(bytes: Uint8Array): number {
    const text = textOf(bytes, 0, bytes.length);
    let at = this.#placed.get(text);
    if (at === undefined) {
      at = this.#room(bytes.length);
      if (at < 0) return at;
      new Uint8Array(this.#linear.buffer).set(bytes, at);
      this.#placed.set(text, at);
    }
    return at;
  }

  /** The beginning of so many bytes that nobody else has, or -1. */
  #room(bytes: number): number {
    const at = this.#freeAt;
    const end = Math.ceil((at + bytes) / BYTES_PER_LINE) * BYTES_PER_LINE;
    if (end > this.#linear.workStart + WORK_BYTES) return -1;
    this.#freeAt = end;
    return at;
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

/** `bytes` to be written again and again, also from the memory of `scanner`. @cold */
export function placedConstant(bytes: Uint8Array, scanner: FieldScanner | null): ConstantBytes {
  const constant = new ConstantBytes(bytes);
  if (scanner !== null) constant.at = scanner.place(bytes);
  return constant;
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
  tables[HOST_ID_AT] = Field.host;
}

function writeFolded(tables: Uint8Array, at: number, name: string): void {
  for (let i = 0; i < name.length; i++) tables[at + i] = name.charCodeAt(i) | FOLD;
}

function bytesOfHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}
