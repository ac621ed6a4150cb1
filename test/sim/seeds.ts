/**
 * Runs seeds of the simulation.
 *
 *     npm run simulate -- --help
 */
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { runCommand, WrongArguments, wholeNumber } from "../../bench/command.ts";
import { type Outcome, simulate } from "./simulate.ts";

const HELP = `Runs seeds of the simulation, and names those that break a law.

  npm run simulate -- SEED                           one seed, told as it happens
  npm run simulate -- --seeds 100000 --jobs 2        many, in processes beside each other
  npm run simulate -- --seeds 500 --first 40000      from that one on
  npm run simulate -- --until-broken                 up to the first that breaks a law

  --seeds N            how many (1000)
  --first N            the first of them (1)
  --jobs N             processes (1)
  --until-broken       in this process, until one breaks a law

Exit status 1: a law was broken.
`;

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

function child(): number {
  process.on("message", (message) => {
    const { first, count } = message as { first: number; count: number };
    process.send!(runSeeds(first, count));
  });
  return 0;
}

function one(seed: number): number {
  const { broken, digest, mood, met, requests, served, refused, cut } = simulate(seed, (line) =>
    console.log(line),
  );
  console.log(
    `\nseed ${seed}, ${mood}: ${requests} requests, ${served} served, ${refused} refused, ${cut} cut`,
  );
  console.log(`met: ${[...met].join(", ")}\ndigest: ${digest}`);
  for (const law of broken) console.log(`BROKEN: ${law}`);
  return broken.length === 0 ? 0 : 1;
}

function untilBroken(first: number, count: number): number {
  for (let seed = first; seed < first + count; seed++) {
    const { broken } = simulate(seed);
    if (broken.length === 0) continue;
    console.log(`seed ${seed}: ${broken[0]}`);
    return 1;
  }
  return 0;
}

async function many(first: number, count: number, jobs: number): Promise<number> {
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
  return sum.failures.length === 0 ? 0 : 1;
}

async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      seeds: { type: "string", default: "1000" },
      first: { type: "string", default: "1" },
      jobs: { type: "string", default: "1" },
      "until-broken": { type: "boolean", default: false },
      child: { type: "boolean", default: false },
    },
  });
  if (values.child) return child();
  const [seed, more] = positionals;
  if (more !== undefined)
    throw new WrongArguments(`"${more}": one seed is told; write --seeds N --first N for many`);
  if (seed !== undefined) return one(wholeNumber("SEED", seed, 0));
  const first = wholeNumber("--first", values.first, 0);
  const count = wholeNumber("--seeds", values.seeds, 1);
  if (values["until-broken"]) return untilBroken(first, count);
  return await many(first, count, wholeNumber("--jobs", values.jobs, 1));
}

if (import.meta.main) await runCommand("simulate", HELP, main);
