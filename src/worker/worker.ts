/**
 * A worker: one engine, one data plane over it, and the supervisor's orders. It decides nothing itself.
 *
 * Why it is so thin: whatever lives here lives once per worker and in the process that must not stall. Names,
 * health, logs and figures are the supervisor's.
 */
import { randomBytes } from "node:crypto";
import { SEED_BYTES } from "../base/unguessable-ids.ts";
import { blockOf, Counter } from "../contract/counters.ts";
import type { Engine } from "../contract/port.ts";
import { ratesOf, type SharedRates } from "../contract/rates.ts";
import type { BootMessage, FromWorker, ToWorker } from "../contract/worker-messages.ts";
import { chooseEngine } from "../engine/choose.ts";
import { createHttpSession } from "../session/http-session.ts";
import { createRelaySession } from "../session/relay-session.ts";
import type { Session } from "../session/session.ts";
import { NoticeSender } from "./notice-sender.ts";
import { WorkerListeners } from "./worker-listeners.ts";

const COUNTERS_MS = 1_000;
/** How often the system's clock is compared with the engine's, and what counts as set. */
const CLOCK_MS = 1_000;
const CLOCK_STEP_MS_MIN = 250;

/** What the worker needs of its process. */
export interface Surroundings {
  send(message: FromWorker): void;
  /** Called once, when the worker has ended: what it sent must still go out. */
  exit(status: number): void;
}

export class Worker {
  readonly #surroundings: Surroundings;
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #listeners: WorkerListeners;
  #drainTimeoutMs: number;
  #epochOffsetMs = performance.timeOrigin;
  /** What is done again and again, until the end. */
  readonly #ticks: NodeJS.Timeout[] = [];
  #draining = false;
  #ended = false;

  /** Begins to accept. Rejects with a reason in words when it cannot. */
  static async start(boot: BootMessage, surroundings: Surroundings): Promise<Worker> {
    if (boot.cpu >= 0) await pin(boot.cpu);
    const { cells, rates } = await sharedMemory(boot);
    const { engine, passedOver } = await chooseEngine(boot.engine, boot.options);
    const worker = new Worker(boot, surroundings, engine, cells, rates);
    if (boot.counters instanceof Float64Array)
      worker.#every(COUNTERS_MS, () => surroundings.send({ type: "counters", cells: cells.slice() }));
    const { name, listenerAddresses } = engine;
    surroundings.send({ type: "ready", engine: name, passedOver, listenerAddresses });
    return worker;
  }

  private constructor(
    boot: BootMessage,
    surroundings: Surroundings,
    engine: Engine,
    cells: Float64Array,
    rates: SharedRates | undefined,
  ) {
    this.#surroundings = surroundings;
    this.#engine = engine;
    this.#drainTimeoutMs = boot.drainTimeoutMs;
    cells[Counter.workerPid] = process.pid;
    const notices = new NoticeSender(
      (message) => surroundings.send(message),
      () => void this.#end("drained"),
    );
    const { snapshot } = boot;
    const seed = randomBytes(SEED_BYTES);
    const offsetMs = this.#epochOffsetMs;
    this.#session =
      snapshot.mode === "http"
        ? createHttpSession(engine, snapshot, cells, notices, offsetMs, seed, undefined, rates)
        : createRelaySession(engine, snapshot, cells, notices, offsetMs);
    this.#listeners = new WorkerListeners(engine, this.#session, boot.passageFd, surroundings.send);
    engine.start(this.#session);
    this.#every(CLOCK_MS, () => this.#followClock());
  }

  /** Carries out an order. */
  take(message: ToWorker): void {
    if (message.type === "snapshot") {
      this.#session.replaceSnapshot(message.snapshot);
      this.#drainTimeoutMs = message.drainTimeoutMs;
      this.#surroundings.send({ type: "snapshot-taken", version: message.snapshot.version });
    } else if (message.type === "listen") void this.#listeners.add(message.number, message.source);
    else if (message.type === "unlisten") void this.#listeners.remove(message.number, message.drainTimeoutMs);
    else if (message.type === "drain") this.#drain();
    else if (message.type === "stop") void this.#end("stopped");
    this.#engine.wake();
  }

  /**
   * The supervisor is gone: nobody would replace this worker or tell it to stop. Finishes what is in flight
   * and exits.
   */
  orphaned(): void {
    this.#drain();
    setTimeout(() => void this.#end("stopped"), this.#drainTimeoutMs);
    this.#engine.wake();
  }

  #every(ms: number, tick: () => void): void {
    this.#ticks.push(setInterval(tick, ms).unref());
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
    for (const tick of this.#ticks) clearInterval(tick);
    this.#listeners.stop();
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
