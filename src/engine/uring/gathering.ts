/**
 * When it pays to wait a moment for company.
 *
 * With many busy connections, the first completion is soon followed by others, and one pass over several
 * costs less than several passes: a wait may then go on for some microseconds (6.12). With few, the others
 * only come after our answer, and the same wait is time and a timer wasted. What tells the two apart is
 * neither rate nor batch size but how many different connections spoke within a couple of milliseconds.
 *
 * @hot
 */
import type { Ring } from "./ring.ts";

/** Length of a window. */
const WINDOW_MS = 2;
/** Connections that must have spoken in it. */
const BUSY_CONNECTIONS = 40;
/** A wait then goes on until so many completions are there, or so many microseconds have passed. */
const GATHER_COUNT = 8;
const GATHER_US = 50;

export class Gathering {
  /** By connection: the window in which it spoke last. */
  readonly #spokeIn: Int32Array;
  #window = 1;
  #windowStartMs = 0;
  #speakers = 0;

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
    const verdict = this.judge(nowMs);
    if (verdict === 1) ring.gather(GATHER_COUNT, GATHER_US);
    else if (verdict === 0) ring.gather(1, 0);
  }

  /**
   * Once a turn: 1 when waits should gather from now on, 0 when they should not, -1 when all stays as it is.
   */
  judge(nowMs: number): number {
    const spanMs = nowMs - this.#windowStartMs;
    if (spanMs < WINDOW_MS) return -1;
    const isBusy = this.#speakers * WINDOW_MS >= BUSY_CONNECTIONS * spanMs;
    this.#windowStartMs = nowMs;
    this.#window = (this.#window + 1) | 0;
    this.#speakers = 0;
    return isBusy ? 1 : 0;
  }
}
