/**
 * The workers, kept in step: every one has the current snapshot and the current listeners, whenever it began.
 * Each order is answered, so that a change is known to be in force everywhere when its promise resolves.
 */
import { closeSync } from "node:fs";
import { blockOf } from "../contract/counters.ts";
import type { Hooking } from "../contract/hooking.ts";
import { Sign } from "../contract/liveness.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import type { FromWorker, ToWorker } from "../contract/worker-messages.ts";
import type { Capacity } from "./capacity.ts";
import type { Configuration } from "./configuration.ts";
import { Fleet, type ReadyMessage, type WorkerPlan } from "./fleet.ts";
import type { Host } from "./host.ts";
import type { ListenerSet } from "./listener-set.ts";
import { type OpenListener, ownSource } from "./listeners.ts";
import type { Log } from "./log.ts";
import { type Segment, zeroGauges } from "./segment.ts";
import { type Sighting, StallWatch } from "./stall-watch.ts";
import { workerCpus } from "./worker-count.ts";
import { FIRST_INHERITED_FD, type StartWorker, startProcess } from "./worker-process.ts";

/** What workers are made of, as long as the proxy runs. */
export interface CrewParts {
  readonly host: Host | undefined;
  readonly log: Log;
  readonly listeners: ListenerSet;
  readonly segment: Segment;
  readonly capacity: Capacity["engine"];
  readonly engine: Configuration["engine"];
  readonly affinity: Configuration["affinity"];
  /** What workers need of the environment, beside this process's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** Starts the only worker, in this process; absent: workers are processes. */
  readonly startInline: StartWorker | undefined;
}

export interface CrewEvents {
  /** A worker accepts: at first, and after each replacement. */
  ready(index: number, message: ReadyMessage): void;
  /** What a worker says that is not an answer. */
  message(index: number, message: FromWorker): void;
  /** A worker died, and is being replaced. */
  replaced(): void;
  /** A worker has not turned for so long, and is killed now; `hookCall` is its `Sign`. */
  stalled(index: number, pid: number, silentMs: number, hookCall: number): void;
}

/** What every worker follows. */
export interface Orders {
  readonly snapshot: Snapshot;
  readonly drainTimeoutMs: number;
  readonly stallTimeoutMs: number;
}

/** A worker that does not say in this time that it has taken its queues loses its sockets all the same. */
const TAKE_QUEUES_MS = 500;
/** A worker that does not answer an order for so long stands still. */
const ANSWER_MS = 10_000;
/** A worker that died has a successor in this time, or there is more that is wrong. */
const BEGIN_MS = 20_000;
/** Hooks may load packages; a worker gives them 10 s itself. */
const LOAD_HOOKS_MS = 12_000;

interface Awaited {
  readonly index: number;
  readonly fits: (message: FromWorker) => boolean;
  readonly settle: (answer: FromWorker | "gone") => void;
}

export class Crew {
  readonly #parts: CrewParts;
  readonly #events: CrewEvents;
  readonly #fleet: Fleet;
  readonly #watch: StallWatch;
  #orders: Orders;
  #count = 0;
  /** Listeners that each worker has been told of, by its index. */
  readonly #told = new Map<number, Set<OpenListener>>();
  /** Our ends of the passages for descriptors, by index. */
  readonly #passages = new Map<number, number>();
  #awaited: Awaited[] = [];

