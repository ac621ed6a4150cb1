/**
 * Chunk framing (RFC 9112 §7.1) around payload that arrived without it: each piece gets its chunk line in
 * front, in bytes that belong to nobody, and the CRLF that ends a chunk is written with the line that follows
 * it.
 *
 * @hot
 */
import { asciiBytes, hexDigits, writeBytes, writeHex } from "../base/bytes.ts";

/** The most bytes that `prefixChunk` writes. */
export const CHUNK_PREFIX_BYTES_MAX = 2 + 14 + 2;

/** The last chunk and an empty trailer section. */
export const LAST_CHUNK = asciiBytes("0\r\n\r\n");

const CR = 0x0d;
const LF = 0x0a;

/**
 * Writes the chunk line for `payloadBytes > 0` of payload at `payloadStart` directly in front of it, with the
 * CRLF that ends the chunk before unless it is the `first`. Returns where the line begins.
 */
export function prefixChunk(
  memory: Uint8Array,
  payloadStart: number,
  payloadBytes: number,
  first: boolean,
): number {
  memory[payloadStart - 2] = CR;
  memory[payloadStart - 1] = LF;
  const start = payloadStart - 2 - hexDigits(payloadBytes);
  writeHex(memory, start, payloadBytes);
  if (first) return start;
  memory[start - 2] = CR;
  memory[start - 1] = LF;
  return start - 2;
}

/**
 * Writes the end of a chunked body at `at`, with the CRLF of the chunk before unless there was none. Returns
 * just past it.
 */
export function writeLastChunk(memory: Uint8Array, at: number, first: boolean): number {
  if (!first) {
    memory[at] = CR;
    memory[at + 1] = LF;
    at += 2;
  }
  return writeBytes(memory, at, LAST_CHUNK);
}
