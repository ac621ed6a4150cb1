/**
 * What `createProxy` gives: the types of a proxy inside a program. No code, and nothing but types of our own: they
 * are read by compilers that know neither Node's types nor those of our dependencies.
 */
import type { ConfigSource } from "../config/define-config.ts";
import type { Duration } from "../config/kinds.ts";
import type { EndpointEvent, FailureNotice } from "../contract/notices.ts";
import type { StatsReport } from "../control/stats-report.ts";

export interface ProxyOptions {
  /**
   * `inline`, the default: the data plane runs in this process, on its thread. A number, or `auto` for one per
   * CPU: worker processes, as the command has them. The configuration's own `workers` does not count.
   */
  readonly workers?: "inline" | "auto" | number;
  /**
   * `false`, the default: nothing is printed. A level: what is at least so grave goes to standard error. A
   * function: it is given every record, as with `on("log", …)`.
   */
  readonly log?: false | LogLevel | ((record: LogRecord) => void);
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

export interface LogRecord {
  /** Unix time in milliseconds. */
  readonly atMs: number;
  readonly level: LogLevel;
  readonly message: string;
  /** What the message is about: `backend`, `address`, `reason`, … */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ReloadReport {
  /** What is other than before, one key each: `timeouts.connect: 3s → 5s`. */
  readonly changes: readonly string[];
  /** What went wrong in single workers all the same. */
  readonly problems: readonly string[];
}

/** By name, what a listener is given. */
export interface ProxyEvents {
  /**
   * A request failed: who ended it, in which phase, why. Of each reason ten in ten seconds are told; figures
   * (`stats`) have all.
   */
  readonly failure: FailureNotice;
  /** A backend is up or down, as health checks say. */
  readonly endpoint: EndpointEvent;
  /** A new configuration is in force. */
  readonly reloaded: ReloadReport;
  readonly log: LogRecord;
}

export interface CloseOptions {
  /**
   * What is still in flight after so long is cut; `0` cuts at once. Absent: the configuration's `drainTimeout`.
   */
  readonly drainTimeout?: Duration;
}

export interface EmbeddedProxy extends AsyncDisposable {
  /** Where it accepts, one for each listener: `127.0.0.1:8080`, `[::]:8080`. Empty before `listen`. */
  readonly addresses: readonly string[];
  /**
   * Reads the configuration and begins to accept; resolves with `addresses`. Rejects with `ConfigurationError` or
   * `ProxyError`, and nothing was started then: it may be called again.
   */
  listen(): Promise<readonly string[]>;
  /**
   * Puts `source` into force, or the last one again: a function is called, a file read anew. Rejects with
   * `ConfigurationError` or `ProxyError`, and the old one goes on then.
   */
  reload(source?: ConfigSource): Promise<ReloadReport>;
  /**
   * Stops accepting, finishes what is in flight, and resolves when nothing of the proxy is left in the process.
   * Idempotent; a later call with a shorter time cuts sooner.
   */
  close(options?: CloseOptions): Promise<void>;
  /** Figures of now. Throws `ProxyError` before `listen` has resolved. */
  stats(): StatsReport;
  /** The figures in Prometheus' text form. Throws as `stats` does. */
  metrics(): string;
  /** Calls `listener` for each event of that name, until `off`. Returns this. */
  on<Name extends keyof ProxyEvents>(name: Name, listener: (event: ProxyEvents[Name]) => void): this;
  off<Name extends keyof ProxyEvents>(name: Name, listener: (event: ProxyEvents[Name]) => void): this;
  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

// As lib.esnext.disposable has it, for those who compile against an older one.
declare global {
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol;
  }
  interface AsyncDisposable {
    [Symbol.asyncDispose](): PromiseLike<void>;
  }
}
