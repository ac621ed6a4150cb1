/**
 * Copying and writing on ranges `[start, end)` of one memory.
 *
 * Short ranges are copied in 8-byte words through a `DataView`, long ones by `copyWithin`: a builtin call
 * costs as much as about 300 bytes of words. (Words are BigInt64 and not Float64, which may change the
 * payload of a NaN; optimised code keeps them in registers.)
 *
 * @hot
 */
const WORDS_MAX_BYTES = 320;

/**
 * Copies `memory[from, end)` to `memory[to, …)` and returns `to + (end - from)`. `view` covers the same bytes
 * as `memory`. The two ranges do not overlap.
 */
export function copy(view: DataView, memory: Uint8Array, from: number, end: number, to: number): number {
  const bytes = end - from;
  const toEnd = to + bytes;
  if (bytes < 8) {
    while (from < end) memory[to++] = memory[from++]!;
    return toEnd;
  }
  if (bytes > WORDS_MAX_BYTES) {
    memory.copyWithin(to, from, end);
    return toEnd;
  }
  // The last word is copied last and may lie over the one before it: no loop over single bytes.
  const last = end - 8;
  for (; from < last; from += 8, to += 8) view.setBigInt64(to, view.getBigInt64(from, true), true);
  view.setBigInt64(toEnd - 8, view.getBigInt64(last, true), true);
  return toEnd;
}

/** As `copy`, for ranges that may overlap. */
export function move(memory: Uint8Array, from: number, end: number, to: number): number {
  memory.copyWithin(to, from, end);
  return to + (end - from);
}

/** Writes `bytes` at `at`; returns the offset just past them. */
export function writeBytes(memory: Uint8Array, at: number, bytes: Uint8Array): number {
  memory.set(bytes, at);
  return at + bytes.length;
}

/** Bytes that are written again and again, kept so that they can be copied in words. */
export class ConstantBytes {
  readonly length: number;
  /** The bytes, and zeros up to a whole number of words. */
  readonly words: DataView;
  /** Where they lie in the memory of messages as well; -1: nowhere. */
  at = -1;

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    const padded = new Uint8Array((bytes.length + 7) & ~7);
    padded.set(bytes);
    this.words = new DataView(padded.buffer);
  }
}

/**
 * Writes `constant` at `at`; returns the offset just past it, behind which up to 7 bytes are overwritten with
 * zeros. Unlike `writeBytes` it calls no builtin, which costs more than the few words of a field line.
 */
export function writeConstant(view: DataView, at: number, constant: ConstantBytes): number {
  const { words, length } = constant;
  for (let i = 0; i < length; i += 8) view.setBigInt64(at + i, words.getBigInt64(i, true), true);
  return at + length;
}

/** Hexadecimal digits of a whole number `0 <= value <= 2^53 - 1`. */
export function hexDigits(value: number): number {
  let digits = 1;
  for (let bound = 16; value >= bound; bound *= 16) digits++;
  return digits;
}

/**
 * Writes a whole number `0 <= value <= 2^53 - 1` in lower-case hexadecimal; returns the offset just past it.
 */
export function writeHex(memory: Uint8Array, at: number, value: number): number {
  const end = at + hexDigits(value);
  for (let pos = end; pos > at; ) {
    const rest = Math.floor(value / 16);
    const digit = value - rest * 16;
    memory[--pos] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    value = rest;
  }
  return end;
}

let viewedMemory: Uint8Array = new Uint8Array(0);
let viewOfMemory: DataView = new DataView(viewedMemory.buffer);

/** A `DataView` over the same bytes as `memory`; made once as long as the caller stays with one memory. */
export function viewOf(memory: Uint8Array): DataView {
  if (memory !== viewedMemory) {
    viewOfMemory = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    viewedMemory = memory;
  }
  return viewOfMemory;
}

/** The bytes of a Latin-1 text. Set-up only: allocates. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** `memory[start, end)` as Latin-1 text, for logs: allocates. */
export function textOf(memory: Uint8Array, start: number, end: number): string {
  let text = "";
  for (; start < end; start++) text += String.fromCharCode(memory[start]!);
  return text;
}
