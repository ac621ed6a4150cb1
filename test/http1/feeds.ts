/**
 * Feeds a head to a parser in the ways that must not differ: whole, growing byte by byte, and with the next message
 * behind it; by TypeScript alone and with the scanner; always between poison, so that a look outside the range shows.
 */
import assert from "node:assert/strict";
import { asciiBytes } from "../../src/base/bytes.ts";
import type { MessageHead } from "../../src/http1/message-head.ts";
import { NEED_MORE } from "../../src/http1/message-head.ts";
import { assertScannedAlike } from "./scanned.ts";

export const LIMITS = { headBytesMax: 4096, targetBytesMax: 256, fieldCountMax: 16 };

export type Limits = typeof LIMITS;
export type Parse = (
  memory: Uint8Array,
  start: number,
  end: number,
  head: MessageHead,
  limits: Limits,
) => number;

export const START = 100;

/** Memory with `wire` at `START`, `before` in front of it and `after` behind it. */
export function surround(wire: string, before: string, after: string): Uint8Array {
  const memory = new Uint8Array(START + wire.length + 512);
  for (let i = 0; i < START; i++) memory[i] = before.charCodeAt(i % before.length);
  memory.set(asciiBytes(wire), START);
  for (let i = START + wire.length; i < memory.length; i++) {
    memory[i] = after.charCodeAt((i - START - wire.length) % after.length);
  }
  return memory;
}

/**
 * Parses `wire` in all these ways and returns what the first said: bytes taken, `NEED_MORE` or a fault. The
 * others must agree; a fault may be known early, so byte by byte only the first verdict counts, and for a
 * fault it must be that one.
 */
export function feedAll(
  parse: Parse,
  head: MessageHead,
  wire: string,
  nextMessage: string,
  limits: Limits = LIMITS,
): number {
  const end = START + wire.length;
  const verdict = (memory: Uint8Array, until: number): number => {
    const result = parse(memory, START, until, head, limits);
    return result < 0 ? result : result - START;
  };
  const whole = verdict(surround(wire, "\x00", "\x00"), end);
  for (const poison of ["\r\n", "a", ":", " ", "\x7f"]) {
    assert.equal(verdict(surround(wire, poison, poison), end), whole, `poison ${JSON.stringify(poison)}`);
    assertScannedAlike(parse, wire, poison, limits);
  }
  const trickled = surround(wire, "\x00", "\r\n");
  let first = NEED_MORE;
  for (let until = START; until <= end && first === NEED_MORE; until++) {
    // The memory ends where the range does: a look beyond reads nothing, and a word there throws.
    first = verdict(trickled.slice(0, until), until);
  }
  assert.equal(first, whole, "one byte at a time");
  if (whole !== NEED_MORE) {
    const longer = surround(wire + nextMessage, "\x00", "\x00");
    assert.equal(verdict(longer, end + nextMessage.length), whole, "the next message behind it");
  }
  // Last, so that `head` holds the whole one.
  verdict(surround(wire, "\x00", "\x00"), end);
  return whole;
}
