/**
 * A proxy inside somebody else's program. What is the process's (limits, signals, compile cache, standard
 * output) is left alone there, the worker may live in this process, and what happens is told to code.
 */
import type { FailureNotice } from "../contract/notices.ts";
import type { StartWorker } from "./worker-process.ts";

export interface Embedding {
  /** Starts the only worker, in this process; absent: workers are processes. */
  readonly startInline: StartWorker | undefined;
  readonly observer: Observer;
}

/** Calls come from the event loop, and must not throw. */
export interface Observer {
  failure(notice: FailureNotice): void;
  endpoint(event: EndpointEvent): void;
}

/** A verdict about a backend has changed. */
export interface EndpointEvent {
  readonly cluster: string;
  /** As configured: `localhost:3001`. */
  readonly name: string;
  /** `127.0.0.1:3001` */
  readonly address: string;
  readonly up: boolean;
  /** Why it is down; "" when it is up. */
  readonly reason: string;
}
