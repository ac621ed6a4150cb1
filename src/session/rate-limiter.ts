/**
 * Rate limits in the data plane: whether a request may pass now, by the buckets that all workers share, or
 * its own where there is no shared memory.
 *
 * @hot
 */
import { HalfSipHash } from "../base/half-sip-hash.ts";
import { RateTable, rateNumbers, writeRateKey } from "../base/rate-table.ts";
import { Counter } from "../contract/counters.ts";
import { OWN_RATE_KEYS_MAX, type SharedRates } from "../contract/rates.ts";
import type { MessageHead } from "../http1/message-head.ts";
import type { ReadyRateLimit } from "../route/rate-limit.ts";
import type { TemplateSource } from "../route/template.ts";
import type { Plane } from "./plane.ts";

export class RateLimiter {
  readonly #plane: Plane;
  readonly #table: RateTable;
  readonly #hash: HalfSipHash;
  readonly #clockOffsetMs: number;

  /** `shared` undefined: for this worker alone, with `seed`, two numbers that clients cannot guess. */
  constructor(plane: Plane, shared: SharedRates | undefined, seed: Int32Array) {
    this.#plane = plane;
    this.#table = new RateTable(shared?.numbers ?? ownNumbers(seed));
    this.#hash = new HalfSipHash(this.#table.key0, this.#table.key1);
    this.#clockOffsetMs = shared?.clockOffsetMs ?? 0;
  }

  /**
   * Counts the request with `head` against `limit`. 0: it passes. More: it does not, and would in so many
   * milliseconds. `address`: its client's, as 16 bytes, or null.
   */
  take(limit: ReadyRateLimit, head: MessageHead, source: TemplateSource, address: Uint8Array | null): number {
    const plane = this.#plane;
    const hash = this.#hash;
    const table = this.#table;
    limit.hashKey(hash, plane.memory, head, source, address);
    const nowMs = plane.nowMs + this.#clockOffsetMs;
    const waitMs = table.take(hash.low, hash.high, nowMs, limit.tokenMs, limit.fullMs);
    if (table.evictedCount > 0) {
      plane.count(Counter.rateKeysEvicted, table.evictedCount);
      table.evictedCount = 0;
    }
    return waitMs;
  }
}

/** @cold */
function ownNumbers(seed: Int32Array): Float64Array {
  const numbers = new Float64Array(rateNumbers(OWN_RATE_KEYS_MAX));
  writeRateKey(numbers, seed[0]!, seed[1]!);
  return numbers;
}
