/**
 * Input of a client that came too early: the next requests, or a body that has nowhere to go yet.
 *
 * Strategy: what fits a small slot moves there: next requests that wait in large slots for a response would
 * keep that response from being received. Where slots are short all the same, they are thrown away, and the
 * connection ends with the response under way (RFC 9112 §9.3.2: who pipelines repeats what was not answered).
 * A client that waits for its answer goes on being read until it has sent a few pieces, so that it is seen to
 * leave; any other is not read while its input waits.
 *
 * @hot
 */
import { SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { copy } from "../base/bytes.ts";
import { Verdict } from "./intercepted.ts";
import { type ClientLeg, ClientState } from "./legs.ts";
import { dropPartial } from "./partial-head.ts";
import type { Plane } from "./plane.ts";

const HELD = Verdict.held;
const BODY = ClientState.body;
const WAITING = ClientState.waiting;
/** In front of kept input, for the chunk line that a body reader may write there. */
const HEADROOM_BYTES = 64;
const SMALL_BYTES_MAX = SMALL_SLOT_BYTES - HEADROOM_BYTES;
/** Small slots that a client may fill before it is not read any more. */
const PIECES_READ_MAX = 4;

/**
 * Whether a client that is not read need not be read up to its FIN to be gone: foreign code is waited for, or it is in
 * the middle of a request whose body has nowhere to go. Both may take long, and where an end of its side is not
 * served, no byte in front of the FIN can help the exchange. With answers to come for requests that wait, it can.
 */
function isEndEnough({ exchange, state }: ClientLeg): boolean {
  if (exchange === null) return false;
  return state === BODY || (exchange.intercepted !== null && exchange.intercepted.verdict === HELD);
}

/** Gives back what `leg` has not used of its input. */
export function dropInput(plane: Plane, leg: ClientLeg): void {
  dropPartial(plane, leg);
  plane.dropRanges(leg.pending);
}

/** Keeps `[start, end)` in `leg.pending`, or makes the leg deaf; takes over the reference. */
export function keepEarly(plane: Plane, leg: ClientLeg, start: number, end: number): void {
  const { buffers, memory, view, ranges } = plane;
  if (ranges.isEmpty(leg.pending)) leg.pendingCount = 0;
  leg.pendingCount++;
  const slot = end - start <= SMALL_BYTES_MAX ? buffers.acquireSmall() : -1;
  if (slot >= 0) {
    const at = slot + HEADROOM_BYTES;
    ranges.push(leg.pending, at, copy(view, memory, start, end, at));
    buffers.release(start);
    if (leg.state === WAITING && leg.pendingCount < PIECES_READ_MAX) return;
  } else if (leg.state === WAITING && !leg.exchange!.mayTunnel && plane.isShortOfSlots()) {
    leg.deaf = true;
    leg.exchange!.keepAlive = false;
    buffers.release(start);
    return;
  } else {
    ranges.push(leg.pending, start, end);
    plane.standstill.enter(leg.connection, plane.nowMs);
  }
  if (leg.paused) return;
  leg.paused = true;
  watchUnread(plane, leg);
}

/**
 * What is watched of a client that is not read. Called again where that changes: its exchange is held from now on or
 * not any more, a body has begun or ended in what waits.
 */
export function watchUnread({ port, snapshot }: Plane, leg: ClientLeg): void {
  if (!leg.paused) return;
  // What a client that breaks off had sent is worth nothing any more.
  port.pause(leg.connection, true, isEndEnough(leg) && snapshot.policy.halfClosedClients !== "serve");
}
