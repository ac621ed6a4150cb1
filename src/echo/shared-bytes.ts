/**
 * Bytes that many responses share: rendered once into a slot of the pool, then sent again and again by
 * reference.
 *
 * Strategy: what is being sent is never written to. New text (another second, another `Date`) goes into a new
 * slot, and the old one goes home with the last send that uses it.
 *
 * @hot
 */
import { assert } from "../base/assert.ts";
import { type BufferPool, LARGE_SLOT_BYTES } from "../base/buffer-pool.ts";

/** Reference counts have 16 bits; past this another slot is filled. */
const REFERENCES_MAX = 60_000;

export class SharedBytes {
  readonly #buffers: BufferPool;
  #bytes: Uint8Array;
  #start = -1;

  /** `bytes`: at most `LARGE_SLOT_BYTES`. Takes a slot at the first use. */
  constructor(buffers: BufferPool, bytes: Uint8Array) {
    assert(bytes.length <= LARGE_SLOT_BYTES, "shared bytes fit a slot");
    this.#buffers = buffers;
    this.#bytes = bytes;
  }

  /** From now on shares `bytes`. */
  replace(bytes: Uint8Array): void {
    assert(bytes.length <= LARGE_SLOT_BYTES, "shared bytes fit a slot");
    this.release();
    this.#bytes = bytes;
  }

  /** Where the bytes lie, with one more reference that belongs to the caller; -1 when no slot is free. */
  share(): number {
    if (this.#start >= 0 && this.#buffers.referencesOf(this.#start) >= REFERENCES_MAX) this.release();
    if (this.#start < 0) {
      this.#start = this.#buffers.acquireLarge();
      if (this.#start < 0) return -1;
      this.#buffers.memory.set(this.#bytes, this.#start);
    }
    this.#buffers.retain(this.#start);
    return this.#start;
  }

  /** Gives the slot back; the next `share` takes another. */
  release(): void {
    if (this.#start >= 0) this.#buffers.release(this.#start);
    this.#start = -1;
  }
}
