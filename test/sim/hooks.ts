/**
 * Hooks of a simulated proxy: a chain that edits, holds for a while, answers itself, and puts stages in the way of
 * bodies which give on what they get in other pieces, later, or all at the end. Drawn from a stream of its own:
 * worlds without hooks stay as they were.
 *
 * Laws: each exchange that a chain has seen is logged once and ends once; each stage and each answer has said all,
 * or is told that nobody wants it.
 */
import type { Prng } from "../../src/base/prng.ts";
import {
  type BodySink,
  type BodyStage,
  type Chain,
  type Edge,
  HeadOf,
  type Intercepted,
  type Interception,
  Moment,
} from "../../src/contract/interception.ts";
import { bodyOf, Way } from "./pattern.ts";
import type { Plan } from "./plan.ts";
import { oneOf, type Stage } from "./stage.ts";

const ALL = Moment.request | Moment.upstream | Moment.response | Moment.error | Moment.log;
const EDIT_BYTES = [0, 20, 20, 20, 3_000, 5_000];
const HOLD_MS_MAX = 40;
const LONG_HOLD_MS_MAX = 2_000;

/** What a chain remembers of an exchange. */
interface Seen extends Edge {
  readonly plan: Plan;
  /** Grows with each moment: what belongs to an earlier one is not said any more. */
  moment: number;
  logged: number;
  endedCount: number;
  readonly wantsLog: boolean;
}

export class SimHooks {
  readonly interception: Interception;
  readonly #stage: Stage;
  readonly #prng: Prng;
  readonly #seen: Seen[] = [];
  readonly #writers: { readonly name: string; isOver: boolean }[] = [];

  constructor(stage: Stage, prng: Prng, wake: () => void) {
    this.#stage = stage;
    this.#prng = prng;
    const someMoments = prng.oneIn(2) ? ALL : prng.below(ALL + 1);
    this.interception = { chains: [this.#chain(ALL), this.#chain(someMoments)], wake };
  }

  /** Which chain something gets. */
  drawChain(): number {
    return this.#prng.below(2);
  }

  /** When the world has come to rest. */
  check(): void {
    for (const { plan, logged, endedCount, wantsLog } of this.#seen) {
      if (logged !== (wantsLog ? 1 : 0)) this.#stage.broken(`request ${plan.id} is logged once: ${logged}`);
      if (endedCount !== 1) this.#stage.broken(`request ${plan.id} ends once: ${endedCount}`);
    }
    for (const { name, isOver } of this.#writers) {
      if (!isOver) this.#stage.broken(`${name} is told that it is over`);
    }
  }

  #chain(moments: number): Chain {
    return {
      moments,
      request: (e) => this.#at(e, moments, () => this.#edit(e, HeadOf.request)),
      upstream: (e) => this.#at(e, moments, () => this.#edit(e, HeadOf.request)),
      response: (e) => this.#at(e, moments, () => this.#edit(e, HeadOf.response)),
      error: (e) => this.#at(e, moments, () => {}),
      log: (e) => {
        const seen = this.#seenOf(e, moments);
        if (seen !== null) seen.logged++;
      },
    };
  }

  /** What is known of `e`; null where its request cannot be read any more, and was not seen before. */
  #seenOf(e: Intercepted, moments: number): Seen | null {
    if (e.edge !== null) return e.edge as Seen;
    if (e.requestStart < 0) return null;
    const head = Buffer.from(e.memory.subarray(e.requestStart, e.requestHeadEnd)).toString("latin1");
    const plan = this.#stage.plans.get(Number(/\r\nX-Id: (\d+)\r\n/.exec(head)?.[1] ?? -1));
    if (plan === undefined) {
      this.#stage.broken(`a chain sees only what a client has sent: ${JSON.stringify(head)}`);
      return null;
    }
    const seen: Seen = {
      plan,
      moment: 0,
      logged: 0,
      endedCount: 0,
      wantsLog: (moments & Moment.log) !== 0,
      // What is held or has a stage is known to others: the session must see that by itself.
      ended() {
        this.endedCount++;
        return true;
      },
    };
    this.#seen.push(seen);
    e.edge = seen;
    return seen;
  }

