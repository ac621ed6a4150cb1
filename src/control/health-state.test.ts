import assert from "node:assert/strict";
import { test } from "node:test";
import { HealthState } from "./health-state.ts";

/**
 * Outcomes in order (`+` good, `-` failed), and the verdict after each, with `!` where it changed. Fall 3,
 * rise 2.
 */
const CASES: readonly [name: string, outcomes: string, verdicts: string][] = [
  ["the first failure decides alone", "-", "down!"],
  ["the first success changes nothing", "+", "up"],
  ["it falls after three failures in a row", "+---", "up up up down!"],
  ["a success in between starts the count anew", "+--+---", "up up up up up up down!"],
  ["it rises after two in a row", "-++", "down! down up!"],
  ["a failure in between starts the count anew", "-+-++", "down! down down down up!"],
  ["after rising it takes three failures again", "-++---", "down! down up! up up down!"],
];

for (const [name, outcomes, verdicts] of CASES) {
  test(name, () => {
    const state = new HealthState(3, 2);
    const seen = [...outcomes].map((outcome) => {
      const changed = state.observe(outcome === "+");
      return `${state.healthy ? "up" : "down"}${changed ? "!" : ""}`;
    });
    assert.equal(seen.join(" "), verdicts);
  });
}

test("healthy until the first check has ended", () => {
  assert.equal(new HealthState(1, 1).healthy, true);
});
