/** hp-echo backends of the soak, one of which is always about to be killed and started again on its port. */
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Prng } from "../../src/base/prng.ts";
import { freePort, type Program, start, waitForPort } from "../programs.ts";

const COMMAND = path.join(import.meta.dirname, "..", "..", "bin", "hp-echo");
/** Between the return of one backend and the end of the next. */
const PAUSE_MS_MIN = 3_000;
const PAUSE_MS_MAX = 7_000;
/** A backend that is back may be avoided for a moment; one that has ended is noticed a moment later. */
const SLACK_MS = 1_500;
const SPANS_MAX = 64;

export class Backends {
  readonly addresses: readonly string[];
  /** Times that a backend was ended, by signal. */
  readonly ends = { SIGKILL: 0, SIGTERM: 0 };
  readonly #ports: readonly number[];
  readonly #programs: Program[];
  /** When a backend was away, in milliseconds of `performance.now`; the last is open-ended while it is. */
  #spans: { fromMs: number; toMs: number }[] = [];
  #stopping = false;
  #done: Promise<void> = Promise.resolve();

  static async start(count: number): Promise<Backends> {
    const ports: number[] = [];
    const programs: Program[] = [];
    for (let i = 0; i < count; i++) {
      ports.push(await freePort());
      programs.push(await startOne(ports[i]!));
    }
    return new Backends(ports, programs);
  }

  private constructor(ports: readonly number[], programs: Program[]) {
    this.#ports = ports;
    this.#programs = programs;
    this.addresses = ports.map((port) => `127.0.0.1:${port}`);
  }

  /** Begins to end and start them, one at a time. */
  restartOften(chance: Prng): void {
    this.#done = this.#restart(chance);
  }

  /** No more of that; resolves when all are there. */
  async rest(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  /** Whether one was away, or had just been, at any time between the two moments. */
  wasAwayBetween(fromMs: number, toMs: number): boolean {
    return this.#spans.some((span) => span.fromMs <= toMs && fromMs <= span.toMs + SLACK_MS);
  }

  async #restart(chance: Prng): Promise<void> {
    while (!this.#stopping) {
      await delay(chance.between(PAUSE_MS_MIN, PAUSE_MS_MAX));
      const index = chance.below(this.#programs.length);
      const signal = chance.oneIn(2) ? "SIGKILL" : "SIGTERM";
      const span = { fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY };
      this.#spans = [...this.#spans.slice(-SPANS_MAX), span];
      this.ends[signal]++;
      const program = this.#programs[index]!;
      process.kill(program.pid, signal);
      while (!program.ended()) await delay(10);
      await program.stop();
      await delay(chance.below(500));
      this.#programs[index] = await startOne(this.#ports[index]!);
      span.toMs = performance.now();
    }
  }
}

async function startOne(port: number): Promise<Program> {
  const program = start([process.execPath, COMMAND, "--port", `${port}`], { core: undefined });
  await waitForPort(program, port);
  return program;
}
