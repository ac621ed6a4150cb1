/**
 * Between the bytes of a head and strings. One byte is one character, U+0000 to U+00FF, in both directions:
 * what is read and written again is the same bytes (RFC 9110 §5.5 leaves anything beyond US-ASCII opaque).
 */
import { LOWER_CASE } from "../base/ascii.ts";

const COLON = 0x3a;
const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const REQUEST_TARGET = /^[\x21\x22\x24-\x7e]+$/;

/** Names that programs use are few; those that come from clients must not fill the memory. */
const KNOWN_NAMES_MAX = 1024;
const knownNames = new Map<string, Uint8Array>();

let viewedMemory: Uint8Array = new Uint8Array(0);
let bufferOfMemory = slicing(Buffer.alloc(0));

/** Node's own decoder, of which the declared methods are wrappers. */
interface Latin1Slicing {
  latin1Slice(start: number, end: number): string;
}

function slicing(buffer: Buffer): Latin1Slicing {
  return buffer as unknown as Latin1Slicing;
}

/** `memory[start, end)` as text. */
export function textIn(memory: Uint8Array, start: number, end: number): string {
  if (memory !== viewedMemory) {
    bufferOfMemory = slicing(Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength));
    viewedMemory = memory;
  }
  return bufferOfMemory.latin1Slice(start, end);
}

/** A field name's bytes, in lower case. Throws a TypeError where it is no token. */
export function fieldName(name: string): Uint8Array {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  if (typeof name !== "string" || !FIELD_NAME.test(name))
    throw new TypeError(`${quoted(name)} is not the name of a header field`);
  const bytes = Uint8Array.from(Buffer.from(name.toLowerCase(), "latin1"));
  if (knownNames.size < KNOWN_NAMES_MAX) knownNames.set(name, bytes);
  return bytes;
}

/** A field value's bytes, without blanks around it. Throws a TypeError where it cannot be one. */
export function fieldValue(name: string, value: string): Buffer {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || !FIELD_VALUE.test(text))
    throw new TypeError(`${quoted(value)} is not a value that header field ${name} can have`);
  const first = text.charCodeAt(0);
  const last = text.charCodeAt(text.length - 1);
  const isTrim = first !== SP && first !== HTAB && last !== SP && last !== HTAB;
  return Buffer.from(isTrim ? text : text.replaceAll(/^[\t ]+|[\t ]+$/g, ""), "latin1");
}

/** A request target's bytes. Throws a TypeError where it cannot be one. */
export function targetBytes(target: string): Uint8Array {
  if (typeof target !== "string" || !REQUEST_TARGET.test(target))
    throw new TypeError(`${quoted(target)} is not a request target; escape it, as encodeURI does`);
  return Buffer.from(target, "latin1");
}

function quoted(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** Where `findField` and `nextField` leave what they found. */
export const found = { nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0 };

/** Just past the first line of the head that begins at `start`. */
export function fieldsStart(memory: Uint8Array, start: number, end: number): number {
  return lineEnd(memory, start, end);
}

/**
 * The first line from `from`, where one begins, that has the field `name` (in lower case). Returns where the
 * line behind it begins, with `found` set, or -1.
 */
export function findField(memory: Uint8Array, from: number, end: number, name: Uint8Array): number {
  const { length } = name;
  for (let pos = from; pos < end && memory[pos] !== CR; ) {
    let i = 0;
    while (i < length && LOWER_CASE[memory[pos + i]!] === name[i]) i++;
    if (i === length && memory[pos + i] === COLON) return nextField(memory, pos, end);
    pos = lineEnd(memory, pos + i, end);
  }
  return -1;
}

/** Reads the line at `from` into `found`. Returns where the next begins; -1 where there is none. */
export function nextField(memory: Uint8Array, from: number, end: number): number {
  if (from >= end || memory[from] === CR) return -1;
  let pos = from;
  while (memory[pos] !== COLON) pos++;
  found.nameStart = from;
  found.nameEnd = pos;
  const next = lineEnd(memory, pos, end);
  let valueEnd = next - 2;
  pos++;
  while (pos < valueEnd && (memory[pos] === SP || memory[pos] === HTAB)) pos++;
  while (valueEnd > pos && (memory[valueEnd - 1] === SP || memory[valueEnd - 1] === HTAB)) valueEnd--;
  found.valueStart = pos;
  found.valueEnd = valueEnd;
  return next;
}

function lineEnd(memory: Uint8Array, from: number, end: number): number {
  let pos = from;
  while (pos < end && memory[pos] !== LF) pos++;
  return pos + 1;
}
