/**
 * When it pays to wait a moment for company.
 *
 * One pass over several completions costs less than several passes, so a wait may go on for some microseconds
 * after its first completion (6.12). It pays where others are sure to come: with many busy connections. With
 * few, the others only come after our answer, and the same wait is time and a timer wasted. What tells the two
 * apart is neither rate nor batch size but how many different connections spoke within a couple of
 * milliseconds.
 *
 * And it is paid for with latency, so nothing waits on a core that has time left: there the CPU that is saved
 * would only have been idle, while each request would be held up twice.
 *
 * @hot
 */
import type { Ring } from "./ring.ts";

/** Length of a window. */
const WINDOW_MS = 2;
/** Connections that must have spoken in it. */
const BUSY_CONNECTIONS = 40;
/** Share of its time that this thread must have used a core, to begin and to go on. */
const LOADED_FROM = 0.7;
const LOADED_UNTIL = 0.6;
/** Windows over which that share is averaged. */
const LOAD_WINDOWS = 16;
/** A wait then goes on until so many completions are there, or so many microseconds have passed. */
const GATHER_COUNT = 8;
const GATHER_US = 50;

/** Places in `#times`, which is typed because a number field would be a new heap number with each window. */
const WINDOW_START_MS = 0;
const CPU_MS = 1;
const LOAD = 2;

export class Gathering {
  /** By connection: the window in which it spoke last. */
  readonly #spokeIn: Int32Array;
  readonly #times = new Float64Array(3);
  #window = 1;
  #speakers = 0;
  #isLoaded = false;

  constructor(connectionsMax: number) {
    this.#spokeIn = new Int32Array(connectionsMax);
  }

  /** Something came from `connection`. */
  spoke(connection: number): void {
    if (this.#spokeIn[connection] === this.#window) return;
    this.#spokeIn[connection] = this.#window;
    this.#speakers++;
  }

  /** Once a turn: tells `ring`, which must be able to, how to wait from now on. */
  direct(ring: Ring, nowMs: number): void {
    if (!this.isDue(nowMs)) return;
    if (this.judge(nowMs, ring.threadCpuMs())) ring.gather(GATHER_COUNT, GATHER_US);
    else ring.gather(1, 0);
  }

  /** Whether a window has ended, and `judge` is to be asked. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#times[WINDOW_START_MS]! >= WINDOW_MS;
  }

  /**
   * Ends a window; `cpuMs` is the CPU time that this thread has used since any moment. Returns whether waits
   * should gather from now on.
   */
  judge(nowMs: number, cpuMs: number): boolean {
    const times = this.#times;
    const spanMs = nowMs - times[WINDOW_START_MS]!;
    const hasCompany = this.#speakers * WINDOW_MS >= BUSY_CONNECTIONS * spanMs;
    // A long silence is many windows at once.
    const weight = Math.min(1, spanMs / (WINDOW_MS * LOAD_WINDOWS));
    const load = times[LOAD]! + ((cpuMs - times[CPU_MS]!) / spanMs - times[LOAD]!) * weight;
    times[WINDOW_START_MS] = nowMs;
    times[CPU_MS] = cpuMs;
    times[LOAD] = load;
    this.#isLoaded = load >= (this.#isLoaded ? LOADED_UNTIL : LOADED_FROM);
    this.#window = (this.#window + 1) | 0;
    this.#speakers = 0;
    return hasCompany && this.#isLoaded;
  }
}
