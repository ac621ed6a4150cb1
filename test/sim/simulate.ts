/**
 * A whole proxy in a simulated world, under clients and backends that do what a seed tells them. The same
 * seed gives the same run, bit for bit.
 *
 * Laws, whatever happens:
 * - No byte is lost, doubled or crossed between exchanges, in bodies, heads and tunnels.
 * - A request is answered once, in its turn, or its connection ends.
 * - A backend sees what a client has sent, and nothing else; what is not idempotent once; what is badly
 *   framed not at all, or not whole. A client sees no response that is not its own, and no lie.
 * - Every slot comes home, every connection is closed, no deadline is left, every gauge returns to zero, the
 *   counters agree with the wire, and what is queued stays within its bound.
 * - Draining is told once, and only when it was asked for.
 * - What hooks do to an exchange is done to that one: it is logged once, and whoever writes a body for it has said
 *   all or is told that nobody wants it.
 * Where nothing is made to go wrong, every request is answered as its backend answers it; where others
 * misbehave, those who do not are served all the same.
 */
import { BufferPool } from "../../src/base/buffer-pool.ts";
import { linearMemory } from "../../src/base/linear-memory.ts";
import { Prng } from "../../src/base/prng.ts";
import { blockOf, Counter, segmentBytes } from "../../src/contract/counters.ts";
import type { FailureNotice } from "../../src/contract/notices.ts";
import type { Routing } from "../../src/contract/routing.ts";
import type { Snapshot } from "../../src/contract/snapshot.ts";
import { createSimEngine, type SimEngine } from "../../src/engine/sim/sim-engine.ts";
import { type WireListener, World } from "../../src/engine/sim/world.ts";
import { createHttpSession } from "../../src/session/http-session.ts";
import { createRelaySession } from "../../src/session/relay-session.ts";
import type { Session } from "../../src/session/session.ts";
import { BackendConnection } from "./backend.ts";
import { Client } from "./client.ts";
import { SimHooks } from "./hooks.ts";
import { checkLimits, checkPromises, checkRest } from "./laws.ts";
import { drawPlan, isLast, type Plan } from "./plan.ts";
import { RelayedBackend, RelayedClient } from "./relayed.ts";
import { drawRoute, drawRouting } from "./routes.ts";
import {
  drawLimits,
  drawManner,
  drawPace,
  drawPolicy,
  drawScenario,
  drawTimeouts,
  type Scenario,
} from "./scenario.ts";
import { oneOf, type Stage, type Unasked } from "./stage.ts";
import { Trace } from "./trace.ts";
import { Watch } from "./watch.ts";

/** More happens in no world that comes to rest. */
const STEPS_MAX = 2_000_000;
const BROKEN_MAX = 5;
/** Any number: the streams of a seed differ. */
const ROUTES_SEED = 0x5eed;
const HOOKS_SEED = 0x600_4b00;
const EVENTS_WITHIN_MS = 120;
/** For batches, and for backends that write slowly. */
const REACH_SLACK_MS = 10;
/** Reused from seed to seed, and cleared before each. */
const REGION = linearMemory(3_000_000)!;

/** What became of a seed. */
export interface Outcome {
  readonly seed: number;
  readonly mood: string;
  readonly requests: number;
  /** Answered by a backend, whole. */
  readonly served: number;
  /** Answered by the proxy. */
  readonly refused: number;
  /** Not answered whole. */
  readonly cut: number;
  /** Reasons of the notices, and statuses of the proxy's own answers. */
  readonly met: ReadonlySet<string>;
  readonly steps: number;
  /** Of the whole run. */
  readonly digest: string;
  /** Laws that were broken. */
  readonly broken: readonly string[];
}

/** `print` takes the trace, line by line. */
export function simulate(seed: number, print?: (line: string) => void): Outcome {
  return new Simulation(seed, print).run();
}

class Simulation implements Stage {
  readonly prng: Prng;
  readonly world: World;
  readonly trace: Trace;
  readonly plans = new Map<number, Plan>();
  readonly scenario: Scenario;
  snapshot: Snapshot;
  readonly engine: SimEngine;
  readonly counters = blockOf(new ArrayBuffer(segmentBytes(1)), 0);
  readonly clients: Client[] = [];
  readonly relayed: RelayedClient[] = [];
  readonly backends: (BackendConnection | RelayedBackend)[] = [];
  readonly notices: FailureNotice[] = [];
  readonly unruly = new Set<number>();
  readonly unasked: Unasked[] = [];
  drainedCount = 0;
  isDraining = false;
  readonly #seed: number;
  readonly #listeners: WireListener[] = [];
  /** What becomes of routes and of the health of backends is drawn from this; null: there are no routes. */
  readonly #routes: Prng | null;
  /** Null: there are no hooks. */
  readonly #hooks: SimHooks | null;
  readonly #broken: string[] = [];
  #steps = 0;
  #nextId = 1;

