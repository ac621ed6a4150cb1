/**
 * A whole proxy in a simulated world, under clients and backends that do whatever chance tells them. The same
 * seed gives the same run, bit for bit.
 *
 * Laws, whatever happens: no byte is lost, doubled or crossed between exchanges; a request is answered once,
 * in its turn, or its connection ends; what is not idempotent reaches at most one backend; every slot comes
 * home; every gauge returns to zero. Where nothing is made to go wrong, every request is answered as its
 * backend answered it.
 */
import { Prng } from "../../src/base/prng.ts";
import { blockOf, Counter, segmentBytes } from "../../src/contract/counters.ts";
import type { Engine } from "../../src/contract/port.ts";
import {
  DEFAULT_LIMITS,
  DEFAULT_POLICY,
  DEFAULT_TIMEOUTS,
  type Snapshot,
} from "../../src/contract/snapshot.ts";
import { createSimEngine } from "../../src/engine/sim/sim-engine.ts";
import type { WireListener } from "../../src/engine/sim/world.ts";
import { World } from "../../src/engine/sim/world.ts";
import { createHttpSession } from "../../src/session/http-session.ts";
import { Actor } from "./actor.ts";
import {
  type Behaviour,
  type Framing,
  fieldOf,
  framed,
  type Plan,
  pattern,
  planOfTarget,
  readMessage,
  targetOf,
} from "./messages.ts";

/** Longer than every deadline of the session together. */
const AFTERWARDS_MS = 600_000;
const CLIENTS_MAX = 12;
const SESSION_MS = 3_000;
const REQUEST_SEED = 1;
const RESPONSE_SEED = 77;

/** What became of a seed. */
export interface Outcome {
  readonly seed: number;
  readonly requests: number;
  /** Answered by a backend, whole. */
  readonly answered: number;
  /** Answered by the proxy. */
  readonly refused: number;
  /** Connections that ended with a request open. */
  readonly cut: number;
  /** Laws that were broken. */
  readonly broken: readonly string[];
}

export function simulate(seed: number): Outcome {
  return new Simulation(seed).run();
}

class Simulation {
  readonly #seed: number;
  readonly #prng: Prng;
  readonly #world: World;
  readonly #engine: Engine;
  readonly #counters = blockOf(new ArrayBuffer(segmentBytes(1)), 0);
  readonly #broken: string[] = [];
  /** Nothing is made to go wrong. */
  readonly #isCalm: boolean;
  readonly #backendAddresses: string[] = [];
  /** How often a backend read each request whole or in part, by id. */
  readonly #met = new Map<number, number>();
  /** Backends that have answered a request which they have not read whole. */
  readonly #hasAnsweredEarly = new Set<Actor>();
  #nextId = 1;
  #answered = 0;
  #refused = 0;
  #cut = 0;

