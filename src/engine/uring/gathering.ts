/**
 * When it pays to wait a moment for company.
 *
 * One pass over several completions costs less than several passes, so a wait may go on for a moment after its
 * first completion (6.12). It pays where others are sure to come: with many busy connections. With
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
/** A wait then goes on until there are as many completions as come in this span at the rate of the last window, */
const COMPANY_US = 120;
/** but no more than this, */
const GATHER_COUNT_MAX = 16;
/**
 * or until so long after it began, should everybody fall silent at once. A timer that ends before the kernel's next
 * tick has to be set in hardware, and taken out again by the completions that it waits for; on a virtual machine that
 * costs more than the company saves. This one is not, and in a steady stream it never ends a wait.
 */
const GATHER_US = 4000;

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
  /** What came in this window. */
  #events = 0;
  #isLoaded = false;

  constructor(connectionsMax: number) {
    this.#spokeIn = new Int32Array(connectionsMax);
  }

  /** Something came from `connection`. */
  spoke(connection: number): void {
    this.#events++;
    if (this.#spokeIn[connection] === this.#window) return;
    this.#spokeIn[connection] = this.#window;
    this.#speakers++;
  }

  /** Once a turn: tells `ring`, which must be able to, how to wait from now on. */
  direct(ring: Ring, nowMs: number): void {
    if (!this.isDue(nowMs)) return;
    const count = this.judge(nowMs, ring.threadCpuMs());
    ring.gather(count, count === 1 ? 0 : GATHER_US);
  }

  /** Whether a window has ended, and `judge` is to be asked. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#times[WINDOW_START_MS]! >= WINDOW_MS;
  }

  /**
   * Ends a window; `cpuMs` is the CPU time that this thread has used since any moment. Returns how many completions a
   * wait should gather from now on; 1: it should not.
   */
  judge(nowMs: number, cpuMs: number): number {
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
    const expected = (this.#events * COMPANY_US) / (spanMs * 1000);
    this.#speakers = 0;
    this.#events = 0;
    if (!hasCompany || !this.#isLoaded) return 1;
    return Math.max(1, Math.min(GATHER_COUNT_MAX, Math.floor(expected)));
  }
}
