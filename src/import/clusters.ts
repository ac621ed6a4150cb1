/**
 * Clusters of `upstream` blocks and of the addresses that `proxy_pass` names.
 *
 * Backends of a cluster are equal here. Servers of different weight become a cluster for each weight, and the
 * route splits its requests between those.
 */
import { Problem, readBackend } from "../config/values.ts";
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import { readTimeMs } from "./nginx-values.ts";
import type { DraftAction } from "./route-draft.ts";

export interface ClusterDraft {
  readonly name: string;
  readonly backends: readonly string[];
  readonly source: Directive;
}

/** Where requests go; undefined: nowhere, and a warning says why. */
export type ClusterTarget = DraftAction["to"];

const METHODS: Readonly<Record<string, string>> = {
  least_conn: "the backend with the fewest requests",
  ip_hash: "the same backend for the same client",
  hash: "a backend by a key",
  random: "a random backend",
  least_time: "the fastest backend",
  sticky: "the same backend for the same session",
};

export class Clusters {
  readonly all: ClusterDraft[] = [];
  /** Of `keepalive`: most idle connections, or -1. */
  poolSize = -1;
  /** Of `keepalive_timeout`: the shortest, or -1. */
  poolIdleMs = -1;
  readonly #upstreams: ReadonlyMap<string, Directive>;
  readonly #findings: Findings;
  readonly #known = new Map<string, ClusterTarget>();

  constructor(upstreams: readonly Directive[], findings: Findings) {
    this.#upstreams = new Map(upstreams.map((upstream) => [upstream.words[0] ?? "", upstream]));
    this.#findings = findings;
  }

  /** For `authority` as `proxy_pass` has it: an upstream, `host`, `host:port` or `unix:/path`. */
  target(authority: string, asker: Directive): ClusterTarget {
    if (this.#known.has(authority)) return this.#known.get(authority);
    const upstream = this.#upstreams.get(authority);
    const target =
      upstream === undefined ? this.#single(authority, asker) : this.#ofUpstream(authority, upstream);
    this.#known.set(authority, target);
    return target;
  }

  #single(authority: string, asker: Directive): ClusterTarget {
    const backend = this.#backend(authority, asker);
    if (backend === undefined) return undefined;
    return this.#add(authority.replace(/^unix:/, "unix-"), [backend], asker);
  }

  #ofUpstream(name: string, upstream: Directive): ClusterTarget {
    const byWeight = new Map<number, Set<string>>();
    for (const directive of upstream.block ?? []) {
      if (directive.name === "server") this.#server(directive, byWeight);
      else this.#setting(directive);
    }
    const groups = [...byWeight];
    if (groups.length === 0) {
      this.#findings.warn(upstream, "has no server that is in use; its requests are answered 501");
      return undefined;
    }
    if (groups.length === 1) return this.#add(name, [...groups[0]![1]], upstream);
    const text =
      "servers of one weight become a cluster; when all of a cluster are down, its share is answered 503";
    this.#findings.warn(upstream, text);
    return Object.fromEntries(
      groups.map(([weight, backends], index) => {
        const cluster = this.#add(`${name}-${index + 1}`, [...backends], upstream);
        return [cluster, weight * backends.size];
      }),
    );
  }

  #server(directive: Directive, byWeight: Map<number, Set<string>>): void {
    const [address = "", ...options] = directive.words;
    if (options.includes("down")) return;
    if (options.includes("backup")) {
      this.#findings.warn(directive, "there are no backup servers here; it is left out");
      return;
    }
    for (const option of options) {
      const name = option.split("=")[0]!;
      if (["max_conns", "slow_start", "service", "route", "drain"].includes(name))
        this.#findings.warn(directive, `${name} has no counterpart and is left out`, `server ${name}`);
    }
    const backend = this.#backend(address, directive);
    if (backend === undefined) return;
    const weight = Number(/(?:^| )weight=(\d{1,5})(?: |$)/.exec(options.join(" "))?.[1] ?? 1);
    byWeight.set(weight, (byWeight.get(weight) ?? new Set()).add(backend));
  }

  #setting(directive: Directive): void {
    const { name, words } = directive;
    const what = METHODS[name];
    if (what !== undefined)
      this.#findings.warn(directive, `${what} cannot be chosen here; backends take turns (round robin)`);
    else if (name === "keepalive") this.poolSize = Math.max(this.poolSize, Number(words[0] ?? 0) || 0);
    else if (name === "keepalive_timeout") {
      const ms = readTimeMs(words[0] ?? "") ?? -1;
      if (ms > 0) this.poolIdleMs = this.poolIdleMs < 0 ? ms : Math.min(this.poolIdleMs, ms);
    } else if (
      !["zone", "keepalive_requests", "keepalive_time", "resolver", "resolver_timeout"].includes(name)
    )
      this.#findings.warn(directive, "is not known here and is left out");
  }

  /** An address as `backends` takes it; undefined and a warning where there is none. */
  #backend(address: string, directive: Directive): string | undefined {
    const isBare = !address.startsWith("unix:") && !/:\d+$/.test(address);
    const text = isBare ? `${address}:80` : address.replace(/:$/, "");
    const backend = readBackend(text);
    if (!(backend instanceof Problem)) return backend.name;
    this.#findings.warn(directive, `${JSON.stringify(text)} ${backend.reason}; ${backend.remedy}`);
    return undefined;
  }

  #add(wanted: string, backends: readonly string[], source: Directive): string {
    const plain =
      wanted
        .replaceAll(/[^\w.-]+/g, "-")
        .replace(/^[^A-Za-z0-9]+/, "")
        .replace(/-$/, "") || "backend";
    let name = plain;
    for (let number = 2; this.all.some((cluster) => cluster.name === name); number++)
      name = `${plain}-${number}`;
    this.all.push({ name, backends, source });
    return name;
  }
}
