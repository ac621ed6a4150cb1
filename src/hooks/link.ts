/** One link of a chain, ready to run, and what it runs in. */
import type { HookNotice } from "../contract/notices.ts";
import type { Hooks } from "./hooks.ts";

export interface Link {
  /** For people: the file that it comes from. */
  readonly name: string;
  readonly hooks: Hooks;
  readonly budgetMs: number;
  readonly timeoutMs: number;
  readonly isClosed: boolean;
  /** As `hookNumber`. */
  readonly number: number;
}

/** The time that budgets and timeouts of hooks are measured by. */
export interface HookClock {
  /** Any origin. */
  nowMs(): number;
  /** Calls `run` in `ms`, unless cancelled. */
  after(ms: number, run: () => void): HookTimer;
}

export interface HookTimer {
  /** Idempotent. */
  cancel(): void;
}

/** Bound once: the global is a getter. */
const clock = performance;

export const REAL_CLOCK: HookClock = {
  nowMs: () => clock.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** What chains have in common, as long as the worker lives. */
export interface HookSurroundings {
  readonly clock: HookClock;
  /** In the order of the snapshot that is followed. */
  readonly clusterNames: readonly string[];
  /** The worker's counters (`Counter`). */
  readonly cells: Float64Array;
  /** Told to whom it may concern; limited in number there. */
  tell(notice: HookNotice): void;
  /** An error that belongs to no call of a hook. `where`: what it was thrown in. */
  stray(where: string, error: unknown): void;
}
