/**
 * The backends of one cluster as endpoints: names become addresses (`resolver.ts`), addresses get a verdict
 * (`health.ts`), and every change is told, so that the workers can be given a new snapshot.
 */
import { errnoName } from "../contract/errno.ts";
import type { EndpointEvent } from "../contract/notices.ts";
import type { Endpoint } from "../contract/snapshot.ts";
import type { ClusterConfiguration } from "./configuration.ts";
import { type HealthChange, HealthChecks } from "./health.ts";
import type { Log } from "./log.ts";
import { type NameLookup, systemLookup } from "./name-lookup.ts";
import { NameWatch, type Probe, tcpProbe } from "./resolver.ts";

/** What the outside world answers; replaced in tests. */
export interface World {
  readonly lookup: NameLookup;
  readonly probe: Probe;
}

const SYSTEM: World = { lookup: systemLookup, probe: tcpProbe };

/** No backend has an address. `message` names each and why. */
export class NoAddress extends Error {
  override readonly name = "NoAddress";
}

/** What a changed cluster needs is there; one of these is to be called. */
export interface PreparedBackends {
  commit(): void;
  discard(): void;
}

export class Backends {
  #cluster: ClusterConfiguration;
  readonly #log: Log;
  readonly #changed: () => void;
  readonly #told: (event: EndpointEvent) => void;
  readonly #world: World;
  #names: ReadonlyMap<string, NameWatch> = new Map();
  readonly #health: HealthChecks;
  /** Addresses that the last worker to say so could not connect to; only kept where nothing is checked. */
  readonly #refusing = new Set<string>();
  #started = false;

  /**
   * `changed` is called after `start` has resolved, whenever `endpoints()` would tell something new; `told`,
   * when one is up or down.
   */
  constructor(
    cluster: ClusterConfiguration,
    log: Log,
    changed: () => void,
    told: (event: EndpointEvent) => void = () => {},
    world: World = SYSTEM,
  ) {
    this.#cluster = cluster;
    this.#log = log;
    this.#changed = changed;
    this.#told = told;
    this.#world = world;
    this.#health = new HealthChecks(cluster.health, (change) => this.#judged(change));
  }

  /**
   * Resolves the names. A name that has no address yet is asked for again while the others work; when there
   * is no endpoint at all, rejects with `NoAddress`.
   */
  async start(): Promise<void> {
    (await this.prepare(this.#cluster)).commit();
  }

  /**
   * Resolves the names that `cluster` has and we have not; nothing else happens before `commit`. Rejects with
   * `NoAddress` as `start` does.
   */
  async prepare(cluster: ClusterConfiguration): Promise<PreparedBackends> {
    const names = new Map<string, NameWatch>();
    const added: NameWatch[] = [];
    for (const backend of cluster.backends) {
      if (backend.kind !== "host" || names.has(backend.name)) continue;
      const known = this.#names.get(backend.name);
      const watch = known ?? this.#watch(backend.name, backend.host, backend.port);
      if (known === undefined) added.push(watch);
      names.set(backend.name, watch);
    }
    const discard = () => {
      for (const watch of added) watch.stop();
    };
    await Promise.all(added.map((watch) => watch.start()));
    if (this.#endpointsOf(cluster, names).length === 0) {
      const failures = [...names].map(([name, watch]) => `${name} (${watch.failure})`);
      discard();
      throw new NoAddress(`no backend has an address: ${failures.join(", ")}`);
    }
    return { commit: () => this.#commit(cluster, names), discard };
  }

  #watch(name: string, host: string, port: number): NameWatch {
    return new NameWatch(host, port, this.#world.lookup, this.#world.probe, {
      changed: () => this.#moved(name),
      lookedUp: (code: string) => this.#lookedUp(name, code),
    });
  }

  #commit(cluster: ClusterConfiguration, names: ReadonlyMap<string, NameWatch>): void {
    for (const [name, watch] of this.#names) if (!names.has(name)) watch.stop();
    this.#cluster = cluster;
    this.#names = names;
    this.#started = true;
    this.#refusing.clear();
    this.#health.follow(cluster.health);
    this.#health.watch(this.endpoints());
  }

  /** One for each address, in the order of the configuration; an address counts once. */
  endpoints(): Endpoint[] {
    return this.#endpointsOf(this.#cluster, this.#names);
  }

  #endpointsOf(cluster: ClusterConfiguration, names: ReadonlyMap<string, NameWatch>): Endpoint[] {
    const endpoints = new Map<string, Endpoint>();
    for (const backend of cluster.backends) {
      const addresses =
        backend.kind === "address" ? [backend.address] : (names.get(backend.name)?.addresses ?? []);
      for (const address of addresses) {
        if (endpoints.has(address)) continue;
        endpoints.set(address, { name: backend.name, address, healthy: this.#health.healthy(address) });
      }
    }
    return [...endpoints.values()];
  }

  /**
   * A worker could not connect to `address` (`errno` < 0), or can again: its verdict is looked at soon. Where
   * nothing is checked, this is all that is ever known, so it is logged.
   */
  workerSaw(address: string, errno: number): void {
    this.#health.hasten(address);
    const endpoint = this.endpoints().find((each) => each.address === address);
    if (endpoint === undefined || this.#cluster.health.kind !== "off") return;
    const failed = errno < 0;
    if (failed === this.#refusing.has(address)) return;
    const { name } = endpoint;
    this.#tell(name, address, failed ? errnoName(errno) : "");
    if (failed) {
      this.#refusing.add(address);
      this.#log.warn({ backend: name, address, reason: errnoName(errno) }, "backend cannot be connected to");
    } else {
      this.#refusing.delete(address);
      this.#log.info({ backend: name, address }, "backend can be connected to again");
    }
  }

  stop(): void {
    for (const watch of this.#names.values()) watch.stop();
    this.#health.stop();
  }

  #lookedUp(name: string, code: string): void {
    const addresses = this.#names.get(name)?.addresses ?? [];
    if (code === "") this.#log.info({ backend: name }, "backend name is resolved again");
    else if (addresses.length > 0) {
      this.#log.warn(
        { backend: name, code, addresses },
        "backend name cannot be resolved, keeping its last addresses",
      );
    } else this.#log.warn({ backend: name, code }, "backend name cannot be resolved, trying again");
  }

  #moved(name: string): void {
    if (!this.#started || !this.#names.has(name)) return;
    this.#log.info(
      { backend: name, addresses: this.#names.get(name)?.addresses },
      "backend has new addresses",
    );
    this.#health.watch(this.endpoints());
    this.#changed();
  }

  #tell(name: string, address: string, reason: string): void {
    this.#told({ cluster: this.#cluster.name, name, address, up: reason === "", reason });
  }

  #judged({ name, address, healthy, reason }: HealthChange): void {
    this.#tell(name, address, healthy ? "" : reason);
    if (healthy) this.#log.info({ backend: name, address }, "backend is up");
    else this.#log.warn({ backend: name, address, reason }, "backend is down");
    if (!healthy) this.#names.get(name)?.doubt();
    this.#changed();
  }
}
