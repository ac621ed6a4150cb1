/**
 * A data plane in the test's own process: an engine, a session on it, backends before it and clients behind
 * it. When a case ends, the stage lets everybody go and holds the session to its laws: every slot at home,
 * every gauge at zero, no invariant broken.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { blockOf, Counter, segmentBytes } from "../../src/contract/counters.ts";
import type { Chain, Interception } from "../../src/contract/interception.ts";
import type { FailureNotice } from "../../src/contract/notices.ts";
import { type Engine, type EngineOptions, EngineUnavailable } from "../../src/contract/port.ts";
import type { ErrorPage, Routing } from "../../src/contract/routing.ts";
import {
  type Cluster,
  DEFAULT_LIMITS,
  DEFAULT_POLICY,
  DEFAULT_TIMEOUTS,
  type Endpoint,
  type Limits,
  type Policy,
  type Snapshot,
  type Timeouts,
} from "../../src/contract/snapshot.ts";
import { chooseEngine } from "../../src/engine/choose.ts";
import { createHttpSession } from "../../src/session/http-session.ts";
import { createRelaySession } from "../../src/session/relay-session.ts";
import type { Session } from "../../src/session/session.ts";
import { Changing, dial, RawBackend, type RawPeer } from "./raw-peer.ts";

const CASE_MS_MAX = 30_000;
/** How often a gauge is looked at that nothing announces. */
const LOOK_MS = 2;
const SETTLE_MS_MAX = 10_000;
/** Client numbers that share one small slot for the text of their addresses; the slot stays. */
const PEER_TEXTS_PER_SLOT = 80;

const ENGINES = ["net", "uring", "epoll"] as const;

export interface StageOptions {
  readonly mode?: "http" | "tcp";
  /** Scripted backends to open; `backends` are their addresses unless `endpoints` says otherwise. */
  readonly backends?: number;
  readonly endpoints?: readonly { address: string; healthy?: boolean }[];
  readonly timeouts?: Partial<Timeouts>;
  readonly limits?: Partial<Limits>;
  readonly policy?: Partial<Policy>;
  readonly engine?: Partial<EngineOptions>;
  /** Then each backend is a cluster of its own, by its number. */
  readonly routing?: Routing;
  readonly errorPages?: readonly ErrorPage[];
  /** Makes the hooks of requests, where there are no routes. */
  readonly chain?: () => Chain;
}

export type Run = (stage: Stage) => Promise<void>;

/** Registers the case `name` for each engine that exists. */
export function onEachEngine(name: string, options: StageOptions, run: Run): void {
  for (const engine of ENGINES) {
    test(`${engine}: ${name}`, { timeout: CASE_MS_MAX }, async (t) => {
      let stage: Stage;
      try {
        stage = await Stage.open(engine, options);
      } catch (error) {
        if (!(error instanceof EngineUnavailable)) throw error;
        if (process.env.CI && process.platform === "linux") throw error;
        return t.skip(error.message);
      }
      try {
        await run(stage);
        await stage.settle();
      } finally {
        await stage.close();
      }
    });
  }
}

/** A connection on which nothing listens. */
export async function deadAddress(): Promise<string> {
  const backend = await RawBackend.listen();
  await backend.close();
  return backend.address;
}

/**
 * An address that takes no connection and refuses none: its process stands still, and its queue is full.
 * Until `close`.
 */
export async function muteAddress(): Promise<{ address: string; close(): void }> {
  const script =
    "const server = require('net').createServer();" +
    "server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port));";
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const port = Number(await new Promise<Buffer>((resolve) => child.stdout.once("data", resolve)));
  child.kill("SIGSTOP");
  while (!/\) T /.test(readFileSync(`/proc/${child.pid}/stat`, "latin1"))) {
    await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const address = `127.0.0.1:${port}`;
  const fillers = Array.from({ length: 4 }, () => dial(address));
  // The kernel takes one more than the backlog says.
  await Promise.all(fillers.slice(0, 2).map(({ socket }) => once(socket, "connect")));
  return {
    address,
    close: () => {
      for (const filler of fillers) filler.close();
      child.kill("SIGKILL");
    },
  };
}

export class Stage extends Changing {
  readonly engine: Engine;
  readonly session: Session;
  readonly backends: readonly RawBackend[];
  readonly counters: Float64Array;
  readonly failures: FailureNotice[] = [];
  readonly endpointNews: { address: string; errno: number }[] = [];
  drainedCount = 0;
  snapshot: Snapshot;
  readonly #clients: RawPeer[] = [];
  #interception: Interception | undefined;

  static async open(name: "net" | "uring" | "epoll", options: StageOptions): Promise<Stage> {
    const { engine } = await chooseEngine(name, {
      listeners: [{ host: "127.0.0.1", port: 0 }],
      connectionsMax: 64,
      smallSlots: 128,
      largeSlots: 64,
      ...options.engine,
    });
    const backends: RawBackend[] = [];
    for (let i = 0; i < (options.backends ?? 1); i++) backends.push(await RawBackend.listen());
    return new Stage(engine, backends, options);
  }

