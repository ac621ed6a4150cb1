/**
 * A running proxy: listeners, workers, backends and figures, put together. Each of them is a file of its own;
 * here is only what connects them, and the order in which they begin, change and end.
 *
 * Begin: names are resolved, sockets opened, workers started; the proxy is up when every worker accepts.
 * Change: everything that can fail comes first (names, sockets), and nothing of it has an effect; then workers
 * are told, and only of what is new.
 * End: workers stop accepting, the sockets close, workers finish, and what is left after the deadline is cut.
 */
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Counter } from "../contract/counters.ts";
import type { Hooking } from "../contract/hooking.ts";
import type { Cluster, Snapshot } from "../contract/snapshot.ts";
import type { FromWorker } from "../contract/worker-messages.ts";
import { BackendSet } from "./backend-set.ts";
import { type Capacity, capacityOf } from "./capacity.ts";
import { UPGRADE } from "./changes.ts";
import { type CompileCache, NO_COMPILE_CACHE, openCompileCache } from "./compile-cache.ts";
import { compileSnapshot } from "./compile-snapshot.ts";
import type { Configuration } from "./configuration.ts";
import { Crew } from "./crew.ts";
import type { Embedding } from "./embedding.ts";
import { failureText, hookText, suppressedText } from "./failure-text.ts";
import { Figures } from "./figures.ts";
import type { ReadyMessage } from "./fleet.ts";
import { HookNames } from "./hook-names.ts";
import { type Host, loadHost } from "./host.ts";
import type { InheritedListener } from "./inheritance.ts";
import { type ListenerChange, ListenerSet } from "./listener-set.ts";
import type { OpenListener } from "./listeners.ts";
import type { Log } from "./log.ts";
import { openSegment, type Segment } from "./segment.ts";
import { stallText } from "./stall-text.ts";
import type { StatsReport } from "./stats-report.ts";
import { workerCount } from "./worker-count.ts";

interface Parts {
  readonly log: Log;
  readonly version: string;
  readonly host: Host | undefined;
  readonly listeners: ListenerSet;
  readonly capacity: Capacity;
  readonly descriptorsMax: number;
  /** The counter segment that workers inherit; `fd` is -1 where it is only ours. */
  readonly segment: Segment;
  readonly compileCache: CompileCache;
  readonly embedding: Embedding | undefined;
}

/** Workers cannot load the hooks of a new configuration. `message` is a sentence for people. */
export class HooksRefused extends Error {
  override readonly name = "HooksRefused";
}

/** The configuration asks for what only a new process can be. `message` is a sentence for people. */
export class NeedsRestart extends Error {
  override readonly name = "NeedsRestart";
}

/** A listener that was removed, and the cluster that answers what its clients still ask. */
interface Leaving {
  readonly cluster: Cluster;
  readonly untilMs: number;
}

export class Supervisor {
  readonly figures: Figures;
  readonly #parts: Parts;
  readonly #crew: Crew;
  readonly #backends: BackendSet;
  readonly #startedAtMs = performance.now();
  #configuration: Configuration;
  /** Grows with each change of the hooks. */
  #hooksVersion = 1;
  #hooksTried = 1;
  #snapshot: Snapshot;
  /** By listener number. */
  readonly #leaving = new Map<number, Leaving>();
  #engine = "";
  #restarts = 0;
  #stalls = 0;
  readonly #hookNames = new HookNames();

