import assert from "node:assert/strict";
import { test } from "node:test";
import { Counter } from "./counters.ts";
import { Moment } from "./interception.ts";
import { hookCallOf, hookNumber, pulseMsOf, Sign, silenceMsMin } from "./liveness.ts";

test("signs of life are no counters", () => {
  const figures: readonly number[] = Object.values(Counter);
  assert.ok(Object.values(Sign).every((cell) => cell > Math.max(...figures)));
});

test("a worker that keeps its pulse is never too late for its limit", () => {
  for (const limitMs of [500, 501, 999, 4_000, 10_000, 86_400_000])
    assert.ok(silenceMsMin(pulseMsOf(limitMs)) <= limitMs + 3, `${limitMs}`);
  assert.equal(pulseMsOf(10_000), 1_000);
  assert.equal(pulseMsOf(500), 125);
  assert.equal(pulseMsOf(0), 1_000);
});

const CALLS: readonly [version: number, chain: number, link: number][] = [
  [1, 0, 0],
  [1, 0, 255],
  [1, 65_535, 0],
  [2 ** 23 - 1, 65_535, 255],
];

for (const [version, chain, link] of CALLS) {
  test(`hook call ${version}.${chain}.${link} is read as it was noted`, () => {
    for (const moment of Object.values(Moment)) {
      const cell = hookNumber(version, chain, link) + moment;
      assert.ok(Number.isSafeInteger(cell));
      assert.deepEqual(hookCallOf(cell), { version, chain, link, moment, isOver: false });
      assert.deepEqual(hookCallOf(-cell), { version, chain, link, moment, isOver: true });
    }
  });
}

test("what has no number is no call that could be named", () => {
  for (const number of [hookNumber(1, 65_536, 0), hookNumber(1, 0, 256), hookNumber(2 ** 23, 0, 0)])
    for (const moment of Object.values(Moment)) assert.equal(hookCallOf(number + moment), null);
  assert.equal(hookCallOf(0), null);
});
