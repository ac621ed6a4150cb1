/**
 * Seeds of the simulation, one test each. A seed that fails is replayed by itself:
 *
 *     SIM_SEED=123 node --test test/sim/sim.test.ts
 *
 * `SIM_SEEDS=5000` runs more of them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Outcome, simulate } from "./simulate.ts";

const SEEDS = 300;

const only = process.env.SIM_SEED;
const count = only === undefined ? Number(process.env.SIM_SEEDS ?? SEEDS) : 1;
const first = only === undefined ? 1 : Number(only);

const outcomes: Outcome[] = [];

for (let seed = first; seed < first + count; seed++) {
  test(`sim: seed ${seed}`, () => {
    const outcome = simulate(seed);
    outcomes.push(outcome);
    assert.deepEqual(outcome.broken, [], `replay: SIM_SEED=${seed} node --test test/sim/sim.test.ts`);
  });
}

test("sim: the same seed gives the same run", () => {
  assert.deepEqual(simulate(first), simulate(first));
});

test("sim: the seeds meet all that can happen", { skip: only !== undefined && "one seed is not all" }, () => {
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((all, each) => all + of(each), 0);
  assert.ok(sum(({ answered }) => answered) > count, "answers");
  assert.ok(sum(({ refused }) => refused) > count / 10, "refusals");
  assert.ok(sum(({ cut }) => cut) > count / 10, "cuts");
});
