/**
 * `hp-proxy/testing`: one's own configuration, routes, hooks and limits against backends that are functions, in a
 * simulated network on a virtual clock.
 *
 * Strategy: the data plane, the reader of configurations and the runner of hooks are those of the product; only
 * the engine below them is another one (`engine/sim`). What chance decides comes from the seed.
 */
import { Prng } from "../base/prng.ts";
import { SEED_BYTES } from "../base/unguessable-ids.ts";
import type { ConfigSource } from "../config/define-config.ts";
import type { Duration } from "../config/kinds.ts";
import { readDurationMs } from "../config/values.ts";
import { blockOf, segmentBytes } from "../contract/counters.ts";
import type { Interception } from "../contract/interception.ts";
import type { FailureNotice, Notices } from "../contract/notices.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import { capacityOf } from "../control/capacity.ts";
import { compileSnapshot } from "../control/compile-snapshot.ts";
import type { Configuration } from "../control/configuration.ts";
import { failureText, hookText } from "../control/failure-text.ts";
import { type WorkerStats, workerStats } from "../control/stats-report.ts";
import { createSimEngine, type SimEngine } from "../engine/sim/sim-engine.ts";
import { World } from "../engine/sim/world.ts";
import { HookRuntime } from "../hooks/hook-runtime.ts";
import type { Hooks } from "../hooks/hooks.ts";
import { configurationError } from "../library/errors.ts";
import { assertKnown } from "../library/known-options.ts";
import type { LogLevel, LogRecord } from "../library/proxy.ts";
import { ProxyError } from "../library/proxy-error.ts";
import { readSource } from "../library/read-source.ts";
import { createHttpSession } from "../session/http-session.ts";
import { createRelaySession } from "../session/relay-session.ts";
import type { Session } from "../session/session.ts";
import { watched } from "./held-exchanges.ts";
import { Pump } from "./pump.ts";
import type { ConnectInit, FetchInit, Simulation, SimulationOptions, Upstream } from "./simulation.ts";
import { VirtualClient } from "./virtual-client.ts";
import { VirtualClusters } from "./virtual-clusters.ts";
import { virtualOutbound } from "./virtual-outbound.ts";
import type { Stage } from "./virtual-upstream.ts";
import { requestBytes, responseOf } from "./web-messages.ts";

const START_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const CONNECTIONS_MAX = 1_024;
const SMALL_SLOTS = 512;
const LARGE_SLOTS = 128;
const SEGMENT_BYTES_MAX = 1_460;
const PROXY_HOST = "203.0.113.1";
const OPTIONS: readonly (keyof SimulationOptions)[] = [
  "upstreams",
  "seed",
  "startMs",
  "latency",
  "segmentBytesMax",
  "onTick",
];
const CLIENT_HOST = "192.0.2.1";

/**
 * Begins a simulation of `source`, which is what `createProxy` takes. Rejects with `ConfigurationError`, or with
 * `ProxyError` for what is wrong with `options`. Its clock stands until it is asked for something.
 */
export async function simulate(source: ConfigSource, options: SimulationOptions = {}): Promise<Simulation> {
  assertKnown(options, OPTIONS, "simulate");
  const given: Hooks[] = [];
  const proxy = new VirtualProxy(await configurationOf(source, given), options, given);
  await proxy.begin();
  return proxy;
}

async function configurationOf(source: ConfigSource, given: Hooks[]): Promise<Configuration> {
  const read = await readSource(source, given);
  if ("errors" in read) throw configurationError(read.errors);
  return read.configuration;
}

class VirtualProxy implements Simulation, Stage {
  readonly log: LogRecord[] = [];
  readonly trace: string[] = [];
  readonly world: World;
  readonly pump: Pump;
  readonly #seed: number;
  readonly #startMs: number;
  readonly #beginMs: number;
  readonly #given: Hooks[];
  readonly #hooks: HookRuntime;
  readonly #engine: SimEngine;
  readonly #clusters: VirtualClusters;
  readonly #cells = blockOf(new ArrayBuffer(segmentBytes(1)), 0);
  #configuration: Configuration;
  #session: Session | undefined;
  #interception: Interception | undefined;
  #version = 0;
  #hooksVersion = 1;
  #clientCount = 0;
  #isDrained = false;

