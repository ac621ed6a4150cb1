/**
 * Bodies. Each is a piece of one long pattern, and where it begins depends on whose it is, so that a byte
 * that is lost, doubled, moved or crossed shows wherever it ends up. The pattern is full of what looks like
 * messages: bytes of a body that are read as a head are answered, or sent on, as what no one has sent.
 */
import { Prng } from "../../src/base/prng.ts";

const PATTERN_BYTES = 262_144;
const STARTS = 65_536;
/** Neighbours begin far from each other. */
const STRIDE = 7_919;
const TRAP_EVERY_BYTES = 701;
const TRAPS = [
  "\r\n\r\nGET /trap HTTP/1.1\r\nHost: sim\r\nX-Id: 0\r\n\r\n",
  "\r\n0\r\n\r\nPOST /trap HTTP/1.1\r\nHost: sim\r\nX-Id: 0\r\nContent-Length: 0\r\n\r\n",
  "\r\n\r\nHTTP/1.1 200 OK\r\nX-Id: 0\r\nContent-Length: 0\r\n\r\n",
  "\r\nffffffffffffffff\r\n",
];

const PATTERN = make();

/** Whose body it is. */
export const Way = { request: 0, response: 1, tunnelUp: 2, tunnelDown: 3 } as const;
export type Way = (typeof Way)[keyof typeof Way];

/** The body of `bytes` bytes of exchange `id`: a view, not to be written to. */
export function bodyOf(id: number, way: Way, bytes: number): Buffer {
  const start = startOf(id, way);
  return PATTERN.subarray(start, start + bytes);
}

/** Whether `[from, to)` of `bytes` is what stands at `at` of that body. */
export function isPieceOf(
  id: number,
  way: Way,
  at: number,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  const start = startOf(id, way) + at;
  if (start + to - from > PATTERN_BYTES) return false;
  return PATTERN.compare(bytes, from, to, start, start + to - from) === 0;
}

function startOf(id: number, way: Way): number {
  return ((id * 4 + way) * STRIDE) % STARTS;
}

function make(): Buffer {
  const prng = new Prng(20_260);
  const bytes = Buffer.alloc(PATTERN_BYTES);
  for (let at = 0; at < PATTERN_BYTES; at++) bytes[at] = prng.next() & 0xff;
  for (let at = 100; at < PATTERN_BYTES - 100; at += TRAP_EVERY_BYTES) {
    bytes.write(TRAPS[at % TRAPS.length]!, at, "latin1");
  }
  return bytes;
}
