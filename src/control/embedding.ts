/**
 * A proxy inside somebody else's program. What is the process's (limits, signals, compile cache, standard
 * output) is left alone there, the worker may live in this process, and what happens is told to code.
 */
import type { EndpointEvent, FailureNotice } from "../contract/notices.ts";
import type { ReloadResult } from "./reload.ts";
import type { StartWorker } from "./worker-process.ts";

export interface Embedding {
  /** Starts the only worker, in this process; absent: workers are processes. */
  readonly startInline: StartWorker | undefined;
  readonly observer: Observer;
  /** How a program gets a proxy that has what a running one cannot take up: "do this", in words. */
  readonly restart: string;
}

/** Calls come from the event loop, and must not throw. */
export interface Observer {
  failure(notice: FailureNotice): void;
  endpoint(event: EndpointEvent): void;
  /** A new configuration is in force. */
  reloaded(result: ReloadResult): void;
}
