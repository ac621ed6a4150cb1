/** How much one worker may hold, within what the system allows. */
import type { EngineOptions } from "../contract/port.ts";
import type { Limits } from "../contract/snapshot.ts";

/** Connections that a worker can number at most, clients and backends together. */
const CONNECTIONS_MAX = 131_072;
/** Descriptors of a worker that are not connections: the runtime's, the ring's, listeners. */
const RESERVED_DESCRIPTORS = 64;
/**
 * Only slots in use cost memory; the region stays below 2^30 bytes, so that every offset is a small integer.
 */
const SMALL_SLOTS = 16_384;
const LARGE_SLOTS = 8_192;

export interface Capacity {
  readonly limits: Limits;
  readonly engine: Omit<EngineOptions, "listeners">;
}

/** Share of the connections that clients may have where descriptors are short: in mode tcp each has a backend
 *  connection; in mode http most clients are between requests, and backend connections are shared. */
const CLIENT_SHARE = { http: 3 / 4, tcp: 1 / 2 } as const;

/**
 * Room for as many clients as wished and a backend connection for each, as far as `descriptorsMax`
 * (RLIMIT_NOFILE; -1: unknown) goes; then clients get their share of it.
 */
export function capacityOf(limits: Limits, descriptorsMax: number, mode: "http" | "tcp"): Capacity {
  const descriptors = descriptorsMax < 0 ? CONNECTIONS_MAX : descriptorsMax - RESERVED_DESCRIPTORS;
  const connectionsMax = Math.max(2, Math.min(CONNECTIONS_MAX, 2 * limits.clientsMax, descriptors));
  const clientsMax = Math.min(limits.clientsMax, Math.floor(connectionsMax * CLIENT_SHARE[mode]));
  return {
    limits: { ...limits, clientsMax },
    engine: { connectionsMax, smallSlots: SMALL_SLOTS, largeSlots: LARGE_SLOTS },
  };
}
