/** Everything that a run leaves: raw data, tables and pictures in one folder. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "../contenders/contender.ts";
import { type IdleRound, writeIdle } from "../idle-report.ts";
import { type Machine, withoutPlaces, writeMachine } from "../machine.ts";
import type { Missing, Setup } from "../measure.ts";
import { type ScenarioResult, writeScenario } from "../report.ts";
import { spread } from "../statistics.ts";
import type { Artefacts } from "./artefacts.ts";
import { writeLatencies } from "./latencies.ts";
import { drawBars, drawLatencies } from "./plots.ts";
import { writeModel, writeStudy } from "./study.ts";
import { judgeTargets, writeTargets } from "./targets.ts";

/** What results.json has. */
export interface Run {
  /** What bench/run.sh was given; undefined in files of older versions. */
  readonly argv?: readonly string[];
  readonly preset: string;
  readonly machine: Machine;
  readonly tookSeconds: number;
  readonly results: readonly ScenarioResult[];
  readonly idle: { readonly rounds: readonly IdleRound[]; readonly missing: readonly Missing[] };
  readonly artefacts: Artefacts;
  /** How everything was started, with its configuration files. */
  readonly setups: Readonly<Record<string, Setup>>;
}

const PICTURES: readonly (readonly [file: string, title: string])[] = [
  ["cpu.svg", "CPU time per request"],
  ["throughput.svg", "Requests per second"],
  ["latency.svg", "Latency by percentile"],
  ["memory.svg", "Memory under load"],
];
const KIB_PER_MIB = 1024;
const DOCS = path.join(ROOT, "docs");

/** Writes results.json, README.md and the pictures into `directory`. */
export function writeRun(directory: string, run: Run): void {
  mkdirSync(directory, { recursive: true });
  const write = (name: string, text: string) =>
    writeFileSync(path.join(directory, name), withoutPlaces(text));
  write("results.json", `${JSON.stringify(run, undefined, 1)}\n`);
  write("README.md", writeReport(run, path.relative(directory, DOCS)));
  const { machine } = run;
  const where = `${machine.cpu}, ${machine.cores} cores, commit ${machine.commit}, ${machine.startedAt}`;
  const note = `${writeRounds(run.results)}, medians with lowest and highest; ${where}`;
  const bars = (title: string, pick: Parameters<typeof drawBars>[0]["pick"]) =>
    drawBars({ title, pick }, run.results, note);
  write(
    "cpu.svg",
    bars("CPU time per request, µs: less is better", ({ cpuUs }) => cpuUs),
  );
  write(
    "throughput.svg",
    bars("Requests per second: more is better", ({ perSecond }) => perSecond),
  );
  write(
    "memory.svg",
    bars("Resident memory under load, MiB: less is better", ({ memory }) =>
      memory === undefined ? Number.NaN : memory.rssKib / KIB_PER_MIB,
    ),
  );
  write("latency.svg", drawLatencies(run.results, note));
}

/** `docs`: where the pages that explain the figures are, from this one. */
function writeReport(run: Run, docs: string): string {
  const { results, idle, artefacts } = run;
  const versions = new Map(results.flatMap(({ series }) => series.map((one) => [one.title, one.version])));
  const parts = [
    "# Figures of one run",
    `${writeMachine(run.machine)}.`,
    introduction(run, docs),
    "## Targets",
    writeTargets(judgeTargets(results, idle.rounds), path.join(docs, "performance.md")),
    "## Pictures",
    PICTURES.map(([file, title]) => `![${title}](${file})`).join("\n\n"),
    "## Scenarios",
    ...results.map(writeScenario),
    "## Latency",
    writeLatencies(results),
    "## Idle connections",
    idle.rounds.length + idle.missing.length === 0
      ? "Not part of this run."
      : writeIdle(idle.rounds, idle.missing),
    "## Two more questions",
    writeStudy(results, artefacts),
    writeModel(results),
    "## Versions",
    [...versions].map(([title, version]) => `- ${title}: ${version}`).join("\n"),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function introduction({ argv, preset, results, tookSeconds }: Run, docs: string): string {
  const command = `bench/run.sh ${(argv ?? [preset]).join(" ")}`.trim();
  const minutes = Math.round(tookSeconds / 60);
  return [
    `\`${command}\`, ${minutes} minutes, interleaved: ${writeRounds(results)}. Tables have medians, with the lowest`,
    "and the highest round; ratios are made within each round. What the columns mean, what is not fair, and where",
    `we lose: [benchmarks.md](${path.join(docs, "benchmarks.md")}). Every round, with the configuration of everything`,
    "that ran: [results.json](results.json).",
  ].join("\n");
}

/** How many rounds of how many seconds, which need not be the same everywhere. */
function writeRounds(results: readonly ScenarioResult[]): string {
  const all = results.flatMap(({ series }) => series.map(({ rounds }) => rounds));
  const counts = spread(all.map((rounds) => rounds.length));
  const seconds = Math.round(spread(all.flat().map((round) => round.seconds)).median);
  if (all.length === 0) return "no rounds";
  const range = counts.min === counts.max ? String(counts.min) : `${counts.min} to ${counts.max}`;
  return `${range} × ${seconds} s`;
}
