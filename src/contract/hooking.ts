/**
 * What the control plane tells workers about hooks: which links each chain has. Plain data; what a link does is
 * made of it at the edge of the worker (`src/hooks`), before the snapshot that brings it is followed.
 */

export interface Hooking {
  /** Changes whenever the code behind the links has to be loaded anew. */
  readonly version: number;
  /** By number, as `Route.chain` and `Snapshot.chain` mean them. */
  readonly chains: readonly (readonly HookLink[])[];
}

export type HookLink = CodeLink;

/** Functions that somebody wrote. */
export interface CodeLink {
  readonly kind: "code";
  /**
   * Where they are: a module by its absolute path, and the steps from its default export (called where it is a
   * function) to the object of hooks; or, in the process that was given them, their number.
   */
  readonly source:
    | { readonly file: string; readonly path: readonly (string | number)[] }
    | { readonly given: number };
  /** Bits of `Moment` that the object has functions for. */
  readonly moments: number;
  /** A call that holds the thread for longer is counted and logged, in milliseconds. */
  readonly budgetMs: number;
  /** How long a promise may take. */
  readonly timeoutMs: number;
  /** What becomes of an exchange whose hook has thrown or is late: `open`: it goes on; `closed`: 500. */
  readonly onFailure: "open" | "closed";
}
