/** What all who play in a simulation share. */
import type { Prng } from "../../src/base/prng.ts";
import type { Snapshot } from "../../src/contract/snapshot.ts";
import type { World } from "../../src/engine/sim/world.ts";
import type { Mood, Plan } from "./plan.ts";
import type { Trace } from "./trace.ts";

/** Said by a backend, and asked for by nobody. */
export interface Unasked {
  readonly atMs: number;
  /** It comes behind the answer to this, which a slow reader may hold back. */
  readonly behind: Plan;
}

/** Since when nothing has stood before what was said unasked, so that the proxy can read it; Infinity: not yet. */
export function bareSinceMs({ atMs, behind }: Unasked): number {
  return behind.isAnswered ? Math.max(atMs, behind.answeredMs) : Infinity;
}

export interface Stage {
  readonly prng: Prng;
  readonly world: World;
  readonly trace: Trace;
  readonly mood: Mood;
  /** Every exchange that a client may begin, by id. */
  readonly plans: Map<number, Plan>;
  /** The one in force. */
  readonly snapshot: Snapshot;
  /** Exchanges answered where the backend has spoken unasked: whose answers they are, nobody knows. */
  readonly unruly: Set<number>;
  /** What backends have said that nobody asked for. */
  readonly unasked: Unasked[];
  /** How long that, and what is on its way to meet it, travels at most. */
  readonly reachMs: number;
  /** Something that must never be so is so. */
  broken(law: string): void;
}

/** Chooses one. */
export function oneOf<T>(prng: Prng, choices: readonly T[]): T {
  return choices[prng.below(choices.length)]!;
}
