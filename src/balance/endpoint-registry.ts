/** The endpoints of one worker across snapshots: an address that stays keeps its state and its connections. */
import type { Snapshot } from "../contract/snapshot.ts";
import { EndpointState } from "./endpoint.ts";
import { RoundRobin } from "./round-robin.ts";

export class EndpointRegistry {
  /** By address; only endpoints of the current snapshot. */
  #endpoints = new Map<string, EndpointState>();

  /**
   * Follows `snapshot`. `poolSize`: idle connections that an endpoint may keep. Returns the clusters in
   * the snapshot's order, the endpoints in it, and those that are in it no more: the caller closes the idle
   * connections of these, and the surplus of those.
   */
  update(
    snapshot: Snapshot,
    poolSize: number,
  ): {
    clusters: readonly RoundRobin[];
    listed: Iterable<EndpointState>;
    removed: readonly EndpointState[];
  } {
    const endpoints = new Map<string, EndpointState>();
    const clusters = snapshot.clusters.map((cluster) => {
      const members = cluster.endpoints.map(({ address, name, healthy }) => {
        const known = endpoints.get(address) ?? this.#endpoints.get(address);
        const endpoint = known ?? new EndpointState(address, name, healthy, poolSize);
        endpoint.name = name;
        endpoint.healthy = healthy;
        endpoint.limitPool(poolSize);
        endpoints.set(address, endpoint);
        return endpoint;
      });
      return new RoundRobin(members, snapshot.version, cluster.name);
    });
    const removed = [...this.#endpoints.values()].filter(({ address }) => !endpoints.has(address));
    for (const endpoint of removed) endpoint.listed = false;
    this.#endpoints = endpoints;
    return { clusters, listed: endpoints.values(), removed };
  }

  /** The endpoint with most idle connections, if there is one. @cold */
  richest(): EndpointState | undefined {
    let richest: EndpointState | undefined;
    for (const endpoint of this.#endpoints.values()) {
      if (richest === undefined || endpoint.idleCount > richest.idleCount) richest = endpoint;
    }
    return richest;
  }
}
