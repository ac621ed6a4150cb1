/**
 * Feeds a body to a reader as a session does: each piece in its own buffer, behind `HEADROOM_BYTES` that may
 * be written, ranges read only when everything is fed, as a kernel reads them late. What the reader writes
 * elsewhere shows.
 */
import assert from "node:assert/strict";
import { HEADROOM_BYTES } from "../../src/base/buffer-pool.ts";
import { asciiBytes, textOf } from "../../src/base/bytes.ts";
import { BodyReader } from "../../src/http1/body.ts";

const GAP = 64;
const POISON = 0xee;

export interface BodyResult {
  /** Bytes taken, over all buffers, or a fault. */
  result: number;
  out: string;
  ranges: number;
  done: boolean;
}

/** `text` in pieces of `size`. */
export function pieces(text: string, size: number): string[] {
  const found: string[] = [];
  for (let at = 0; at < text.length; at += size) found.push(text.slice(at, at + size));
  return found;
}

export function readBody(
  buffers: readonly string[],
  framing: number,
  contentLength: number,
  mode: number,
): BodyResult {
  const total = buffers.reduce((sum, text) => sum + HEADROOM_BYTES + text.length + GAP, GAP);
  const memory = new Uint8Array(total).fill(POISON);
  const view = new DataView(memory.buffer);
  const reader = new BodyReader();
  reader.begin(framing, contentLength, mode);
  const ranges: [number, number][] = [];
  let result = 0;
  let at = GAP;
  for (const text of buffers) {
    if (reader.done || result < 0) break;
    const start = at + HEADROOM_BYTES;
    const end = start + text.length;
    memory.set(asciiBytes(text), start);
    let pos = start;
    while (pos < end && !reader.done) {
      const next = reader.feed(memory, view, pos, end);
      if (next < 0) return { result: next, out: "", ranges: 0, done: false };
      assert.ok(next > pos && next <= end, "each call gets further");
      if (reader.outEnd > reader.outStart) {
        assert.ok(
          reader.outStart >= at && reader.outEnd <= next,
          "a range lies in its buffer, behind no unread byte",
        );
        const previous = ranges.at(-1);
        assert.ok(previous === undefined || reader.outStart >= previous[1], "ranges do not overlap");
        ranges.push([reader.outStart, reader.outEnd]);
      }
      pos = next;
    }
    result += pos - start;
    at = end + GAP;
    for (let i = end; i < at; i++) assert.equal(memory[i], POISON, "nothing is written behind a buffer");
  }
  let out = ranges.map(([start, end]) => textOf(memory, start, end)).join("");
  if (reader.done && reader.endBytes > 0) {
    const held = new Uint8Array(reader.endBytes);
    assert.equal(reader.writeEnd(held, 0), held.length, "the end has the size that was told");
    out += textOf(held, 0, held.length);
  }
  return { result, out, ranges: ranges.length, done: reader.done };
}
