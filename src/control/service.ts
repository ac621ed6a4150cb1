/**
 * A proxy with everything around it: what asks it (control socket, admin listener), what changes it (reload,
 * watched files) and what it prints. Begin and end are `run.ts`'s.
 */
import { isIP } from "node:net";
import type { ConfigError } from "../config/config-error.ts";
import { isInTheWay } from "../config/listen-overlap.ts";
import { type AdminListener, openAdmin } from "./admin.ts";
import type { Answering } from "./answering.ts";
import { UPGRADE } from "./changes.ts";
import type { Configuration } from "./configuration.ts";
import {
  type ControlSocket,
  ControlUnavailable,
  controlFolder,
  openControlSocket,
} from "./control-socket.ts";
import type { Embedding } from "./embedding.ts";
import { lineText } from "./figures.ts";
import { hostFor, type InheritedListener, type PassedSockets, passedListeners } from "./inheritance.ts";
import { boundAt, ListenFailed } from "./listeners.ts";
import type { Loaded, LoadedConfiguration } from "./load-configuration.ts";
import type { Log } from "./log.ts";
import { metricsText } from "./metrics.ts";
import { type Predecessor, TakeOverRefused } from "./predecessor.ts";
import { Reloader, type ReloadResult } from "./reload.ts";
import { openServiceManager, type ServiceManager } from "./service-manager.ts";
import type { Heritage } from "./succession.ts";
import { Supervisor } from "./supervisor.ts";
import { type UpgradeResult, Upgrader } from "./upgrade.ts";
import { warningsOf } from "./warnings.ts";
import { watchFiles } from "./watch.ts";

export interface ServiceOptions {
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads the configuration again. Absent where there is nothing to read again. */
  readonly load?: () => Promise<Loaded>;
  /** Reload when a file of the configuration changes. */
  readonly watch?: boolean;
  /** The process is not ours. */
  readonly embedding?: Embedding;
  /** The process is ours: it can be started again, to take over. */
  readonly program?: Program | undefined;
}

/** What a service has of the program that it is, and what it tells it. */
export interface Program {
  /** Sockets that a service manager has opened for this process. */
  readonly passed: PassedSockets;
  /** The proxy that this one takes over from. */
  readonly predecessor: Predecessor | undefined;
  /** The configuration that was found in the working directory at the start; "" for none. */
  readonly begunWith: string;
  /** Another process has taken over: `drain` is what is left to do. */
  retired(): void;
  /** Whether it is to end before it has begun. */
  isUnwanted(): boolean;
}

export class Service implements Answering {
  readonly supervisor: Supervisor;
  readonly #options: ServiceOptions;
  readonly #log: Log;
  readonly #reloader: Reloader;
  readonly #manager: ServiceManager;
  readonly #upgrader: Upgrader;
  #hasSuccessor = false;
  #control: ControlSocket | undefined;
  #admin: AdminListener | undefined;
  /** Of the admin listener that a successor has now. */
  #closing: Promise<void> | undefined;
  #lines: NodeJS.Timeout | undefined;
  #unwatch: (() => void) | undefined;
  #isEnding = false;

  /** Rejects with what `sentenceOf` knows, and has undone everything then. */
  static async start(loaded: LoadedConfiguration, options: ServiceOptions, log: Log): Promise<Service> {
    const { configuration } = loaded;
    const { version, environment, embedding, program } = options;
    for (const warning of warningsOf(loaded)) log.warn(warning);
    const inherited = await inheritedListeners(program);
    const supervisor = await Supervisor.start(configuration, log, version, environment, embedding, inherited);
    const manager = await openServiceManager(environment, (reason) =>
      log.warn({ reason }, "the service manager cannot be told that this is ready"),
    );
    const service = new Service(supervisor, loaded, options, log, manager);
    try {
      await service.#begin(configuration);
    } catch (error) {
      await service.stop();
      throw error;
    }
    return service;
  }

