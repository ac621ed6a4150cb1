/**
 * Everything that a run counts, in plain arrays of numbers: two tallies are merged by adding cell by cell
 * (maxima by taking the larger), so several generators can report as one.
 *
 * @hot
 */
import { FINE_SUB_BITS, HISTOGRAM_CELLS, histogramCells, histogramQuantile } from "../base/histogram.ts";

/** What can cost a request its response, as index into `Tally.errors`. */
export const ErrorKind = {
  /** The connection could not be opened, or not in time. */
  connect: 0,
  read: 1,
  write: 2,
  /** No complete response in time. */
  timeout: 3,
  /** What came is not an HTTP/1.1 response, or not one to this request. */
  badResponse: 4,
  /** The connection ended before the response did. */
  closedEarly: 5,
} as const;
export type ErrorKind = (typeof ErrorKind)[keyof typeof ErrorKind];

export const ERROR_KIND_COUNT = 6;
const STATUS_COUNT = 1000;
const SUB_BITS = FINE_SUB_BITS;

export class Tally {
  /** Final responses by status code. */
  readonly statuses: Float64Array;
  /** Lost requests by `ErrorKind`; a connection that could not be opened counts as one. */
  readonly errors: Float64Array;
  /** The last reason of each kind: an errno for `connect`, `read` and `write`, a fault for `badResponse`. */
  readonly errorReasons: Int32Array;
  /** Microseconds from the moment a request was due, `FINE_SUB_BITS` precise. */
  readonly latencyCells: Float64Array;
  /** Microseconds from the moment a request was sent; filled in an open loop only. */
  readonly serviceCells: Float64Array;
  latencyUsMax = 0;
  serviceUsMax = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Connections opened beyond the first one for each place. */
  reconnects = 0;
  /** Most connections open at one time. */
  openPeak = 0;
  /** Requests of the schedule that were never sent, because no connection became free in time. */
  unsent = 0;
  /** Length of the measurement so far. */
  elapsedMs = 0;
  /** Seconds of the measurement that have begun; the arrays below are filled so far. */
  secondCount = 0;
  readonly secondResponses: Float64Array;
  readonly secondErrors: Float64Array;
  readonly secondBytesIn: Float64Array;
  /** 99th percentile of the second's latencies in microseconds; written when the second is over. */
  readonly secondP99Us: Float64Array;
  /** Latencies of the second under way, 3 % precise. */
  readonly secondCells: Float64Array;

  /** Room for a measurement of `secondsMax` seconds; what comes later counts in the last one. */
  constructor(secondsMax: number) {
    this.statuses = new Float64Array(STATUS_COUNT);
    this.errors = new Float64Array(ERROR_KIND_COUNT);
    this.errorReasons = new Int32Array(ERROR_KIND_COUNT);
    this.latencyCells = new Float64Array(histogramCells(SUB_BITS));
    this.serviceCells = new Float64Array(histogramCells(SUB_BITS));
    this.secondResponses = new Float64Array(secondsMax);
    this.secondErrors = new Float64Array(secondsMax);
    this.secondBytesIn = new Float64Array(secondsMax);
    this.secondP99Us = new Float64Array(secondsMax);
    this.secondCells = new Float64Array(HISTOGRAM_CELLS);
  }

  /** Moves the series on to the second that `elapsedMs` lies in. */
  enter(elapsedMs: number): void {
    this.elapsedMs = elapsedMs;
    const wanted = Math.min(Math.floor(elapsedMs / 1000) + 1, this.secondResponses.length);
    while (this.secondCount < wanted) {
      this.closeSecond();
      this.secondCount++;
    }
  }

  /** Writes the percentile of the second under way, which may go on. */
  closeSecond(): void {
    if (this.secondCount === 0) return;
    this.secondP99Us[this.secondCount - 1] = histogramQuantile(this.secondCells, 0, 0.99);
    this.secondCells.fill(0);
  }

  /** Counts `count` lost requests. Before the first second they are not in the series. */
  lose(kind: ErrorKind, count: number, reason: number): void {
    this.errors[kind] = this.errors[kind]! + count;
    this.errorReasons[kind] = reason;
    const second = this.secondCount - 1;
    if (second >= 0) this.secondErrors[second] = this.secondErrors[second]! + count;
  }
}
