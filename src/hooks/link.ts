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
}

/** What chains have in common, as long as the worker lives. */
export interface HookSurroundings {
  /** In the order of the snapshot that is followed. */
  readonly clusterNames: readonly string[];
  /** The worker's counters (`Counter`). */
  readonly cells: Float64Array;
  /** Told to whom it may concern; limited in number there. */
  tell(notice: HookNotice): void;
  /** An error that belongs to no call of a hook. `where`: what it was thrown in. */
  stray(where: string, error: unknown): void;
}