  private constructor(
    supervisor: Supervisor,
    loaded: LoadedConfiguration,
    options: ServiceOptions,
    log: Log,
    manager: ServiceManager,
  ) {
    this.supervisor = supervisor;
    this.#manager = manager;
    this.#options = options;
    this.#log = log;
    const { load } = options;
    this.#reloader = new Reloader(
      {
        load: load ?? (() => Promise.resolve({ errors: [NOTHING_TO_READ] })),
        change: (next) => this.#change(next.configuration),
        restart: options.embedding?.restart ?? UPGRADE,
      },
      loaded,
      log,
    );
    this.#upgrader = new Upgrader(
      {
        heritage: () => this.#heritage(),
        succeeded: (pid, adopted) => this.#succeeded(pid, adopted),
        retired: () => options.program?.retired(),
      },
      log,
      options.environment,
    );
  }

  // What can be asked.

  report() {
    return this.supervisor.report();
  }

  get unreadiness(): string {
    return this.supervisor.unreadiness;
  }

  metrics(): string {
    return metricsText(this.report(), this.supervisor.figures.total(), this.#reloader.figures);
  }

  /** Never rejects. */
  async reload(why: string, isAsked = true): Promise<ReloadResult> {
    const busy = this.#upgrader.busyText;
    if (busy !== "") {
      this.#log.error(`${why}: ${busy}`);
      return { done: false, changes: [], errors: [busy], wrong: [] };
    }
    this.#manager.reloading();
    const result = await this.#reloader.reload(why, isAsked);
    this.#tellReady();
    if (result.done) this.#options.embedding?.observer.reloaded(result);
    return result;
  }

  /** Never rejects. Reloads that have begun are waited for, later ones refused. */
  upgrade(why: string): Promise<UpgradeResult> {
    return this.#upgrader.upgrade(why, this.#reloader.idle);
  }

  // How it ends.

  /** As `Supervisor.drain`; answers questions meanwhile. */
  async drain(timeoutMs?: number): Promise<void> {
    this.#isEnding = true;
    this.#upgrader.abort("a signal has ended the old process");
    if (!this.#hasSuccessor) this.#manager.stopping();
    this.#unwatch?.();
    await this.supervisor.drain(timeoutMs);
    await this.#end(this.#hasSuccessor ? HANDED_OVER_MS_MAX : undefined);
  }

  /** Ends everything at once. Idempotent. */
  async stop(): Promise<void> {
    await this.#end(undefined);
  }

  /** Whoever may still ask is waited for as `closeServer` does. */
  async #end(waitMs: number | undefined): Promise<void> {
    clearInterval(this.#lines);
    this.#unwatch?.();
    this.#upgrader.abort("the old process has been ended");
    await this.supervisor.stop();
    await Promise.all([this.#control?.close(waitMs), this.#admin?.close(waitMs)]);
    if (waitMs !== undefined) await this.#closing;
    this.#control = undefined;
    this.#admin = undefined;
  }

  async #begin(configuration: Configuration): Promise<void> {
    const { supervisor } = this;
    const { program } = this.#options;
    const predecessor = program?.predecessor;
    // A program that embeds us asks by itself; whoever else may is its own decision.
    if (this.#options.embedding === undefined || configuration.controlPath !== "")
      await this.#openControl(configuration);
    const { addresses } = supervisor;
    this.#admin = await openAdmin(configuration.admin, this, addresses, predecessor?.heritage.admin);
    if (program?.isUnwanted() === true) throw new TakeOverRefused("a signal ended it before it had begun");
    await predecessor?.takeOver(supervisor.adopted);
    supervisor.own();
    await this.#control?.publish();
    const workers = supervisor.report().workers.length;
    const { engine } = supervisor.report();
    const crew = workers === 1 ? "1 worker" : `${workers} workers`;
    this.#log.info(`listening on ${supervisor.addresses.join(", ")}, ${crew}, engine ${engine}`);
    if (this.#admin !== undefined) this.#log.info(`admin on ${this.#admin.address}`);
    this.#printLines(configuration);
    if (this.#options.watch === true) this.#watch();
    this.#tellReady();
    await predecessor?.settled();
  }

  #heritage(): Heritage | string {
    if (this.#isEnding) return "this proxy is ending";
    const { program } = this.#options;
    if (program === undefined) return "only what hp-proxy run has started can be upgraded";
    const listeners = this.supervisor.heritage;
    if (listeners !== undefined) {
      const admin = this.#admin?.heritage ?? null;
      return { listeners, admin, begunWith: program.begunWith };
    }
    return "its workers have opened their sockets themselves, for want of the foreign function package; restart it";
  }

  #succeeded(pid: number, adopted: ReadonlySet<number>): void {
    this.#hasSuccessor = true;
    this.supervisor.release(adopted);
    this.#unwatch?.();
    this.#manager.replaced(pid);
    // Whoever was let in here is answered here, while all that come now reach the successor.
    this.#closing = this.#admin?.close(HANDED_OVER_MS_MAX);
    this.#admin = undefined;
  }

  #tellReady(): void {
    if (this.#isEnding || this.#hasSuccessor) return;
    this.#manager.ready(`listening on ${this.supervisor.addresses.join(", ")}`);
  }

  /** What can fail comes first. */
  async #change(next: Configuration): Promise<string[]> {
    const before = this.#admin;
    const isSame = before?.isAt(next.admin) ?? next.admin === null;
    const admin = isSame ? before : await openAdmin(next.admin, this, this.supervisor.addresses);
    let problems: string[];
    try {
      problems = await this.supervisor.change(next);
    } catch (error) {
      if (admin !== before) await admin?.close();
      throw (before === undefined ? undefined : takenByAdmin(error, before)) ?? error;
    }
    this.#admin = admin;
    if (admin !== before) await before?.close();
    this.#printLines(next);
    return problems;
  }

  /**
   * Without a control socket at its default place the proxy works all the same; one that was asked for must
   * be there.
   */
  async #openControl({ controlPath }: Configuration): Promise<void> {
    try {
      const { environment, program } = this.#options;
      const folder = controlFolder(environment);
      this.#control = await openControlSocket(controlPath, folder, this, program?.predecessor?.pid);
      this.#log.debug({ path: this.#control.path }, "control socket");
    } catch (error) {
      if (controlPath !== "" || !(error instanceof ControlUnavailable)) throw error;
      this.#log.warn(`no control socket: ${error.message}`);
    }
  }

  #printLines({ statsIntervalMs, mode }: Configuration): void {
    clearInterval(this.#lines);
    if (statsIntervalMs === 0) return;
    const { figures } = this.supervisor;
    const timer = setInterval(() => {
      process.stdout.write(`${lineText(figures.line(), mode)}\n`);
    }, statsIntervalMs);
    this.#lines = timer;
    // Whoever read them has gone: that is no reason to stop serving.
    process.stdout.once("error", () => clearInterval(timer));
  }

  #watch(): void {
    const changed = async () => {
      // A file that is as it was, in what counts, is no news; at the start it is looked at in any case.
      await this.reload("a file has changed", false);
      return this.#reloader.files;
    };
    this.#unwatch = watchFiles(this.#reloader.files, changed, this.#log);
  }
}

/**
 * Whoever was let in before another process took over is waited for so long: it could not know, and would find a
 * connection closed without a word.
 */
const HANDED_OVER_MS_MAX = 5_000;

const NOTHING_TO_READ: ConfigError = {
  source: "reload",
  reason: "this proxy has no configuration that could be read again",
  remedy: "start it with hp-proxy run",
};

/** A listener is to be where the admin listener was until now: the error says so. Undefined: that is not why. */
function takenByAdmin(error: unknown, { address }: AdminListener): ListenFailed | undefined {
  if (!(error instanceof ListenFailed) || error.taken === "") return undefined;
  const { taken, port } = error;
  const admin = boundAt(address);
  const host = taken === `port ${port}` ? "" : boundAt(taken).host;
  // What a name stands for is not known here.
  const isName = host !== "" && isIP(host) === 0;
  if (admin.port !== port || (!isName && !isInTheWay({ host, port }, admin))) return undefined;
  const remedy = "take admin away from there with one reload, and listen there with the next";
  return new ListenFailed(`${taken} is in use by admin ${address} of this proxy; ${remedy}`, "", port);
}

/** Rejects with `ListenFailed` where there are any, and they cannot be used. */
async function inheritedListeners(program: Program | undefined): Promise<InheritedListener[]> {
  if (program === undefined) return [];
  const { predecessor, passed } = program;
  if (predecessor === undefined) return await passedListeners(passed);
  await hostFor(`process ${predecessor.pid} has handed its sockets over`);
  return [...predecessor.heritage.listeners];
}
