/**
 * What all parts of one worker's data plane share: the port, the memory, the clock of the current batch, the
 * snapshot and the counters. Made once; only the clock, `batch`, `snapshot` and `draining` ever change.
 *
 * @hot
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import { copy } from "../base/bytes.ts";
import { Deadlines } from "../base/deadlines.ts";
import { RangeStore } from "../base/range-queue.ts";
import { Counter } from "../contract/counters.ts";
import type { Notices } from "../contract/notices.ts";
import type { Port } from "../contract/port.ts";
import type { Snapshot } from "../contract/snapshot.ts";

const RANGES = 1024;
/** Pieces of a stream up to this size are copied to where they take little room. */
export const COPIED_BYTES_MAX = 2048;
/**
 * Pieces queued towards a slow reader before the other side is paused: each holds a slot, however few bytes
 * it has.
 */
const QUEUED_PIECES_MAX = 32;
/**
 * An eighth of the large slots is for what moves: responses on their way, bodies that are being passed on.
 */
const RESERVE_SHIFT = 3;
/** What chunk framing adds to a piece, with room to spare. */
const PIECE_FRAME_BYTES = 64;

/** Whose a connection is. */
export const ConnectionKind = { none: 0, client: 1, origin: 2, relay: 3 } as const;

export class Plane {
  readonly port: Port;
  readonly buffers: BufferPool;
  readonly memory: Uint8Array;
  readonly view: DataView;
  readonly counters: Float64Array;
  readonly notices: Notices;
  /** By connection. */
  readonly deadlines: Deadlines;
  readonly ranges = new RangeStore(RANGES);
  /** `ConnectionKind` by connection. */
  readonly kinds: Uint8Array;
  /** Pieces sent since the queue was last seen to hold none but the newest, by connection. */
  readonly #pieces: Uint8Array;
  readonly #reserve: number;
  /** Added to `nowMs` it gives Unix time in milliseconds, for `Date` fields. */
  epochOffsetMs: number;
  snapshot: Snapshot;
  /** Clock of the current batch, as the engine gave it. */
  nowMs = 0;
  /** The same in whole seconds: a small integer, which can be passed on without allocating. */
  nowS = 0;
  /** Number of the current batch: what is sent in a batch leaves behind its end. */
  batch = 0;
  draining = false;
  #drainedTold = false;

  constructor(
    port: Port,
    snapshot: Snapshot,
    counters: Float64Array,
    notices: Notices,
    epochOffsetMs: number,
  ) {
    this.port = port;
    this.buffers = port.buffers;
    this.memory = port.buffers.memory;
    this.view = port.buffers.view;
    this.counters = counters;
    this.notices = notices;
    this.kinds = new Uint8Array(port.connectionsMax);
    this.#pieces = new Uint8Array(port.connectionsMax);
    this.#reserve = Math.max(1, port.buffers.largeCount >> RESERVE_SHIFT);
    this.deadlines = new Deadlines(port.connectionsMax);
    this.epochOffsetMs = epochOffsetMs;
    this.snapshot = snapshot;
    counters[Counter.clientsOpen] = 0;
    counters[Counter.requestsInFlight] = 0;
    counters[Counter.originsOpen] = 0;
    counters[Counter.originsIdle] = 0;
    counters[Counter.tunnelsOpen] = 0;
  }

  /** A batch begins at `nowMs`. */
  advance(nowMs: number): void {
    this.batch = (this.batch + 1) | 0;
    this.nowMs = nowMs;
    this.nowS = Math.floor(nowMs / 1000);
    this.deadlines.advance(nowMs);
  }

  /** Adds `delta` to a counter. */
  count(counter: Counter, delta: number): void {
    this.counters[counter] = this.counters[counter]! + delta;
  }

  /** `connection` is new, and a `ConnectionKind`. */
  adopt(connection: number, kind: number): void {
    this.kinds[connection] = kind;
    this.#pieces[connection] = 0;
  }

  /** Few large slots are left: whoever can do without one does. */
  isShortOfSlots(): boolean {
    return this.buffers.freeLargeCount < this.#reserve;
  }

  /** Where a piece of a stream waits to be taken: a small one moves to a small slot, so that a slow reader
   *  does not hold large ones. Takes over the reference to `[start, end)`; the range returned (of the same
   * length) has one. */
  housePiece(start: number, end: number): number {
    if (end - start > COPIED_BYTES_MAX) return start;
    const slot = this.buffers.acquireSmall();
    if (slot < 0) return start;
    copy(this.view, this.memory, start, end, slot);
    this.buffers.release(start);
    return slot;
  }

  /** After a piece of `bytes` was sent to `connection`: whether its source must wait for `drained`. */
  isQueueLong(connection: number, bytes: number): boolean {
    const queuedBytes = this.port.queuedBytes(connection);
    const pieces = queuedBytes <= bytes + PIECE_FRAME_BYTES ? 1 : this.#pieces[connection]! + 1;
    this.#pieces[connection] = pieces;
    const queuedBytesMax = this.isShortOfSlots() ? 0 : this.snapshot.limits.queuedBytesMax;
    return queuedBytes > queuedBytesMax || pieces > QUEUED_PIECES_MAX;
  }

  /** Closes the batch's books: the gauges that are read off, and the news that draining is over. */
  settle(): void {
    const buffers = this.buffers;
    const largeHome = buffers.freeLargeCount + buffers.lentLargeCount;
    this.counters[Counter.largeSlotsUsed] = buffers.largeCount - largeHome;
    this.counters[Counter.smallSlotsUsed] = buffers.smallCount - buffers.freeSmallCount;
    if (!this.draining || this.#drainedTold || this.counters[Counter.clientsOpen] !== 0) return;
    this.#drainedTold = true;
    this.notices.drained();
  }
}

/**
 * A span as a whole number of microseconds, for the histograms; at most what a small integer holds (35
 * minutes).
 */
export function microseconds(spanMs: number): number {
  return Math.min(spanMs * 1000, 0x7fff_ffff) | 0;
}
