/**
 * A running proxy: listeners, workers, backends, figures and control socket, put together. Each of them is a
 * file of its own; here is only what connects them, and the order in which they begin and end.
 *
 * Begin: names are resolved, sockets opened, workers started; the proxy is up when every worker accepts.
 * End: workers stop accepting, the sockets close, workers finish, and what is left after the deadline is cut.
 */
import { closeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { blockOf, segmentBytes } from "../contract/counters.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import type { FromWorker } from "../contract/worker-messages.ts";
import { Backends } from "./backends.ts";
import { type Capacity, capacityOf } from "./capacity.ts";
import { type CompileCache, openCompileCache } from "./compile-cache.ts";
import { compileSnapshot } from "./compile-snapshot.ts";
import type { Configuration } from "./configuration.ts";
import {
  type ControlSocket,
  ControlUnavailable,
  controlFolder,
  openControlSocket,
} from "./control-socket.ts";
import { failureText, suppressedText } from "./failure-text.ts";
import { Figures } from "./figures.ts";
import { Fleet, type ReadyMessage, type WorkerPlan } from "./fleet.ts";
import { type Host, loadHost } from "./host.ts";
import { describeOwnListeners, type Listeners, openInheritedListeners } from "./listeners.ts";
import type { Log } from "./log.ts";
import type { StatsReport } from "./stats-report.ts";
import { workerCount, workerCpus } from "./worker-count.ts";
import { FIRST_INHERITED_FD } from "./worker-process.ts";

interface Segment {
  readonly fd: number;
  readonly buffer: ArrayBufferLike;
  /** Closes the descriptor; the memory stays. Idempotent. */
  close(): void;
}

interface Parts {
  readonly configuration: Configuration;
  readonly log: Log;
  readonly version: string;
  readonly listeners: Listeners;
  readonly capacity: Capacity;
  /** The counter segment that workers inherit; `fd` is -1 where it is only ours. */
  readonly segment: Segment;
  readonly compileCache: CompileCache;
  readonly cpus: readonly number[];
}

/** A worker that does not say in this time that it has taken its queues loses its sockets all the same. */
const TAKE_QUEUES_MS = 500;

export class Supervisor {
  readonly figures: Figures;
  readonly #parts: Parts;
  readonly #fleet: Fleet;
  readonly #backends: readonly Backends[];
  readonly #startedAtMs = performance.now();
  #control: ControlSocket | undefined;
  #snapshot: Snapshot;
  #engine = "";
  #restarts = 0;

  /**
   * Starts a proxy. Rejects with an error whose message is for people (`NoAddress`, `ListenFailed`,
   * `TooManyWorkers`, `BootFailed`, `ControlUnavailable`), and has undone everything then.
   */
  static async start(
    configuration: Configuration,
    log: Log,
    version: string,
    environment: Readonly<Record<string, string | undefined>>,
  ): Promise<Supervisor> {
    const found = await loadHost();
    const host = typeof found === "string" ? undefined : found;
    if (typeof found === "string") log.debug({ reason: found }, "workers open their own listening sockets");
    const count = workerCount(
      configuration.workers,
      host?.allowedCpus().length ?? availableParallelism(),
      host !== undefined,
      process.platform,
    );
    const listeners =
      host === undefined
        ? await describeOwnListeners(configuration.listeners, count)
        : await openInheritedListeners(host, configuration.listeners, count);
    const parts: Parts = {
      configuration,
      log,
      version,
      listeners,
      capacity: capacityOf(configuration.limits, host?.raiseFileLimit() ?? -1, configuration.mode),
      segment: openSegment(host, count),
      compileCache: openCompileCache(environment),
      cpus: workerCpus(configuration.affinity, count, host?.allowedCpus() ?? []),
    };
    const supervisor = new Supervisor(parts);
    try {
      await supervisor.#begin(environment);
    } catch (error) {
      await supervisor.stop();
      throw error;
    }
    return supervisor;
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
    const { configuration, log, segment, cpus } = parts;
    this.figures = new Figures(segment.buffer, cpus.length);
    this.#backends = configuration.clusters.map(
      (cluster) => new Backends(cluster, log, () => this.#publish()),
    );
    this.#snapshot = this.#compile(0);
    this.#fleet = new Fleet(
      {
        plan: (index) => this.#plan(index),
        ready: (index, message) => this.#ready(index, message),
        message: (index, message) => this.#heard(index, message),
        gone: () => {
          if (!this.#fleet.ending) this.#restarts++;
        },
      },
      log,
      parts.compileCache.environment,
    );
  }

  /** Bound addresses, one for each listener: `127.0.0.1:8080`, `[::]:8080`. */
  get addresses(): readonly string[] {
    return this.#parts.listeners.addresses;
  }

  /** Process numbers of the workers; 0 where one is just being replaced. */
  get workerPids(): number[] {
    return this.#parts.cpus.map((_, index) => this.#fleet.pid(index));
  }

  report(): StatsReport {
    const { configuration, version, listeners } = this.#parts;
    return {
      version,
      pid: process.pid,
      uptimeSeconds: Math.round((performance.now() - this.#startedAtMs) / 1000),
      mode: configuration.mode,
      engine: this.#engine,
      addresses: listeners.addresses,
      draining: this.#fleet.ending,
      restarts: this.#restarts,
      ...this.figures.report(this.workerPids),
      endpoints: this.#snapshot.clusters.flatMap(({ name: cluster, endpoints }) =>
        endpoints.map(({ name, address, healthy }) => ({ cluster, name, address, healthy })),
      ),
    };
  }

  /**
   * Stops accepting, finishes what is in flight for at most `drainTimeoutMs`, and resolves when all is gone.
   */
  async drain(): Promise<void> {
    const { configuration, listeners, log } = this.#parts;
    for (const backends of this.#backends) backends.stop();
    // Whoever connects between a worker's last look at its queue and the end of its socket would be reset.
    await delay(listeners.dropNewHandshakes());
    const late = setTimeout(() => listeners.endAll(), TAKE_QUEUES_MS);
    const cut = await this.#fleet.drain(configuration.drainTimeoutMs);
    clearTimeout(late);
    if (cut > 0) log.warn({ workers: cut }, "drain timeout: what was still in flight has been cut");
    await this.stop();
  }

  /** Ends everything at once. Idempotent. */
  async stop(): Promise<void> {
    for (const backends of this.#backends) backends.stop();
    this.figures.stop();
    await this.#fleet.stop();
    this.#parts.listeners.endAll();
    this.#parts.segment.close();
    this.#parts.compileCache.close();
    const control = this.#control;
    this.#control = undefined;
    await control?.close();
  }

  async #begin(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
    await Promise.all(this.#backends.map((backends) => backends.start()));
    this.#snapshot = this.#compile(1);
    await this.#startWorkers();
    this.figures.start();
    await this.#openControl(environment);
    const count = this.#parts.cpus.length;
    const workers = count === 1 ? "1 worker" : `${count} workers`;
    this.#parts.log.info(`listening on ${this.addresses.join(", ")}, ${workers}, engine ${this.#engine}`);
  }

  /**
   * All together; where workers open their own sockets, the first alone, since it may find out which port
   * that is.
   */
  async #startWorkers(): Promise<void> {
    const { listeners, cpus, log } = this.#parts;
    const first = this.#fleet.add();
    if (listeners.addresses.length === 0) listeners.learn((await first).listenerAddresses);
    const others = Array.from({ length: cpus.length - 1 }, () => this.#fleet.add());
    const [{ engine, passedOver }] = await Promise.all([first, ...others]);
    this.#engine = engine;
    const reasons = passedOver.map(({ name, reason }) => `${name} (${reason})`);
    if (reasons.length > 0) log.info(`engine ${engine}; passed over ${reasons.join(", ")}`);
  }

  /**
   * Without a control socket at its default place the proxy works all the same; one that was asked for must
   * be there.
   */
  async #openControl(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
    const { configuration, log } = this.#parts;
    try {
      const folder = controlFolder(environment);
      this.#control = await openControlSocket(configuration.controlPath, folder, () => this.report());
      log.debug({ path: this.#control.path }, "control socket");
    } catch (error) {
      if (configuration.controlPath !== "" || !(error instanceof ControlUnavailable)) throw error;
      log.warn(`no control socket: ${error.message}`);
    }
  }

  #plan(index: number): WorkerPlan {
    const { configuration, listeners, capacity, segment, cpus } = this.#parts;
    const inherited = listeners.descriptors(index);
    const shared = segment.fd >= 0;
    const bytes = segment.buffer.byteLength;
    return {
      descriptors: shared ? [...inherited, segment.fd] : inherited,
      boot: {
        type: "boot",
        index,
        engine: configuration.engine,
        options: { ...capacity.engine, listeners: listeners.sources(index, FIRST_INHERITED_FD) },
        counters: shared
          ? { fd: FIRST_INHERITED_FD + inherited.length, bytes }
          : blockOf(segment.buffer, index).slice(),
        cpu: cpus[index]!,
        snapshot: this.#snapshot,
        drainTimeoutMs: configuration.drainTimeoutMs,
      },
    };
  }

  #ready(index: number, { engine }: ReadyMessage): void {
    this.#parts.log.debug({ worker: index, pid: this.#fleet.pid(index), engine }, "worker accepts");
    // It may have been replaced since the boot message was written.
    this.#fleet.send(index, { type: "snapshot", snapshot: this.#snapshot });
  }

  #heard(index: number, message: FromWorker): void {
    const { log } = this.#parts;
    if (message.type === "counters") {
      this.figures.put(index, message.cells);
    } else if (message.type === "failure") {
      const { message: _, ...fields } = message.notice;
      const level = fields.by === "client" ? "info" : "warn";
      log[level]({ worker: index, ...fields }, failureText(message.notice));
    } else if (message.type === "suppressed") {
      const { reason, count } = message;
      log.warn({ worker: index, reason, count }, suppressedText(reason, count));
    } else if (message.type === "queues-taken") {
      this.#parts.listeners.end(index);
    } else if (message.type === "endpoint") {
      for (const backends of this.#backends) backends.workerSaw(message.address, message.errno);
    }
  }

  #compile(version: number): Snapshot {
    const { configuration, capacity } = this.#parts;
    const endpoints = this.#backends.map((backends) => backends.endpoints());
    return compileSnapshot(configuration, version, endpoints, capacity.limits);
  }

  #publish(): void {
    this.#snapshot = this.#compile(this.#snapshot.version + 1);
    this.#fleet.broadcast({ type: "snapshot", snapshot: this.#snapshot });
  }
}

function openSegment(host: Host | undefined, workers: number): Segment {
  const bytes = segmentBytes(workers);
  if (host === undefined) return { fd: -1, buffer: new ArrayBuffer(bytes), close() {} };
  const { fd, buffer } = host.createSharedSegment(bytes);
  let open = true;
  return {
    fd,
    buffer,
    close() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}
