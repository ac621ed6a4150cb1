/**
 * Where the workers of one proxy count requests against rate limits together: the end of the shared segment,
 * behind the counters. `base/rate-table.ts` says what is in it.
 */
import { rateNumbers } from "../base/rate-table.ts";

/** Keys of all rate limits that are remembered at a time. A key costs memory once it was used: 16 bytes. */
export const RATE_KEYS_MAX = 2 ** 20;
/** Keys where a worker counts for itself. */
export const OWN_RATE_KEYS_MAX = 2 ** 16;
export const RATE_TABLE_BYTES = rateNumbers(RATE_KEYS_MAX) * 8;

export interface SharedRates {
  /** A table, as `RateTable` takes it. */
  readonly numbers: Float64Array;
  /** Added to the engine's clock it gives one that all processes of this machine share. */
  readonly clockOffsetMs: number;
}

/** The table in a segment that ends with it. */
export function ratesOf(segment: ArrayBufferLike): Float64Array {
  return new Float64Array(segment, segment.byteLength - RATE_TABLE_BYTES, RATE_TABLE_BYTES / 8);
}
