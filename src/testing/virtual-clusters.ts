/** The backends of a configuration in the simulated world: addresses for their names, and checks of their health. */
import { nearest } from "../base/suggestion.ts";
import type { Cluster } from "../contract/snapshot.ts";
import type { ClusterConfiguration } from "../control/configuration.ts";
import { HealthState } from "../control/health-state.ts";
import { ProxyError } from "../library/proxy-error.ts";
import type { UpstreamHandler } from "./simulation.ts";
import { type Stage, VirtualUpstream } from "./virtual-upstream.ts";

interface Member {
  readonly upstream: VirtualUpstream;
  readonly health: HealthState;
  /** Later checks of it are none of ours. */
  isLeft: boolean;
}

interface VirtualCluster {
  readonly configuration: ClusterConfiguration;
  readonly members: readonly Member[];
}

export class VirtualClusters {
  readonly #stage: Stage;
  readonly #handlers: Readonly<Record<string, UpstreamHandler>>;
  readonly #judged: (cluster: string, backend: string, up: boolean) => void;
  /** By name as configured: a backend of two clusters is one. */
  readonly #upstreams = new Map<string, VirtualUpstream>();
  #clusters: readonly VirtualCluster[] = [];

  /** `judged` is told of each change of a verdict. */
  constructor(
    stage: Stage,
    handlers: Readonly<Record<string, UpstreamHandler>>,
    judged: (cluster: string, backend: string, up: boolean) => void,
  ) {
    this.#stage = stage;
    this.#handlers = handlers;
    this.#judged = judged;
  }

  /**
   * Throws `ProxyError` for a handler of nothing that stands in `configurations` or `asked`. A later one may have less.
   */
  assertNames(configurations: readonly ClusterConfiguration[], asked: readonly string[]): void {
    const names = configurations.flatMap(({ name, backends }) => [
      name,
      ...backends.map((each) => each.name),
    ]);
    names.push(...asked);
    for (const name of Object.keys(this.#handlers)) if (!names.includes(name)) throw unknown(name, names);
  }

  /** Servers that the proxy asks itself (`host:port`) are there. Throws `ProxyError` for one without a handler. */
  open(asked: readonly string[]): void {
    for (const name of asked) {
      if (this.#upstreams.has(name)) continue;
      const handler = this.#handlers[name];
      if (handler === undefined)
        throw new ProxyError(
          "wrong-option",
          `forwardAuth asks ${name}, which is nobody here; write upstreams: {"${name}": () => ({ status: 204 })}`,
        );
      this.#listen(name, handler);
    }
  }

  /** Of an upstream, by its name or by what it is dialled by. */
  addressOf(place: string): string | undefined {
    const found = [...this.#upstreams.values()].find(
      ({ name, address }) => name === place || address === place,
    );
    return found?.address;
  }

  /** Those of the configuration, from now on. */
  follow(configurations: readonly ClusterConfiguration[]): void {
    const before = this.#clusters;
    this.#clusters = configurations.map((configuration) => {
      const known = before.find((each) => each.configuration.name === configuration.name);
      const members = configuration.backends.map(({ name }): Member => {
        const same = known?.members.find(({ upstream }) => upstream.name === name);
        same?.health.retune(configuration.health.fall, configuration.health.rise);
        return same ?? this.#member(configuration, name);
      });
      return { configuration, members };
    });
    const stay = this.#clusters.flatMap(({ members }) => members);
    for (const { members } of before)
      for (const member of members) if (!stay.includes(member)) member.isLeft = true;
  }

  /** As the snapshot has them. */
  snapshot(): Cluster[] {
    return this.#clusters.map(({ configuration, members }) => ({
      name: configuration.name,
      endpoints: members.map(({ upstream: { name, address }, health: { healthy } }) => {
        return { name, address, healthy };
      }),
    }));
  }

  /** Throws `ProxyError` where there is none. */
  upstream(name: string): VirtualUpstream {
    const found = this.#upstreams.get(name);
    if (found === undefined) throw unknown(name, [...this.#upstreams.keys()]);
    return found;
  }

  #member({ name: cluster, health }: ClusterConfiguration, name: string): Member {
    const handler = this.#handlers[name] ?? this.#handlers[cluster] ?? (() => ({ body: name }));
    const upstream = this.#upstreams.get(name) ?? this.#listen(name, handler);
    const member = { upstream, health: new HealthState(health.fall, health.rise), isLeft: false };
    if (health.kind !== "off") this.#check(cluster, member);
    return member;
  }

  #listen(name: string, handler: UpstreamHandler): VirtualUpstream {
    const address = name.startsWith("unix:") ? name : `198.51.100.${this.#upstreams.size + 1}:80`;
    const upstream = new VirtualUpstream(this.#stage, name, address, handler);
    this.#upstreams.set(name, upstream);
    return upstream;
  }

  /** Now, and again after each interval. Whether it is up is all that is asked: no request is made. */
  #check(cluster: string, member: Member): void {
    const health = this.#clusters.find(({ configuration }) => configuration.name === cluster)?.configuration
      .health;
    const { isUp, name } = member.upstream;
    if (member.isLeft) return;
    if (member.health.observe(isUp)) this.#judged(cluster, name, isUp);
    this.#stage.world.after(health?.intervalMs ?? 0, () => this.#check(cluster, member));
  }
}

function unknown(name: string, names: readonly string[]): ProxyError {
  const near = nearest(name, names);
  const remedy = near === "" ? `there are ${names.join(", ")}` : `did you mean ${near}?`;
  return new ProxyError("wrong-option", `upstream "${name}" is no backend of the configuration; ${remedy}`);
}