  constructor(configuration: Configuration, options: SimulationOptions, given: Hooks[]) {
    const { seed = 1, segmentBytesMax = SEGMENT_BYTES_MAX, upstreams = {}, startMs = START_MS } = options;
    const latencyMaxMs = this.durationMs(options.latency ?? "1ms");
    this.world = new World({ seed, segmentBytesMax, latencyMinMs: 0, latencyMaxMs });
    this.pump = new Pump(this.world, options.onTick);
    this.#seed = seed;
    this.#startMs = startMs;
    this.#beginMs = this.world.nowMs;
    this.#configuration = configuration;
    this.#given = given;
    this.#hooks = new HookRuntime(
      this.#cells,
      (notice) => this.#tell("warn", hookText(notice), { ...notice }),
      this.#given,
      {
        // Code takes no time here, so none is over its budget.
        nowMs: () => 0,
        after: (ms, run) => this.#after(ms, run),
      },
      virtualOutbound(this, PROXY_HOST, (place) => this.#clusters.addressOf(place)),
    );
    this.#engine = createSimEngine(this.world, {
      listeners: configuration.listeners.map(({ port }) => ({ host: PROXY_HOST, port })),
      connectionsMax: CONNECTIONS_MAX,
      smallSlots: SMALL_SLOTS,
      largeSlots: LARGE_SLOTS,
    });
    this.#clusters = new VirtualClusters(this, upstreams, (cluster, backend, up) => {
      this.#tell(up ? "info" : "warn", `backend is ${up ? "up" : "down"}`, { cluster, backend });
      this.#publish();
    });
  }

  /** Loads hooks, and lets the engine accept. */
  async begin(): Promise<void> {
    const { clusters } = this.#configuration;
    this.#clusters.follow(clusters);
    const snapshot = this.#compile();
    const asked = askedBy(snapshot);
    this.#clusters.assertNames(clusters, asked);
    this.#clusters.open(asked);
    await this.#loadHooks(snapshot);
    const seed = new Uint8Array(SEED_BYTES);
    const prng = new Prng(this.#seed);
    for (let i = 0; i < seed.length; i++) seed[i] = prng.below(256);
    const epochOffsetMs = this.#startMs - this.#beginMs;
    const create = this.#configuration.mode === "http" ? createHttpSession : createRelaySession;
    const notices = this.#notices();
    this.#session = create(
      this.#engine,
      snapshot,
      this.#cells,
      notices,
      epochOffsetMs,
      seed,
      this.#interception,
    );
    this.#engine.start(this.#session);
  }

  // What the test asks.

  get nowMs(): number {
    return this.world.nowMs - this.#beginMs;
  }

  get endpoints() {
    return this.#clusters
      .snapshot()
      .flatMap(({ name: cluster, endpoints }) =>
        endpoints.map(({ name, healthy }) => ({ cluster, name, up: healthy })),
      );
  }

  async fetch(url: string | URL, init: FetchInit = {}): Promise<Response> {
    const parsed = new URL(url);
    const { method = "GET", within = "1h" } = init;
    const client = this.#dial(init);
    this.note(`${client.name} → ${method} ${parsed.pathname}${parsed.search}`);
    const answer = await client.ask(requestBytes(parsed, init), method === "HEAD", this.durationMs(within));
    client.close();
    if (typeof answer === "string") {
      this.note(`${client.name}: ${answer}`);
      throw new TypeError(`${method} ${parsed.href}: ${answer}`);
    }
    const response = responseOf(answer);
    this.note(`${client.name} ← ${response.status}, ${answer.body.length} bytes`);
    return response;
  }

  connect(init: ConnectInit = {}): VirtualClient {
    return this.#dial(init);
  }

  upstream(name: string): Upstream {
    return this.#clusters.upstream(name);
  }

  async advance(time: Duration): Promise<void> {
    await this.pump.until(() => false, this.durationMs(time));
  }

  sleep(time: Duration): Promise<void> {
    return this.pump.sleep(this.durationMs(time));
  }

  async reload(source: ConfigSource): Promise<void> {
    const next = await configurationOf(source, this.#given);
    const places = ({ listeners }: Configuration) =>
      listeners.map(({ host, port }) => `${host}:${port}`).join();
    if (places(next) !== places(this.#configuration) || next.mode !== this.#configuration.mode)
      throw new ProxyError(
        "needs-restart",
        "listen and mode cannot change in a simulation; simulate the other one",
      );
    const before = this.#configuration;
    this.#configuration = next;
    this.#clusters.follow(next.clusters);
    this.#hooksVersion++;
    try {
      const snapshot = this.#compile();
      this.#clusters.open(askedBy(snapshot));
      await this.#loadHooks(snapshot);
    } catch (error) {
      this.#configuration = before;
      this.#clusters.follow(before.clusters);
      throw error;
    }
    this.note("reload");
    this.#publish();
  }

  async drain(): Promise<void> {
    this.note("drain");
    this.#engine.stopAccepting();
    this.#session?.drain();
    this.#engine.wake();
    await this.pump.until(() => this.#isDrained, this.#configuration.drainTimeoutMs);
  }

  stats(): WorkerStats {
    const nothing = new Float64Array(this.#cells.length);
    return workerStats(0, { now: this.#cells, before: nothing, beforeMs: this.nowMs, longBefore: nothing });
  }

  // What its parts ask.

  note(line: string): void {
    this.trace.push(`${this.nowMs.toFixed(3)} ${line}`);
  }

  durationMs(written: Duration): number {
    const read = readDurationMs(String(written), 0, 365 * DAY_MS);
    if (typeof read === "number") return read;
    throw new ProxyError("wrong-option", `"${written}": ${read.reason}; ${read.remedy}`);
  }

  #dial({ from = CLIENT_HOST, listener = 0 }: ConnectInit): VirtualClient {
    const address = this.#engine.listenerAddresses[listener];
    if (address !== undefined) return new VirtualClient(this, `client ${++this.#clientCount}`, address, from);
    throw new ProxyError("wrong-option", `listener ${listener} is not there; the first is number 0`);
  }

  #after(ms: number, run: () => void) {
    let isCancelled = false;
    this.world.after(ms, () => {
      if (!isCancelled) run();
    });
    return {
      cancel: () => {
        isCancelled = true;
      },
    };
  }

  #tell(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): void {
    this.note(message);
    this.log.push({ atMs: this.#startMs + this.nowMs, level, message, fields });
  }

  #notices(): Notices {
    return {
      admits: () => true,
      failure: (notice: FailureNotice) => {
        const { message: _, ...fields } = notice;
        this.#tell(notice.by === "client" ? "info" : "warn", failureText(notice), fields);
      },
      endpoint: () => {},
      drained: () => {
        this.#isDrained = true;
      },
    };
  }

  #compile(): Snapshot {
    const configuration = this.#configuration;
    const { limits } = capacityOf(configuration.limits, CONNECTIONS_MAX, configuration.mode);
    const listeners = configuration.listeners.map(({ cluster }) => ({ cluster }));
    const clusters = this.#clusters.snapshot();
    return compileSnapshot(configuration, this.#version++, clusters, listeners, limits, this.#hooksVersion);
  }

  async #loadHooks({ hooking, ...snapshot }: Snapshot): Promise<void> {
    this.#hooks.follow(snapshot);
    if (hooking === undefined) return;
    const chains = watched(await this.#hooks.load(hooking), this.pump);
    this.#interception = {
      chains,
      wake: () => {
        this.pump.touch();
        this.#engine.wake();
      },
    };
  }

  #publish(): void {
    const snapshot = this.#compile();
    this.#hooks.follow(snapshot);
    this.#session?.replaceSnapshot(snapshot, this.#interception);
    this.#engine.wake();
  }
}

/** Servers that links of the snapshot ask: `host:port`, each once. */
function askedBy({ hooking }: Snapshot): string[] {
  const links = (hooking?.chains ?? []).flat();
  const places = links.flatMap((link) => {
    if (link.kind !== "forwardAuth") return [];
    const { hostname, port, protocol } = new URL(link.url);
    return [`${hostname}:${port || (protocol === "https:" ? 443 : 80)}`];
  });
  return [...new Set(places)];
}
