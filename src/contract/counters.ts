/**
 * What the data plane tells the control plane: counters and latency histograms in one shared segment.
 *
 * Layout: a header of `HEADER_BYTES`, then one block of `BLOCK_BYTES` per worker, each a multiple of 128
 * bytes (two cache lines: the adjacent-line prefetcher pairs them) so that no two workers write to the same
 * line. A cell is a float64: whole numbers are exact up to 2^53, and an aligned 8-byte store is atomic on
 * every 64-bit machine. One writer per block, no locks; a reader may see counters of one instant next to
 * those of the next. Gauges (`…Open`, `…Idle`, `…InFlight`) go both ways and are zeroed when a worker begins;
 * counters and histograms live through the replacement of a worker, because its successor goes on counting in
 * the same block.
 */
import { HISTOGRAM_CELLS } from "../base/histogram.ts";

/** Cell index of each counter within a block. */
export const Counter = {
  workerPid: 0,
  /**
   * Client connections: accepted ever, open now, refused because of `clientsMax` or `clientsPerAddressMax`.
   */
  clientsAccepted: 1,
  clientsOpen: 2,
  clientsRefused: 3,
  /** Requests whose head was read whole; exchanges not finished yet. */
  requests: 4,
  requestsInFlight: 5,
  /** Final responses sent to clients, by class; ours and the backends'. */
  responses1xx: 6,
  responses2xx: 7,
  responses3xx: 8,
  responses4xx: 9,
  responses5xx: 10,
  /** Bytes on the wire. */
  clientBytesIn: 11,
  clientBytesOut: 12,
  originBytesIn: 13,
  originBytesOut: 14,
  /** Backend connections: opened ever, open now, idle in the pool now, requests sent on a reused one. */
  originsOpened: 15,
  originsOpen: 16,
  originsIdle: 17,
  originsReused: 18,
  /** Requests sent again to another backend or on another connection. */
  retries: 19,
  /** Errors by kind. Bad requests are those with a `Fault` and no counter of their own. */
  errorBadRequest: 20,
  errorRequestHeadTimeout: 21,
  errorClientGone: 22,
  errorConnectRefused: 23,
  errorConnectTimeout: 24,
  errorConnectOther: 25,
  errorNoEndpoint: 26,
  errorOriginReset: 27,
  errorOriginTimeout: 28,
  errorBadResponse: 29,
  errorResponseCut: 30,
  errorOverload: 31,
  /** Upgrades and relayed connections open now, and ever. */
  tunnelsOpen: 32,
  tunnels: 33,
  /** Slots of the buffer pool in use now. */
  largeSlotsUsed: 34,
  smallSlotsUsed: 35,
  /** More errors by kind: limits, timeouts and policies. */
  errorRequestBodyTimeout: 36,
  errorRequestDeadline: 37,
  errorResponseIdle: 38,
  errorClientStalled: 39,
  errorHeadTooLarge: 40,
  errorTargetTooLong: 41,
  errorBodyTooLarge: 42,
  errorTooManyInFlight: 43,
  errorPolicy: 44,
  errorLoop: 45,
  /** Connections closed because of a limit or a timeout, without an error for anybody. */
  closedClientIdle: 46,
  closedRequestsPerClient: 47,
  closedPipelining: 48,
  closedOriginIdle: 49,
  closedOriginAge: 50,
  closedTunnelIdle: 51,
  /** Refused at once, by which limit (the sum is `clientsRefused`). */
  refusedClientsMax: 52,
  refusedClientsPerAddress: 53,
  /** As `closed…` above: a client that did not end its side after our last byte. */
  closedLinger: 54,
  /** Requests that no route matches. */
  errorNoRoute: 55,
  /** Requests and tunnels of a listener that was taken away, not over in time. */
  errorDrainCut: 56,
  /** Requests beyond the rate limit of their route. */
  errorRateLimited: 57,
  /** Keys of rate limits that were forgotten while they counted, because there were too many. */
  rateKeysEvicted: 58,
  /** Requests that failed because a hook threw, was late, or fell silent inside a body. */
  errorHookThrew: 59,
  errorHookLate: 60,
  errorHookStalled: 61,
  /** Calls of hooks; those that threw, promises that were late, calls that held the thread for too long. */
  hookCalls: 62,
  hooksThrown: 63,
  hooksLate: 64,
  hooksOverBudget: 65,
  /** Responses that were compressed; bytes of their bodies before and after. */
  compressions: 66,
  compressedBytesIn: 67,
  compressedBytesOut: 68,
  /** Responses that stayed as they were because too many were being compressed. */
  compressionsSkipped: 69,
  /** Copies of requests: answered, not answered, not made. */
  mirrorsSent: 70,
  mirrorsFailed: 71,
  mirrorsSkipped: 72,
  /** Bodies that did not fit among all that wait in the worker. */
  buffersShort: 73,
  /** As `refused…` above: beyond what the engine can number, where it cannot let them wait. */
  refusedConnectionsMax: 74,
} as const;
export type Counter = (typeof Counter)[keyof typeof Counter];

/** The last of them are no figures: `Sign` in `liveness.ts`. */
const COUNTER_CELLS = 96;

/** First cell of each histogram within a block. Values are microseconds. */
export const HistogramCell = {
  /** From the end of the request head to the end of the response. */
  requestUs: COUNTER_CELLS,
  /** From the end of the request head to the response head's arrival from the backend. */
  originUs: COUNTER_CELLS + HISTOGRAM_CELLS,
  /** To open a backend connection. */
  connectUs: COUNTER_CELLS + 2 * HISTOGRAM_CELLS,
} as const;

const BLOCK_CELLS_USED = COUNTER_CELLS + 3 * HISTOGRAM_CELLS;

export const HEADER_BYTES = 128;
export const BLOCK_BYTES = Math.ceil((BLOCK_CELLS_USED * 8) / 128) * 128;

/** Bytes of a segment for `workers` blocks. */
export function segmentBytes(workers: number): number {
  return HEADER_BYTES + workers * BLOCK_BYTES;
}

/** The block of worker `index` (from 0) in a segment. */
export function blockOf(segment: ArrayBufferLike, index: number): Float64Array {
  return new Float64Array(segment, HEADER_BYTES + index * BLOCK_BYTES, BLOCK_BYTES / 8);
}
