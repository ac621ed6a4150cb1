/**
 * What the operator asked for, checked and complete, as one plain value: files, flags and variables all end
 * here (`read-configuration.ts`), and there is one path from here on.
 */
import type { Document } from "../config/schema.ts";
import type { Backend } from "../config/values.ts";
import type { Hooking } from "../contract/hooking.ts";
import type { EngineName } from "../contract/port.ts";
import type { ErrorPage, Routing } from "../contract/routing.ts";
import type { Limits, Policy, Timeouts } from "../contract/snapshot.ts";

export interface Configuration {
  readonly mode: "http" | "tcp";
  readonly listeners: readonly ListenerConfiguration[];
  readonly clusters: readonly ClusterConfiguration[];
  /** Worker processes; `auto`: one for each CPU that this process may use. */
  readonly workers: number | "auto";
  readonly engine: Exclude<EngineName, "sim"> | "auto";
  readonly affinity: "auto" | "off";
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  readonly policy: Policy;
  readonly viaName: string;
  /** Null: requests go to the cluster of their listener. */
  readonly routing: Routing | null;
  readonly errorPages: readonly ErrorPage[];
  /** Null: none. */
  readonly hooking: HookingConfiguration | null;
  /** What is still in flight so long after SIGTERM is cut. */
  readonly drainTimeoutMs: number;
  /** A worker that has not turned for so long is killed and replaced; 0: none is. */
  readonly stallTimeoutMs: number;
  /** Time between two lines of figures on standard output; 0: none. */
  readonly statsIntervalMs: number;
  readonly log: LogConfiguration;
  /** Path of the control socket; "": a default place, by process number. */
  readonly controlPath: string;
  /** Where health and figures can be asked for; null: nowhere. */
  readonly admin: { readonly host: string; readonly port: number } | null;
}

export interface HookingConfiguration {
  readonly chains: Hooking["chains"];
  /** As `Snapshot.chain`; -1: none. */
  readonly chain: number;
  /** Of the code behind the links: another one where a file of it has changed. */
  readonly digest: string;
}

export interface ListenerConfiguration {
  /** IP address, a name that means one, or "" for every address of this machine, IPv4 and IPv6. */
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** Index into `Configuration.clusters`. */
  readonly cluster: number;
}

export interface ClusterConfiguration {
  readonly name: string;
  readonly backends: readonly Backend[];
  readonly health: HealthConfiguration;
}

export interface HealthConfiguration {
  readonly kind: "off" | "tcp" | "http";
  /** Request target of an HTTP check. */
  readonly path: string;
  /**
   * Which answers to an HTTP check mean "up". `success`: 2xx and 3xx. `any`: also 4xx and 501, for a path
   * that nobody asked for: a backend that says 404 there has no such page, but it works.
   */
  readonly expect: "success" | "any";
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failed checks in a row that take a backend out. */
  readonly fall: number;
  /** Good checks in a row that bring it back. */
  readonly rise: number;
}

export interface LogConfiguration {
  readonly level: Document["log"]["level"];
  readonly format: "text" | "json";
}
