/**
 * Puts a head together that arrives in pieces. The common head comes whole and never gets here.
 *
 * Strategy: the pieces are copied into a slot of their own (small first, large when it grows), and only new
 * bytes are searched for the end of the head. A full parse happens when the end is there, and each time the
 * size has doubled: garbage is refused early, and no byte is looked at more than a few times however thin the
 * trickle is.
 */
import { RECEIVE_BYTES, SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { copy } from "../base/bytes.ts";
import { NEED_MORE } from "../http1/message-head.ts";
import { findHeadEnd } from "../http1/request-head.ts";
import { type CollectingLeg, PartialHead } from "./legs.ts";
import type { Plane } from "./plane.ts";

/** There is no slot left to keep a head in. */
export const NO_SLOT = -1;

/** Adds what belongs to the head of `leg` from `[pos, end)` by copying; at most one byte more than `headBytesMax` is
 *  kept, so that the parser sees an excess. Returns the position of the first byte not taken; or `NO_SLOT`, and then
 *  what there was is still there. */
export function growPartial(
  plane: Plane,
  leg: CollectingLeg,
  pos: number,
  end: number,
  headBytesMax: number,
): number {
  const have = leg.partial === null ? 0 : leg.partial.end - leg.partial.start;
  const room = Math.min(headBytesMax, RECEIVE_BYTES) + 1 - have;
  if (room <= 0) {
    // The bound has fallen since the last piece: a new snapshot. The parser sees the excess.
    leg.partial!.parseAgainBytes = 0;
    return pos;
  }
  const take = Math.min(end - pos, room);
  if (!makeRoom(plane, leg, take)) return NO_SLOT;
  const partial = leg.partial!;
  copy(plane.view, plane.memory, pos, pos + take, partial.end);
  partial.end += take;
  const headEnd = findHeadEnd(plane.memory, Math.max(partial.start, partial.scanned - 3), partial.end);
  if (headEnd < 0) {
    partial.scanned = partial.end;
    // A line that ends without CR will be refused: now, not when the size has doubled.
    if (headEnd !== NEED_MORE) partial.parseAgainBytes = 0;
    return pos + take;
  }
  const surplus = partial.end - headEnd;
  partial.end = headEnd;
  partial.parseAgainBytes = 0;
  return pos + take - surplus;
}

/** Nothing new can be learnt by parsing: the end is not there and the size has not doubled. */
export function isTooEarlyToParse(partial: PartialHead): boolean {
  return partial.end - partial.start < partial.parseAgainBytes;
}

/**
 * The parser wants more: not again before the size has doubled, the bound is reached, or the end is found.
 */
export function parseLater(partial: PartialHead, headBytesMax: number): void {
  partial.parseAgainBytes = Math.min(
    2 * (partial.end - partial.start),
    Math.min(headBytesMax, RECEIVE_BYTES),
  );
}

/** Gives the slot back. Idempotent. */
export function dropPartial(plane: Plane, leg: CollectingLeg): void {
  if (leg.partial === null) return;
  plane.buffers.release(leg.partial.start);
  leg.partial = null;
}

function makeRoom({ buffers, memory, view }: Plane, leg: CollectingLeg, bytes: number): boolean {
  const { partial } = leg;
  if (partial === null) {
    const start = bytes <= SMALL_SLOT_BYTES ? buffers.acquireSmall() : buffers.acquireLarge();
    if (start >= 0) leg.partial = new PartialHead(start);
    return start >= 0;
  }
  if (partial.end + bytes <= buffers.slotEnd(partial.start)) return true;
  const roomier = buffers.acquireLarge();
  if (roomier < 0) return false;
  copy(view, memory, partial.start, partial.end, roomier);
  buffers.release(partial.start);
  partial.end += roomier - partial.start;
  partial.scanned += roomier - partial.start;
  partial.start = roomier;
  return true;
}
