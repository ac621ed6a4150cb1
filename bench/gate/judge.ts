/**
 * Is the second of two programs slower? Decided from pairs of measurements that were made one right after the
 * other.
 *
 * Strategy: the ratio within a pair drops what changed on the machine between pairs. Of these ratios the
 * median counts, because outliers are common; how far it can be trusted is found by drawing as many pairs
 * again and again out of those there are (bootstrap), and beside it by how many pairs agree (sign test). Where
 * both answers lie within the interval, the answer is that it cannot be told.
 */
import { Prng } from "../../src/base/prng.ts";
import { spread } from "../statistics.ts";

export type Verdict = "slower" | "faster" | "no slower" | "cannot tell";

export interface Judgement {
  readonly verdict: Verdict;
  /** Median of second ÷ first; above 1 the second costs more. */
  readonly ratio: number;
  /** The interval that has the ratio with the confidence asked for. */
  readonly low: number;
  readonly high: number;
  /** How likely so many pairs agree by chance, 0 to 1 (two-sided sign test). */
  readonly signP: number;
  readonly pairs: number;
}

export interface JudgeOptions {
  /** 0.95: an interval that misses the truth one time in twenty. */
  readonly confidence: number;
  /** 0.03: up to 3 % more does not count as slower. */
  readonly tolerance: number;
}

/** Fewer cannot agree so much that chance is ruled out: 2 × 0.5^6 is 0.03. */
export const PAIRS_MIN = 6;
const DRAWS = 4000;
const SEED = 0x6a7e;

/** Costs of both in the same round; `undefined` where a round does not count. NaN ratios for no pair at all. */
export function judge(
  first: readonly (number | undefined)[],
  second: readonly (number | undefined)[],
  { confidence, tolerance }: JudgeOptions,
): Judgement {
  const ratios: number[] = [];
  first.forEach((before, round) => {
    const after = second[round];
    if (before !== undefined && after !== undefined && before > 0) ratios.push(after / before);
  });
  const ratio = spread(ratios).median;
  const [low, high] = interval(ratios, confidence);
  const signP = signTest(ratios);
  const verdict = ratios.length < PAIRS_MIN ? "cannot tell" : verdictOf(low, high, tolerance);
  return { verdict, ratio, low, high, signP, pairs: ratios.length };
}

function verdictOf(low: number, high: number, tolerance: number): Verdict {
  if (low > 1 + tolerance) return "slower";
  if (high < 1) return "faster";
  return high <= 1 + tolerance ? "no slower" : "cannot tell";
}

/** The middle `confidence` of the medians of as many pairs drawn anew. */
function interval(ratios: readonly number[], confidence: number): [low: number, high: number] {
  if (ratios.length === 0) return [Number.NaN, Number.NaN];
  const prng = new Prng(SEED);
  const medians = Float64Array.from({ length: DRAWS }, () => {
    const drawn = Array.from(ratios, () => ratios[prng.below(ratios.length)]!);
    return spread(drawn).median;
  }).sort();
  const outside = Math.floor(((1 - confidence) / 2) * DRAWS);
  return [medians[outside]!, medians[DRAWS - 1 - outside]!];
}

/** Ratios of exactly 1 say nothing and are left out. */
function signTest(ratios: readonly number[]): number {
  const above = ratios.filter((ratio) => ratio > 1).length;
  const below = ratios.filter((ratio) => ratio < 1).length;
  const count = above + below;
  let ways = 1;
  let tail = 0;
  for (let k = 0; k <= Math.min(above, below); k++) {
    tail += ways;
    ways = (ways * (count - k)) / (k + 1);
  }
  return Math.min(1, (2 * tail) / 2 ** count);
}

/** The judgement as a sentence. `what`: what was measured, `confidence` as it was asked for. */
export function writeJudgement(what: string, judgement: Judgement, options: JudgeOptions): string {
  const { verdict, ratio, low, high, signP, pairs } = judgement;
  if (pairs === 0) return `${what}: cannot tell: no round counts`;
  const noise = Math.max(Math.abs(high - 1), Math.abs(low - 1));
  const answer = {
    slower: "SLOWER",
    faster: "faster",
    "no slower": `no more than ${percent(options.tolerance)} slower`,
    "cannot tell":
      pairs < PAIRS_MIN
        ? `cannot tell from ${pairs} pairs of rounds; it takes ${PAIRS_MIN}`
        : `cannot tell, noise ±${percent(noise)}`,
  }[verdict];
  return (
    `${what}: ${answer}: × ${ratio.toFixed(3)} (${percent(options.confidence)} between ${low.toFixed(3)} and ` +
    `${high.toFixed(3)}; ${pairs} pairs, by chance ${signP < 0.001 ? "< 0.001" : signP.toFixed(3)})`
  );
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}
