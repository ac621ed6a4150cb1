/** Verdicts on pairs whose truth is known. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { judge, type Verdict, writeJudgement } from "./judge.ts";

const OPTIONS = { confidence: 0.95, tolerance: 0.03 };

/** Pairs around 20, off by up to `noise` of it each, the second `ratio` times the first. */
function pairs(count: number, ratio: number, noise: number, seed: number): [number[], number[]] {
  const prng = new Prng(seed);
  const off = () => 1 + noise * ((prng.below(2001) - 1000) / 1000);
  const first = Array.from({ length: count }, () => 20 * off());
  return [first, first.map(() => 20 * ratio * off())];
}

const CASES: readonly [name: string, count: number, ratio: number, noise: number, verdict: Verdict][] = [
  ["twice as slow", 12, 2, 0.1, "slower"],
  ["a tenth slower, little noise", 12, 1.1, 0.02, "slower"],
  ["a tenth faster, little noise", 12, 0.9, 0.02, "faster"],
  ["equal, little noise", 12, 1, 0.01, "no slower"],
  ["two per cent slower, almost no noise", 12, 1.02, 0.003, "no slower"],
  ["equal, much noise", 12, 1, 0.3, "cannot tell"],
  ["twice as slow, but too few rounds", 5, 2, 0.01, "cannot tell"],
];

for (const [name, count, ratio, noise, verdict] of CASES) {
  test(`judge: ${name}: ${verdict}`, () => {
    const [first, second] = pairs(count, ratio, noise, 7);
    assert.equal(judge(first, second, OPTIONS).verdict, verdict);
  });
}

test("judge: of equal programs few are called slower or faster", () => {
  let wrong = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const [first, second] = pairs(12, 1, 0.1, seed);
    const { verdict } = judge(first, second, { confidence: 0.95, tolerance: 0 });
    if (verdict === "slower" || verdict === "faster") wrong++;
  }
  assert.ok(wrong <= 8, `${wrong} of 60`);
});

test("judge: rounds that one side lacks and the order of rounds do not matter", () => {
  const options = { confidence: 0.95, tolerance: 0 };
  const { ratio, pairs: count } = judge([10, undefined, 30, 40], [11, 5, undefined, 44], options);
  assert.ok(Math.abs(ratio - 1.1) < 1e-9);
  assert.equal(count, 2);
});

test("judge: the sign test counts what chance would give", () => {
  const ones = Array.from({ length: 10 }, () => 1);
  assert.equal(
    judge(
      ones,
      Array.from({ length: 10 }, () => 2),
      OPTIONS,
    ).signP,
    2 / 1024,
  );
  assert.equal(judge(ones, [2, 2, 2, 2, 2, 0.5, 0.5, 0.5, 0.5, 0.5], OPTIONS).signP, 1);
});

test("judge: the sentence has the figures, the noise, and what few rounds mean", () => {
  const sentence = (count: number, ratio: number, noise: number) => {
    const [first, second] = pairs(count, ratio, noise, 3);
    return writeJudgement("get-64", judge(first, second, OPTIONS), OPTIONS);
  };
  assert.match(
    sentence(12, 2, 0.01),
    /^get-64: SLOWER: × [12]\.\d+ \(95 % between [\d.]+ and [\d.]+; 12 pairs/,
  );
  assert.match(sentence(12, 1, 0.4), /cannot tell, noise ±[\d.]+ %/);
  assert.match(sentence(3, 1, 0.1), /cannot tell from 3 pairs of rounds; it takes 6/);
  assert.match(writeJudgement("a", judge([], [], OPTIONS), OPTIONS), /no round counts/);
});
