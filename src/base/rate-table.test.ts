/** Token buckets: how many pass, how long the others wait, and who is forgotten when keys are too many. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RateTable, rateNumbers, writeRateKey } from "./rate-table.ts";

function table(keys: number): RateTable {
  return new RateTable(new Float64Array(rateNumbers(keys)));
}

/** Whether each of the requests at `times` passes. */
function passes(times: readonly number[], tokenMs: number, burst: number): string {
  const rates = table(64);
  return times.map((ms) => (rates.take(7, 9, ms, tokenMs, burst * tokenMs) === 0 ? "+" : "-")).join("");
}

const at = (ms: number, count: number) => Array.from({ length: count }, () => ms);

const CASES = [
  {
    name: "a burst passes, what is beyond does not",
    times: at(5000, 4),
    tokenMs: 100,
    burst: 3,
    pass: "+++-",
  },
  {
    name: "a burst of one is one at a time",
    times: [0, 99, 100, 199, 200],
    tokenMs: 100,
    burst: 1,
    pass: "+-+-+",
  },
  {
    name: "refused requests take nothing",
    times: [0, 0, 50, 60, 70, 80, 100, 100],
    tokenMs: 100,
    burst: 1,
    pass: "+-----+-",
  },
  {
    name: "tokens come one by one",
    times: [...at(0, 3), 100, 100, 250, 250, 300],
    tokenMs: 100,
    burst: 3,
    pass: "++++-+-+",
  },
  {
    name: "a full bucket gets no fuller",
    times: [...at(0, 2), ...at(99_999, 3)],
    tokenMs: 100,
    burst: 2,
    pass: "++++-",
  },
  { name: "thirds add up", times: [...at(1_000_000_000.5, 4)], tokenMs: 1000 / 3, burst: 3, pass: "+++-" },
  {
    name: "a thousand in a burst",
    times: at(123.25, 1001),
    tokenMs: 0.7,
    burst: 1000,
    pass: `${"+".repeat(1000)}-`,
  },
];

for (const { name, times, tokenMs, burst, pass } of CASES) {
  test(`rate table: ${name}`, () => assert.equal(passes(times, tokenMs, burst), pass));
}

test("rate table: in any second no more pass than the rate and a burst, and not much less", () => {
  const rates = table(64);
  const passed: number[] = [];
  for (let ms = 0; ms < 20_000; ms += 0.5) if (rates.take(1, 2, ms, 10, 50) === 0) passed.push(ms);
  assert.equal(passed.length, 5 + 1999);
  for (const [index, ms] of passed.entries())
    assert.ok((passed[index + 105] ?? Infinity) >= ms + 1000, `in the second from ${ms} on`);
});

test("rate table: it says how long to wait, and then a token is there", () => {
  const rates = table(64);
  for (let i = 0; i < 3; i++) assert.equal(rates.take(1, 2, 1000, 400, 1200), 0);
  const waitMs = rates.take(1, 2, 1100, 400, 1200);
  assert.ok(Math.abs(waitMs - 300) < 0.01, `${waitMs}`);
  assert.ok(rates.take(1, 2, 1100 + waitMs - 1, 400, 1200) > 0);
  assert.equal(rates.take(1, 2, 1100 + waitMs, 400, 1200), 0);
});

test("rate table: keys have buckets of their own, whichever half of the hash tells them apart", () => {
  const rates = table(64);
  const keys = [
    [1, 1],
    [1, 2],
    [1 | (1 << 12), 1],
    [-1, 1],
    [1, -1],
  ] as const;
  for (const [low, high] of keys) {
    assert.equal(rates.take(low, high, 0, 100, 100), 0);
    assert.ok(rates.take(low, high, 0, 100, 100) > 0);
  }
  assert.equal(rates.evictedCount, 0, "four share a set, which has room for four");
});

test("rate table: processes that share the memory share the buckets", () => {
  const numbers = new Float64Array(rateNumbers(64));
  writeRateKey(numbers, 0xffff_ffff, 5);
  const [one, other] = [new RateTable(numbers), new RateTable(numbers)];
  assert.deepEqual([one.key0, one.key1, other.key0, other.key1], [-1, 5, -1, 5]);
  const passed = [one, other, one, other].map((rates) => rates.take(3, 4, 0, 100, 300) === 0);
  assert.deepEqual(passed, [true, true, true, false]);
});

test("rate table: a flood of keys does not free one that has used its bucket up", () => {
  const rates = table(16);
  for (let i = 0; i < 10; i++) rates.take(2, 77, 0, 1000, 10_000);
  assert.ok(rates.take(2, 77, 0, 1000, 10_000) > 0);
  for (let key = 0; key < 10_000; key++) rates.take(2, 1000 + key, 1, 1000, 10_000);
  assert.ok(rates.evictedCount > 9000);
  assert.ok(rates.take(2, 77, 1, 1000, 10_000) > 0, "it is still known");
});

test("rate table: a bucket that is full again makes room without a loss", () => {
  const rates = table(4);
  for (let key = 0; key < 400; key++) assert.equal(rates.take(0, key, key * 100, 100, 300), 0);
  assert.equal(rates.evictedCount, 0);
});

test("rate table: a clock that begins anew locks nobody out", () => {
  const rates = table(4);
  for (let i = 0; i < 3; i++) rates.take(1, 1, 1e12, 100, 300);
  const waitMs = rates.take(1, 1, 1000, 100, 300);
  assert.ok(waitMs > 0 && waitMs < 101, `${waitMs}`);
});
