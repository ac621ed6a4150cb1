/**
 * Chooses between clusters by weight: smooth weighted round robin. No chance is involved: of 100 requests in a
 * row, a weight of 5 in 100 gets exactly 5, spread evenly.
 *
 * @hot
 */
import type { RouteTarget } from "../contract/routing.ts";

/** Of a rotation, so far ahead at most begins a worker. */
const HEAD_START_MAX = 1000;

export class WeightedTargets {
  readonly #clusters: Int32Array;
  readonly #weights: Int32Array;
  readonly #credits: Int32Array;
  readonly #total: number;

  /** `targets`: at least one. `seed`: where in the rotation this worker begins. */
  constructor(targets: readonly RouteTarget[], seed: number) {
    this.#clusters = Int32Array.from(targets, ({ cluster }) => cluster);
    this.#weights = Int32Array.from(targets, ({ weight }) => weight);
    this.#credits = new Int32Array(targets.length);
    this.#total = targets.reduce((sum, { weight }) => sum + weight, 0);
    const steps = targets.length < 2 ? 0 : (seed >>> 0) % Math.min(this.#total, HEAD_START_MAX);
    for (let step = 0; step < steps; step++) this.next();
  }

  /** Index of the cluster whose turn it is. */
  next(): number {
    if (this.#clusters.length === 1) return this.#clusters[0]!;
    let best = 0;
    for (let i = 0; i < this.#clusters.length; i++) {
      this.#credits[i] = this.#credits[i]! + this.#weights[i]!;
      if (this.#credits[i]! > this.#credits[best]!) best = i;
    }
    this.#credits[best] = this.#credits[best]! - this.#total;
    return this.#clusters[best]!;
  }
}
