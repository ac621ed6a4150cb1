/** What a worker sees of a data plane: a handler for an engine, with two levers. */
import type { Interception } from "../contract/interception.ts";
import type { Handler } from "../contract/port.ts";
import type { Snapshot } from "../contract/snapshot.ts";

export interface Session extends Handler {
  /**
   * Follows `snapshot` from the next request on. Endpoints with the same address keep their connections and
   * state. `interception` has the chains that the snapshot names, which an exchange keeps to its end; chains
   * that are the same objects as before cost nothing to follow.
   */
  replaceSnapshot(snapshot: Snapshot, interception?: Interception): void;
  /** The system's clock was set: from now on `epochOffsetMs` added to the engine's gives Unix time. */
  followClock(epochOffsetMs: number): void;
  /** Finishes what is in flight and closes every client connection as soon as it is between requests; then
   *  `Notices.drained` is called once. It takes effect with the next batch (`Engine.wake`); the caller has
   * told the engine to stop accepting. */
  drain(): void;
  /**
   * As `drain`, for the clients of one listener, which the engine is about to remove; tunnels go on. Others
   * that come by that number are asked to leave as well, until `openListener`.
   */
  drainListener(listener: number): void;
  /** Ends what is left of that listener's clients, tunnels too. */
  cutListener(listener: number): void;
  /**
   * Ends what is left of all clients, tunnels too, with the next batch; `Notices.drained` is called as soon as they
   * have taken what they are told of it. Once, and nothing comes after it but the end.
   */
  cutAll(): void;
  /** That number has a new listener. */
  openListener(listener: number): void;
}