  constructor(seed: number, print: ((line: string) => void) | undefined) {
    this.#seed = seed;
    const prng = new Prng(seed);
    this.prng = prng;
    this.scenario = drawScenario(prng);
    const routes = new Prng(seed ^ ROUTES_SEED);
    this.#routes = this.scenario.mode === "http" && routes.oneIn(3) ? routes : null;
    this.world = new World(this.scenario.world);
    this.trace = new Trace(this.world, print);
    const { smallSlots, largeSlots } = this.scenario.engine;
    new Uint8Array(REGION.buffer).fill(0, 0, BufferPool.regionBytes(smallSlots, largeSlots));
    this.engine = createSimEngine(this.world, this.scenario.engine, REGION);
    for (let i = 0; i < this.scenario.backendCount; i++) this.#openBackend(i);
    const hooks = new Prng(seed ^ HOOKS_SEED);
    const hasHooks = this.scenario.mode === "http" && hooks.oneIn(2);
    this.#hooks = hasHooks ? new SimHooks(this, hooks, () => this.engine.wake()) : null;
    this.snapshot = this.#drawSnapshot(prng.below(100));
  }

  get mood(): Stage["mood"] {
    return this.scenario.mood;
  }

  get reachMs(): number {
    const { mood, world } = this.scenario;
    // Where slots are short, what has arrived may wait to be read.
    if (mood === "wild") return Infinity;
    return 2 * world.latencyMaxMs! + (world.stallOneIn! > 0 ? world.stallMaxMs! : 0) + REACH_SLACK_MS;
  }