  /**
   * Starts a proxy. Rejects with an error whose message is for people (`NoAddress`, `ListenFailed`,
   * `TooManyWorkers`, `BootFailed`), and has undone everything then. `embedding`: the process is not ours.
   * `inherited` listeners are taken where they fit; others go on accepting there until `own`.
   */
  static async start(
    configuration: Configuration,
    log: Log,
    version: string,
    environment: Readonly<Record<string, string | undefined>>,
    embedding?: Embedding,
    inherited: readonly InheritedListener[] = [],
  ): Promise<Supervisor> {
    const found = await loadHost();
    const host = typeof found === "string" ? undefined : found;
    if (typeof found === "string") log.debug({ reason: found }, "workers open their own listening sockets");
    const count = countOf(configuration, host);
    const listeners = new ListenerSet(host, inherited);
    const indexes = Array.from({ length: count }, (_, index) => index);
    const change = await listeners.prepare(configuration.listeners, indexes);
    const isOurs = embedding === undefined;
    const descriptorsMax = (isOurs ? host?.raiseFileLimit() : host?.fileLimit()) ?? -1;
    const isInline = embedding?.startInline !== undefined;
    const supervisor = new Supervisor(configuration, {
      log,
      version,
      host,
      listeners,
      descriptorsMax,
      capacity: capacityOf(configuration.limits, descriptorsMax, configuration.mode),
      segment: openSegment(isInline ? undefined : host),
      compileCache: isInline ? NO_COMPILE_CACHE : openCompileCache(environment),
      embedding,
    });
    try {
      await supervisor.#begin(change, count);
    } catch (error) {
      await supervisor.stop();
      throw error;
    }
    return supervisor;
  }

