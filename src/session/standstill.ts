/**
 * Connections that hold buffers and do not move, the longest first: a client that does not take what is queued
 * for it, or whose upload its backend does not take, or a side of a tunnel. When buffers are short, these go
 * before anybody else has to wait for them.
 *
 * Strategy: a list through typed arrays, entered where a source is paused and left when its queue has run
 * empty; nothing here is touched by an exchange that never has to wait.
 *
 * @hot
 */

/** Links are connection + 1, so that arrays need not be filled first. */
const END = 0;

export class Standstill {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #isIn: Uint8Array;
  readonly #since: Float64Array;
  #first = END;
  #last = END;

  constructor(connections: number) {
    this.#next = new Int32Array(connections);
    this.#previous = new Int32Array(connections);
    this.#isIn = new Uint8Array(connections);
    this.#since = new Float64Array(connections);
  }

  /** `connection` stands still from `nowMs` on, which is never less than before. Idempotent. */
  enter(connection: number, nowMs: number): void {
    if (this.#isIn[connection] !== 0) return;
    this.#isIn[connection] = 1;
    this.#since[connection] = nowMs;
    this.#previous[connection] = this.#last;
    this.#next[connection] = END;
    if (this.#last === END) this.#first = connection + 1;
    else this.#next[this.#last - 1] = connection + 1;
    this.#last = connection + 1;
  }

  /** `connection` moves, or is gone. Idempotent. */
  leave(connection: number): void {
    if (this.#isIn[connection] === 0) return;
    this.#isIn[connection] = 0;
    const next = this.#next[connection]!;
    const previous = this.#previous[connection]!;
    if (previous === END) this.#first = next;
    else this.#next[previous - 1] = next;
    if (next === END) this.#last = previous;
    else this.#previous[next - 1] = previous;
  }

  /** The connection that has stood still for the longest time, or -1. */
  longest(): number {
    return this.#first - 1;
  }

  /** Since when `connection` stands still, which it must. */
  sinceMs(connection: number): number {
    return this.#since[connection]!;
  }
}