  #at(e: Intercepted, moments: number, edit: () => void): void {
    const seen = this.#seenOf(e, moments);
    if (seen === null) return;
    const prng = this.#prng;
    const moment = ++seen.moment;
    edit();
    if (prng.oneIn(2)) {
      this.#decide(e, seen, () => {});
      return;
    }
    e.hold();
    // A body may flow into its stage meanwhile.
    if (prng.oneIn(2)) this.#transform(e, seen);
    const isLong = this.#stage.mood === "wild" && prng.oneIn(6);
    this.#stage.world.after(prng.below(isLong ? LONG_HOLD_MS_MAX : HOLD_MS_MAX), () => {
      if (!e.isLive || seen.moment !== moment) return;
      edit();
      this.#decide(e, seen, () => e.proceed());
    });
  }

  #edit(e: Intercepted, which: HeadOf): void {
    const prng = this.#prng;
    if (prng.oneIn(2)) return;
    const value = Buffer.alloc(oneOf(prng, EDIT_BYTES), "v");
    e.setField(which, Buffer.from("x-hook"), value);
    if (prng.oneIn(4)) e.addField(which, Buffer.from("x-hook"), Buffer.from("more"));
    if (prng.oneIn(4)) e.removeField(which, Buffer.from("x-hook"));
  }

  #decide(e: Intercepted, seen: Seen, goOn: () => void): void {
    const prng = this.#prng;
    const { plan } = seen;
    const isWild = this.#stage.mood === "wild";
    const mayAnswer = !plan.isTunnel && plan.method !== "CONNECT" && !plan.isUpgrade;
    const isHarmless = plan.fault === "" && plan.lie === "" && plan.requestFraming === "none";
    if (mayAnswer && (isWild || isHarmless) && prng.oneIn(8)) this.#answer(e, plan);
    else if (isWild && prng.oneIn(30)) e.fail(oneOf(prng, ["hook_threw", "hook_late"]));
    else {
      if (prng.oneIn(3)) this.#transform(e, seen);
      goOn();
    }
  }

  #answer(e: Intercepted, plan: Plan): void {
    const prng = this.#prng;
    const status = oneOf(prng, [200, 200, 200, 404, 204, 299]);
    const body = bodyOf(plan.id, Way.response, prng.below(oneOf(prng, [1, 20, 3_000, 90_000]) + 1));
    const lines = Buffer.from(`X-Hooked: ${plan.id} ${body.length}\r\n`);
    const sink = e.answer(status, lines, prng.oneIn(2) ? body.length : -1);
    const writer = { name: `the answer of ${plan.id}`, isOver: false };
    this.#writers.push(writer);
    const stops = this.#stage.mood === "wild" && prng.oneIn(12) ? prng.below(body.length + 1) : Infinity;
    let at = 0;
    const go = (): void => {
      while (!writer.isOver && at < body.length) {
        if (at >= stops) {
          if (prng.oneIn(2)) sink.fail("hook_threw");
          return;
        }
        const piece = Buffer.from(body.subarray(at, at + 1 + prng.below(20_000)));
        at += piece.length;
        if (!sink.write(piece)) return;
        if (prng.oneIn(4)) {
          this.#stage.world.after(prng.below(5), go);
          return;
        }
      }
      if (!writer.isOver) sink.end();
      writer.isOver = true;
    };
    sink.onDrained = () => {
      if (!writer.isOver) go();
    };
    sink.onAborted = () => {
      writer.isOver = true;
    };
    if (prng.oneIn(3)) this.#stage.world.after(prng.below(5), go);
    else go();
  }

  #transform(e: Intercepted, { plan }: Seen): void {
    const which = e.responseStart >= 0 ? HeadOf.response : HeadOf.request;
    const stage = new SimStage(this.#stage, this.#prng, `a stage of ${plan.id}`);
    const sink = e.transform(which, stage, this.#prng.oneIn(2));
    if (sink === null) return;
    stage.sink = sink;
    this.#writers.push(stage);
    if (which === HeadOf.response) plan.hasLostTrailers = true;
  }
}

/** Gives on what it gets, in pieces and at times of its own. */
class SimStage implements BodyStage {
  readonly name: string;
  sink!: BodySink;
  isOver = false;
  readonly #stage: Stage;
  readonly #prng: Prng;
  readonly #gathers: boolean;
  readonly #isPrompt: boolean;
  #kept: Buffer[] = [];
  #hasAll = false;
  #isFull = false;
  #owesMore = false;
  #isPlanned = false;

  constructor(stage: Stage, prng: Prng, name: string) {
    this.#stage = stage;
    this.#prng = prng;
    this.name = name;
    this.#gathers = prng.oneIn(4);
    this.#isPrompt = prng.oneIn(3);
  }

  feed(memory: Uint8Array, start: number, end: number): boolean {
    if (this.#hasAll || this.isOver) this.#stage.broken(`${this.name} is fed behind its end`);
    if (this.#owesMore) this.#stage.broken(`${this.name} is fed although it has enough`);
    this.#kept.push(Buffer.from(memory.slice(start, end)));
    if (this.#isPrompt) this.#giveOn();
    else this.#plan();
    this.#owesMore = this.#kept.length > 0 && !this.#gathers && this.#prng.oneIn(2);
    return !this.#owesMore;
  }

  end(): void {
    if (this.#hasAll || this.isOver) this.#stage.broken(`${this.name} ends once`);
    this.#hasAll = true;
    this.#owesMore = false;
    if (this.#isPrompt) this.#giveOn();
    else this.#plan();
  }

  abort(): void {
    if (this.isOver) this.#stage.broken(`${this.name} is aborted once, and not behind its end`);
    this.isOver = true;
  }

  drained(): void {
    this.#isFull = false;
    this.#giveOn();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#stage.world.after(this.#prng.below(8), () => {
      this.#isPlanned = false;
      this.#giveOn();
    });
  }

  #giveOn(): void {
    if (this.#gathers && !this.#hasAll) return;
    while (!this.isOver && !this.#isFull && this.#kept.length > 0) {
      const piece = this.#kept.shift()!;
      const bytes = this.#prng.oneIn(2) ? piece.length : 1 + this.#prng.below(piece.length);
      if (bytes < piece.length) this.#kept.unshift(piece.subarray(bytes));
      this.#isFull = !this.sink.write(piece.subarray(0, bytes));
    }
    if (this.isOver || this.#kept.length > 0) return;
    if (this.#hasAll) {
      this.isOver = true;
      this.sink.end();
    } else if (this.#owesMore) {
      this.#owesMore = false;
      this.sink.more();
    }
  }
}
