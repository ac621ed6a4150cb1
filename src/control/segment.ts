/**
 * The counters of all workers, and what they count against rate limits: one memory for all of them, or our
 * own, for counters alone, where none can be shared.
 */
import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import { writeRateKey } from "../base/rate-table.ts";
import { blockOf, Counter, segmentBytes } from "../contract/counters.ts";
import { RATE_TABLE_BYTES, ratesOf } from "../contract/rates.ts";
import type { Host } from "./host.ts";

/** As many workers as a configuration may ask for; only blocks in use cost memory. */
export const WORKERS_MAX = 256;

const GAUGES: readonly Counter[] = [
  Counter.workerPid,
  Counter.clientsOpen,
  Counter.requestsInFlight,
  Counter.originsOpen,
  Counter.originsIdle,
  Counter.tunnelsOpen,
  Counter.largeSlotsUsed,
  Counter.smallSlotsUsed,
];

export interface Segment {
  /** -1 where workers send their figures. */
  readonly fd: number;
  readonly buffer: ArrayBufferLike;
  /** Closes the descriptor; the memory stays. Idempotent. */
  close(): void;
}

export function openSegment(host: Host | undefined): Segment {
  const bytes = segmentBytes(WORKERS_MAX);
  if (host === undefined) return { fd: -1, buffer: new ArrayBuffer(bytes), close() {} };
  const { fd, buffer } = host.createSharedSegment(bytes + RATE_TABLE_BYTES);
  const key = randomBytes(8);
  writeRateKey(ratesOf(buffer), key.readInt32LE(0), key.readInt32LE(4));
  let open = true;
  return {
    fd,
    buffer,
    close() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

/** The worker of that block is gone for good: what it had open is not any more. */
export function zeroGauges(segment: Segment, index: number): void {
  const block = blockOf(segment.buffer, index);
  for (const gauge of GAUGES) block[gauge] = 0;
}
