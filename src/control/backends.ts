/**
 * The backends of one cluster as endpoints: names become addresses (`resolver.ts`), addresses get a verdict
 * (`health.ts`), and every change is told, so that the workers can be given a new snapshot.
 */
import { errnoName } from "../contract/errno.ts";
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

export class Backends {
  readonly #cluster: ClusterConfiguration;
  readonly #log: Log;
  readonly #changed: () => void;
  readonly #names = new Map<string, NameWatch>();
  readonly #health: HealthChecks;
  /** Addresses that the last worker to say so could not connect to; only kept where nothing is checked. */
  readonly #refusing = new Set<string>();
  #started = false;

  /** `changed` is called after `start` has resolved, whenever `endpoints()` would tell something new. */
  constructor(cluster: ClusterConfiguration, log: Log, changed: () => void, world: World = SYSTEM) {
    this.#cluster = cluster;
    this.#log = log;
    this.#changed = changed;
    this.#health = new HealthChecks(cluster.health, (change) => this.#judged(change));
    for (const backend of cluster.backends) {
      if (backend.kind !== "host") continue;
      const events = {
        changed: () => this.#moved(backend.name),
        lookedUp: (code: string) => this.#lookedUp(backend.name, code),
      };
      this.#names.set(
        backend.name,
        new NameWatch(backend.host, backend.port, world.lookup, world.probe, events),
      );
    }
  }

  /**
   * Resolves the names. A name that has no address yet is asked for again while the others work; when there
   * is no endpoint at all, rejects with `NoAddress`.
   */
  async start(): Promise<void> {
    await Promise.all([...this.#names.values()].map((watch) => watch.start()));
    this.#started = true;
    const endpoints = this.endpoints();
    if (endpoints.length === 0) {
      const failures = [...this.#names].map(([name, watch]) => `${name} (${watch.failure})`);
      this.stop();
      throw new NoAddress(`no backend has an address: ${failures.join(", ")}`);
    }
    this.#health.watch(endpoints);
  }

  /** One for each address, in the order of the configuration; an address counts once. */
  endpoints(): Endpoint[] {
    const endpoints = new Map<string, Endpoint>();
    for (const backend of this.#cluster.backends) {
      const addresses =
        backend.kind === "address" ? [backend.address] : (this.#names.get(backend.name)?.addresses ?? []);
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
    if (!this.#started) return;
    this.#log.info(
      { backend: name, addresses: this.#names.get(name)?.addresses },
      "backend has new addresses",
    );
    this.#health.watch(this.endpoints());
    this.#changed();
  }

  #judged({ name, address, healthy, reason }: HealthChange): void {
    if (healthy) this.#log.info({ backend: name, address }, "backend is up");
    else this.#log.warn({ backend: name, address, reason }, "backend is down");
    if (!healthy) this.#names.get(name)?.doubt();
    this.#changed();
  }
}
