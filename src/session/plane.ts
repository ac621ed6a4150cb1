/**
 * What all parts of one worker's data plane share: the port, the memory, the clock of the current batch, the
 * snapshot and the counters. Made once; only the clock, `batch`, `snapshot` and who is to leave ever change.
 *
 * @hot
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import { copy } from "../base/bytes.ts";
import { Deadlines } from "../base/deadlines.ts";
import { type RangeQueue, RangeStore } from "../base/range-queue.ts";
import { Counter } from "../contract/counters.ts";
import type { Notices } from "../contract/notices.ts";
import { LISTENERS_MAX, type Port } from "../contract/port.ts";
import type { Snapshot, Timeouts } from "../contract/snapshot.ts";
import { type FieldScanner, fieldScannerOf } from "../http1/field-scanner.ts";
import { Admission } from "./admission.ts";
import { Standstill } from "./standstill.ts";

const RANGES = 1024;
/** Pieces of a stream up to this size are copied to where they take little room. */
export const COPIED_BYTES_MAX = 2048;
/**
 * Pieces queued towards a slow reader before the other side is paused: each holds a slot, however few bytes
 * it has.
 */
const QUEUED_PIECES_MAX = 32;
/** What a cell of `#pieces` holds, less one. */
const PIECES_COUNTED_MAX = 254;
/**
 * An eighth of the large slots is for what moves: responses on their way, bodies that are being passed on.
 */
const RESERVE_SHIFT = 3;
/** A sixteenth of the connections is for those to come: idle ones go before a client has to wait or is refused. */
const SPARE_SHIFT = 4;
/** But for a few, or a worker that is full of clients would open a backend connection for each request. */
const IDLE_SHIFT = 5;
/** What chunk framing adds to a piece, with room to spare. */
const PIECE_FRAME_BYTES = 64;

/**
 * Where slots are short, who has held some for so long without moving is ended: long for a burst, short for
 * those who cannot be served meanwhile.
 */
const STANDSTILL_MS_MAX = 1000;
/** Ended at most in one batch: what they held may come back only behind it. */
export const EVICTIONS_PER_BATCH_MAX = 8;
/**
 * Deadlines of each kind that are acted on in one batch: what came in with thousands of connections comes due
 * with thousands, and everybody else's events must not wait for all of them.
 */
export const DUE_PER_BATCH_MAX = 64;

/** Whose a connection is. */
export const ConnectionKind = { none: 0, client: 1, origin: 2, relay: 3 } as const;

