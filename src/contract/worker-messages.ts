/**
 * What the supervisor and a worker process say to each other over their IPC channel. Plain data only: it
 * crosses a process boundary by structured clone. A worker never waits for an answer.
 */
import type { Hooking } from "./hooking.ts";
import type { FailureNotice, HookNotice } from "./notices.ts";
import type { EngineName, EngineOptions, ListenerSource } from "./port.ts";
import type { Snapshot } from "./snapshot.ts";

/** The first message, once: all that a worker needs to begin. */
export interface BootMessage {
  readonly type: "boot";
  /** Number of the worker, from 0: its block in the shared segment. */
  readonly index: number;
  readonly engine: Exclude<EngineName, "sim"> | "auto";
  readonly options: EngineOptions;
  /**
   * Where to count: the shared segment as an inherited descriptor; the worker's block itself where it lives in
   * the supervisor's process; or a block of figures to go on with and to send as `counters`.
   */
  readonly counters:
    | { readonly fd: number; readonly bytes: number }
    | { readonly block: Float64Array }
    | Float64Array;
  /** Where descriptors of listeners come in that are added later; -1: the worker opens them itself. */
  readonly passageFd: number;
  /** CPU to run on; -1: wherever the kernel puts it. */
  readonly cpu: number;
  readonly snapshot: Snapshot;
  /** How long to finish what is in flight when the supervisor has gone away. */
  readonly drainTimeoutMs: number;
  /** It may be ended when it has not turned for so long: pulses are `pulseMsOf` it apart. 0: it is not. */
  readonly stallTimeoutMs: number;
}

/** An address that a worker opens itself. */
export type AddressSource = Exclude<ListenerSource, { readonly fd: number }>;

export type ToWorker =
  | BootMessage
  /** Load these hooks, which a snapshot may bring next; answered by `hooks-loaded` or `hooks-refused`. */
  | { readonly type: "load-hooks"; readonly hooking: Hooking }
  /** Replaces the snapshot; answered by `snapshot-taken`, or `snapshot-refused` where its hooks do not load. */
  | {
      readonly type: "snapshot";
      readonly snapshot: Snapshot;
      readonly drainTimeoutMs: number;
      readonly stallTimeoutMs: number;
    }
  /**
   * Accept there too: at an address, or at a descriptor that waits in the passage with this number. Answered by
   * `listening` or `listen-failed`.
   */
  | { readonly type: "listen"; readonly number: number; readonly source: AddressSource | "passed" }
  /**
   * Take what waits at that listener, then accept no more there; its clients finish what is in flight, and are
   * cut when they have not in so much time. Answered by `unlistened`, as soon as nothing is accepted any more.
   */
  | { readonly type: "unlisten"; readonly number: number; readonly drainTimeoutMs: number }
  /** Take the accept queues, close the listening descriptors, finish what is in flight, then exit 0. */
  | { readonly type: "drain" }
  /**
   * As `drain`, but cut what is in flight; exit 0 as soon as clients have taken what they are told of it, at most
   * `graceMs` later.
   */
  | { readonly type: "stop"; readonly graceMs: number };

/** Clients that are cut because their time is over have so long to take what they are told. */
export const CUT_GRACE_MS = 250;

/** An engine that could not run here, and why, in words. */
export interface PassedOver {
  readonly name: string;
  readonly reason: string;
}

export type FromWorker =
  /** Accepting. */
  | {
      readonly type: "ready";
      readonly engine: EngineName;
      readonly passedOver: readonly PassedOver[];
      readonly listenerAddresses: readonly string[];
    }
  /** It cannot begin, and trying again will not help by itself; it exits with 1 after this. */
  | { readonly type: "boot-failed"; readonly reason: string }
  | { readonly type: "snapshot-taken"; readonly version: number }
  | { readonly type: "snapshot-refused"; readonly version: number; readonly reason: string }
  /** `version` of the hooks. */
  | { readonly type: "hooks-loaded"; readonly version: number }
  | { readonly type: "hooks-refused"; readonly version: number; readonly reason: string }
  | { readonly type: "listening"; readonly number: number; readonly address: string }
  | { readonly type: "listen-failed"; readonly number: number; readonly reason: string }
  | { readonly type: "unlistened"; readonly number: number }
  | { readonly type: "failure"; readonly notice: FailureNotice }
  | { readonly type: "hook"; readonly notice: HookNotice }
  /** So many more notices of this reason were left out since the last message about it. */
  | { readonly type: "suppressed"; readonly reason: string; readonly count: number }
  /** As `Notices.endpoint`. */
  | { readonly type: "endpoint"; readonly address: string; readonly errno: number }
  /** The whole counter block, at each pulse, where there is no shared segment. */
  | { readonly type: "counters"; readonly cells: Float64Array }
  /** After `drain`: what waited in the accept queues has been taken, and the descriptors are closed. */
  | { readonly type: "queues-taken" }
  /** Nothing is in flight any more; it exits with 0 after this. */
  | { readonly type: "drained" };
