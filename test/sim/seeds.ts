/**
 * Runs seeds of the simulation.
 *
 *     npm run simulate -- 123                            one seed, told as it happens
 *     npm run simulate -- --seeds 100000 --jobs 2        many, in processes beside each other
 *     npm run simulate -- --seeds 500 --first 40000      from that one on
 *     npm run simulate -- --until-broken                 up to the first that breaks a law
 *
 * Ends with 1 if a law was broken, and names the seeds.
 */
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { type Outcome, simulate } from "./simulate.ts";

/** A process is told of this many seeds at a time, and tells what became of them. */
const BATCH_SEEDS = 500;
const PROGRESS_EVERY_MS = 10_000;
const FAILURES_SHOWN = 20;

export interface Tally {
  seeds: number;
  requests: number;
  served: number;
  refused: number;
  cut: number;
  steps: number;
  readonly moods: Record<string, number>;
  /** How many seeds met each reason and status. */
  readonly met: Record<string, number>;
  readonly failures: { readonly seed: number; readonly broken: readonly string[] }[];
}

function emptyTally(): Tally {
  return { seeds: 0, requests: 0, served: 0, refused: 0, cut: 0, steps: 0, moods: {}, met: {}, failures: [] };
}

/** Runs seeds `[first, first + count)`. */
export function runSeeds(first: number, count: number): Tally {
  const tally = emptyTally();
  for (let seed = first; seed < first + count; seed++) addOutcome(tally, simulate(seed));
  return tally;
}

function addOutcome(tally: Tally, outcome: Outcome): void {
  tally.seeds++;
  tally.requests += outcome.requests;
  tally.served += outcome.served;
  tally.refused += outcome.refused;
  tally.cut += outcome.cut;
  tally.steps += outcome.steps;
  tally.moods[outcome.mood] = (tally.moods[outcome.mood] ?? 0) + 1;
  for (const word of outcome.met) tally.met[word] = (tally.met[word] ?? 0) + 1;
  if (outcome.broken.length > 0) tally.failures.push({ seed: outcome.seed, broken: outcome.broken });
}

function addTally(sum: Tally, part: Tally): void {
  for (const key of ["seeds", "requests", "served", "refused", "cut", "steps"] as const)
    sum[key] += part[key];
  for (const key of ["moods", "met"] as const) {
    for (const [word, count] of Object.entries(part[key])) sum[key][word] = (sum[key][word] ?? 0) + count;
  }
  sum.failures.push(...part.failures);
}

/** Runs seeds `[first, first + count)` in `jobs` processes. `progress` is told now and then. */
export async function runSeedsInProcesses(
  first: number,
  count: number,
  jobs: number,
  progress: (sum: Tally) => void = () => {},
): Promise<Tally> {
  const sum = emptyTally();
  const end = first + count;
  let next = first;
  let toldMs = performance.now();
  const runs = Array.from({ length: jobs }, () => {
    const child = fork(import.meta.filename, ["--child"]);
    const feed = (): void => {
      if (next >= end) {
        child.disconnect();
        return;
      }
      const batch = Math.min(BATCH_SEEDS, end - next);
      child.send({ first: next, count: batch });
      next += batch;
    };
    child.on("message", (part) => {
      addTally(sum, part as Tally);
      if (performance.now() - toldMs > PROGRESS_EVERY_MS) {
        toldMs = performance.now();
        progress(sum);
      }
      feed();
    });
    feed();
    return new Promise<void>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code) => {
        if (code === 0) resolve();
        else reject(new Error(`a process of the simulation ended with ${code}`));
      });
    });
  });
  await Promise.all(runs);
  sum.failures.sort((a, b) => a.seed - b.seed);
  return sum;
}

/** Each broken seed with what was broken, and how to see it again. */
export function failureText({ failures }: Tally): string {
  const shown = failures.slice(0, FAILURES_SHOWN);
  const lines = shown.map(
    ({ seed, broken }) =>
      `seed ${seed}: npm run simulate -- ${seed}\n${broken.map((law) => `    ${law}`).join("\n")}`,
  );
  const rest = failures.length - shown.length;
  return lines.join("\n") + (rest > 0 ? `\n… and ${rest} more` : "");
}

function child(): void {
  process.on("message", (message) => {
    const { first, count } = message as { first: number; count: number };
    process.send!(runSeeds(first, count));
  });
}

function one(seed: number): void {
  const { broken, digest, mood, met, requests, served, refused, cut } = simulate(seed, (line) =>
    console.log(line),
  );
  console.log(
    `\nseed ${seed}, ${mood}: ${requests} requests, ${served} served, ${refused} refused, ${cut} cut`,
  );
  console.log(`met: ${[...met].join(", ")}\ndigest: ${digest}`);
  for (const law of broken) console.log(`BROKEN: ${law}`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}

function untilBroken(first: number, count: number): void {
  for (let seed = first; seed < first + count; seed++) {
    const { broken } = simulate(seed);
    if (broken.length === 0) continue;
    console.log(`seed ${seed}: ${broken[0]}`);
    process.exitCode = 1;
    return;
  }
}

async function many(first: number, count: number, jobs: number): Promise<void> {
  const beganMs = performance.now();
  const report = (sum: Tally): void => {
    const seconds = (performance.now() - beganMs) / 1000;
    const figures = `${sum.requests} requests, ${sum.steps} events`;
    console.log(`${sum.seeds} seeds in ${seconds.toFixed(0)} s: ${figures}, ${sum.failures.length} broken`);
    if (sum.failures.length > 0)
      console.log(`  the first: ${sum.failures.map(({ seed }) => seed).slice(0, 10)}`);
  };
  const sum = await runSeedsInProcesses(first, count, jobs, report);
  report(sum);
  console.log(`${sum.served} served, ${sum.refused} refused, ${sum.cut} cut; worlds:`, sum.moods);
  console.log("seeds that met:", Object.fromEntries(Object.entries(sum.met).sort(([, a], [, b]) => b - a)));
  if (sum.failures.length > 0) console.log(failureText(sum));
  process.exitCode = sum.failures.length === 0 ? 0 : 1;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seeds: { type: "string" },
      first: { type: "string", default: "1" },
      jobs: { type: "string", default: "1" },
      "until-broken": { type: "boolean", default: false },
      child: { type: "boolean", default: false },
    },
  });
  if (values.child) child();
  else if (values["until-broken"]) untilBroken(Number(values.first), Number(values.seeds ?? 1_000));
  else if (positionals.length === 1) one(Number(positionals[0]));
  else await many(Number(values.first), Number(values.seeds ?? 1_000), Number(values.jobs));
}

if (import.meta.main) await main();
