/** Everything that a run leaves: raw data, tables and pictures in one folder. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "../contenders/contender.ts";
import { type IdleRound, writeIdle } from "../idle-report.ts";
import { type Machine, withoutPlaces, writeMachine } from "../machine.ts";
import type { Missing, Setup } from "../measure.ts";
import { type ScenarioResult, writeScenario } from "../report.ts";
import type { Artefacts } from "./artefacts.ts";
import { drawBars, drawLatencies } from "./plots.ts";
import { writeModel, writeStudy } from "./study.ts";

/** What results.json has. */
export interface Run {
  readonly preset: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
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
const GUIDE = path.join(ROOT, "docs", "benchmarks.md");

/** Writes results.json, README.md and the pictures into `directory`. */
export function writeRun(directory: string, run: Run): void {
  mkdirSync(directory, { recursive: true });
  const write = (name: string, text: string) =>
    writeFileSync(path.join(directory, name), withoutPlaces(text));
  write("results.json", `${JSON.stringify(run, undefined, 1)}\n`);
  write("README.md", writeReport(run, path.relative(directory, GUIDE)));
  const { machine, rounds, seconds } = run;
  const where = `${machine.cpu}, ${machine.cores} cores, commit ${machine.commit}, ${machine.startedAt}`;
  const note = `${rounds} × ${seconds} s, medians with lowest and highest; ${where}`;
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

/** `guide`: where the page that explains the figures is, from this one. */
function writeReport(run: Run, guide: string): string {
  const { results, idle, artefacts } = run;
  const versions = new Map(results.flatMap(({ series }) => series.map((one) => [one.title, one.version])));
  const parts = [
    "# Figures of one run",
    `${writeMachine(run.machine)}.`,
    introduction(run, guide),
    PICTURES.map(([file, title]) => `![${title}](${file})`).join("\n\n"),
    "## Scenarios",
    ...results.map(writeScenario),
    "## Idle connections",
    idle.rounds.length === 0 ? "Not part of this run." : writeIdle(idle.rounds, idle.missing),
    "## Two more questions",
    writeStudy(results, artefacts),
    writeModel(results),
    "## Versions",
    [...versions].map(([title, version]) => `- ${title}: ${version}`).join("\n"),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function introduction({ preset, rounds, seconds, tookSeconds }: Run, guide: string): string {
  const command = `bench/run.sh ${preset}`.trim();
  const minutes = Math.round(tookSeconds / 60);
  return [
    `\`${command}\`, ${minutes} minutes: ${rounds} × ${seconds} s, interleaved. Tables have medians, with the lowest`,
    "and the highest round; ratios are made within each round. What the columns mean, what is not fair, and where",
    `we lose: [benchmarks.md](${guide}). Every round, with the configuration of everything that ran:`,
    "[results.json](results.json).",
  ].join("\n");
}
