/**
 * What all parts of one worker's data plane share: the port, the memory, the clock of the current batch, the snapshot and
 * the counters. Made once; only `nowMs`, `snapshot` and `draining` ever change.
 *
 * @hot
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import { Deadlines } from "../base/deadlines.ts";
import { RangeStore } from "../base/range-queue.ts";
import { Counter } from "../contract/counters.ts";
import type { Notices } from "../contract/notices.ts";
import type { Port } from "../contract/port.ts";
import type { Snapshot } from "../contract/snapshot.ts";

const RANGES = 1024;

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
  /** Added to `nowMs` it gives Unix time in milliseconds, for `Date` fields. */
  readonly epochOffsetMs: number;
  snapshot: Snapshot;
  /** Clock of the current batch, as the engine gave it. */
  nowMs = 0;
  /** The same in whole seconds: a small integer, which can be passed on without allocating. */
  nowS = 0;
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
    this.nowMs = nowMs;
    this.nowS = Math.floor(nowMs / 1000);
    this.deadlines.advance(nowMs);
  }

  /** Adds `delta` to a counter. */
  count(counter: Counter, delta: number): void {
    this.counters[counter] = this.counters[counter]! + delta;
  }

  /** Closes the batch's books: the gauges that are read off, and the news that draining is over. */
  settle(): void {
    const buffers = this.buffers;
    this.counters[Counter.largeSlotsUsed] = buffers.largeCount - buffers.freeLargeCount;
    this.counters[Counter.smallSlotsUsed] = buffers.smallCount - buffers.freeSmallCount;
    if (!this.draining || this.#drainedTold || this.counters[Counter.clientsOpen] !== 0) return;
    this.#drainedTold = true;
    this.notices.drained();
  }
}

/** A span as a whole number of microseconds, for the histograms; at most what a small integer holds (35 minutes). */
export function microseconds(spanMs: number): number {
  return Math.min(spanMs * 1000, 0x7fff_ffff) | 0;
}
