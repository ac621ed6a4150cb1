/**
 * Runs the world for those who wait for something in it, and lets code that is not of the world (upstreams, hooks,
 * the test itself) run in between.
 *
 * Strategy: that code takes no virtual time. While any of it has a promise open, or a body to change, the clock stands
 * still, unless it waits for the world itself: sleeps by this clock, needs more of a body, or has no room for it. So
 * promises, and even files and sockets, give the same run each time; only who waits for ever is not waited for.
 */
import type { World } from "../engine/sim/world.ts";

interface Waiter {
  readonly isDone: () => boolean;
  /** Of the world's clock. */
  readonly untilMs: number;
  readonly resolve: (isDone: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Code that is at work now and then, for as long as it is there. */
export interface Work {
  readonly isOver: boolean;
  /** The clock stands still. */
  readonly isBusy: boolean;
}

/** Bound before anybody can replace it by a mocked one. */
const nextPass = setImmediate;
const clock = performance;
/** The clock stands still for this much real time at most. */
const STILL_MS_MAX = 2_000;

export class Pump {
  readonly #world: World;
  readonly #onTick: ((ms: number) => void) | undefined;
  #waiters: Waiter[] = [];
  #isRunning = false;
  /** Code that is not of the world has run since the last pass of Node. */
  #isTouched = false;
  #openCount = 0;
  #sleeperCount = 0;
  /** By who does it. */
  readonly #works = new Map<object, Work>();

  constructor(world: World, onTick: ((ms: number) => void) | undefined) {
    this.#world = world;
    this.#onTick = onTick;
  }

  /** Runs the world until `isDone`, at most for `ms`. Resolves with whether it is. */
  until(isDone: () => boolean, ms: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ isDone, untilMs: this.#world.nowMs + ms, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  /** Code that is not of the world runs just now. */
  touch(): void {
    this.#isTouched = true;
  }

  /** The clock stands still until `work` is settled; who waits is told what it rejects with. */
  track(work: PromiseLike<unknown>): void {
    this.#openCount++;
    this.touch();
    const settled = () => {
      this.#openCount--;
      this.touch();
    };
    work.then(settled, (error: unknown) => {
      settled();
      this.#fail(error);
    });
  }

  /** The clock stands still while `work` is busy, until `release(who)` or until it is over. */
  hold(who: object, work: Work): void {
    this.#works.set(who, work);
  }

  release(who: object): void {
    this.touch();
    this.#works.delete(who);
  }

  /** Resolves after `ms` of virtual time: whoever waits for it does not hold the clock. */
  sleep(ms: number): Promise<void> {
    const done = this.wait();
    return new Promise((resolve) => {
      this.#world.after(ms, () => {
        done();
        resolve();
      });
    });
  }

  /** One of those who hold the clock waits for the world, and does not hold it until the result is called, once. */
  wait(): () => void {
    this.#sleeperCount++;
    return () => {
      this.#sleeperCount--;
      this.touch();
    };
  }

  /** Something that the test has given is broken: all who wait hear so. */
  #fail(error: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      await this.#runOn();
    } catch (error) {
      this.#fail(error);
    }
    this.#isRunning = false;
  }

  async #runOn(): Promise<void> {
    let stillSinceMs = -1;
    while (this.#waiters.length > 0) {
      if (this.#isTouched || this.#isBusy()) {
        this.#isTouched = false;
        await new Promise<void>((resolve) => nextPass(resolve));
      }
      if (this.#waiters.length === 0 || this.#settle()) continue;
      if (this.#isBusy()) {
        if (stillSinceMs < 0) stillSinceMs = clock.now();
        if (clock.now() - stillSinceMs < STILL_MS_MAX) continue;
      } else stillSinceMs = -1;
      this.#advance();
    }
  }

  #isBusy(): boolean {
    let busyCount = this.#openCount;
    for (const [who, work] of this.#works) {
      if (work.isOver) this.#works.delete(who);
      else if (work.isBusy) busyCount++;
    }
    return busyCount > this.#sleeperCount;
  }

  /** Tells those who need not wait any more. True when there were any: what they do next comes first. */
  #settle(): boolean {
    const { nowMs, nextMs } = this.#world;
    const settled = this.#waiters.filter(
      ({ isDone, untilMs }) => isDone() || (untilMs <= nowMs && nextMs > nowMs),
    );
    if (settled.length === 0) return false;
    this.#waiters = this.#waiters.filter((each) => !settled.includes(each));
    for (const { isDone, resolve } of settled) resolve(isDone());
    this.touch();
    return true;
  }

  #advance(): void {
    const world = this.#world;
    const before = world.nowMs;
    const limitMs = Math.min(...this.#waiters.map(({ untilMs }) => untilMs));
    if (world.nextMs <= limitMs) world.step();
    else world.run(limitMs);
    if (this.#onTick === undefined || world.nowMs === before) return;
    this.touch();
    this.#onTick(world.nowMs - before);
  }
}
