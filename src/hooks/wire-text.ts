/**
 * Between the bytes of a head and strings. One byte is one character, U+0000 to U+00FF, in both directions:
 * what is read and written again is the same bytes (RFC 9110 §5.5 leaves anything beyond US-ASCII opaque).
 */
import { FIELD_VALUE } from "../base/ascii.ts";
import { viewOf } from "../base/bytes.ts";
import { isNamed, nextLine } from "../http1/written-lines.ts";

const COLON = 0x3a;
const CR = 0x0d;
const SP = 0x20;
const HTAB = 0x09;
const IS_VALUE = FIELD_VALUE;

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
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

/** Most values fit; for a longer one there is an array of its own. */
const VALUE_BYTES = 1024;
const shortValue = new Uint8Array(VALUE_BYTES);

/** Where `encodeValue` leaves the value: the first `length` of `bytes`, until it is called again. */
export const encoded = { bytes: shortValue, length: 0 };

/**
 * Puts a field value's bytes into `encoded`, without blanks around it. Throws a TypeError where it cannot be one.
 */
export function encodeValue(name: string, value: string): void {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string") throw notValue(name, value);
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (start < end && isBlank(text.charCodeAt(end - 1))) end--;
  const length = end - start;
  const bytes = length <= VALUE_BYTES ? shortValue : new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(start + i);
    if (code > 0xff || IS_VALUE[code] === 0) throw notValue(name, value);
    bytes[i] = code;
  }
  encoded.bytes = bytes;
  encoded.length = length;
}

/** A field value as it is written, without blanks around it. Throws a TypeError where it cannot be one. */
export function fieldValue(name: string, value: string): string {
  encodeValue(name, value);
  return Buffer.from(encoded.bytes.buffer, 0, encoded.length).toString("latin1");
}

function isBlank(code: number): boolean {
  return code === SP || code === HTAB;
}

function notValue(name: string, value: unknown): TypeError {
  return new TypeError(`${quoted(value)} is not a value that header field ${name} can have`);
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
  for (let pos = from; pos < end && memory[pos] !== CR; pos = lineEnd(memory, pos, end)) {
    if (isNamed(memory, pos, name)) return nextField(memory, pos, end);
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
  return nextLine(memory, viewOf(memory), from, end);
}
