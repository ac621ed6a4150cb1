/**
 * Small pieces of the data plane, each alone: what one operation costs.
 *
 * Strategy: pieces run in turn, many short rounds each, and the shortest counts: whatever else happens on a
 * machine makes a round longer, never shorter. Everything is warmed up before anything counts, because types
 * that the compiler sees late undo what it compiled before. Checksums are kept, so that no work is optimised
 * away.
 */
import { spread } from "../statistics.ts";

/** Does `count` operations in its own loop. Returns a checksum over what they gave. */
export type Run = (count: number) => number;

export interface Micro {
  readonly name: string;
  /** Bytes that one operation reads; 0 where it reads none. */
  readonly bytes: number;
  /** Makes what the operation works on. */
  prepare(): Run;
}

/** Nanoseconds per operation. */
export interface MicroFigures {
  readonly name: string;
  readonly bytes: number;
  readonly ns: number;
  readonly medianNs: number;
}

const WARM_UP_ROUNDS = 3;
/** The compiler works beside us: what is hot for less may not be compiled when it counts. */
const WARM_UP_MS = 20;
/** Operations between two looks at the clock. */
const BATCH = 512;
const SMOKE_COUNT = 32;

let checksum = 0;

/** Measures all of `micros`, interleaved, in `rounds` rounds of `roundMs` each. */
export function measureMicros(micros: readonly Micro[], rounds: number, roundMs: number): MicroFigures[] {
  const runs = micros.map((micro) => micro.prepare());
  for (let i = 0; i < WARM_UP_ROUNDS; i++)
    for (const run of runs) measureRound(run, Math.max(roundMs, WARM_UP_MS));
  const times = micros.map((): number[] => []);
  for (let i = 0; i < rounds; i++)
    for (const [at, run] of runs.entries()) times[at]!.push(measureRound(run, roundMs));
  return micros.map(({ name, bytes }, at) => {
    const { min, median } = spread(times[at]!);
    return { name, bytes, ns: min, medianNs: median };
  });
}

function measureRound(run: Run, roundMs: number): number {
  let count = 0;
  let spentMs = 0;
  const beganMs = performance.now();
  while (spentMs < roundMs) {
    checksum = (checksum + run(BATCH)) | 0;
    count += BATCH;
    spentMs = performance.now() - beganMs;
  }
  return (spentMs * 1e6) / count;
}

/** A moment of each, so that they cannot rot. */
export function smokeMicros(micros: readonly Micro[]): void {
  for (const micro of micros) checksum = (checksum + micro.prepare()(SMOKE_COUNT)) | 0;
}

/** Sum over everything that has run, to be printed. */
export function checksumSoFar(): number {
  return checksum;
}
