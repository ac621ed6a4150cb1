/**
 * Sees which workers stand still: an endless loop in a hook, a call that does not return. Such a worker can neither
 * be asked nor interrupted; what it no longer does is to count its pulses (`contract/liveness.ts`).
 *
 * Strategy: time counts by our own looks, not by a clock. Whatever stopped us as well (a machine that slept, a
 * signal, a debugger, a host without time for us) then makes nobody look dead: a look that comes late counts for
 * nothing, and one that comes later than the limit begins anew. Nor does time count in which a worker could have run
 * and had no processor: where a machine has too much to do, all are slow, and to kill some makes more work.
 */
import { pulseMsOf, silenceMsMin } from "../contract/liveness.ts";
import { processorWaitMs } from "./processor-wait.ts";

/** A worker at one look. */
export interface Sighting {
  readonly index: number;
  /** Another process has another history. */
  readonly pid: number;
  readonly pulses: number;
  /** 0: it promises no pulses now. */
  readonly pulseMs: number;
}

interface Silence {
  readonly pid: number;
  readonly pulses: number;
  /** At least. */
  readonly silentMs: number;
  /** What `waitedMs` said at the last look; -1: it was not asked. */
  readonly waitedMs: number;
  readonly isTold: boolean;
}

/** Told once of each worker: it has been silent for at least `silentMs`. */
export type Stalled = (index: number, silentMs: number) => void;

export class StallWatch {
  readonly #sightings: () => readonly Sighting[];
  readonly #stalled: Stalled;
  readonly #waitedMs: (pid: number) => number;
  #limitMs = 0;
  #lookMs = 0;
  #lastLookMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  /** By index. */
  #silences = new Map<number, Silence>();

  /**
   * `sightings`: of all workers that have begun and not ended. `waitedMs`: for how long a process has waited for a
   * processor, as long as it lives. Looks once `limitMs` is set.
   */
  constructor(
    sightings: () => readonly Sighting[],
    stalled: Stalled,
    waitedMs: (pid: number) => number = processorWaitMs,
  ) {
    this.#sightings = sightings;
    this.#stalled = stalled;
    this.#waitedMs = waitedMs;
  }

  /** How long a worker may stand still, in milliseconds; 0: for ever. */
  set limitMs(limitMs: number) {
    if (limitMs === this.#limitMs) return;
    this.stop();
    this.#limitMs = limitMs;
    if (limitMs === 0) return;
    this.#lookMs = pulseMsOf(limitMs);
    this.#timer = setInterval(() => this.look(performance.now()), this.#lookMs);
    this.#timer.unref();
  }

  /** Looks no more. Idempotent. */
  stop(): void {
    clearInterval(this.#timer);
    this.#limitMs = 0;
    this.#lastLookMs = -Infinity;
    this.#silences.clear();
  }

  /** One look, at `nowMs` of any monotonic clock. */
  look(nowMs: number): void {
    const sinceMs = nowMs - this.#lastLookMs;
    this.#lastLookMs = nowMs;
    const before = sinceMs > this.#limitMs ? new Map<number, Silence>() : this.#silences;
    const countedMs = sinceMs > 2 * this.#lookMs ? 0 : this.#lookMs;
    const now = new Map<number, Silence>();
    for (const sighting of this.#sightings())
      now.set(sighting.index, this.#judge(sighting, before.get(sighting.index), countedMs));
    this.#silences = now;
  }

  #judge({ index, pid, pulses, pulseMs }: Sighting, before: Silence | undefined, countedMs: number): Silence {
    const isSilent = before?.pid === pid && before.pulses === pulses && pulseMs > 0;
    if (!isSilent) return { pid, pulses, silentMs: 0, waitedMs: -1, isTold: false };
    const waitedMs = this.#waitedMs(pid);
    const lostMs = before.waitedMs < 0 ? 0 : waitedMs - before.waitedMs;
    const silentMs = before.silentMs + Math.max(0, countedMs - lostMs);
    const isStalled = silentMs >= Math.max(this.#limitMs, silenceMsMin(pulseMs));
    if (isStalled && !before.isTold) this.#stalled(index, Math.round(silentMs));
    return { pid, pulses, silentMs, waitedMs, isTold: before.isTold || isStalled };
  }
}