  constructor(parts: CrewParts, orders: Orders, events: CrewEvents) {
    this.#parts = parts;
    this.#orders = orders;
    this.#events = events;
    this.#fleet = new Fleet(
      {
        plan: (index) => this.#plan(index),
        ready: (index, message) => this.#ready(index, message),
        message: (index, message) => this.#heard(index, message),
        gone: (index) => this.#gone(index),
      },
      parts.log,
      parts.environment,
      parts.startInline ?? startProcess,
    );
    this.#watch = new StallWatch(
      () => this.#sightings(),
      (index, silentMs) => this.#cut(index, silentMs),
    );
  }

  get ending(): boolean {
    return this.#fleet.ending;
  }

  /** Every worker's number and process; the process is 0 where one is just being replaced. */
  get members(): { index: number; pid: number }[] {
    return this.#fleet.indexes.map((index) => ({ index, pid: this.#fleet.pid(index) }));
  }

  /** Whether every worker accepts. */
  get isReady(): boolean {
    const { indexes } = this.#fleet;
    return indexes.length > 0 && indexes.every((index) => this.#fleet.isReady(index));
  }

  /**
   * Starts `count` workers, for which the listeners are open: together, but for the first where it finds out which
   * ports they have. Rejects with `BootFailed`.
   */
  async begin(count: number): Promise<ReadyMessage> {
    const { listeners } = this.#parts;
    this.#count = count;
    this.#watchOut();
    const first = this.#fleet.add(0);
    if (this.#parts.host === undefined) listeners.learn((await first).listenerAddresses);
    const others = Array.from({ length: count - 1 }, (_, index) => this.#fleet.add(index + 1));
    const [message] = await Promise.all([first, ...others]);
    return message;
  }

  /** From now on all follow `orders`. Resolves with what went wrong, in words, when all do. */
  async publish(orders: Orders): Promise<string[]> {
    this.#orders = orders;
    this.#watchOut();
    const { version } = orders.snapshot;
    return await this.#askAll("follow the new configuration", (index) =>
      this.#askPlace(
        index,
        { type: "snapshot", ...orders },
        (answer) =>
          (answer.type === "snapshot-taken" && answer.version >= version) ||
          (answer.type === "snapshot-refused" && answer.version === version),
      ),
    );
  }

  /**
   * All load `hooking`, and go on as before. Resolves with why single workers cannot; one that ends over it cannot
   * either.
   */
  async loadHooks(hooking: Hooking): Promise<string[]> {
    const fits = (answer: FromWorker) =>
      (answer.type === "hooks-loaded" || answer.type === "hooks-refused") &&
      answer.version === hooking.version;
    const { version } = hooking;
    return await this.#askAll("load the hooks", async (index) => {
      const answer = await this.#askPlace(index, { type: "load-hooks", hooking }, fits, LOAD_HOOKS_MS);
      return answer === "gone"
        ? { type: "hooks-refused", version, reason: "it has ended meanwhile" }
        : answer;
    });
  }

  /** All accept at `added` as well. Resolves with what went wrong, in words. */
  async listen(added: readonly OpenListener[]): Promise<string[]> {
    const problems: string[] = [];
    for (const listener of added) {
      const [first, ...others] = this.#readyIndexes();
      if (first === undefined) break;
      const tell = (index: number) => this.#tellListen(index, listener);
      const accept = `accept at ${listener.address}`;
      problems.push(...(await this.#askThese([first], accept, tell)));
      problems.push(...(await this.#askThese(others, accept, tell)));
    }
    return problems;
  }

  /** None accepts at `removed` any more when this resolves; clients there go on for at most `drainTimeoutMs`. */
  async unlisten(removed: readonly OpenListener[], drainTimeoutMs: number): Promise<void> {
    if (removed.length === 0) return;
    const { listeners } = this.#parts;
    await sleep(listeners.dropNewHandshakes(removed));
    const works = this.#readyIndexes().flatMap((index) =>
      removed.map((listener) => this.#tellUnlisten(index, listener, drainTimeoutMs)),
    );
    await Promise.race([Promise.all(works), sleep(TAKE_QUEUES_MS)]);
    for (const listener of removed)
      for (const index of [...listener.fds.keys()]) listeners.end(listener, index);
  }

  /**
   * Starts or ends workers until there are `count`; those that end finish what is in flight meanwhile. Rejects
   * with `ListenFailed` or `BootFailed`.
   */
  async resize(count: number): Promise<void> {
    const { listeners } = this.#parts;
    this.#count = count;
    const indexes = this.#fleet.indexes;
    for (const index of indexes.slice(count).reverse()) await this.#dismiss(index);
    for (let more = count - indexes.length; more > 0; more--) {
      const index = this.#fleet.freeIndex;
      listeners.extend(index);
      try {
        await this.#fleet.add(index);
      } catch (error) {
        listeners.endWorker(index);
        throw error;
      }
    }
  }

  /**
   * Lets all finish, for at most `timeoutMs`; resolves when they are gone. The listeners take no new handshakes any
   * more.
   */
  async drain(timeoutMs: number): Promise<void> {
    const late = setTimeout(() => this.#parts.listeners.endAll(), TAKE_QUEUES_MS);
    await this.#fleet.drain(timeoutMs);
    clearTimeout(late);
  }

  /** Ends every worker now. */
  async stop(): Promise<void> {
    await this.#fleet.stop();
    this.#watch.stop();
    for (const { settle } of this.#awaited) settle("gone");
  }

  /** In its own process, whatever holds a worker holds us as well. */
  #watchOut(): void {
    if (this.#parts.startInline === undefined) this.#watch.limitMs = this.#orders.stallTimeoutMs;
  }

  #sightings(): Sighting[] {
    return this.#fleet.begun.map(({ index, pid }) => {
      const cells = blockOf(this.#parts.segment.buffer, index);
      return { index, pid, pulses: cells[Sign.pulses]!, pulseMs: cells[Sign.pulseMs]! };
    });
  }

  #cut(index: number, silentMs: number): void {
    const hookCall = blockOf(this.#parts.segment.buffer, index)[Sign.hookCall]!;
    this.#events.stalled(index, this.#fleet.pid(index), silentMs, hookCall);
    this.#fleet.cut(index, silentMs);
  }

  #readyIndexes(): number[] {
    return this.#fleet.indexes.filter((index) => this.#fleet.isReady(index));
  }

  async #dismiss(index: number): Promise<void> {
    const { listeners, segment, log } = this.#parts;
    await sleep(listeners.dropNewHandshakes(listeners.all, index));
    const removed = this.#fleet.remove(index, this.#orders.drainTimeoutMs);
    const taken = this.#answer(index, ({ type }) => type === "queues-taken");
    await Promise.race([taken, sleep(TAKE_QUEUES_MS)]);
    listeners.endWorker(index);
    void removed.then(() => {
      zeroGauges(segment, index);
      log.debug({ worker: index }, "worker ended");
    });
  }

  #plan(index: number): WorkerPlan {
    const { host, listeners, segment, capacity, engine, affinity, startInline } = this.#parts;
    const inherited = listeners.descriptors(index);
    const shared = segment.fd >= 0;
    const block = blockOf(segment.buffer, index);
    const ours = startInline === undefined ? block.slice() : { block };
    const [near, theirs] = host?.openPassage() ?? [-1, -1];
    const descriptors = [...inherited, ...(shared ? [segment.fd] : []), ...(theirs >= 0 ? [theirs] : [])];
    const cpus = workerCpus(affinity, this.#count, host?.allowedCpus() ?? []);
    this.#told.set(index, new Set(listeners.all));
    if (near >= 0) this.#passages.set(index, near);
    return {
      descriptors,
      boot: {
        type: "boot",
        index,
        engine,
        options: { ...capacity, listeners: listeners.sources(index, FIRST_INHERITED_FD) },
        counters: shared
          ? { fd: FIRST_INHERITED_FD + inherited.length, bytes: segment.buffer.byteLength }
          : ours,
        passageFd: theirs < 0 ? -1 : FIRST_INHERITED_FD + descriptors.length - 1,
        cpu: cpus[index] ?? -1,
        ...this.#orders,
      },
      spawned() {
        if (theirs >= 0) closeSync(theirs);
      },
    };
  }

  /** It may have been started before the last change. */
  #ready(index: number, message: ReadyMessage): void {
    this.#fleet.send(index, { type: "snapshot", ...this.#orders });
    const all = this.#parts.listeners.all;
    const told = this.#told.get(index) ?? new Set();
    for (const listener of all) if (!told.has(listener)) void this.#tellListen(index, listener);
    for (const listener of [...told])
      if (!all.includes(listener)) void this.#tellUnlisten(index, listener, 0);
    this.#settle(index, message);
    this.#events.ready(index, message);
  }

  #heard(index: number, message: FromWorker): void {
    const { log, listeners } = this.#parts;
    this.#settle(index, message);
    if (message.type === "listen-failed") log.error({ worker: index }, `cannot listen: ${message.reason}`);
    if (message.type === "queues-taken" && this.ending) listeners.endWorker(index);
    this.#events.message(index, message);
  }

  #settle(index: number, message: FromWorker): void {
    const answered = this.#awaited.filter((each) => each.index === index && each.fits(message));
    for (const { settle } of answered) settle(message);
  }

  /** Whether there is to be a worker at `index`. */
  #isToLive(index: number): boolean {
    return !this.ending && this.#fleet.indexes.includes(index);
  }

  #gone(index: number): void {
    const passage = this.#passages.get(index);
    if (passage !== undefined) closeSync(passage);
    this.#passages.delete(index);
    this.#told.delete(index);
    for (const { index: of, settle } of this.#awaited) if (of === index) settle("gone");
    if (this.#isToLive(index)) this.#events.replaced();
  }

  async #tellListen(index: number, listener: OpenListener): Promise<FromWorker | "gone" | "late"> {
    const { host } = this.#parts;
    const { number } = listener;
    const fd = listener.fds.get(index);
    const passage = this.#passages.get(index);
    this.#told.get(index)?.add(listener);
    const isPassed = host !== undefined && fd !== undefined && passage !== undefined;
    if (isPassed) host.passDescriptor(passage, fd, number);
    const answer = await this.#ask(
      index,
      { type: "listen", number, source: isPassed ? "passed" : ownSource(listener) },
      (message) =>
        (message.type === "listening" || message.type === "listen-failed") && message.number === number,
    );
    if (typeof answer === "object" && answer.type === "listening" && host === undefined)
      listener.address = answer.address;
    return answer;
  }

  #tellUnlisten(
    index: number,
    listener: OpenListener,
    drainTimeoutMs: number,
  ): Promise<FromWorker | "gone" | "late"> {
    const { number } = listener;
    this.#told.get(index)?.delete(listener);
    return this.#ask(
      index,
      { type: "unlisten", number, drainTimeoutMs },
      (message) => message.type === "unlistened" && message.number === number,
    );
  }

  #askAll(what: string, ask: (index: number) => Promise<FromWorker | "gone" | "late">): Promise<string[]> {
    return this.#askThese(this.#readyIndexes(), what, ask);
  }

  /** A worker that is gone is no problem: its successor begins with what counts now. */
  async #askThese(
    indexes: readonly number[],
    what: string,
    ask: (index: number) => Promise<FromWorker | "gone" | "late">,
  ): Promise<string[]> {
    const answers = await Promise.all(indexes.map(ask));
    return answers.flatMap((answer, at) => {
      const worker = `worker ${indexes[at]}`;
      if (answer === "late")
        return [`${worker} has not begun to ${what} within ${ANSWER_MS / 1000} s: it may stand still`];
      return answer !== "gone" && "reason" in answer ? [`${worker} cannot ${what}: ${answer.reason}`] : [];
    });
  }

  /** As `#ask`; of a worker that dies meanwhile the successor is asked, once. */
  async #askPlace(
    index: number,
    order: ToWorker,
    fits: (message: FromWorker) => boolean,
    waitMs = ANSWER_MS,
  ): Promise<FromWorker | "gone" | "late"> {
    const answer = await this.#ask(index, order, fits, waitMs);
    if (answer !== "gone" || !this.#isToLive(index)) return answer;
    const begun = await this.#answer(index, ({ type }) => type === "ready", BEGIN_MS);
    return typeof begun === "object" ? await this.#ask(index, order, fits, waitMs) : answer;
  }

  #ask(
    index: number,
    order: ToWorker,
    fits: (message: FromWorker) => boolean,
    waitMs = ANSWER_MS,
  ): Promise<FromWorker | "gone" | "late"> {
    const answer = this.#answer(index, fits, waitMs);
    this.#fleet.send(index, order);
    return answer;
  }

  #answer(
    index: number,
    fits: (message: FromWorker) => boolean,
    waitMs = ANSWER_MS,
  ): Promise<FromWorker | "gone" | "late"> {
    return new Promise((resolve) => {
      const settle = (answer: FromWorker | "gone" | "late") => {
        clearTimeout(timer);
        this.#awaited = this.#awaited.filter((each) => each !== awaited);
        resolve(answer);
      };
      const awaited: Awaited = { index, fits, settle };
      const timer = setTimeout(() => settle("late"), waitMs);
      this.#awaited.push(awaited);
    });
  }
}

function sleep(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
