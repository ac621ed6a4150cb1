/** Trailer fields on their way: the end of a chunked body that a reader has held back (RFC 9112 §7.1.2). */
import { SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { BodyMode, type BodyReader } from "../http1/body.ts";
import { type MessageHead, nominatesFields } from "../http1/message-head.ts";
import type { Plane } from "./plane.ts";

/**
 * How a chunked message with this head is read that leaves chunked; `asked`: its recipient takes trailers. A
 * trailer field that Connection names would not be found when it comes: such a message keeps none.
 */
export function chunkedMode(plane: Plane, head: MessageHead, asked: boolean): BodyMode {
  if (!asked || plane.snapshot.policy.trailers !== "pass" || nominatesFields(head)) return BodyMode.wire;
  return BodyMode.wireWithTrailers;
}

/** Writes the end into a slot of its own, with one reference. Returns where it begins, or -1: out of slots. */
export function slotWithEnd(plane: Plane, reader: BodyReader): number {
  const { buffers, memory } = plane;
  const start = reader.endBytes <= SMALL_SLOT_BYTES ? buffers.acquireSmall() : buffers.acquireLarge();
  if (start >= 0) reader.writeEnd(memory, start);
  return start;
}
