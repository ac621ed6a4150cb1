/**
 * What the data plane reports to the control plane, beside counters: rare things that somebody may want to
 * read. Never called per successful request. Calls must return at once; what they lead to happens later.
 */

/** One exchange that did not go as asked, in words that a log can print. */
export interface FailureNotice {
  /** Who ended it. */
  readonly by: "client" | "origin" | "proxy";
  /** What was going on. */
  readonly phase: "request-head" | "request-body" | "connect" | "response-head" | "response-body" | "tunnel";
  /** Stable snake_case word: `head_too_large`, `connect_refused`, `origin_reset`. */
  readonly reason: string;
  /** Status sent to the client; 0 where none could be. */
  readonly status: number;
  /** The client's address, as proxies that are trusted tell it; "" where it is not known. */
  readonly client: string;
  /** Address of the trusted proxy that is connected in place of the client; absent where the client is. */
  readonly peer?: string;
  /** Endpoint name, or "". */
  readonly endpoint: string;
  /** Request line without version, escaped and cut to 256 bytes; "" where it could not be read. */
  readonly request: string;
  /** One sentence: what happened. */
  readonly message: string;
  /** What is wrong with a response head, as a fault of requests is called: `obs_fold`; absent where nothing is. */
  readonly fault?: string;
  /** X-Request-Id as the backend got it, cut to 128 bytes; absent where there is none or it is not known. */
  readonly requestId?: string;
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

export interface Notices {
  /**
   * Whether a failure for `reason` may be told now; where not, it is counted as left out. Asked once before
   * each `failure`, so that what nobody will read need not be written.
   */
  admits(reason: string): boolean;
  /** One that was admitted. */
  failure(notice: FailureNotice): void;
  /** Connecting to an endpoint (by address) failed, or works again after it had failed. `errno` is 0 then. */
  endpoint(address: string, errno: number): void;
  /** After `drain`: nothing is in flight and no client connection is open any more. Once. */
  drained(): void;
}

/** A hook that did not do as it should. */
export interface HookNotice {
  /**
   * `threw`, `late`: as in `HookFailureReason`. `over_budget`: it held the thread for too long. `stray`: an
   * error that belongs to no call.
   */
  readonly kind: "threw" | "late" | "over_budget" | "stray";
  /** The function: `onRequest`. */
  readonly hook: string;
  /** Where it comes from: a file, or the name of a built-in one. */
  readonly source: string;
  /** As in `HookRecord`; "" where it is not known. */
  readonly route: string;
  /** One sentence, or the error with the first places of its trace. */
  readonly message: string;
}
