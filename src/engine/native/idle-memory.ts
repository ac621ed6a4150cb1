/**
 * Gives the memory of slots that are not in use back to the system, some at a time: a burst touches many slots,
 * and the calm behind it needs few.
 *
 * @cold
 */
import type { BufferPool } from "../../base/buffer-pool.ts";
import { discardRange } from "./memory.ts";

/** Slots at a time: 17 MB of large ones, about a millisecond. */
const SLOTS_MAX = 256;
const PAGE_BYTES = 4096;

export class IdleMemory {
  /** Offsets of slots to discard, for whoever finds them. */
  readonly slots = new Int32Array(SLOTS_MAX);
  readonly #buffers: BufferPool;
  readonly #address: number;

  /** `address`: where the pool's memory begins. */
  constructor(buffers: BufferPool, address: number) {
    this.#buffers = buffers;
    this.#address = address;
  }

  /**
   * The first `count` of `slots`, in ascending order, hold nothing that anybody wants: they read as zeros or as
   * they were from now on. What shares a page with a neighbour that is not among them stays.
   */
  discard(count: number): void {
    const buffers = this.#buffers;
    for (let i = 0; i < count; ) {
      const start = buffers.slotStart(this.slots[i]!);
      let end = buffers.nextSlot(start);
      for (i++; i < count && buffers.slotStart(this.slots[i]!) === end; i++) end = buffers.nextSlot(end);
      const from = Math.ceil((this.#address + start) / PAGE_BYTES) * PAGE_BYTES;
      const to = Math.floor((this.#address + end) / PAGE_BYTES) * PAGE_BYTES;
      if (from < to) discardRange(from, to - from);
    }
  }
}
