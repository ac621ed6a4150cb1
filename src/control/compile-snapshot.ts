/**
 * Turns what was configured and what is known about the backends into the value that the data plane follows.
 */
import type { Cluster, Limits, Listener, Snapshot } from "../contract/snapshot.ts";
import type { Configuration } from "./configuration.ts";

/**
 * `clusters` begin with those of the configuration, in its order; `listeners` are by number; `hooksVersion` as
 * `Hooking.version`.
 */
export function compileSnapshot(
  configuration: Configuration,
  version: number,
  clusters: readonly Cluster[],
  listeners: readonly Listener[],
  limits: Limits,
  hooksVersion = 0,
): Snapshot {
  const { hooking } = configuration;
  return {
    version,
    mode: configuration.mode,
    clusters,
    listeners,
    timeouts: configuration.timeouts,
    limits,
    policy: configuration.policy,
    viaName: configuration.viaName,
    ...(configuration.routing === null ? {} : { routing: configuration.routing }),
    errorPages: configuration.errorPages,
    ...(hooking === null ? {} : { hooking: { version: hooksVersion, chains: hooking.chains } }),
    ...(hooking === null || hooking.chain < 0 ? {} : { chain: hooking.chain }),
  };
}
