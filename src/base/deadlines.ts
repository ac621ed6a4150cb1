/**
 * One deadline for each of a fixed number of owners (connections), cheap to move.
 *
 * Strategy: a wheel of ticks, in which an owner stands at or before the tick of its deadline. Moving a
 * deadline later, or clearing it, only stores a number; the owner is looked at when its old tick comes and is
 * put where it now belongs. A keep-alive connection that moves its deadline with each request thus costs one
 * store per request and one look per timeout. Only a move to an earlier tick relinks. Deadlines fire up to
 * one tick late, never early.
 *
 * @hot
 */
import { assert } from "./assert.ts";

const TICK_MS = 16;
const TICK_COUNT = 1024;
const TICK_MASK = TICK_COUNT - 1;
const NOWHERE = -1;

/** No deadline. */
export const NEVER_MS = Infinity;

export class Deadlines {
  /** When each owner is due; `NEVER_MS` for none. */
  readonly #at: Float64Array;
  /** The tick at which each owner is looked at; -1 when it stands in no list. */
  readonly #tick: Float64Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #heads = new Int32Array(TICK_COUNT).fill(NOWHERE);
  /** Owners that stand in the wheel. */
  #count = 0;
  /** Every tick before this one has been looked at. */
  #current = -1;
  /** No owner stands before this tick. */
  #earliest = 0;
  /** In a typed array: a number field that is written from outside would be a new heap number each time. */
  readonly #now = new Float64Array(1);

  constructor(owners: number) {
    this.#at = new Float64Array(owners).fill(NEVER_MS);
    this.#tick = new Float64Array(owners).fill(NOWHERE);
    this.#next = new Int32Array(owners).fill(NOWHERE);
    this.#previous = new Int32Array(owners).fill(NOWHERE);
  }

  /**
   * It is `nowMs` from here on: milliseconds with fraction, any origin, not negative, never less than before.
   */
  advance(nowMs: number): void {
    this.#now[0] = nowMs;
  }

  /**
   * `owner` is due in `spanMs` milliseconds (whole, so that nothing is allocated per call). Replaces its
   * earlier deadline.
   */
  set(owner: number, spanMs: number): void {
    const atMs = this.#now[0]! + spanMs;
    this.#at[owner] = atMs;
    const tick = Math.floor(atMs / TICK_MS) + 1;
    const standing = this.#tick[owner]!;
    if (standing !== NOWHERE) {
      if (standing <= tick) return;
      this.#unlink(owner);
    }
    this.#link(owner, tick);
  }

  /** `owner` has no deadline any more. */
  clear(owner: number): void {
    this.#at[owner] = NEVER_MS;
  }

  /** When `owner` is due, or `NEVER_MS`. */
  atMs(owner: number): number {
    return this.#at[owner]!;
  }

  /**
   * One owner that is due now, its deadline cleared; or -1 when there is none left. Call until -1. Deadlines
   * may be set and cleared between the calls.
   */
  takeDue(): number {
    const nowMs = this.#now[0]!;
    const nowTick = Math.floor(nowMs / TICK_MS);
    if (this.#current < 0) this.#current = Math.min(nowTick, this.#earliest);
    if (this.#count === 0) {
      this.#current = nowTick;
      return NOWHERE;
    }
    if (this.#earliest > nowTick) {
      this.#current = nowTick;
      return NOWHERE;
    }
    if (this.#earliest > this.#current) this.#current = this.#earliest;
    while (this.#current <= nowTick) {
      let owner = this.#heads[this.#current & TICK_MASK]!;
      while (owner !== NOWHERE) {
        const following = this.#next[owner]!;
        if (this.#tick[owner]! <= this.#current) {
          this.#unlink(owner);
          const at = this.#at[owner]!;
          if (at <= nowMs) {
            this.#at[owner] = NEVER_MS;
            this.#earliest = this.#current;
            return owner;
          }
          if (at !== NEVER_MS) this.#link(owner, Math.floor(at / TICK_MS) + 1);
        }
        owner = following;
      }
      this.#current++;
    }
    this.#earliest = this.#count === 0 ? nowTick : this.#seek();
    return NOWHERE;
  }

  /**
   * Milliseconds until `takeDue` should be called, -1 for never. An owner whose deadline has moved later may
   * cause an empty call.
   */
  waitMs(): number {
    if (this.#count === 0) return -1;
    return Math.max(0, this.#earliest * TICK_MS - this.#now[0]!);
  }

  /** The first tick from `#current` on in whose list somebody stands: a lower bound of what is due next. */
  #seek(): number {
    for (let step = 0; step < TICK_COUNT; step++) {
      const tick = this.#current + step;
      if (this.#heads[tick & TICK_MASK] !== NOWHERE) return tick;
    }
    return this.#current + TICK_COUNT;
  }

  #link(owner: number, tick: number): void {
    assert(this.#tick[owner] === NOWHERE, "an owner stands in one list");
    // Beyond the wheel's horizon an owner is looked at once per round.
    const from = this.#current < 0 ? tick : this.#current;
    const standing = Math.max(from, Math.min(tick, from + TICK_COUNT - 1));
    const list = standing & TICK_MASK;
    const head = this.#heads[list]!;
    this.#tick[owner] = standing;
    this.#next[owner] = head;
    this.#previous[owner] = NOWHERE;
    if (head !== NOWHERE) this.#previous[head] = owner;
    this.#heads[list] = owner;
    if (this.#count === 0 || standing < this.#earliest) this.#earliest = standing;
    this.#count++;
  }

  #unlink(owner: number): void {
    const tick = this.#tick[owner]!;
    assert(tick !== NOWHERE, "an owner stands in a list before it leaves");
    const next = this.#next[owner]!;
    const previous = this.#previous[owner]!;
    if (previous === NOWHERE) this.#heads[tick & TICK_MASK] = next;
    else this.#next[previous] = next;
    if (next !== NOWHERE) this.#previous[next] = previous;
    this.#tick[owner] = NOWHERE;
    this.#count--;
  }
}
