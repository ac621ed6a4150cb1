/**
 * The worker processes together: starts them, replaces those that die, passes messages to all, ends all.
 *
 * A worker that dies is replaced at once, because connections wait in its listening socket's queue. One that
 * dies again as soon as it has begun is started again with growing pauses.
 */
import { CUT_GRACE_MS, type FromWorker, type ToWorker } from "../contract/worker-messages.ts";
import type { Log } from "./log.ts";
import { type StartWorker, startProcess, type WorkerLink } from "./worker-process.ts";

/** What a worker in this place is started with. Asked for at each start. */
export interface WorkerPlan {
  readonly descriptors: readonly number[];
  readonly boot: ToWorker;
  /** Called when the process has them: what was opened for it alone can be closed. */
  spawned?(): void;
}

export interface FleetEvents {
  plan(index: number): WorkerPlan;
  /** A worker accepts connections: at first, and after each replacement. */
  ready(index: number, message: ReadyMessage): void;
  /** Anything else that a worker says. */
  message(index: number, message: FromWorker): void;
  /** A worker is gone; its place is filled again unless the fleet is ending, or the place is given up. */
  gone(index: number): void;
}

export type ReadyMessage = Extract<FromWorker, { type: "ready" }>;

/** A worker could not begin when the fleet was first started. */
export class BootFailed extends Error {
  override readonly name = "BootFailed";
}

const BOOT_TIMEOUT_MS = 15_000;
/** A worker that lived so long was well. */
const WELL_MS = 1_000;
const PAUSE_FIRST_MS = 100;
const PAUSE_MAX_MS = 5_000;
/** What clients have to take what they are told, where all ends at once. */
const END_GRACE_MS = 20;
/** Between being told to stop and being killed. */
const STOP_MS = 500;

/** Pause before a place is filled again, after so many short lives in a row. */
export function restartPauseMs(shortLives: number): number {
  return shortLives <= 1 ? 0 : Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** (shortLives - 2));
}

export class Fleet {
  readonly #events: FleetEvents;
  readonly #log: Log;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #startWorker: StartWorker;
  /** By index. */
  readonly #places = new Map<number, Place>();
  #ending = false;
  #allGone: (() => void) | undefined;

  /** `environment`: what workers need of it, beside this process's own. */
  constructor(
    events: FleetEvents,
    log: Log,
    environment: Readonly<Record<string, string>>,
    startWorker: StartWorker = startProcess,
  ) {
    this.#events = events;
    this.#log = log;
    this.#environment = environment;
    this.#startWorker = startWorker;
  }

  get ending(): boolean {
    return this.#ending;
  }

