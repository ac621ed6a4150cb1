/**
 * Whether one endpoint counts as up, from the outcomes of its checks: `fall` failures in a row take it out,
 * `rise` bring it back.
 */
export class HealthState {
  #fall: number;
  #rise: number;
  #healthy = true;
  #decided = false;
  /** Outcomes in a row that speak against what is believed now. */
  #against = 0;

  constructor(fall: number, rise: number) {
    this.#fall = fall;
    this.#rise = rise;
  }

  /** Other bounds from now on; the verdict stays. */
  retune(fall: number, rise: number): void {
    this.#fall = fall;
    this.#rise = rise;
  }

  get healthy(): boolean {
    return this.#healthy;
  }

  /**
   * Takes one outcome; true when the verdict changed. The first outcome of all decides alone: nothing is
   * known yet.
   */
  observe(good: boolean): boolean {
    const first = !this.#decided;
    this.#decided = true;
    if (good === this.#healthy) {
      this.#against = 0;
      return false;
    }
    this.#against++;
    if (!first && this.#against < (this.#healthy ? this.#fall : this.#rise)) return false;
    this.#healthy = good;
    this.#against = 0;
    return true;
  }
}
