/** The errors that a program can tell apart. */

/** One thing that is wrong with a configuration. */
export interface ConfigurationProblem {
  /** File and line, where it stands in a file: `hp-proxy.config.yaml:7:5`. */
  readonly source?: string;
  /** Which value: `clusters.app.backends[2]`; "" for the whole. */
  readonly path: string;
  /** What is written there. */
  readonly value?: string;
  readonly reason: string;
  /** What to write instead. */
  readonly remedy: string;
}

/** A configuration was refused, and nothing was started or changed. `message` has all of `errors`. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly errors: readonly ConfigurationProblem[];

  constructor(message: string, errors: readonly ConfigurationProblem[]) {
    super(message);
    this.errors = errors;
  }
}

export type ProxyErrorCode =
  /** A listener cannot be opened; the message says who has the port, or what else it is. */
  | "listen-failed"
  /** No backend of a cluster has an address. */
  | "no-address"
  /** A worker, or the engine, could not start. */
  | "boot-failed"
  | "admin-failed"
  | "control-failed"
  /** The change is more than the running proxy can follow. */
  | "needs-restart"
  | "too-many-workers"
  /** A reload failed for another reason. */
  | "reload-failed"
  /** An option of `createProxy` or `close` is no such value. */
  | "wrong-option"
  /** The method does not fit: listening twice, or after `close`. */
  | "wrong-state";

/** The proxy could not start, or change; nothing is different from before. */
export class ProxyError extends Error {
  override readonly name = "ProxyError";
  readonly code: ProxyErrorCode;

  constructor(code: ProxyErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}
