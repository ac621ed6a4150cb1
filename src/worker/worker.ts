/**
 * A worker: one engine, one data plane over it, and the supervisor's orders. It decides nothing itself.
 *
 * Why it is so thin: whatever lives here lives once per worker and in the process that must not stall. Names,
 * health, logs and figures are the supervisor's.
 */
import { randomBytes } from "node:crypto";
import { SEED_BYTES } from "../base/unguessable-ids.ts";
import { blockOf, Counter } from "../contract/counters.ts";
import type { Hooking } from "../contract/hooking.ts";
import type { Chain, Interception } from "../contract/interception.ts";
import { pulseMsOf, Sign } from "../contract/liveness.ts";
import type { Engine } from "../contract/port.ts";
import { ratesOf, type SharedRates } from "../contract/rates.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import {
  type BootMessage,
  CUT_GRACE_MS,
  type FromWorker,
  type ToWorker,
} from "../contract/worker-messages.ts";
import { chooseEngine } from "../engine/choose.ts";
import { HookRuntime } from "../hooks/hook-runtime.ts";
import type { Hooks } from "../hooks/hooks.ts";
import { createHttpSession } from "../session/http-session.ts";
import { createRelaySession } from "../session/relay-session.ts";
import type { Session } from "../session/session.ts";
import { NoticeSender } from "./notice-sender.ts";
import { WorkerListeners } from "./worker-listeners.ts";

/** By so much the system's clock differs from the engine's when it was set. */
const CLOCK_STEP_MS_MIN = 250;

/** What the worker needs of its process. */
export interface Surroundings {
  send(message: FromWorker): void;
  /** Called once, when the worker has ended: what it sent must still go out. */
  exit(status: number): void;
  /** What `CodeLink.source.given` numbers, where the program gave hooks itself. */
  readonly hooks?: readonly Hooks[];
  /**
   * From now on errors of foreign code that nobody catches are told to `stray`, and do not end the process.
   * Absent: that is the program's own affair.
   */
  guard?(stray: (where: string, error: unknown) => void): void;
}

/** Not every Node has one. */
const inspector = process.features.inspector ? process.getBuiltinModule("node:inspector") : undefined;

type SnapshotMessage = Extract<ToWorker, { type: "snapshot" }>;

export class Worker {
  readonly #surroundings: Surroundings;
  readonly #cells: Float64Array;
  /** Whether the supervisor must be sent what is counted. */
  readonly #isApart: boolean;
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #listeners: WorkerListeners;
  readonly #notices: NoticeSender;
  readonly #hooks: HookRuntime;
  #interception: Interception | undefined;
  #hooksVersion = -1;
  #isGuarded = false;
  /** Snapshots that wait for their hooks, and the last of them. */
  #waitingCount = 0;
  #lastSnapshot: Promise<void> = Promise.resolve();
  #drainTimeoutMs: number;
  #epochOffsetMs = performance.timeOrigin;
  #pulseMs = 0;
  #pulse: NodeJS.Timeout | undefined;
  #draining = false;
  #cutting = false;
  #ended = false;

  /** Begins to accept. Rejects with a reason in words when it cannot. */
  static async start(boot: BootMessage, surroundings: Surroundings): Promise<Worker> {
    if (boot.cpu >= 0) await pin(boot.cpu);
    const { cells, rates } = await sharedMemory(boot);
    const notices = new NoticeSender(
      (message) => surroundings.send(message),
      () => void worker.#end("drained"),
    );
    const hooks = new HookRuntime(cells, (notice) => notices.hook(notice), surroundings.hooks);
    const { hooking } = boot.snapshot;
    const chains = hooking === undefined ? [] : await hooks.load(hooking);
    const { engine, passedOver } = await chooseEngine(boot.engine, boot.options);
    const worker: Worker = new Worker(boot, surroundings, engine, cells, rates, notices, hooks, chains);
    const { name, listenerAddresses } = engine;
    surroundings.send({ type: "ready", engine: name, passedOver, listenerAddresses });
    worker.#beat();
    return worker;
  }

