/** Counting a latency, in both precisions, and reading a percentile. */
import {
  FINE_SUB_BITS,
  histogramCells,
  histogramQuantile,
  histogramRecord,
} from "../../src/base/histogram.ts";
import { Prng } from "../../src/base/prng.ts";
import { type Micro, type Run, smokeMicros } from "./micro.ts";

/** A power of two. */
const VALUES = 4096;
const SUB_BITS = 5;

function values(): Float64Array {
  const prng = new Prng(1);
  return Float64Array.from({ length: VALUES }, () => 2 ** (prng.below(2000) / 100));
}

function record(subBits: number): Run {
  const cells = new Float64Array(histogramCells(subBits));
  const latencies = values();
  let next = 0;
  return (count) => {
    for (let i = 0; i < count; i++) {
      next = (next + 1) & (VALUES - 1);
      histogramRecord(cells, 0, latencies[next]!, subBits);
    }
    return cells[0]!;
  };
}

function quantile(): Run {
  const cells = new Float64Array(histogramCells(SUB_BITS));
  for (const value of values()) histogramRecord(cells, 0, value, SUB_BITS);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += histogramQuantile(cells, 0, 0.99, SUB_BITS);
    return sum | 0;
  };
}

export const MICROS: readonly Micro[] = [
  { name: "histogram, count a value", bytes: 0, prepare: () => record(SUB_BITS) },
  { name: "histogram, count a value, fine", bytes: 0, prepare: () => record(FINE_SUB_BITS) },
  { name: "histogram, read p99", bytes: 0, prepare: quantile },
];

export function smoke(): void {
  smokeMicros(MICROS);
}