  /** Indexes of the places that are to be filled, lowest first. */
  get indexes(): readonly number[] {
    const staying = [...this.#places.values()].filter(({ leaving }) => leaving === undefined);
    return staying.map(({ index }) => index).sort((a, b) => a - b);
  }

  /** Workers that live now. */
  get livingCount(): number {
    return [...this.#places.values()].filter(({ process }) => process !== undefined).length;
  }

  /** Process number of the worker at `index`; 0 while there is none. */
  pid(index: number): number {
    return this.#places.get(index)?.process?.pid ?? 0;
  }

  /** Whether the worker at `index` accepts. */
  isReady(index: number): boolean {
    return this.#places.get(index)?.ready === true;
  }

  /** Workers that accept or are finishing, those of places that are being given up included. */
  get begun(): { index: number; pid: number }[] {
    const places = [...this.#places.values()].filter(({ ready }) => ready);
    return places.map(({ index, process }) => ({ index, pid: process?.pid ?? 0 }));
  }

  /** The lowest index without a place, those being given up included. */
  get freeIndex(): number {
    let index = 0;
    while (this.#places.has(index)) index++;
    return index;
  }

  /**
   * Adds a place at `index`, which has none, and starts its worker. Rejects with `BootFailed` when that cannot
   * begin: the place is gone then.
   */
  add(index: number): Promise<ReadyMessage> {
    const place = new Place(index);
    this.#places.set(index, place);
    return new Promise((resolve, reject) => {
      place.firstBoot = { resolve, reject };
      this.#start(place);
    });
  }

  /**
   * Gives the place at `index` up: its worker finishes, and what is left after `timeoutMs` is cut. Resolves when
   * it is gone.
   */
  async remove(index: number, timeoutMs: number): Promise<void> {
    const place = this.#places.get(index);
    if (place === undefined || place.leaving !== undefined) return;
    clearTimeout(place.timer);
    const gone = new Promise<void>((resolve) => {
      place.leaving = resolve;
    });
    const worker = place.process;
    if (worker === undefined) this.#giveUp(place);
    worker?.send({ type: "drain" });
    const late = setTimeout(() => worker?.send({ type: "stop", graceMs: CUT_GRACE_MS }), timeoutMs);
    const dead = setTimeout(() => worker?.kill(), timeoutMs + STOP_MS);
    await gone;
    clearTimeout(late);
    clearTimeout(dead);
  }

  /** To one worker, if it lives. */
  send(index: number, message: ToWorker): void {
    this.#places.get(index)?.process?.send(message);
  }

  /** Ends the worker at `index`, which has stood still for `stalledMs` and may hear nothing; it is replaced. */
  cut(index: number, stalledMs: number): void {
    const place = this.#places.get(index);
    if (place?.process === undefined) return;
    place.failure = "it stood still";
    place.stalledMs = stalledMs;
    place.process.kill();
  }

  /** Lets every worker finish; resolves when all are gone. What is left after `timeoutMs` is cut. */
  async drain(timeoutMs: number): Promise<void> {
    this.#end();
    for (const { process } of this.#places.values()) process?.send({ type: "drain" });
    const late = new Promise<"late">((resolve) => {
      const timer = setTimeout(() => resolve("late"), timeoutMs);
      timer.unref();
    });
    if ((await Promise.race([this.#gone(), late])) === "late") await this.#stop(CUT_GRACE_MS);
  }

  /** Ends every worker now; what is in flight is cut. */
  async stop(): Promise<void> {
    await this.#stop(END_GRACE_MS);
  }

  async #stop(graceMs: number): Promise<void> {
    this.#end();
    for (const { process } of this.#places.values()) process?.send({ type: "stop", graceMs });
    const timer = setTimeout(() => {
      for (const { process } of this.#places.values()) process?.kill();
    }, STOP_MS);
    await this.#gone();
    clearTimeout(timer);
  }

  #end(): void {
    this.#ending = true;
    for (const place of this.#places.values()) clearTimeout(place.timer);
  }

  #giveUp(place: Place): void {
    this.#places.delete(place.index);
    place.leaving?.();
  }

  #gone(): Promise<void> {
    if (this.livingCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const before = this.#allGone;
      this.#allGone = () => {
        before?.();
        resolve();
      };
    });
  }

  #start(place: Place): void {
    const { descriptors, boot, spawned } = this.#events.plan(place.index);
    const process = this.#startWorker(descriptors, this.#environment, {
      message: (message) => this.#heard(place, message),
      printed: (line) => this.#log.warn({ worker: place.index }, `worker printed: ${line}`),
      exited: (status, signal) => this.#exited(place, status, signal),
    });
    spawned?.();
    place.process = process;
    place.ready = false;
    place.failure = "";
    place.readyAtMs = -1;
    place.stalledMs = 0;
    place.timer = setTimeout(() => {
      place.failure = `did not begin within ${BOOT_TIMEOUT_MS / 1000} s`;
      process.kill();
    }, BOOT_TIMEOUT_MS);
    process.send(boot);
  }

  #heard(place: Place, message: FromWorker): void {
    if (message.type === "boot-failed") {
      place.failure = message.reason;
    } else if (message.type === "ready") {
      clearTimeout(place.timer);
      place.ready = true;
      place.readyAtMs = performance.now();
      this.#events.ready(place.index, message);
      place.firstBoot?.resolve(message);
      place.firstBoot = undefined;
    } else {
      this.#events.message(place.index, message);
    }
  }

  #exited(place: Place, status: number | null, signal: string | null): void {
    clearTimeout(place.timer);
    const pid = place.process?.pid ?? 0;
    const lived = place.readyAtMs < 0 ? 0 : performance.now() - place.readyAtMs - place.stalledMs;
    place.process = undefined;
    place.ready = false;
    this.#events.gone(place.index);
    const end = signal !== null ? `killed by ${signal}` : `exit status ${status ?? "unknown"}`;
    const reason = place.failure === "" ? end : place.failure;
    if (place.firstBoot !== undefined) {
      const { reject } = place.firstBoot;
      place.firstBoot = undefined;
      this.#places.delete(place.index);
      reject(new BootFailed(reason));
    } else if (place.leaving !== undefined) {
      this.#giveUp(place);
    } else if (!this.#ending) {
      place.shortLives = lived >= WELL_MS ? 0 : place.shortLives + 1;
      const pauseMs = restartPauseMs(place.shortLives);
      // Whoever has cut it has said so.
      const level = place.stalledMs > 0 ? "info" : "error";
      this.#log[level]({ worker: place.index, pid, reason, pauseMs }, "worker died, replacing it");
      place.timer = setTimeout(() => this.#start(place), pauseMs);
    } else if (status !== 0) {
      this.#log.warn({ worker: place.index, pid, reason }, "worker ended before it had finished");
    }
    if (this.#ending && this.livingCount === 0) this.#allGone?.();
  }
}

/** Where one worker after another lives. */
class Place {
  readonly index: number;
  process: WorkerLink | undefined = undefined;
  ready = false;
  readyAtMs = -1;
  /** For how long it had stood still when it was ended for that; 0: it was not. */
  stalledMs = 0;
  /** Why it says it cannot begin. */
  failure = "";
  /** Workers in a row that died before they were well. */
  shortLives = 0;
  /** Of the boot deadline while it begins, of the pause while it is dead. */
  timer: NodeJS.Timeout | undefined = undefined;
  /** Set while it is being given up: tells that it is gone. */
  leaving: (() => void) | undefined = undefined;
  firstBoot: { resolve(message: ReadyMessage): void; reject(error: Error): void } | undefined = undefined;

  constructor(index: number) {
    this.index = index;
  }
}
