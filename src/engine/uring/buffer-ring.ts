/**
 * The buffers that the kernel may receive into: large slots of the pool, lent to it through a ring (5.19).
 *
 * Strategy: the ring has room for many, and few lie in it. The kernel uses buffers in the order they were
 * offered, so with n of them on offer n pieces of memory are visited in turn, and n small enough stay in the
 * processor's cache. What a batch uses is replaced at its end from the top of the pool's stack. How many are
 * on offer follows the demand: twice the largest batch of late, more at once when the kernel had to do
 * without (ENOBUFS). An offer cannot be taken back: after a burst the many are used up one by one, and those
 * whose turn will not come soon give their memory back meanwhile.
 *
 * A buffer's id is its place in the ring. A place is used again only after its buffer came back: completions
 * need not come in the order in which buffers were taken.
 *
 * @hot
 */
import { assert } from "../../base/assert.ts";
import { type BufferPool, HEADROOM_BYTES, RECEIVE_BYTES } from "../../base/buffer-pool.ts";
import { EngineUnavailable } from "../../contract/port.ts";
import { mapMemory } from "../native/memory.ts";
import type { Ring } from "./ring.ts";

const REGISTER_PBUF_RING = 22;
const NONE = -1;
const RECEIVE_OFFSET = HEADROOM_BYTES;
const RECEIVE_LENGTH = RECEIVE_BYTES;
/** Places in the ring: a power of two, at most 32,768. */
const ENTRIES_MAX = 1024;
const OFFER_MIN = 16;
/**
 * `struct io_uring_buf`: address (64 bits), length (32), id (16), and 16 bits that in the first one are the
 * ring's tail.
 */
const ENTRY_WORDS = 4;
const TAIL_AT = 7;
const TWO_POW_32 = 0x1_0000_0000;

export class BufferRing {
  /** Buffers that the kernel has, those included whose completion is not read yet. */
  #offered = 0;
  #target: number;
  #demand = 0;
  #demandMax = 0;
  #tail = 0;
  readonly #targetMax: number;
  readonly #mask: number;
  readonly #buffers: BufferPool;
  readonly #poolAddress: number;
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  /** By id: where the receive area begins, or -1. */
  readonly #offsets: Int32Array;
  /** By id: 1 when the memory was given back while on offer. */
  readonly #discarded: Uint8Array;

  /** Registers buffer group 0 with `ring`. */
  constructor(ring: Ring, buffers: BufferPool, poolAddress: number) {
    this.#buffers = buffers;
    this.#poolAddress = poolAddress;
    const entries = Math.min(ENTRIES_MAX, ceilPowerOfTwo(buffers.largeCount));
    this.#mask = entries - 1;
    // A quarter of the slots is never lent: who holds received bytes needs slots too.
    this.#targetMax = Math.max(1, Math.min(entries, Math.floor(buffers.largeCount * 0.75)));
    this.#target = Math.min(OFFER_MIN, this.#targetMax);
    this.#offsets = new Int32Array(entries).fill(NONE);
    this.#discarded = new Uint8Array(entries);
    const memory = mapMemory(entries * ENTRY_WORDS * 4);
    this.#words = new Int32Array(memory.buffer, 0, entries * ENTRY_WORDS);
    this.#halves = new Uint16Array(memory.buffer);
    // struct io_uring_buf_reg: address, entries, group and flags, reserved.
    const argument = mapMemory(64);
    const words = new Int32Array(argument.buffer);
    words[0] = memory.address | 0;
    words[1] = (memory.address / TWO_POW_32) | 0;
    words[2] = entries;
    const result = ring.register(REGISTER_PBUF_RING, argument.address, 1);
    if (result < 0) throw new EngineUnavailable(`io_uring provided buffers: errno ${-result} (kernel 5.19)`);
  }

  /** Buffers that a receive would find. */
  get available(): number {
    return this.#offered;
  }

  /** Place of the buffer behind `id`: a bundle fills places in order. */
  after(id: number): number {
    return (id + 1) & this.#mask;
  }

  /** The buffer `id` came back filled: returns where its bytes begin. The reference is the caller's now. */
  take(id: number): number {
    const offset = this.#offsets[id]!;
    assert(offset !== NONE, "only an offered buffer comes back");
    this.#offsets[id] = NONE;
    this.#offered--;
    this.#demand++;
    return offset;
  }

  /** The kernel had to do without: twice as many are offered from now on. */
  grow(): void {
    this.#target = Math.min(this.#target * 2, this.#targetMax);
  }

  /** Offers buffers until there are as many as wanted, or the pool has no more to lend. */
  topUp(): void {
    if (this.#demand > this.#demandMax) this.#demandMax = this.#demand;
    this.#demand = 0;
    if (this.#offered >= this.#target) return;
    const tail = this.#tail;
    while (this.#offered < this.#target && this.#offsets[this.#tail & this.#mask] === NONE) {
      const slot = this.#buffers.acquireLarge();
      if (slot < 0) break;
      const id = this.#tail & this.#mask;
      const offset = slot + RECEIVE_OFFSET;
      const address = this.#poolAddress + offset;
      const at = id * ENTRY_WORDS;
      this.#offsets[id] = offset;
      this.#discarded[id] = 0;
      this.#words[at] = address | 0;
      this.#words[at + 1] = (address / TWO_POW_32) | 0;
      this.#words[at + 2] = RECEIVE_LENGTH;
      this.#halves[at * 2 + 6] = id;
      this.#tail = (this.#tail + 1) & 0xffff;
      this.#offered++;
    }
    if (this.#tail !== tail) this.#halves[TAIL_AT] = this.#tail;
  }

  /** Releases every buffer on offer. The kernel must receive no more. */
  takeBack(): void {
    for (let id = 0; id < this.#offsets.length; id++) {
      if (this.#offsets[id] !== NONE) this.#buffers.release(this.take(id));
    }
  }

  /**
   * Lets the number on offer follow the largest batch since the last call, and writes into `slots`, in
   * ascending order, where buffers begin whose turn is further off than that and that have memory to give back:
   * the caller does so now. Returns how many. No completion may be unread. @cold
   */
  takeIdle(slots: Int32Array): number {
    const wanted = Math.max(OFFER_MIN, this.#demandMax * 2);
    if (wanted < this.#target) this.#target = wanted;
    this.#demandMax = 0;
    let count = 0;
    for (let turn = this.#target; turn < this.#offered && count < slots.length; turn++) {
      const id = (this.#tail - this.#offered + turn) & this.#mask;
      if (this.#offsets[id] === NONE || this.#discarded[id] === 1) continue;
      this.#discarded[id] = 1;
      slots[count++] = this.#offsets[id]!;
    }
    slots.subarray(0, count).sort();
    return count;
  }
}

function ceilPowerOfTwo(value: number): number {
  return value <= 1 ? 1 : 2 ** Math.ceil(Math.log2(value));
}
