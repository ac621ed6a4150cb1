/**
 * Connections that can take a request, in the order in which they became free, so that a schedule spreads
 * evenly.
 *
 * A connection stands in the ring at most once, also across a close and a new life under the same number: who
 * takes one out must check that it can still be used.
 *
 * @hot
 */
export class FreeRing {
  readonly #connections: Int32Array;
  readonly #present: Uint8Array;
  #first = 0;
  #count = 0;

  constructor(connectionsMax: number) {
    this.#connections = new Int32Array(connectionsMax);
    this.#present = new Uint8Array(connectionsMax);
  }

  get count(): number {
    return this.#count;
  }

  /** Puts `connection` at the end, unless it is in the ring. */
  add(connection: number): void {
    if (this.#present[connection] === 1) return;
    this.#present[connection] = 1;
    const at = this.#first + this.#count;
    this.#connections[at >= this.#connections.length ? at - this.#connections.length : at] = connection;
    this.#count++;
  }

  /** Takes out the first; -1 when the ring is empty. */
  take(): number {
    if (this.#count === 0) return -1;
    const connection = this.#connections[this.#first]!;
    this.#first = this.#first + 1 === this.#connections.length ? 0 : this.#first + 1;
    this.#count--;
    this.#present[connection] = 0;
    return connection;
  }
}