  broken(law: string): void {
    this.trace.note("LAW", law);
    if (this.#broken.length < BROKEN_MAX) this.#broken.push(law);
  }

  run(): Outcome {
    try {
      const session = this.#begin();
      const watch = new Watch(session, this.engine, this, this.counters);
      this.engine.start(watch);
      for (let i = 0; i < this.scenario.clientCount; i++) this.#planClient(i);
      this.#planEvents(session);
      this.#runToRest();
      for (const client of this.clients) client.listen();
      this.#runToRest();
      checkRest(this, watch.waitMs);
      checkLimits(this);
      checkPromises(this);
      this.#hooks?.check();
    } catch (error) {
      this.broken(`an exception: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return this.#outcome();
  }

  #begin(): Session {
    const notices = {
      admits: () => true,
      failure: (notice: FailureNotice) => {
        this.trace.note("proxy", notice.reason, notice.status);
        this.notices.push(notice);
      },
      endpoint: () => {},
      drained: () => {
        this.trace.note("proxy", "has drained");
        this.drainedCount++;
        if (this.counters[Counter.clientsOpen] !== 0) this.broken("draining is over when no client is left");
      },
    };
    const create = this.scenario.mode === "tcp" ? createRelaySession : createHttpSession;
    const interception = this.#hooks?.interception;
    return create(this.engine, this.snapshot, this.counters, notices, 0, undefined, interception);
  }

  #runToRest(): void {
    const { world } = this;
    while (this.#steps < STEPS_MAX && world.step()) this.#steps++;
    if (this.#steps >= STEPS_MAX) this.broken("the world comes to rest");
  }

  #planEvents(session: Session): void {
    const { prng, world, scenario } = this;
    for (let i = 0; i < scenario.replacements; i++) {
      world.after(prng.below(EVENTS_WITHIN_MS), () => {
        this.snapshot = this.#drawSnapshot(this.snapshot.version + 1);
        this.trace.note("control", "replaces the snapshot", this.snapshot.version);
        session.replaceSnapshot(this.snapshot, this.#hooks?.interception);
      });
    }
    if (!scenario.drains) return;
    world.after(prng.below(EVENTS_WITHIN_MS), () => {
      this.trace.note("control", "drains");
      this.isDraining = true;
      this.engine.stopAccepting();
      session.drain();
      this.engine.wake();
    });
  }

  #drawSnapshot(version: number): Snapshot {
    const { prng, mood } = this;
    const addresses = this.#listeners.map(({ address }) => address);
    // Endpoints come and go; one stays, so that there is somebody to answer.
    const listed = addresses.filter((_, i) => i === 0 || !prng.oneIn(4));
    const routes = this.#routes;
    const isUp = (i: number): boolean =>
      mood === "wild" ? !prng.oneIn(6) : i === 0 || routes === null || !routes.oneIn(3);
    const endpoints = listed.map((address, i) => ({ name: address, address, healthy: isUp(i) }));
    const clusters = [{ name: "main", endpoints }];
    if (routes !== null) clusters.push({ name: "other", endpoints: endpoints.toReversed() });
    return {
      version,
      mode: this.scenario.mode,
      viaName: "sim",
      clusters,
      ...(routes === null ? {} : { routing: this.#hook(drawRouting(routes, mood)) }),
      ...(this.#hooks === null ? {} : { chain: this.#hooks.drawChain() }),
      listeners: [{ cluster: 0 }],
      timeouts: drawTimeouts(prng, mood),
      limits: drawLimits(prng, mood),
      policy: drawPolicy(prng, this.scenario),
    };
  }

  /** Gives some routes hooks. */
  #hook(routing: Routing): Routing {
    const hooks = this.#hooks;
    if (hooks === null) return routing;
    const routes = routing.routes.map((route) => ({ ...route, chain: hooks.drawChain() }));
    return { ...routing, routes, unroutedChain: hooks.drawChain() };
  }

  // ── Backends

  #openBackend(index: number): void {
    const { world, prng } = this;
    const listener: WireListener = world.listen("127.0.0.1:0", {
      wireIncoming: () => {
        const end = listener.queue.shift()!;
        const name = `backend ${index}.${this.backends.length}`;
        const pace = drawPace(prng);
        const connection =
          this.scenario.mode === "tcp"
            ? new RelayedBackend(this, name, pace)
            : new BackendConnection(this, name, pace);
        this.backends.push(connection);
        connection.attach(end);
        end.adopt(connection);
      },
    })!;
    this.#listeners.push(listener);
    if (this.mood === "wild" && prng.oneIn(3)) this.#planOutage(listener);
  }

  /** For a time, nobody listens there, or nothing answers. */
  #planOutage(listener: WireListener): void {
    const { world, prng } = this;
    const isMute = prng.oneIn(2);
    const outageMs = prng.oneIn(3) ? 3_600_000 : prng.between(1, 200);
    world.after(prng.below(EVENTS_WITHIN_MS), () => {
      if (isMute) listener.isMute = true;
      else world.refuse(listener);
      world.after(outageMs, () => {
        if (isMute) listener.isMute = false;
        else world.accept(listener);
      });
    });
  }

  // ── Clients

  #planClient(index: number): void {
    const { prng, world, scenario } = this;
    const address = `10.0.0.${prng.between(1, 3)}`;
    const pace = drawPace(prng);
    const name = `client ${index}`;
    const atMs = prng.below(scenario.arrivalMs + 1);
    if (scenario.mode === "tcp") {
      const client = new RelayedClient(this, name, pace, this.#drawPlans(1)[0]!);
      this.relayed.push(client);
      world.after(atMs, () => {
        client.attach(world.dial(this.engine.listenerAddresses[0]!, address, client));
        client.start();
      });
      return;
    }
    const manner = drawManner(prng, scenario.mood, scenario.halfClosedClients === "serve");
    const client = new Client(this, name, pace, manner, this.#drawPlans(prng.between(1, scenario.plansMax)));
    this.clients.push(client);
    world.after(atMs, () => {
      client.attach(world.dial(this.engine.listenerAddresses[0]!, address, client));
      client.start();
    });
  }

  #drawPlans(count: number): Plan[] {
    const plans: Plan[] = [];
    for (let i = 0; i < count; i++) {
      const mayEnd = i === count - 1 || oneOf(this.prng, [false, false, false, true]);
      const drawn = drawPlan(this.prng, this.mood, this.#nextId++, mayEnd, this.scenario.sizes);
      const plan = this.#routes === null ? drawn : { ...drawn, route: drawRoute(this.#routes, drawn) };
      this.plans.set(plan.id, plan);
      plans.push(plan);
      if (isLast(plan)) break;
    }
    return plans;
  }

  #outcome(): Outcome {
    const asked = [...this.plans.values()].filter(({ askedMs }) => askedMs >= 0);
    const met = new Set(this.notices.map(({ reason }) => reason));
    for (const { isServed, answeredStatus } of asked) {
      if (answeredStatus > 0) met.add(isServed ? `${answeredStatus} of a backend` : String(answeredStatus));
    }
    return {
      seed: this.#seed,
      mood: this.mood,
      requests: asked.length,
      served: asked.filter(({ isServed, isAnswered }) => isServed && isAnswered).length,
      refused: asked.filter(({ isServed, answeredStatus }) => !isServed && answeredStatus > 0).length,
      cut: asked.filter(({ isAnswered }) => !isAnswered).length,
      met,
      steps: this.#steps,
      digest: this.trace.digest,
      broken: this.#broken,
    };
  }
}
