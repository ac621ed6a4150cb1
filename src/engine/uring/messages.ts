/**
 * `struct msghdr`s with their vectors, for sends of several ranges. The kernel reads one when its entry is
 * submitted, so all of them may be used anew after that.
 *
 * @hot
 */
import { type Mapping, mapMemory } from "../native/memory.ts";
import type { SendQueue } from "../native/send-queue.ts";

/** Ranges that leave with one SENDMSG. */
const VECTORS_MAX = 16;
/** `struct msghdr` has 56 bytes; the vectors follow at byte 64. */
const HEADER_WORDS = 16;
const MESSAGE_WORDS = HEADER_WORDS + VECTORS_MAX * 4;
const COUNT = 256;
const TWO_POW_32 = 0x1_0000_0000;

export class Messages {
  readonly #memory: Mapping = mapMemory(COUNT * MESSAGE_WORDS * 4);
  readonly #words = new Int32Array(this.#memory.buffer);
  #used = 0;
  /** Bytes of the message that was written last. */
  bytes = 0;

  isFull(): boolean {
    return this.#used === COUNT;
  }

  /** All entries are submitted. */
  reset(): void {
    this.#used = 0;
  }

  /** A message of what waits for `connection`; returns its address. There must be room. */
  write(queue: SendQueue, connection: number): number {
    const at = this.#used++ * MESSAGE_WORDS;
    const words = this.#words;
    const count = queue.writeVectors(connection, words, at + HEADER_WORDS, VECTORS_MAX);
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += words[at + HEADER_WORDS + i * 4 + 2]!;
    this.bytes = bytes;
    const address = this.#memory.address + at * 4;
    const vectors = address + HEADER_WORDS * 4;
    // Name and its length stay 0; address of the vectors at byte 16, their count at 24.
    words[at + 4] = vectors | 0;
    words[at + 5] = (vectors / TWO_POW_32) | 0;
    words[at + 6] = count;
    return address;
  }
}