  constructor(seed: number) {
    this.#seed = seed;
    const prng = new Prng(seed);
    this.#prng = prng;
    this.#isCalm = prng.oneIn(3);
    this.#world = new World({
      seed: prng.next(),
      segmentBytesMax: this.#oneOf([1_000, 7, 1_460, 65_536, 65_536]),
      socketBytesMax: this.#oneOf([2_000, 20_000, 262_144]),
      latencyMaxMs: this.#oneOf([0.05, 0.5, 5]),
    });
    this.#engine = createSimEngine(this.#world, {
      listeners: [{ host: "127.0.0.1", port: 0 }],
      connectionsMax: 64,
      smallSlots: this.#isCalm ? 512 : this.#oneOf([24, 64, 512]),
      largeSlots: this.#isCalm ? 64 : this.#oneOf([4, 16, 64]),
    });
  }

  run(): Outcome {
    for (let i = this.#prng.between(1, 3); i > 0; i--) this.#openBackend();
    const notices = { failure: () => {}, endpoint: () => {}, drained: () => {} };
    const session = createHttpSession(this.#engine, this.#snapshot(), this.#counters, notices, 0);
    this.#engine.start(session);
    for (let i = this.#prng.between(1, CLIENTS_MAX); i > 0; i--) {
      this.#world.after(this.#prng.below(50), () => this.#openClient());
    }
    if (!this.#isCalm && this.#prng.oneIn(4)) {
      this.#world.after(this.#prng.below(60), () => session.replaceSnapshot(this.#snapshot()));
    }
    if (!this.#isCalm && this.#prng.oneIn(5)) {
      this.#world.after(this.#prng.below(80), () => {
        this.#engine.stopAccepting();
        session.drain();
        this.#engine.wake();
      });
    }
    try {
      this.#world.run(this.#world.nowMs + AFTERWARDS_MS);
      this.#checkRest();
    } catch (error) {
      this.#law(false, `an exception: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return {
      seed: this.#seed,
      requests: this.#nextId - 1,
      answered: this.#answered,
      refused: this.#refused,
      cut: this.#cut,
      broken: this.#broken,
    };
  }

  #checkRest(): void {
    const { buffers, connectionsMax } = this.#engine;
    this.#law(buffers.freeLargeCount === buffers.largeCount, "every large slot is home");
    const peerSlots = Math.ceil(connectionsMax / 80);
    this.#law(buffers.smallCount - buffers.freeSmallCount <= peerSlots, "every small slot is home");
    for (const name of [
      "clientsOpen",
      "requestsInFlight",
      "originsOpen",
      "originsIdle",
      "tunnelsOpen",
    ] as const) {
      this.#law(
        this.#counters[Counter[name]] === 0,
        `${name} is ${this.#counters[Counter[name]]} at the end`,
      );
    }
    if (this.#isCalm) {
      this.#law(this.#answered === this.#nextId - 1, `${this.#answered} of ${this.#nextId - 1} are answered`);
    }
  }

  #snapshot(): Snapshot {
    const isShort = !this.#isCalm && this.#prng.oneIn(2);
    const span = (): number => this.#prng.between(20, SESSION_MS);
    return {
      version: this.#prng.below(100),
      mode: "http",
      viaName: "sim",
      clusters: [
        {
          name: "main",
          endpoints: this.#backendAddresses.map((address) => ({
            name: address,
            address,
            healthy: this.#isCalm || !this.#prng.oneIn(6),
          })),
        },
      ],
      listeners: [{ cluster: 0 }],
      timeouts: isShort
        ? {
            ...DEFAULT_TIMEOUTS,
            requestHeadMs: span(),
            requestBodyIdleMs: span(),
            connectMs: span(),
            responseHeadMs: span(),
            responseBodyIdleMs: span(),
            clientSendIdleMs: span(),
            clientIdleMs: span(),
            originIdleMs: span(),
          }
        : DEFAULT_TIMEOUTS,
      limits: {
        ...DEFAULT_LIMITS,
        queuedBytesMax: this.#oneOf([1, 5_000, 131_072]),
        poolSizePerEndpoint: this.#oneOf([0, 1, 64]),
      },
      policy: DEFAULT_POLICY,
    };
  }

  // ── Backends
  // ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #openBackend(): void {
    const listener: WireListener = this.#world.listen("127.0.0.1:0", {
      wireIncoming: () => {
        const end = listener.queue.shift()!;
        const actor = this.#actor();
        actor.attach(end);
        end.adopt(actor);
        actor.onChange = () => this.#serve(actor);
      },
    })!;
    this.#backendAddresses.push(listener.address);
    if (!this.#isCalm && this.#prng.oneIn(6)) {
      this.#world.after(this.#prng.below(100), () => this.#world.refuse(listener));
    }
  }

  /** Reads what has come and answers it. Every request that the proxy sends must be whole and well formed. */
  #serve(actor: Actor): void {
    if (actor.isGone) return;
    const headEnd = actor.input.indexOf("\r\n\r\n");
    if (headEnd >= 0) {
      const head = actor.input.subarray(0, headEnd + 4).toString("latin1");
      const [method, target] = head.split(" ");
      const asked = planOfTarget(target!);
      const isEarly = asked.behaviour === "early";
      if (isEarly && !this.#hasAnsweredEarly.has(actor)) {
        this.#hasAnsweredEarly.add(actor);
        this.#answer(actor, method!, asked);
      }
      const read = readMessage(actor.input, true, false);
      if (read !== undefined) {
        actor.input = actor.input.subarray(read.end);
        this.#law(head.includes("\r\nVia: 1.1 sim\r\n"), "a request passes through the proxy");
        this.#countMeeting(asked.id, method!);
        const expected =
          method === "POST" || method === "PUT" ? this.#requestBodyOf(head, asked.id) : Buffer.alloc(0);
        this.#law(read.body.equals(expected), `request ${asked.id} has its body`);
        this.#hasAnsweredEarly.delete(actor);
        if (isEarly) {
          // Its answer may have been whole before it had read the request, and the next has come.
          this.#serve(actor);
          return;
        }
        this.#law(actor.input.length === 0, "a backend gets one request at a time");
        this.#answer(actor, method!, asked);
        return;
      }
    }
    if (actor.hasEnded || actor.isBroken) actor.close();
  }

  #countMeeting(id: number, method: string): void {
    const met = (this.#met.get(id) ?? 0) + 1;
    this.#met.set(id, met);
    if (method === "POST") this.#law(met === 1, `POST ${id} reaches one backend`);
  }

  #requestBodyOf(head: string, id: number): Buffer {
    const bytes = Number(/\r\nX-Bytes: (\d+)\r\n/.exec(head)![1]);
    return pattern(id * REQUEST_SEED, bytes);
  }

  #answer(actor: Actor, method: string, asked: ReturnType<typeof planOfTarget>): void {
    const { id, behaviour, responseFraming, responseBytes } = asked;
    if (behaviour === "silent") return;
    if (behaviour === "reset") {
      actor.reset();
      return;
    }
    const isLast = behaviour === "last" || responseFraming === "close";
    const close = isLast ? "Connection: close\r\n" : "";
    const head = `HTTP/1.1 200 OK\r\nX-Id: ${id}\r\n${close}${fieldOf(responseFraming, responseBytes)}\r\n`;
    const body = framed(
      pattern(id + RESPONSE_SEED, responseBytes),
      responseFraming,
      this.#chunkBytes(responseBytes),
    );
    const interim = behaviour === "interim" ? "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(3) : "";
    const wire = Buffer.concat([Buffer.from(interim + head), method === "HEAD" ? Buffer.alloc(0) : body]);
    if (behaviour === "cut") {
      actor.write(wire.subarray(0, this.#prng.below(wire.length)));
      if (this.#prng.oneIn(2)) actor.end();
      else this.#world.after(this.#prng.below(20), () => actor.reset());
      return;
    }
    actor.write(wire);
    if (isLast) actor.end();
  }

  // ── Clients
  // ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #openClient(): void {
    const prng = this.#prng;
    const actor = this.#actor();
    const plans = Array.from({ length: prng.between(1, 6) }, () => this.#plan());
    const isPipelining = prng.oneIn(3);
    let asked = 0;
    let taken = 0;
    const ask = (): void => {
      const plan = plans[asked++]!;
      const bodyCut = this.#chunkBytes(plan.requestBytes);
      actor.write(
        `${plan.method} ${targetOf(plan)} HTTP/1.1\r\nHost: sim\r\nX-Bytes: ${plan.requestBytes}\r\n` +
          `${fieldOf(plan.requestFraming, plan.requestBytes)}\r\n`,
      );
      actor.write(framed(pattern(plan.id * REQUEST_SEED, plan.requestBytes), plan.requestFraming, bodyCut));
    };
    actor.onChange = () => {
      while (taken < asked && this.#takeAnswer(actor, plans[taken]!)) {
        taken++;
        if (taken === asked && asked < plans.length && !actor.isGone && !actor.hasEnded) ask();
      }
      const isOver = actor.isBroken || actor.hasEnded || taken === plans.length;
      if (!isOver) return;
      this.#cut += asked - taken;
      actor.onChange = () => {};
      actor.close();
    };
    actor.attach(this.#world.dial(this.#engine.listenerAddresses[0]!, "127.0.0.1", actor));
    do ask();
    while (isPipelining && asked < plans.length);
    if (this.#isCalm || !prng.oneIn(4)) return;
    this.#world.after(prng.below(100), () => {
      if (prng.oneIn(2)) actor.reset();
      else actor.close();
    });
  }

  /** Takes the answer to `plan` from the client's input. False while it is not whole. */
  #takeAnswer(actor: Actor, plan: Plan): boolean {
    let read = readMessage(actor.input, plan.method !== "HEAD", false);
    while (read?.head.startsWith("HTTP/1.1 1")) {
      this.#law(plan.behaviour === "interim", `request ${plan.id} has interim responses`);
      actor.input = actor.input.subarray(read.end);
      read = readMessage(actor.input, plan.method !== "HEAD", false);
    }
    if (read === undefined) return false;
    actor.input = actor.input.subarray(read.end);
    const { head, body } = read;
    if (!head.startsWith("HTTP/1.1 200 ")) {
      this.#refused++;
      this.#law(/^HTTP\/1\.1 (408|502|503|504) /.test(head), `request ${plan.id}: ${head.slice(0, 12)}`);
      this.#law(!this.#isCalm, `request ${plan.id} is not refused: ${head.slice(0, 12)}`);
      return true;
    }
    this.#answered++;
    this.#law(head.includes(`\r\nX-Id: ${plan.id}\r\n`), `request ${plan.id} gets its own answer: ${head}`);
    if (plan.method === "HEAD") return true;
    const whole = pattern(plan.id + RESPONSE_SEED, plan.responseBytes);
    // Nothing tells such a cut from an end (RFC 9112 §8).
    const mayBeCut = plan.behaviour === "cut" && plan.responseFraming === "close";
    const expected = mayBeCut ? whole.subarray(0, body.length) : whole;
    this.#law(
      body.equals(expected),
      `answer ${plan.id} has its body (${body.length} of ${expected.length} bytes)`,
    );
    return true;
  }

  #plan(): Plan {
    const prng = this.#prng;
    const method = this.#oneOf(["GET", "GET", "HEAD", "POST", "PUT"] as const);
    const hasBody = method === "POST" || method === "PUT";
    const requestFraming: Framing = hasBody ? this.#oneOf(["length", "chunked"] as const) : "close";
    const calm: readonly Behaviour[] = ["answer", "answer", "answer", "interim", "last"];
    const wild: readonly Behaviour[] = [...calm, "early", "early", "early", "reset", "cut", "silent"];
    const behaviour = this.#isCalm || prng.oneIn(2) ? this.#oneOf(calm) : this.#oneOf(wild);
    // The longer the body, the earlier is the answer.
    const requestBytes = behaviour === "early" ? this.#shown(prng.below(70_000)) : this.#bytes();
    return {
      id: this.#nextId++,
      method,
      requestFraming,
      requestBytes: hasBody ? requestBytes : 0,
      responseFraming: this.#oneOf(["length", "chunked", "close"] as const),
      responseBytes: this.#bytes(),
      behaviour,
    };
  }

  #bytes(): number {
    return this.#shown(this.#prng.below(this.#oneOf([1, 20, 3_000, 70_000])));
  }

  /** Many tiny segments of a long body show nothing more than those of a short one. */
  #shown(bytes: number): number {
    return this.#world.segmentBytesMax < 100 ? bytes % 500 : bytes;
  }

  /** Where chunks end: some hundreds of them at most. */
  #chunkBytes(bodyBytes: number): number {
    return this.#prng.between(1 + (bodyBytes >> 8), 9_000);
  }

  #actor(): Actor {
    const prng = this.#prng;
    const actor = new Actor(this.#world);
    if (prng.oneIn(5)) actor.readMs = prng.between(1, 5);
    if (prng.oneIn(4)) {
      actor.writeBytesMax = prng.between(20, 2_000);
      actor.writeMs = prng.oneIn(2) ? 0.05 : 0;
    }
    return actor;
  }

  #oneOf<T>(choices: readonly T[]): T {
    return choices[this.#prng.below(choices.length)]!;
  }

  #law(holds: boolean, law: string): void {
    if (!holds && this.#broken.length < 5) this.#broken.push(law);
  }
}
