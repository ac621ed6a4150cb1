/**
 * How the supervisor sees that a worker turns, without asking it: cells of its block (`counters.ts`) that the worker
 * writes and that are no figures.
 *
 * Strategy: a worker counts a cell up at each pulse, whether it has work or not. One that sleeps is woken by its
 * pulse and counts; one that is stuck in a loop or in a call does not. Before each call of a hook it notes the hook's
 * number, so that it can be told what it is stuck in: one store, and one more when the call is over.
 */
/** Cells within a block, above those of `Counter`. */
export const Sign = {
  /** `hookNumber` of the call that is being made; below zero: of the last, which is over; 0: none was made. */
  hookCall: 93,
  /** Milliseconds between two pulses; 0: this worker promises none. */
  pulseMs: 94,
  /** Pulses so far. */
  pulses: 95,
} as const;

/** A worker that misses so many pulses in a row may stand still. */
const PULSES_MISSED = 4;
const PULSE_MS_MAX = 1_000;

/** Time between two pulses where a worker that stands still is ended after `stallTimeoutMs`; 0: it is not. */
export function pulseMsOf(stallTimeoutMs: number): number {
  if (stallTimeoutMs === 0) return PULSE_MS_MAX;
  return Math.min(PULSE_MS_MAX, Math.ceil(stallTimeoutMs / PULSES_MISSED));
}

/** How long a worker with pulses so far apart must at least be silent, in milliseconds. */
export function silenceMsMin(pulseMs: number): number {
  return pulseMs * PULSES_MISSED;
}

/** A call of a hook, by numbers. */
export interface HookCall {
  /** `Hooking.version`. */
  readonly version: number;
  /** Indexes into `Hooking.chains` and that chain. */
  readonly chain: number;
  readonly link: number;
  /** A bit of `Moment`. */
  readonly moment: number;
  /** The worker is not in it any more. */
  readonly isOver: boolean;
}

const MOMENTS = 2 ** 5;
const LINKS = 2 ** 8;
const CHAINS = 2 ** 16;

/** What a call of that link is noted as, its `Moment` added; a whole number below 2^53. */
export function hookNumber(version: number, chain: number, link: number): number {
  const isWritable = chain < CHAINS && link < LINKS && version < 2 ** 23;
  return isWritable ? ((version * CHAINS + chain) * LINKS + link) * MOMENTS : 0;
}

/** What was noted as `cell`; null: nothing. */
export function hookCallOf(cell: number): HookCall | null {
  const number = Math.abs(cell);
  if (number < MOMENTS) return null;
  const place = Math.floor(number / MOMENTS);
  return {
    version: Math.floor(place / (LINKS * CHAINS)),
    chain: Math.floor(place / LINKS) % CHAINS,
    link: place % LINKS,
    moment: number % MOMENTS,
    isOver: cell < 0,
  };
}