export class Plane {
  readonly port: Port;
  readonly buffers: BufferPool;
  readonly memory: Uint8Array;
  readonly view: DataView;
  /** For heads in `memory`, where there is one. */
  readonly scanner: FieldScanner | null;
  readonly counters: Float64Array;
  readonly notices: Notices;
  /** By connection. */
  readonly deadlines: Deadlines;
  /** Of whole exchanges, by client connection; made when `requestMs` is set for the first time. */
  requestDeadlines: Deadlines | null = null;
  readonly admission: Admission;
  readonly standstill: Standstill;
  readonly ranges = new RangeStore(RANGES);
  /** `ConnectionKind` by connection. */
  readonly kinds: Uint8Array;
  /** Number of its listener, by connection; only of clients, and their half of a tunnel. */
  readonly listenerOf: Uint8Array;
  /** Pieces sent since the queue was last seen to hold none but the newest, by connection. */
  readonly #pieces: Uint8Array;
  readonly #reserve: number;
  readonly #connectionsEnough: number;
  readonly #idleAlways: number;
  /** Added to `nowMs` it gives Unix time in milliseconds, for `Date` fields. */
  epochOffsetMs: number;
  snapshot: Snapshot;
  /** A limit is set that needs the requests of each client counted. */
  countsRequests = false;
  /** Clock of the current batch, as the engine gave it. */
  nowMs = 0;
  /** The same in whole seconds: a small integer, which can be passed on without allocating. */
  nowS = 0;
  /** Number of the current batch: what is sent in a batch leaves behind its end. */
  batch = 0;
  draining = false;
  /** By listener: 1 where its clients are asked to leave. */
  readonly #leaving = new Uint8Array(LISTENERS_MAX);
  #leavingCount = 0;
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
    this.scanner = fieldScannerOf(this.memory, port.buffers.linear);
    this.counters = counters;
    this.notices = notices;
    this.kinds = new Uint8Array(port.connectionsMax);
    this.listenerOf = new Uint8Array(port.connectionsMax);
    this.#pieces = new Uint8Array(port.connectionsMax);
    this.#reserve = Math.max(1, port.buffers.largeCount >> RESERVE_SHIFT);
    this.#connectionsEnough = port.connectionsMax - (port.connectionsMax >> SPARE_SHIFT);
    this.#idleAlways = port.connectionsMax >> IDLE_SHIFT;
    this.deadlines = new Deadlines(port.connectionsMax);
    this.admission = new Admission(port, counters, epochOffsetMs * 1000);
    this.standstill = new Standstill(port.connectionsMax);
    this.epochOffsetMs = epochOffsetMs;
    this.snapshot = snapshot;
    counters[Counter.requestsInFlight] = 0;
    counters[Counter.originsOpen] = 0;
    counters[Counter.originsIdle] = 0;
    counters[Counter.tunnelsOpen] = 0;
  }

  /** Everything that begins from now on goes by `snapshot`. @cold */
  follow(snapshot: Snapshot): void {
    const { limits, timeouts, routing } = snapshot;
    const isTimed = timeouts.requestMs > 0 || routing?.routes.some((route) => timed(route.timeouts));
    this.snapshot = snapshot;
    this.countsRequests = limits.requestsPerClientMax > 0 || limits.pipelinedRequestsMax > 0;
    if (isTimed && this.requestDeadlines === null) {
      this.requestDeadlines = new Deadlines(this.port.connectionsMax);
      this.requestDeadlines.advance(this.nowMs);
    }
  }

  /** Whether clients of `listener` are asked to leave: each answer is the last on its connection. */
  isLeaving(listener: number): boolean {
    return this.draining || (this.#leavingCount > 0 && this.#leaving[listener] === 1);
  }

  /** From now on clients of `listener` are asked to leave, or not any more. @cold */
  setLeaving(listener: number, isLeaving: boolean): void {
    this.#leaving[listener] = isLeaving ? 1 : 0;
    this.#leavingCount = this.#leaving.reduce((sum, one) => sum + one, 0);
  }

  /** A batch begins at `nowMs`. */
  advance(nowMs: number): void {
    this.batch = (this.batch + 1) | 0;
    this.nowMs = nowMs;
    this.nowS = Math.floor(nowMs / 1000);
    this.deadlines.advance(nowMs);
    if (this.requestDeadlines !== null) this.requestDeadlines.advance(nowMs);
  }

  /** In how many milliseconds something is due; -1: nothing is. */
  waitMs(): number {
    let waitMs = this.deadlines.waitMs();
    if (this.requestDeadlines !== null) waitMs = sooner(waitMs, this.requestDeadlines.waitMs());
    if (!this.isShortOfSlots()) return waitMs;
    const longest = this.standstill.longest();
    if (longest < 0) return waitMs;
    const leftMs = this.standstill.sinceMs(longest) + STANDSTILL_MS_MAX - this.nowMs;
    return sooner(waitMs, Math.max(0, leftMs));
  }

  /**
   * The connection that has to go because slots are short and it has held some for too long; -1: none. It
   * leaves `standstill`.
   */
  takeStandstill(): number {
    if (!this.isShortOfSlots()) return -1;
    const longest = this.standstill.longest();
    if (longest < 0 || this.nowMs - this.standstill.sinceMs(longest) < STANDSTILL_MS_MAX) return -1;
    this.standstill.leave(longest);
    return longest;
  }

  /** Adds `delta` to a counter. */
  count(counter: Counter, delta: number): void {
    this.counters[counter] = this.counters[counter]! + delta;
  }

  /** `connection` is new, and a `ConnectionKind`; of a client, `listener` is where it came in. */
  adopt(connection: number, kind: number, listener = 0): void {
    this.kinds[connection] = kind;
    this.listenerOf[connection] = listener;
    this.#pieces[connection] = 0;
  }

  /** Idle backend connections that hold numbers of which others are short; 0 or less: none. */
  excessIdle(): number {
    const { counters } = this;
    const open = counters[Counter.clientsOpen]! + counters[Counter.originsOpen]!;
    return Math.min(open - this.#connectionsEnough, counters[Counter.originsIdle]! - this.#idleAlways);
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

  /** Gives back all that waits in `queue`. */
  dropRanges(queue: RangeQueue): void {
    while (!this.ranges.isEmpty(queue)) {
      this.buffers.release(this.ranges.firstStart(queue));
      this.ranges.shift(queue);
    }
  }

  /** A message to `connection` begins: where all of those before it has left, their pieces count no more. */
  beginMessage(connection: number): void {
    if (this.port.queuedBytes(connection) === 0) this.#pieces[connection] = 0;
  }

  /** A piece was sent to `connection` that `isQueueLong` does not know of: one of several for one input. */
  countPiece(connection: number): void {
    this.#pieces[connection] = Math.min(this.#pieces[connection]! + 1, PIECES_COUNTED_MAX);
  }

  /** After a piece of `bytes` was sent to `connection`: whether its source must wait for `drained`. */
  isQueueLong(connection: number, bytes: number): boolean {
    const queuedBytes = this.port.queuedBytes(connection);
    const pieces = queuedBytes <= bytes + PIECE_FRAME_BYTES ? 1 : this.#pieces[connection]! + 1;
    this.#pieces[connection] = pieces;
    if (this.buffers.isTight || this.isShortOfSlots()) return queuedBytes > 0;
    return queuedBytes > this.snapshot.limits.queuedBytesMax || pieces > QUEUED_PIECES_MAX;
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

function timed(timeouts: Timeouts | null): boolean {
  return timeouts !== null && timeouts.requestMs > 0;
}

/** The shorter of two waits, of which -1 is the longest. */
export function sooner(oneMs: number, otherMs: number): number {
  if (oneMs < 0) return otherMs;
  return otherMs < 0 ? oneMs : Math.min(oneMs, otherMs);
}

/**
 * A span as a whole number of microseconds, for the histograms; at most what a small integer holds (35
 * minutes).
 */
export function microseconds(spanMs: number): number {
  return Math.min(spanMs * 1000, 0x7fff_ffff) | 0;
}
