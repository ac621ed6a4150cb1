/**
 * Lets a few notices of each reason through and counts the rest, so that a flood of bad requests does not
 * become a flood of messages.
 */
interface Tally {
  passed: number;
  suppressed: number;
}

export class NoticeLimiter {
  readonly #passMax: number;
  readonly #tallies = new Map<string, Tally>();

  /** `passMax` notices of a reason pass between two `endWindow`. */
  constructor(passMax: number) {
    this.#passMax = passMax;
  }

  /** True when this notice may be sent. */
  pass(reason: string): boolean {
    let tally = this.#tallies.get(reason);
    if (tally === undefined) {
      tally = { passed: 0, suppressed: 0 };
      this.#tallies.set(reason, tally);
    }
    if (tally.passed < this.#passMax) {
      tally.passed++;
      return true;
    }
    tally.suppressed++;
    return false;
  }

  /** Begins a new window; tells what the last one left out. */
  endWindow(report: (reason: string, count: number) => void): void {
    for (const [reason, { suppressed }] of this.#tallies) if (suppressed > 0) report(reason, suppressed);
    this.#tallies.clear();
  }
}