  private constructor(
    boot: BootMessage,
    surroundings: Surroundings,
    engine: Engine,
    cells: Float64Array,
    rates: SharedRates | undefined,
    notices: NoticeSender,
    hooks: HookRuntime,
    chains: readonly Chain[],
  ) {
    this.#surroundings = surroundings;
    this.#engine = engine;
    this.#cells = cells;
    this.#isApart = boot.counters instanceof Float64Array;
    this.#drainTimeoutMs = boot.drainTimeoutMs;
    this.#notices = notices;
    cells[Counter.workerPid] = process.pid;
    cells[Sign.hookCall] = 0;
    this.#hooks = hooks;
    const { snapshot } = boot;
    this.#interceptBy(snapshot, chains);
    const seed = randomBytes(SEED_BYTES);
    const offsetMs = this.#epochOffsetMs;
    this.#session =
      snapshot.mode === "http"
        ? createHttpSession(engine, snapshot, cells, notices, offsetMs, seed, this.#interception, rates)
        : createRelaySession(engine, snapshot, cells, notices, offsetMs);
    this.#listeners = new WorkerListeners(engine, this.#session, boot.passageFd, surroundings.send);
    engine.start(this.#session);
    this.#beatEvery(pulseMsOf(boot.stallTimeoutMs));
  }

  /** Carries out an order. */
  take(message: ToWorker): void {
    if (message.type === "snapshot") this.#takeSnapshot(message);
    else if (message.type === "load-hooks") void this.#loadHooks(message.hooking);
    else if (message.type === "listen") void this.#listeners.add(message.number, message.source);
    else if (message.type === "unlisten") void this.#listeners.remove(message.number, message.drainTimeoutMs);
    else if (message.type === "drain") this.#drain();
    else if (message.type === "stop") this.#cut(message.graceMs);
    this.#engine.wake();
  }

  /** At once where its hooks are there; otherwise when they are, and those behind it wait. */
  #takeSnapshot(message: SnapshotMessage): void {
    const { hooking } = message.snapshot;
    const isKnown = hooking === undefined || hooking.version === this.#hooksVersion;
    if (isKnown && this.#waitingCount === 0) {
      this.#follow(message);
      return;
    }
    this.#waitingCount++;
    this.#lastSnapshot = this.#lastSnapshot.then(async () => {
      try {
        if (hooking !== undefined) this.#interceptBy(message.snapshot, await this.#hooks.load(hooking));
        this.#follow(message);
        this.#engine.wake();
      } catch (error) {
        const { version } = message.snapshot;
        this.#surroundings.send({ type: "snapshot-refused", version, reason: (error as Error).message });
      }
      this.#waitingCount--;
    });
  }

  #follow({ snapshot, drainTimeoutMs, stallTimeoutMs }: SnapshotMessage): void {
    this.#hooks.follow(snapshot);
    this.#session.replaceSnapshot(snapshot, this.#interception);
    this.#drainTimeoutMs = drainTimeoutMs;
    this.#beatEvery(pulseMsOf(stallTimeoutMs));
    this.#surroundings.send({ type: "snapshot-taken", version: snapshot.version });
  }

  #interceptBy(snapshot: Snapshot, chains: readonly Chain[]): void {
    const { hooking } = snapshot;
    this.#hooks.follow(snapshot);
    if (hooking === undefined || hooking.version === this.#hooksVersion) return;
    this.#hooksVersion = hooking.version;
    this.#interception = { chains, wake: () => this.#engine.wake() };
    if (this.#isGuarded) return;
    this.#isGuarded = true;
    this.#surroundings.guard?.((where, error) => this.#hooks.stray(where, error));
  }

  async #loadHooks(hooking: Hooking): Promise<void> {
    const { version } = hooking;
    try {
      await this.#hooks.load(hooking);
      this.#surroundings.send({ type: "hooks-loaded", version });
    } catch (error) {
      this.#surroundings.send({ type: "hooks-refused", version, reason: (error as Error).message });
    }
  }

  /**
   * The supervisor is gone: nobody would replace this worker or tell it to stop. Finishes what is in flight
   * and exits.
   */
  orphaned(): void {
    this.#drain();
    setTimeout(() => this.#cut(CUT_GRACE_MS), this.#drainTimeoutMs);
    this.#engine.wake();
  }

  #beatEvery(pulseMs: number): void {
    if (pulseMs === this.#pulseMs || this.#ended) return;
    this.#pulseMs = pulseMs;
    clearInterval(this.#pulse);
    this.#pulse = setInterval(() => this.#beat(), pulseMs).unref();
    this.#showPulse();
  }

  /** All that is done again and again, with or without requests. */
  #beat(): void {
    if (this.#ended) return;
    this.#showPulse();
    this.#followClock();
    if (this.#isApart) this.#surroundings.send({ type: "counters", cells: this.#cells.slice() });
  }

  /** Whoever debugs a worker may stop it for as long as he likes. */
  #showPulse(): void {
    this.#cells[Sign.pulseMs] = inspector?.url() === undefined ? this.#pulseMs : 0;
    this.#cells[Sign.pulses]!++;
  }

  /**
   * Its listening descriptors are closed, not only left alone: sockets that a successor has taken over end
   * with that one, however long this one still has clients.
   */
  #drain(): void {
    if (this.#draining || this.#ended) return;
    this.#draining = true;
    const closed = this.#engine.listenerAddresses.map((_, number) => this.#engine.removeListener(number));
    this.#engine.stopAccepting();
    this.#session.drain();
    void Promise.all(closed).then(() => this.#surroundings.send({ type: "queues-taken" }));
  }

  /**
   * Ends what is in flight as what it is, cut short, and then the worker: when clients have taken what they are
   * told of it, or after `graceMs`.
   */
  #cut(graceMs: number): void {
    this.#drain();
    if (!this.#cutting) this.#session.cutAll();
    this.#cutting = true;
    this.#engine.wake();
    // Behind the batch that cuts, however late that comes.
    setImmediate(() => setTimeout(() => void this.#end("stopped"), graceMs));
  }

  /** The engine's clock never steps; the system's does when it is set, or was asleep. */
  #followClock(): void {
    const epochOffsetMs = Date.now() - performance.now();
    if (Math.abs(epochOffsetMs - this.#epochOffsetMs) < CLOCK_STEP_MS_MIN) return;
    this.#epochOffsetMs = epochOffsetMs;
    this.#session.followClock(epochOffsetMs);
  }

  async #end(how: "drained" | "stopped"): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#pulse);
    this.#cells[Sign.pulseMs] = 0;
    this.#listeners.stop();
    this.#hooks.stop();
    this.#notices.end();
    if (this.#isApart) this.#surroundings.send({ type: "counters", cells: this.#cells.slice() });
    if (how === "drained") this.#surroundings.send({ type: "drained" });
    await this.#engine.stop();
    this.#surroundings.exit(0);
  }
}

async function pin(cpu: number): Promise<void> {
  const { setAffinity } = await import("../engine/native/process.ts");
  setAffinity([cpu]);
}

/** The worker's counters, and the rate limits that all workers share where they share memory. */
async function sharedMemory({
  counters,
  index,
}: BootMessage): Promise<{ cells: Float64Array; rates: SharedRates | undefined }> {
  if (counters instanceof Float64Array) return { cells: counters, rates: undefined };
  if ("block" in counters) return { cells: counters.block, rates: undefined };
  const { mapSharedSegment } = await import("../engine/native/shared-memory.ts");
  const segment = mapSharedSegment(counters.fd, counters.bytes);
  // Node's and the engine's clock begin with the process; this one, with the machine.
  const clockOffsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  return { cells: blockOf(segment, index), rates: { numbers: ratesOf(segment), clockOffsetMs } };
}
