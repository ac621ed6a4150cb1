/**
 * A proxy inside somebody else's program.
 *
 * Strategy: it is what the command runs (`control/service.ts`) with three things left out: signals, the control
 * socket (unless it is configured) and every change of the process that it lives in. What it needs is loaded by
 * `listen`, so that a configuration file that imports `defineConfig` loads none of it.
 */
import type { ConfigSource } from "../config/define-config.ts";
import type { Duration } from "../config/kinds.ts";
import { readDurationMs } from "../config/values.ts";
import type { Service } from "../control/service.ts";
import { EventChannel } from "./event-channel.ts";
import { assertKnown } from "./known-options.ts";
import type { CloseOptions, EmbeddedProxy, ProxyEvents, ProxyOptions, ReloadReport } from "./proxy.ts";
import { ProxyError } from "./proxy-error.ts";

const DAY_MS = 86_400_000;

/**
 * A proxy with this configuration; it does nothing before `listen`. What is wrong with the configuration, `listen`
 * tells.
 */
export function createProxy(source: ConfigSource, options: ProxyOptions = {}): EmbeddedProxy {
  return new LibraryProxy(source, options);
}

class LibraryProxy implements EmbeddedProxy {
  readonly #options: ProxyOptions;
  readonly #events = new EventChannel<ProxyEvents>();
  #source: ConfigSource;
  #service: Service | undefined;
  #starting: Promise<readonly string[]> | undefined;
  #closing: Promise<void> | undefined;
  /** Of reloads: each sets what the next reading reads. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(source: ConfigSource, options: ProxyOptions) {
    this.#source = source;
    this.#options = options;
    if (typeof options.log === "function") this.#events.add("log", options.log);
  }

  get addresses(): readonly string[] {
    return this.#service?.supervisor.addresses ?? [];
  }

  async listen(): Promise<readonly string[]> {
    if (this.#closing !== undefined) throw new ProxyError("wrong-state", "this proxy was closed");
    if (this.#starting !== undefined) throw new ProxyError("wrong-state", "this proxy listens already");
    this.#starting = this.#start();
    try {
      return await this.#starting;
    } catch (error) {
      this.#starting = undefined;
      throw error;
    }
  }

  async reload(source?: ConfigSource): Promise<ReloadReport> {
    const next = this.#last.then(() => this.#reload(source ?? this.#source));
    this.#last = next.catch(() => {});
    return await next;
  }

  async close(options: CloseOptions = {}): Promise<void> {
    assertKnown(options, ["drainTimeout"], "close");
    const timeoutMs = drainTimeoutMs(options.drainTimeout);
    if (this.#closing === undefined) this.#closing = this.#close(timeoutMs);
    else if (timeoutMs !== undefined) this.#closing = Promise.race([this.#closing, this.#close(timeoutMs)]);
    await this.#closing;
  }

  stats() {
    return this.#running().report();
  }

  metrics(): string {
    return this.#running().metrics();
  }

  on<Name extends keyof ProxyEvents>(name: Name, listener: (event: ProxyEvents[Name]) => void): this {
    this.#events.add(name, listener);
    return this;
  }

  off<Name extends keyof ProxyEvents>(name: Name, listener: (event: ProxyEvents[Name]) => void): this {
    this.#events.remove(name, listener);
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<readonly string[]> {
    const { startService } = await import("./start-service.ts");
    this.#service = await startService(this.#source, this.#options, this.#events, () => this.#source);
    return this.#service.supervisor.addresses;
  }

  async #reload(source: ConfigSource): Promise<ReloadReport> {
    const service = this.#running();
    const { reloadService } = await import("./start-service.ts");
    const before = this.#source;
    this.#source = source;
    try {
      return await reloadService(service);
    } catch (error) {
      this.#source = before;
      throw error;
    }
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    await this.#starting?.catch(() => {});
    if (timeoutMs === 0) await this.#service?.stop();
    else await this.#service?.drain(timeoutMs);
  }

  #running(): Service {
    if (this.#service !== undefined) return this.#service;
    throw new ProxyError("wrong-state", "this proxy does not listen yet");
  }
}

/** Undefined: the configuration's. Throws `ProxyError`. */
function drainTimeoutMs(written: Duration | undefined): number | undefined {
  if (written === undefined) return undefined;
  const read = readDurationMs(String(written), 0, DAY_MS);
  if (typeof read === "number") return read;
  throw new ProxyError("wrong-option", `drainTimeout "${written}": ${read.reason}; ${read.remedy}`);
}
