/**
 * Input that was read and cannot be passed on yet: no slot is free, or a background connection
 * (`Port.setBackground`) has to wait for its turn. Its socket is not read meanwhile.
 *
 * Strategy: libuv reads whatever is readable before anything is sent, and cannot be told to leave a socket for
 * later. What comes from background connections beyond what one batch may bring is therefore copied aside,
 * and passed on some batches later: the costly part, which is what the handler does with it, waits.
 *
 * @hot
 */
import { type BufferPool, HEADROOM_BYTES } from "../../base/buffer-pool.ts";
import { BACKGROUND_READS_MAX, type Handler } from "../../contract/port.ts";
import type { NetConnection } from "./net-connection.ts";

const HEADROOM = HEADROOM_BYTES;

export class HeldInput {
  readonly #memory: Buffer;
  readonly #buffers: BufferPool;
  /** They wait for a slot, oldest first. */
  readonly #starved: NetConnection[] = [];
  /** They wait for their turn. */
  readonly #background: NetConnection[] = [];
  /** Background connections that may still be passed on in this batch. */
  #turnsLeft = 0;

  constructor(memory: Buffer, buffers: BufferPool) {
    this.#memory = memory;
    this.#buffers = buffers;
  }

  /** Some wait for a slot: whoever comes now stands behind them. */
  get hasStarved(): boolean {
    return this.#starved.length > 0;
  }

  /** Some wait for the next batch. */
  get hasBackground(): boolean {
    return this.#background.length > 0;
  }

  beginBatch(): void {
    this.#turnsLeft = BACKGROUND_READS_MAX;
  }

  /** What `connection`, of which nothing is held, has brought may be passed on now. Takes its turn. */
  mayPass(connection: NetConnection): boolean {
    if (!connection.isBackground) return true;
    if (this.#turnsLeft === 0 || this.#background.length > 0) return false;
    this.#turnsLeft--;
    return true;
  }

  /** Keeps `bytes[from, to)` until its turn comes, or a slot is free. */
  hold(connection: NetConnection, bytes: Buffer, from: number, to: number): void {
    connection.hold(bytes, from, to);
    this.wait(connection);
    connection.socket.pause();
  }

  /** Keeps the end of `connection`, of which nothing is held, until its turn comes. */
  holdEnd(connection: NetConnection): void {
    connection.held = [];
    connection.hasEndedBehindHeld = true;
    this.wait(connection);
  }

  /** What is held of `connection` is wanted. */
  wait(connection: NetConnection): void {
    if (connection.isHeldBack) return;
    connection.isHeldBack = true;
    if (connection.isBackground) this.#background.push(connection);
    else this.#starved.push(connection);
  }

  /** One slot for each connection in turn, until slots, turns or connections run out. */
  feed(handler: Handler): void {
    if (!this.#feedAll(this.#starved, handler, this.#starved.length)) return;
    if (this.#background.length === 0) return;
    const count = Math.min(this.#background.length, this.#turnsLeft);
    this.#turnsLeft -= count;
    if (this.#feedAll(this.#background, handler, count)) return;
    // There is no slot: the first of them waits for one.
    this.#starved.push(this.#background.shift()!);
  }

  /** Returns false when there was no slot for the first in `waiting`. */
  #feedAll(waiting: NetConnection[], handler: Handler, count: number): boolean {
    for (let left = count; left > 0; left--) {
      const connection = waiting[0]!;
      if (connection.isGivenUp || connection.isPaused || connection.held === null) {
        connection.isHeldBack = false;
        waiting.shift();
        continue;
      }
      const hasBytes = connection.held.length > 0;
      const slot = hasBytes ? this.#buffers.acquireLarge() : 0;
      if (slot < 0) return false;
      connection.isHeldBack = false;
      waiting.shift();
      const start = slot + HEADROOM;
      if (!hasBytes) connection.held = null;
      else handler.received(connection.number, start, connection.unhold(this.#memory, start));
      if (!connection.isGivenUp) this.#afterFeeding(connection, handler);
    }
    return true;
  }

  #afterFeeding(connection: NetConnection, handler: Handler): void {
    if (connection.held !== null) {
      if (!connection.isPaused) this.wait(connection);
    } else if (connection.failedBehindHeld !== 0)
      connection.engine.hasFailed(connection, connection.failedBehindHeld);
    else if (connection.hasEndedBehindHeld) handler.ended(connection.number);
    else if (!connection.isPaused) connection.socket.resume();
  }
}
