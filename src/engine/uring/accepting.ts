/**
 * The accepting of connections in the ring: which listeners the kernel accepts at for us. Armed once, an
 * accept goes on until it is cancelled or fails.
 *
 * @hot
 */
import type { NativeListener } from "../native/listener-table.ts";
import { Operation } from "./operation.ts";
import { prepAccept, prepCancel } from "./prep.ts";
import type { Ring } from "./ring.ts";

const ACCEPT = Operation.accept;
const SILENT = Operation.silent;
/**
 * Free indexes below which connections are accepted one at a time: a multishot accept may bring a whole
 * queue.
 */
const ACCEPT_AHEAD = 512;

export class Accepting {
  readonly #ring: Ring;
  readonly #listeners: readonly NativeListener[];

  constructor(ring: Ring, listeners: readonly NativeListener[]) {
    this.#ring = ring;
    this.#listeners = listeners;
  }

  /** Arms what is not, if `mayAccept`, for at most `freeCount` connections; ends what is being removed. */
  arm(mayAccept: boolean, freeCount: number): void {
    for (let i = 0; i < this.#listeners.length; i++) {
      const listener = this.#listeners[i]!;
      if (listener.leaving && listener.armed && !listener.cancelling) this.cancel(i);
      if (listener.armed || listener.leaving || listener.done || !mayAccept) continue;
      listener.armed = true;
      const multishot = freeCount >= ACCEPT_AHEAD;
      prepAccept(this.#ring.sqes, this.#ring.nextSqe(), listener.fd, multishot, ACCEPT, i);
    }
  }

  /** No listener accepts any more. */
  cancelAll(): void {
    for (let i = 0; i < this.#listeners.length; i++) {
      const listener = this.#listeners[i]!;
      if (listener.armed && !listener.cancelling) this.cancel(i);
    }
  }

  cancel(index: number): void {
    this.#listeners[index]!.cancelling = true;
    prepCancel(this.#ring.sqes, this.#ring.nextSqe(), ACCEPT, index, SILENT);
  }

  /** An accept of listener `index` has told its last. */
  ended(index: number): void {
    const listener = this.#listeners[index]!;
    listener.armed = false;
    listener.cancelling = false;
  }

  /** Listener `index` accepts, and was not told to stop. */
  goesOn(index: number): boolean {
    const { armed, cancelling } = this.#listeners[index]!;
    return armed && !cancelling;
  }
}
