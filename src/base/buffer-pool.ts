/**
 * Every byte that a worker receives or sends lies in one region of memory, cut into slots of two sizes.
 *
 * Strategy: a position is an offset into the region, so a range names its buffer and no views are made. Slots
 * are counted by references: whoever holds a range holds one reference, `send` takes it over, and the last
 * `release` puts the slot on top of a stack, where the next `acquire` finds it still warm in the cache.
 *
 * - A *large* slot receives. Its first `HEADROOM_BYTES` stay free, so that a rewritten head or a chunk-size
 *   line can be put in front of a body without moving the body.
 * - A *small* slot holds what we write ourselves: heads, small messages, local answers.
 *
 * Slot strides are not powers of two: equal offsets in neighbouring slots would fall into the same cache
 * sets. The region is never cleared: a slot holds whatever its last user left.
 *
 * @hot
 */
import { assert } from "./assert.ts";
import type { LinearMemory } from "./linear-memory.ts";
import { SlotStack } from "./slot-stack.ts";

/** Writable bytes in front of every received range. */
export const HEADROOM_BYTES = 1024;
/** The most bytes that one receive can deliver. */
export const RECEIVE_BYTES = 65_536;
/** Usable bytes of a large slot. */
export const LARGE_SLOT_BYTES = HEADROOM_BYTES + RECEIVE_BYTES;
/** Usable bytes of a small slot. */
export const SMALL_SLOT_BYTES = 4096;

/** Share of the large slots that may be in use before everybody is asked to hold few. */
const AMPLE_SHARE = 1 / 4;

const LARGE_STRIDE = LARGE_SLOT_BYTES + 64;
const SMALL_STRIDE = SMALL_SLOT_BYTES + 320;

export class BufferPool {
  /** The whole region. Engines may give it to the kernel, so it must not be memory that V8 can move. */
  readonly memory: Uint8Array;
  /** The same region, for unaligned reads and writes of more than one byte. */
  readonly view: DataView;
  /** What the region is the beginning of, where WebAssembly can read it. */
  readonly linear: LinearMemory | null;
  readonly smallCount: number;
  readonly largeCount: number;
  readonly #largeBase: number;
  readonly #ampleCount: number;
  readonly #references: Uint16Array;
  readonly #freeSmall: SlotStack;
  readonly #freeLarge: SlotStack;
  /**
   * Large slots that the engine has lent to the kernel, to receive into: neither free nor anybody's. As of the
   * end of the last batch.
   */
  lentLargeCount = 0;

  /** Bytes that a region must have for these counts. */
  static regionBytes(smallCount: number, largeCount: number): number {
    return smallCount * SMALL_STRIDE + largeCount * LARGE_STRIDE;
  }

  /**
   * Takes over `memory`, of exactly `regionBytes(smallCount, largeCount)` bytes; where these are the first of
   * `linear`, that too. Untouched slots stay untouched pages.
   */
  constructor(
    memory: Uint8Array,
    smallCount: number,
    largeCount: number,
    linear: LinearMemory | null = null,
  ) {
    assert(
      memory.length === BufferPool.regionBytes(smallCount, largeCount),
      "the region has the size of its slots",
    );
    this.memory = memory;
    this.linear = linear;
    this.view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    this.smallCount = smallCount;
    this.largeCount = largeCount;
    this.#largeBase = smallCount * SMALL_STRIDE;
    this.#ampleCount = Math.ceil(largeCount * (1 - AMPLE_SHARE));
    this.#references = new Uint16Array(smallCount + largeCount);
    this.#freeSmall = new SlotStack(0, smallCount);
    this.#freeLarge = new SlotStack(smallCount, largeCount);
  }

  get freeSmallCount(): number {
    return this.#freeSmall.count;
  }

  get freeLargeCount(): number {
    return this.#freeLarge.count;
  }

  /**
   * So many large slots are in use that everybody should take one at a time: thousands who hold one each leave
   * room for others, a few hundred who hold a dozen each do not.
   */
  get isTight(): boolean {
    return this.#freeLarge.count + this.lentLargeCount < this.#ampleCount;
  }

  /** A small slot with one reference: the offset of its first byte, or -1 when none is free. */
  acquireSmall(): number {
    const slot = this.#freeSmall.take();
    if (slot < 0) return -1;
    assert(this.#references[slot] === 0, "a free slot has no references");
    this.#references[slot] = 1;
    return slot * SMALL_STRIDE;
  }

  /**
   * A large slot with one reference: the offset of its first byte (the headroom begins there), or -1 when
   * none is free.
   */
  acquireLarge(): number {
    const slot = this.#freeLarge.take();
    if (slot < 0) return -1;
    assert(this.#references[slot] === 0, "a free slot has no references");
    this.#references[slot] = 1;
    return this.#largeBase + (slot - this.smallCount) * LARGE_STRIDE;
  }

  /** One more holder of the slot around `offset`. */
  retain(offset: number): void {
    const slot = this.#slotOf(offset);
    assert(this.#references[slot]! > 0, "only a held slot is shared");
    this.#references[slot] = this.#references[slot]! + 1;
  }

  /** One holder less; the last one frees the slot. */
  release(offset: number): void {
    const slot = this.#slotOf(offset);
    const left = this.#references[slot]! - 1;
    assert(left >= 0, "a slot is released once per reference");
    this.#references[slot] = left;
    if (left > 0) return;
    if (slot < this.smallCount) this.#freeSmall.give(slot);
    else this.#freeLarge.give(slot);
  }

  /**
   * Writes into `into`, in ascending order, the offsets of slots whose memory is worth giving back: free all
   * the time since the last call, and used before. Returns how many, at most what `into` holds: when it is
   * full, ask again for the others. The slots stay free. @cold
   */
  takeIdle(into: Int32Array): number {
    const small = this.#freeSmall.takeIdle(into);
    for (let i = 0; i < small; i++) into[i] = into[i]! * SMALL_STRIDE;
    const rest = into.subarray(small);
    const large = this.#freeLarge.takeIdle(rest);
    for (let i = 0; i < large; i++) rest[i] = this.#largeBase + (rest[i]! - this.smallCount) * LARGE_STRIDE;
    return small + large;
  }

  /** Whether `takeIdle` may tell of a slot that is free now, at once or next time. */
  get mayHaveIdle(): boolean {
    return this.#freeSmall.mayHaveIdle || this.#freeLarge.mayHaveIdle;
  }

  /** Holders of the slot around `offset`. */
  referencesOf(offset: number): number {
    return this.#references[this.#slotOf(offset)]!;
  }

  /** First usable byte of the slot around `offset`. */
  slotStart(offset: number): number {
    if (offset < this.#largeBase) return ((offset / SMALL_STRIDE) | 0) * SMALL_STRIDE;
    return this.#largeBase + (((offset - this.#largeBase) / LARGE_STRIDE) | 0) * LARGE_STRIDE;
  }

  /** Where the slot behind the one around `offset` begins. */
  nextSlot(offset: number): number {
    return this.slotStart(offset) + (offset < this.#largeBase ? SMALL_STRIDE : LARGE_STRIDE);
  }

  /** Just past the last usable byte of the slot around `offset`. */
  slotEnd(offset: number): number {
    return this.slotStart(offset) + (offset < this.#largeBase ? SMALL_SLOT_BYTES : LARGE_SLOT_BYTES);
  }

  #slotOf(offset: number): number {
    if (offset < this.#largeBase) return (offset / SMALL_STRIDE) | 0;
    return this.smallCount + (((offset - this.#largeBase) / LARGE_STRIDE) | 0);
  }
}
