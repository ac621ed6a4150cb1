/**
 * The hooks of one worker: makes chains of what the control plane says, and is what they run in.
 *
 * Chains are made before the snapshot that brings them is followed, so that what cannot be loaded changes nothing.
 * They stay the same ones as long as `Hooking.version` does.
 */
import { type CodeLink, type Hooking, type HookLink, linkName } from "../contract/hooking.ts";
import type { Chain } from "../contract/interception.ts";
import { hookNumber } from "../contract/liveness.ts";
import type { HookNotice } from "../contract/notices.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import { basicAuth } from "./basic-auth.ts";
import { Buffers } from "./buffer.ts";
import { Compressions } from "./compression.ts";
import { errorText } from "./error-text.ts";
import { forwardAuth } from "./forward-auth.ts";
import { HookChain, momentsOf } from "./hook-chain.ts";
import type { Hooks } from "./hooks.ts";
import { exportOf, hooksAt } from "./hooks-at.ts";
import { ModuleLoader } from "./import-module.ts";
import { type HookClock, type HookSurroundings, type Link, REAL_CLOCK } from "./link.ts";
import { Mirrors } from "./mirror.ts";
import { type Outbound, REAL_OUTBOUND } from "./outbound.ts";

/** Our own links have limits of their own. */
const BUILT_IN = { budgetMs: 1_000, timeoutMs: 86_400_000, isClosed: true } as const;

/** Hooks cannot be loaded. `message` is a sentence for people. */
export class HooksUnavailable extends Error {
  override readonly name = "HooksUnavailable";
}

export class HookRuntime implements HookSurroundings {
  readonly cells: Float64Array;
  readonly clock: HookClock;
  readonly #tell: (notice: HookNotice) => void;
  readonly #given: readonly Hooks[];
  readonly #outbound: Outbound;
  #clusterNames: readonly string[] = [];
  #loader: ModuleLoader | null = null;
  readonly #compressions = new Compressions(this);
  readonly #mirrors: Mirrors;
  readonly #buffers: Buffers;
  #clusters: Snapshot["clusters"] = [];
  /** The last two versions: what is followed, and what is about to be. */
  readonly #chains = new Map<number, Promise<readonly Chain[]>>();

  /** `given`: what `CodeLink.source.given` numbers. */
  constructor(
    cells: Float64Array,
    tell: (notice: HookNotice) => void,
    given: readonly Hooks[] = [],
    clock: HookClock = REAL_CLOCK,
    outbound: Outbound = REAL_OUTBOUND,
  ) {
    this.cells = cells;
    this.#buffers = new Buffers(cells);
    this.#mirrors = new Mirrors(cells, (cluster) => this.#endpointsOf(cluster), { clock, outbound });
    this.#outbound = outbound;
    this.clock = clock;
    this.#tell = tell;
    this.#given = given;
  }

  get clusterNames(): readonly string[] {
    return this.#clusterNames;
  }

  tell(notice: HookNotice): void {
    this.#tell(notice);
  }

  stray(where: string, error: unknown): void {
    this.#tell({ kind: "stray", hook: where, source: "", route: "", message: errorText(error) });
  }

  /** The chains of `hooking`, loaded once. Rejects with `HooksUnavailable`. */
  load(hooking: Hooking): Promise<readonly Chain[]> {
    const known = this.#chains.get(hooking.version);
    if (known !== undefined) return known;
    const chains = this.#load(hooking);
    for (const version of [...this.#chains.keys()].slice(0, -1)) this.#chains.delete(version);
    this.#chains.set(hooking.version, chains);
    chains.catch(() => this.#chains.delete(hooking.version));
    return chains;
  }

  /** From now on hooks see the clusters of `snapshot`. */
  follow({ clusters }: Snapshot): void {
    this.#clusters = clusters;
    this.#clusterNames = clusters.map(({ name }) => name);
  }

  /** Nothing is loaded any more. */
  stop(): void {
    this.#mirrors.stop();
    this.#loader?.release();
    this.#loader = null;
  }

  async #load({ version, chains }: Hooking): Promise<readonly Chain[]> {
    const exports = new Map<string, Promise<unknown>>();
    const made: Chain[] = [];
    for (const [chain, links] of chains.entries()) {
      const ready: Link[] = [];
      for (const [index, link] of links.entries())
        ready.push({
          ...(await this.#link(link, version, exports)),
          number: hookNumber(version, chain, index),
        });
      made.push(new HookChain(ready, this));
    }
    return made;
  }

  /** Addresses of the cluster with that name which take requests now. */
  #endpointsOf(cluster: string): string[] {
    const endpoints = this.#clusters.find(({ name }) => name === cluster)?.endpoints ?? [];
    return endpoints.filter(({ healthy }) => healthy).map(({ address }) => address);
  }

  async #link(
    link: HookLink,
    version: number,
    exports: Map<string, Promise<unknown>>,
  ): Promise<Omit<Link, "number">> {
    if (link.kind !== "code") {
      const { timeoutMs } = link.kind === "forwardAuth" ? link : BUILT_IN;
      return { ...BUILT_IN, timeoutMs, name: linkName(link), hooks: this.#builtIn(link) };
    }
    const { budgetMs, timeoutMs, onFailure } = link;
    const hooks = await this.#hooksOf(link, version, exports);
    return { name: linkName(link), hooks, budgetMs, timeoutMs, isClosed: onFailure === "closed" };
  }

  #builtIn(link: Exclude<HookLink, CodeLink>): Hooks {
    if (link.kind === "basicAuth") return basicAuth(link);
    if (link.kind === "forwardAuth") return forwardAuth(link, this.#outbound);
    if (link.kind === "buffer") return this.#buffers.hooksOf(link);
    if (link.kind === "mirror") return this.#mirrors.hooksOf(link);
    return this.#compressions.hooksOf(link);
  }

  async #hooksOf(
    { source, moments }: CodeLink,
    version: number,
    exports: Map<string, Promise<unknown>>,
  ): Promise<Hooks> {
    if ("given" in source) {
      const hooks = this.#given[source.given];
      if (hooks === undefined) throw new HooksUnavailable(`hooks number ${source.given} were not given`);
      return hooks;
    }
    const { file } = source;
    this.#loader ??= new ModuleLoader();
    const exported = exports.get(file) ?? exportOf(file, version, this.#loader);
    exports.set(file, exported);
    let found: Hooks | undefined;
    try {
      found = hooksAt(await exported, source.path);
    } catch (error) {
      throw new HooksUnavailable(`${file} cannot be run by a worker: ${errorText(error)}`);
    }
    if (found === undefined || momentsOf(found) !== moments)
      throw new HooksUnavailable(`${file} gives other hooks in a worker than it gave when it was checked`);
    return found;
  }
}