  private constructor(configuration: Configuration, parts: Parts) {
    this.#configuration = configuration;
    this.#parts = parts;
    const { log, host, listeners, segment, capacity } = parts;
    this.figures = new Figures(segment.buffer);
    this.#backends = new BackendSet(log, () => this.#publish(), parts.embedding?.observer.endpoint);
    this.#snapshot = this.#compile(0);
    this.#crew = new Crew(
      {
        host,
        log,
        listeners,
        segment,
        capacity: capacity.engine,
        engine: configuration.engine,
        affinity: configuration.affinity,
        environment: parts.compileCache.environment,
        startInline: parts.embedding?.startInline,
      },
      this.#orders(),
      {
        ready: (index, message) => this.#ready(index, message),
        message: (index, message) => this.#heard(index, message),
        replaced: () => {
          this.#restarts++;
        },
        stalled: (index, pid, silentMs, hookCall) => this.#stalled(index, pid, silentMs, hookCall),
      },
    );
  }

  /** Bound addresses, one for each listener: `127.0.0.1:8080`, `[::]:8080`. */
  get addresses(): readonly string[] {
    return this.#parts.listeners.addresses;
  }

  /** Why this proxy takes no requests just now; "" when it does: all workers accept, each cluster has a backend. */
  get unreadiness(): string {
    if (this.#crew.ending) return "draining";
    if (!this.#crew.isReady) return "a worker is just being started";
    const down = this.#snapshot.clusters.filter(({ endpoints }) => !endpoints.some(({ healthy }) => healthy));
    return down.length === 0 ? "" : `no backend is up in ${down.map(({ name }) => name).join(", ")}`;
  }

  report(): StatsReport {
    const { version } = this.#parts;
    return {
      version,
      pid: process.pid,
      uptimeSeconds: Math.round((performance.now() - this.#startedAtMs) / 1000),
      mode: this.#configuration.mode,
      engine: this.#engine,
      addresses: this.addresses,
      draining: this.#crew.ending,
      restarts: this.#restarts,
      stalls: this.#stalls,
      ...this.figures.report(this.#crew.members),
      endpoints: this.#backends
        .clusters()
        .flatMap(({ name: cluster, endpoints }) =>
          endpoints.map(({ name, address, healthy }) => ({ cluster, name, address, healthy })),
        ),
    };
  }

  /**
   * From now on `next` counts; what is the same in both is not touched. Rejects with an error whose message is
   * for people (`NeedsRestart` and those of `start`), and nothing has changed then. Resolves when every worker
   * follows, with what went wrong in single workers all the same.
   */
  async change(next: Configuration): Promise<string[]> {
    const { host, listeners, log } = this.#parts;
    const count = countOf(next, host);
    const change = await this.#prepare(next);
    const before = this.#configuration;
    const leaving = this.#leavingOf(change.listeners.removed);
    await this.#crew.unlisten(change.listeners.removed, before.drainTimeoutMs);
    for (const [number, each] of leaving) this.#leaving.set(number, each);
    listeners.commit(change.listeners, before.drainTimeoutMs);
    change.backends.commit();
    if (change.hooking !== undefined) this.#hooksVersion = change.hooking.version;
    this.#configuration = next;
    log.level = next.log.level;
    const problems = await this.#publish();
    problems.push(...(await this.#crew.listen(change.listeners.added)));
    try {
      if (count !== this.#crew.members.length) await this.#crew.resize(count);
    } catch (error) {
      problems.push(`workers: ${(error as Error).message}`);
    }
    this.#warnOfRates();
    return problems;
  }

  /** What a process that takes over inherits; undefined where workers have opened their sockets themselves. */
  get heritage(): readonly InheritedListener[] | undefined {
    return this.#parts.host === undefined ? undefined : this.#parts.listeners.heritage;
  }

  /** Descriptors of inherited sockets that this proxy accepts from. */
  get adopted(): readonly number[] {
    return this.#parts.listeners.shared;
  }

  /** Whoever had the inherited sockets before does not accept there any more. */
  own(): void {
    this.#parts.listeners.own();
  }

  /** A successor goes on with the sockets `fds`: what ends here does not end them. */
  release(fds: ReadonlySet<number>): void {
    this.#parts.listeners.release(fds);
  }

  /**
   * Stops accepting, finishes what is in flight for at most `timeoutMs` (the configuration's, if not given), and
   * resolves when all is gone.
   */
  async drain(timeoutMs = this.#configuration.drainTimeoutMs): Promise<void> {
    const { listeners, log } = this.#parts;
    this.#backends.stop();
    // Whoever connects between a worker's last look at its queue and the end of its socket would be reset.
    await delay(listeners.dropNewHandshakes(listeners.all));
    const cutBefore = this.figures.count(Counter.errorDrainCut);
    await this.#crew.drain(timeoutMs);
    const cut = this.figures.count(Counter.errorDrainCut) - cutBefore;
    if (cut > 0) log.warn({ cut }, "drain timeout: what was still in flight has been cut");
    await this.stop();
  }

  /** Ends everything at once. Idempotent. */
  async stop(): Promise<void> {
    this.#backends.stop();
    this.figures.stop();
    await this.#crew.stop();
    this.#parts.listeners.endAll();
    this.#parts.segment.close();
    this.#parts.compileCache.close();
  }

  async #begin(change: ListenerChange, count: number): Promise<void> {
    const { listeners, log } = this.#parts;
    listeners.commit(change, 0);
    (await this.#backends.prepare(this.#configuration.clusters)).commit();
    await this.#publish();
    const { engine, passedOver } = await this.#crew.begin(count);
    this.#engine = engine;
    const reasons = passedOver.map(({ name, reason }) => `${name} (${reason})`);
    if (reasons.length > 0) log.info(`engine ${engine}; passed over ${reasons.join(", ")}`);
    this.figures.start();
    this.#warnOfRates();
  }

  /** Limits that hold for each worker and not for all together are looser than they read. */
  #warnOfRates(): void {
    const { segment, log } = this.#parts;
    const { members } = this.#crew;
    const isApart = segment.fd < 0 && members.length > 1;
    if (!isApart || this.#configuration.routing?.rateLimits === undefined) return;
    log.warn(
      { workers: members.length },
      "rate limits: workers share no memory here, so each counts for itself; docs/rate-limits.md",
    );
  }

  /** Everything that can fail. */
  async #prepare(next: Configuration) {
    const { listeners } = this.#parts;
    const { connectionsMax } = this.#parts.capacity.engine;
    const wanted = this.#capacityFor(next);
    if (wanted.engine.connectionsMax > connectionsMax) {
      const clientsMax = Math.floor(connectionsMax / 2);
      throw new NeedsRestart(
        `limits.clients: "${next.limits.clientsMax}" is more than this process began with; ` +
          `write at most ${clientsMax}, or ${this.#parts.embedding?.restart ?? UPGRADE}`,
      );
    }
    const indexes = this.#crew.members.map(({ index }) => index);
    const change = await listeners.prepare(next.listeners, indexes);
    try {
      const hooking = await this.#prepareHooks(next);
      return { listeners: change, backends: await this.#backends.prepare(next.clusters), hooking };
    } catch (error) {
      listeners.discard(change);
      throw error;
    }
  }

  /** Every worker loads hooks that are new before anything of `next` counts. Undefined: they are the same. */
  async #prepareHooks({ hooking }: Configuration): Promise<Hooking | undefined> {
    if (isDeepStrictEqual(hooking, this.#configuration.hooking)) return undefined;
    const { chains } = hooking ?? { chains: [] };
    // One that was refused keeps its number: another attempt must not find what is left of it.
    this.#hooksTried = Math.max(this.#hooksTried, this.#hooksVersion) + 1;
    const next = { version: this.#hooksTried, chains };
    const refusals = await this.#crew.loadHooks(next);
    if (refusals.length > 0) throw new HooksRefused(refusals[0]!);
    return next;
  }

  #capacityFor({ limits, mode }: Configuration): Capacity {
    return capacityOf(limits, this.#parts.descriptorsMax, mode);
  }

  #leavingOf(removed: readonly OpenListener[]): Map<number, Leaving> {
    const untilMs = performance.now() + this.#configuration.drainTimeoutMs;
    const { clusters, listeners } = this.#snapshot;
    return new Map(
      removed.flatMap(({ number }) => {
        const cluster = clusters[listeners[number]?.cluster ?? -1];
        return cluster === undefined ? [] : [[number, { cluster, untilMs }]];
      }),
    );
  }

  #ready(index: number, { engine }: ReadyMessage): void {
    this.figures.include(index);
    this.#parts.log.debug({ worker: index, engine }, "worker accepts");
  }

  #stalled(index: number, pid: number, silentMs: number, hookCall: number): void {
    const call = this.#hookNames.find(hookCall);
    this.#stalls++;
    this.#parts.log.error({ worker: index, pid, silentMs, ...call }, stallText(index, silentMs, call));
  }

  #heard(index: number, message: FromWorker): void {
    const { log } = this.#parts;
    if (message.type === "counters") {
      this.figures.put(index, message.cells);
    } else if (message.type === "failure") {
      const { message: _, ...fields } = message.notice;
      const level = fields.by === "client" ? "info" : "warn";
      this.#parts.embedding?.observer.failure(message.notice);
      log[level]({ worker: index, ...fields }, failureText(message.notice));
    } else if (message.type === "hook") {
      const { message: _, ...fields } = message.notice;
      log.warn({ worker: index, ...fields }, hookText(message.notice));
    } else if (message.type === "suppressed") {
      const { reason, count } = message;
      log.warn({ worker: index, reason, count }, suppressedText(reason, count));
    } else if (message.type === "endpoint") {
      this.#backends.workerSaw(message.address, message.errno);
    }
  }

  #orders() {
    const { drainTimeoutMs, stallTimeoutMs } = this.#configuration;
    return { snapshot: this.#snapshot, drainTimeoutMs, stallTimeoutMs };
  }

  #compile(version: number): Snapshot {
    const configuration = this.#configuration;
    const { limits } = this.#capacityFor(configuration);
    const clusters = this.#backends.clusters();
    const listeners = this.#parts.listeners.clusters((index) => configuration.listeners[index]!.cluster);
    for (const [number, { cluster, untilMs }] of this.#leaving) {
      if (untilMs < performance.now()) this.#leaving.delete(number);
      else listeners[number] = { cluster: indexOf(clusters, cluster) };
    }
    return compileSnapshot(configuration, version, clusters, listeners, limits, this.#hooksVersion);
  }

  #publish(): Promise<string[]> {
    this.#snapshot = this.#compile(this.#snapshot.version + 1);
    this.#hookNames.know(this.#snapshot);
    return this.#crew.publish(this.#orders());
  }
}

/** Where `cluster` stands in `clusters` by its name; it is added where it has gone. */
function indexOf(clusters: Cluster[], cluster: Cluster): number {
  const index = clusters.findIndex(({ name }) => name === cluster.name);
  return index >= 0 ? index : clusters.push(cluster) - 1;
}

function countOf({ workers }: Configuration, host: Host | undefined): number {
  const cpuCount = host?.allowedCpus().length ?? availableParallelism();
  return workerCount(workers, cpuCount, host !== undefined, process.platform);
}
