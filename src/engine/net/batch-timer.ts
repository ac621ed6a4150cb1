/**
 * The one timer of the net engine. A handler names a new deadline after every batch, nearly always a later
 * one: the timer is moved only when the deadline comes nearer, and when it fires too early it sets itself
 * again.
 *
 * @hot
 */

/** Longest span that `setTimeout` takes. */
const WAIT_MS_MAX = 0x7fff_ffff;

export class BatchTimer {
  readonly #due: () => void;
  readonly #fired = (): void => this.#fire();
  #timer: NodeJS.Timeout | null = null;
  #firesAtMs = Infinity;
  #deadlineMs = Infinity;

  /** `due` is called once for each deadline that is reached. */
  constructor(due: () => void) {
    this.#due = due;
  }

  /**
   * `due` is to be called at `deadlineMs` (on `performance.now`'s scale; Infinity: never), instead of what
   * was said before.
   */
  set(deadlineMs: number, nowMs: number): void {
    this.#deadlineMs = deadlineMs;
    if (deadlineMs < this.#firesAtMs) this.#start(nowMs);
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#deadlineMs = Infinity;
    this.#firesAtMs = Infinity;
  }

  #start(nowMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const waitMs = Math.min(Math.ceil(this.#deadlineMs - nowMs), WAIT_MS_MAX);
    this.#firesAtMs = nowMs + waitMs;
    this.#timer = setTimeout(this.#fired, waitMs);
  }

  #fire(): void {
    this.#timer = null;
    this.#firesAtMs = Infinity;
    if (this.#deadlineMs === Infinity) return;
    const nowMs = performance.now();
    if (this.#deadlineMs > nowMs) {
      this.#start(nowMs);
      return;
    }
    this.#deadlineMs = Infinity;
    this.#due();
  }
}
