/**
 * Free slots of one size, by number: the last one given back is the next one taken, while it is still warm in
 * the cache.
 *
 * A stack also knows what has been idle: slots below its lowest height of late have not been touched since,
 * and their memory may be given back to the system. What lies at the bottom was given back already or never
 * touched.
 *
 *     bottom  untouched memory │ idle of late │ in and out  top
 *             0               #clean         #lowest       count
 *
 * @hot
 */
export class SlotStack {
  readonly #slots: Int32Array;
  #count: number;
  /** Fewest free since `takeIdle` was last asked. */
  #lowest: number;
  /** So many at the bottom have no memory that could be given back. */
  #clean: number;

  /** Slots `first <= slot < first + count`, all free, the lowest on top. */
  constructor(first: number, count: number) {
    this.#slots = new Int32Array(count);
    for (let i = 0; i < count; i++) this.#slots[i] = first + count - 1 - i;
    this.#count = count;
    this.#lowest = count;
    this.#clean = count;
  }

  get count(): number {
    return this.#count;
  }

  /** The slot on top, or -1 when none is free. */
  take(): number {
    if (this.#count === 0) return -1;
    const count = this.#count - 1;
    this.#count = count;
    if (count < this.#lowest) this.#lowest = count;
    return this.#slots[count]!;
  }

  /** `slot` is free again. */
  give(slot: number): void {
    this.#slots[this.#count++] = slot;
  }

  /**
   * Writes into `into`, in ascending order, slots that were free all the time since the last call, and that
   * had been used before: the caller gives their memory back now. Returns how many, at most what `into` holds;
   * when it is full, ask again for the others. @cold
   */
  takeIdle(into: Int32Array): number {
    const clean = Math.min(this.#clean, this.#lowest);
    const count = Math.min(into.length, this.#lowest - clean);
    for (let i = 0; i < count; i++) into[i] = this.#slots[clean + i]!;
    into.subarray(0, count).sort();
    this.#clean = clean + count;
    if (count < into.length) this.#lowest = this.#count;
    return count;
  }

  /** Whether `takeIdle` may tell of a slot that is free now, at once or next time. */
  get mayHaveIdle(): boolean {
    return Math.min(this.#clean, this.#lowest) < this.#count;
  }
}
