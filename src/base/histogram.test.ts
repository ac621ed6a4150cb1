import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FINE_SUB_BITS,
  HISTOGRAM_CELLS,
  histogramBelow,
  histogramCells,
  histogramCount,
  histogramDeviation,
  histogramLowerEdge,
  histogramMean,
  histogramQuantile,
  histogramRecord,
  histogramSum,
  histogramUpperEdge,
} from "./histogram.ts";

const PRECISIONS = [
  { name: "default (3 %)", subBits: 5, errorMax: 1 / 32 },
  { name: "fine (three digits)", subBits: FINE_SUB_BITS, errorMax: 1 / 1000 },
];

const VALUES = [
  0,
  1,
  2,
  31,
  32,
  33,
  63,
  64,
  999,
  1000,
  1023,
  1024,
  1025,
  2047,
  2048,
  65_535,
  1_000_000,
  2 ** 31 - 1,
  2 ** 31,
  3_600_000_000,
  2 ** 32 - 1,
];

for (const { name, subBits, errorMax } of PRECISIONS) {
  test(`${name}: a single value is known to within the precision, from above`, () => {
    for (const value of VALUES) {
      const cells = new Float64Array(histogramCells(subBits));
      histogramRecord(cells, 0, value, subBits);
      const seen = histogramQuantile(cells, 0, 0.5, subBits);
      assert.ok(seen >= value, `${value} is not understated: ${seen}`);
      assert.ok(seen - value <= value * errorMax, `${value} is close: ${seen}`);
      assert.equal(histogramMean(cells, 0, subBits), value, "the mean is exact");
    }
  });

  test(`${name}: cells tile the whole range without gap or overlap`, () => {
    const last = histogramCells(subBits) - 2;
    assert.equal(histogramLowerEdge(0, subBits), 0);
    for (let cell = 0; cell < last; cell++) {
      assert.equal(histogramUpperEdge(cell, subBits) + 1, histogramLowerEdge(cell + 1, subBits));
    }
    assert.equal(histogramUpperEdge(last, subBits), 2 ** 32 - 1);
  });

  test(`${name}: both edges of a cell are counted in it`, () => {
    for (let cell = 0; cell < histogramCells(subBits) - 1; cell += 7) {
      const cells = new Float64Array(histogramCells(subBits));
      histogramRecord(cells, 0, histogramLowerEdge(cell, subBits), subBits);
      histogramRecord(cells, 0, histogramUpperEdge(cell, subBits), subBits);
      assert.equal(cells[cell], 2);
    }
  });
}

test("quantiles take the rank from the counts", () => {
  const cells = new Float64Array(histogramCells(FINE_SUB_BITS));
  for (let value = 1; value <= 1000; value++) histogramRecord(cells, 0, value, FINE_SUB_BITS);
  for (const { fraction, expect } of [
    { fraction: 0, expect: 1 },
    { fraction: 0.001, expect: 1 },
    { fraction: 0.5, expect: 500 },
    { fraction: 0.99, expect: 990 },
    { fraction: 0.9999, expect: 1000 },
    { fraction: 1, expect: 1000 },
  ]) {
    assert.equal(histogramQuantile(cells, 0, fraction, FINE_SUB_BITS), expect, `quantile ${fraction}`);
  }
});

test("mean and deviation", () => {
  const cells = new Float64Array(histogramCells(FINE_SUB_BITS));
  for (const value of [2, 4, 4, 4, 5, 5, 7, 9]) histogramRecord(cells, 0, value, FINE_SUB_BITS);
  assert.equal(histogramCount(cells, 0, FINE_SUB_BITS), 8);
  assert.equal(histogramMean(cells, 0, FINE_SUB_BITS), 5);
  assert.equal(histogramDeviation(cells, 0, FINE_SUB_BITS), 2);
});

test("an empty histogram answers 0 to everything", () => {
  const cells = new Float64Array(HISTOGRAM_CELLS);
  assert.equal(histogramCount(cells, 0), 0);
  assert.equal(histogramMean(cells, 0), 0);
  assert.equal(histogramDeviation(cells, 0), 0);
  assert.equal(histogramQuantile(cells, 0, 0.99), 0);
});

test("out of range values count as the nearest in range", () => {
  const cells = new Float64Array(HISTOGRAM_CELLS);
  histogramRecord(cells, 0, -5);
  histogramRecord(cells, 0, 2 ** 40);
  assert.equal(histogramQuantile(cells, 0, 0.5), 0);
  assert.equal(histogramQuantile(cells, 0, 1), 2 ** 32 - 1);
});

test("histograms that lie side by side do not touch, and add cell by cell", () => {
  const cells = new Float64Array(2 * HISTOGRAM_CELLS);
  histogramRecord(cells, 0, 0xffff_ffff);
  histogramRecord(cells, HISTOGRAM_CELLS, 0);
  histogramRecord(cells, HISTOGRAM_CELLS, 100);
  assert.equal(histogramCount(cells, 0), 1);
  assert.equal(histogramCount(cells, HISTOGRAM_CELLS), 2);
  const sum = new Float64Array(HISTOGRAM_CELLS);
  for (let i = 0; i < HISTOGRAM_CELLS; i++) sum[i] = cells[i]! + cells[HISTOGRAM_CELLS + i]!;
  assert.equal(histogramCount(sum, 0), 3);
  assert.equal(histogramMean(sum, 0), (0xffff_ffff + 100) / 3);
});

for (const { name, subBits } of PRECISIONS) {
  test(`${name}: values below a power of two are counted exactly, and so is the sum`, () => {
    const cells = new Float64Array(histogramCells(subBits));
    for (const value of VALUES) histogramRecord(cells, 0, value, subBits);
    for (let power = subBits; power <= 32; power++) {
      const below = VALUES.filter((value) => value < 2 ** power).length;
      assert.equal(histogramBelow(cells, 0, power, subBits), below, `2^${power}`);
    }
    assert.equal(
      histogramSum(cells, 0, subBits),
      VALUES.reduce((sum, value) => sum + value, 0),
    );
  });
}
