/**
 * Turns what was configured and what is known about the backends into the value that the data plane follows.
 */
import type { Endpoint, Limits, Snapshot } from "../contract/snapshot.ts";
import type { Configuration } from "./configuration.ts";

/** `endpoints[i]` are those of `configuration.clusters[i]`. */
export function compileSnapshot(
  configuration: Configuration,
  version: number,
  endpoints: readonly (readonly Endpoint[])[],
  limits: Limits,
): Snapshot {
  return {
    version,
    mode: configuration.mode,
    clusters: configuration.clusters.map(({ name }, index) => ({ name, endpoints: endpoints[index] ?? [] })),
    listeners: configuration.listeners.map(({ cluster }) => ({ cluster })),
    timeouts: configuration.timeouts,
    limits,
    policy: configuration.policy,
    viaName: configuration.viaName,
    ...(configuration.routes === null ? {} : { routing: { routes: configuration.routes } }),
    errorPages: configuration.errorPages,
  };
}
