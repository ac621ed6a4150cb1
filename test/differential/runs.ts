/**
 * How much a fuzzed property tries. The suite runs a bounded number of inputs with a new seed each time;
 * `FUZZ_RUNS=N` runs N of each property instead, and `FUZZ_SEED=S` begins with that seed. A failure prints the
 * seed and the smallest input that fast-check found.
 */

export interface Runs {
  readonly numRuns: number;
  readonly seed?: number;
}

/** `usual` inputs, unless the environment says otherwise. */
export function runs(usual: number): Runs {
  const numRuns = numberOf("FUZZ_RUNS") ?? usual;
  const seed = numberOf("FUZZ_SEED");
  return seed === undefined ? { numRuns } : { numRuns, seed };
}

function numberOf(variable: string): number | undefined {
  const text = process.env[variable] ?? "";
  if (text === "") return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`${variable} is no whole number: ${text}`);
  return value;
}
