/** What a contender is: how it is found or built, and how it is started. */
import path from "node:path";

/** The checkout that this script belongs to. */
export const ROOT = path.resolve(import.meta.dirname, "..", "..");
/** Sources of programs that are built here. */
export const PEERS = path.join(ROOT, "bench", "peers");
/** Waits of peers are longer than any measurement. */
export const IDLE_SECONDS = 600;

/** A contender that is on this machine. */
export interface Found {
  readonly version: string;
  /**
   * The command that listens on 127.0.0.1:`port` and forwards to these ports of 127.0.0.1 in turn. `streams`:
   * WebSockets and events are what comes; who needs settings for those has them then, and only then.
   */
  argv(port: number, backendPorts: readonly number[], streams: boolean): readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Configuration files that `argv` has written; none yet before its first call. */
  readonly files?: readonly string[];
}

export interface Contender {
  readonly name: string;
  readonly title: string;
  /** False for those that run only when named by `--only`. */
  readonly usual: boolean;
  /** True when it may use every core, not only the measured one. */
  readonly usesAllCores?: boolean;
  /** Scenarios that it cannot take part in, by name, each with its reason. */
  readonly cannot?: Readonly<Record<string, string>>;
  /**
   * Finds it or builds it under `directory`. Resolves to the reason, in words, when it cannot take part;
   * rejects when its build fails.
   */
  find(directory: string): Promise<Found | string>;
}

/** For `Contender.cannot` of those that know one backend only. */
export const ONE_BACKEND: Readonly<Record<string, string>> = {
  "backends-3": "it forwards to one backend only",
};