  private constructor(engine: Engine, backends: readonly RawBackend[], options: StageOptions) {
    super();
    this.engine = engine;
    this.backends = backends;
    const endpoints = options.endpoints ?? backends.map(({ address }) => ({ address, healthy: true }));
    this.snapshot = {
      version: 0,
      mode: options.mode ?? "http",
      viaName: "test",
      clusters: clustersOf(
        endpoints.map(({ address, healthy }, i) => ({
          name: `backend-${i}`,
          address,
          healthy: healthy ?? true,
        })),
        options.routing !== undefined,
      ),
      ...(options.routing === undefined ? {} : { routing: options.routing }),
      errorPages: options.errorPages ?? [],
      listeners: [{ cluster: 0 }],
      timeouts: { ...DEFAULT_TIMEOUTS, lingerMs: 200, ...options.timeouts },
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      policy: { ...DEFAULT_POLICY, ...options.policy },
    };
    this.counters = blockOf(new ArrayBuffer(segmentBytes(1)), 0);
    const create = this.snapshot.mode === "http" ? createHttpSession : createRelaySession;
    const notices = {
      admits: () => true,
      failure: (notice: FailureNotice) => {
        this.failures.push(notice);
        this.changed();
      },
      endpoint: (address: string, errno: number) => {
        this.endpointNews.push({ address, errno });
        this.changed();
      },
      drained: () => {
        this.drainedCount++;
        this.changed();
      },
    };
    const { chain } = options;
    if (chain !== undefined) {
      this.snapshot = { ...this.snapshot, chain: 0 };
      this.#interception = { chains: [chain()], wake: () => engine.wake() };
    }
    const origin = performance.timeOrigin;
    this.session = create(
      engine,
      this.snapshot,
      this.counters,
      notices,
      origin,
      undefined,
      this.#interception,
    );
    engine.start(this.session);
  }

  /** The proxy's address. */
  get address(): string {
    return this.engine.listenerAddresses[0]!;
  }

  /** The hooks, as `StageOptions.chain` made them. */
  get chain(): Chain {
    return this.#interception!.chains[0]!;
  }

  /** The first backend. */
  get backend(): RawBackend {
    return this.backends[0]!;
  }

  client(): RawPeer {
    const peer = dial(this.address);
    this.#clients.push(peer);
    return peer;
  }

  counter(counter: Counter): number {
    return this.counters[counter]!;
  }

  /** Reasons of all failures told so far, oldest first. */
  get reasons(): string[] {
    return this.failures.map(({ reason }) => reason);
  }

  /** Replaces the snapshot by one that differs in `changes`. */
  replace(changes: Partial<Snapshot>): void {
    this.snapshot = { ...this.snapshot, ...changes, version: this.snapshot.version + 1 };
    this.session.replaceSnapshot(this.snapshot, this.#interception);
    this.engine.wake();
  }

  /** Waits until `holds`, looking again and again: for what nothing announces. */
  async eventually(what: string, holds: () => boolean): Promise<void> {
    const giveUpMs = performance.now() + SETTLE_MS_MAX;
    while (!holds()) {
      if (performance.now() > giveUpMs) {
        throw new Error(
          `it never came to be: ${what}; ${this.#state()}; failures: ${this.reasons.join(" ")}`,
        );
      }
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Lets everybody go, and holds the session to its laws. */
  async settle(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.eventually("exchanges are gone", () => this.counter(Counter.requestsInFlight) === 0);
    // A tunnel ends when both sides have.
    for (const backend of this.backends) await backend.close();
    await this.eventually("clients are gone", () => this.counter(Counter.clientsOpen) === 0);
    await this.eventually("backend connections are gone", () => this.counter(Counter.originsOpen) === 0);
    const gauges = [Counter.requestsInFlight, Counter.originsIdle, Counter.tunnelsOpen, Counter.clientsOpen];
    for (const gauge of gauges) assert.equal(this.counter(gauge), 0, `gauge ${gauge} is zero`);
    // Only now: an engine may keep slots ready for the kernel while it runs.
    await this.engine.stop();
    const { buffers, connectionsMax } = this.engine;
    assert.equal(buffers.largeCount - buffers.freeLargeCount, 0, "every large slot is home");
    const peerSlots = Math.ceil(connectionsMax / PEER_TEXTS_PER_SLOT);
    assert.ok(buffers.smallCount - buffers.freeSmallCount <= peerSlots, "every small slot is home");
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const backend of this.backends) await backend.close();
    await this.engine.stop();
  }

  #state(): string {
    const { buffers } = this.engine;
    const large = buffers.largeCount - buffers.freeLargeCount;
    const small = buffers.smallCount - buffers.freeSmallCount;
    const count = (counter: Counter) => this.counter(counter);
    return (
      `slots used: ${large} large, ${small} small; clients ${count(Counter.clientsOpen)}, ` +
      `exchanges ${count(Counter.requestsInFlight)}, origins ${count(Counter.originsOpen)} ` +
      `(${count(Counter.originsIdle)} idle), tunnels ${count(Counter.tunnelsOpen)}`
    );
  }
}

function clustersOf(endpoints: readonly Endpoint[], areApart: boolean): Cluster[] {
  if (!areApart) return [{ name: "main", endpoints }];
  return endpoints.map((endpoint, i) => ({ name: `cluster-${i}`, endpoints: [endpoint] }));
}

/** A GET of `client` reaches the first backend, and its answer the client. Resolves to the backend connection. */
export async function isServed(stage: Stage, client: RawPeer = stage.client()): Promise<RawPeer> {
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const origin = await stage.backend.next();
  await origin.head();
  origin.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert.equal((await client.message()).body, "ok");
  return origin;
}
