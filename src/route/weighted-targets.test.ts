/** Clusters by weight: exact shares, evenly spread, from wherever a worker begins. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WeightedTargets } from "./weighted-targets.ts";

function picks(weights: readonly number[], seed: number, count: number): number[] {
  const targets = new WeightedTargets(
    weights.map((weight, cluster) => ({ cluster, weight })),
    seed,
  );
  return Array.from({ length: count }, () => targets.next());
}

test("weights: one target is always chosen", () => {
  assert.deepEqual(picks([7], 3, 4), [0, 0, 0, 0]);
});

test("weights: the smooth order of 5, 1, 1", () => {
  assert.deepEqual(picks([5, 1, 1], 0, 7), [0, 0, 1, 0, 2, 0, 0]);
});

test("weights: a round gives each its share, wherever it begins", () => {
  for (const seed of [0, 1, 99, 12_345, -1]) {
    const chosen = picks([95, 5], seed, 200);
    assert.equal(chosen.filter((cluster) => cluster === 1).length, 10);
    const gaps = chosen.flatMap((cluster, at) => (cluster === 1 ? [at] : []));
    for (let i = 1; i < gaps.length; i++) assert.equal(gaps[i]! - gaps[i - 1]!, 20, "evenly spread");
  }
});
