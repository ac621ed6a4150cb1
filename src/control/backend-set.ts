/** The backends of all clusters, by name of the cluster, through changes of the configuration. */
import { isDeepStrictEqual } from "node:util";
import type { EndpointEvent } from "../contract/notices.ts";
import type { Cluster } from "../contract/snapshot.ts";
import { Backends, type PreparedBackends } from "./backends.ts";
import type { ClusterConfiguration } from "./configuration.ts";
import type { Log } from "./log.ts";

interface Member {
  readonly cluster: ClusterConfiguration;
  readonly backends: Backends;
}

export class BackendSet {
  readonly #log: Log;
  readonly #changed: () => void;
  readonly #told: ((event: EndpointEvent) => void) | undefined;
  /** In the order of the configuration. */
  #members: readonly Member[] = [];

  /**
   * `changed` is called whenever `clusters()` would tell something new by itself; `told`, when a backend is up
   * or down.
   */
  constructor(log: Log, changed: () => void, told?: (event: EndpointEvent) => void) {
    this.#log = log;
    this.#changed = changed;
    this.#told = told;
  }

  /** In the order of the configuration. */
  clusters(): Cluster[] {
    return this.#members.map(({ cluster, backends }) => ({
      name: cluster.name,
      endpoints: backends.endpoints(),
    }));
  }

  /**
   * Resolves the names that are new in `clusters`; what stays is not touched, and nothing changes before
   * `commit`. Rejects with `NoAddress`, and has undone everything then.
   */
  async prepare(clusters: readonly ClusterConfiguration[]): Promise<PreparedBackends> {
    const prepared: PreparedBackends[] = [];
    const next: Member[] = [];
    const discard = () => {
      for (const each of prepared) each.discard();
    };
    const works = clusters.map(async (cluster, index) => {
      const known = this.#members.find(({ cluster: { name } }) => name === cluster.name);
      const backends = known?.backends ?? new Backends(cluster, this.#log, this.#changed, this.#told);
      next[index] = { cluster, backends };
      if (known === undefined || !isDeepStrictEqual(known.cluster, cluster))
        prepared.push(await backends.prepare(cluster));
    });
    const failed = (await Promise.allSettled(works)).find(({ status }) => status === "rejected");
    if (failed !== undefined) {
      discard();
      throw (failed as PromiseRejectedResult).reason;
    }
    const commit = () => {
      const before = this.#members;
      this.#members = next;
      for (const each of prepared) each.commit();
      for (const { backends } of before)
        if (!next.some((member) => member.backends === backends)) backends.stop();
    };
    return { commit, discard };
  }

  /** As `Backends.workerSaw`. */
  workerSaw(address: string, errno: number): void {
    for (const { backends } of this.#members) backends.workerSaw(address, errno);
  }

  stop(): void {
    for (const { backends } of this.#members) backends.stop();
  }
}
