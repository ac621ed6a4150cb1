/**
 * The whole comparison in one command, started by bench/run.sh: presets of scenarios and contenders, and a
 * folder with raw data, tables and pictures.
 */
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../contenders/contender.ts";
import { PROXIES } from "../contenders.ts";
import type { IdleRound } from "../idle-report.ts";
import { describeMachine } from "../machine.ts";
import type { Missing, Setup } from "../measure.ts";
import { wholeNumber } from "../options.ts";
import { runToEnd, stopAll, temporaryDirectory } from "../programs.ts";
import type { ScenarioResult } from "../report.ts";
import { chooseScenarios, SCENARIOS } from "../scenarios.ts";
import { progress, Stage } from "../stage.ts";
import { weighArtefacts, weighPrograms } from "./artefacts.ts";
import { type Run, writeRun } from "./report.ts";

const HELP = `The whole comparison: every proxy in every scenario, interleaved, with its raw data.

  bench/run.sh [--quick] [options]

  --quick          some scenarios, one round of one second, under 3 minutes: does it work here?
  --install        installs peers into a cache folder, says what is there, and measures nothing
  --out DIR        where tables, pictures and raw data go (docs/benchmarks; bench/results with --quick)
  --rounds N, --seconds N   other than the preset's
  --core N, --other-core N  cores of what is measured (0) and of backend and load (1)
  --render FILE    draws tables and pictures anew from the results.json of a run

A run without --quick takes under 30 minutes on two cores that do nothing else.
npm run bench -- --help measures single scenarios.
`;

/** Scenarios measured with these contenders only; names as in the tables. */
interface Part {
  readonly scenarios: readonly string[];
  readonly only: readonly string[];
}

interface Preset {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Arguments of bench/idle.ts; undefined: without idle connections. */
  readonly idle: readonly string[] | undefined;
}

/** Whose figures decide: those take part in every scenario. */
const MAIN = ["hp-uring", "hp-epoll", "nginx", "haproxy", "relay"];
const EVERYBODY = PROXIES.filter(({ usual }) => usual).map(({ name }) => name);
const WITH_EVERYBODY = ["get-64", "body-100k", "connect"];
const ALL_PROXY_SCENARIOS = SCENARIOS.filter(({ kind }) => kind === "proxy").map(({ name }) => name);

const FULL: Preset = {
  name: "",
  parts: [
    { scenarios: ["get-64"], only: [...EVERYBODY, "hp-uring-2", "hp-epoll-2"] },
    { scenarios: WITH_EVERYBODY.slice(1), only: EVERYBODY },
    { scenarios: ALL_PROXY_SCENARIOS.filter((name) => !WITH_EVERYBODY.includes(name)), only: MAIN },
    { scenarios: ["echo", "generators"], only: [] },
  ],
  rounds: 3,
  seconds: 3,
  warmupSeconds: 2,
  idle: ["--only", "hp-uring,hp-epoll,nginx,haproxy", "--rounds", "1", "--seconds", "3"],
};
const QUICK: Preset = {
  name: "--quick",
  parts: [
    { scenarios: ["get-64"], only: EVERYBODY },
    { scenarios: ["body-100k", "connect", "web-socket", "rate-5k"], only: MAIN },
  ],
  rounds: 1,
  seconds: 1,
  warmupSeconds: 1,
  idle: undefined,
};

interface Settings {
  readonly preset: Preset;
  readonly out: string;
  readonly render: string;
  readonly core: number;
  readonly otherCore: number;
  readonly help: boolean;
}

function parseSettings(argv: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      out: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      core: { type: "string", default: "0" },
      "other-core": { type: "string", default: "1" },
      render: { type: "string", default: "" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const preset = values.quick ? QUICK : FULL;
  const usualOut = values.quick ? path.join(ROOT, "bench", "results") : path.join(ROOT, "docs", "benchmarks");
  return {
    preset: {
      ...preset,
      rounds: wholeNumber("--rounds", values.rounds ?? String(preset.rounds), 1),
      seconds: wholeNumber("--seconds", values.seconds ?? String(preset.seconds), 1),
    },
    out: path.resolve(values.out ?? usualOut),
    render: values.render,
    core: wholeNumber("--core", values.core, 0),
    otherCore: wholeNumber("--other-core", values["other-core"], 0),
    help: values.help,
  };
}

async function measure({ preset, out, core, otherCore }: Settings): Promise<Run> {
  const beganMs = performance.now();
  const machine = describeMachine();
  const results: ScenarioResult[] = [];
  const setups: Record<string, Setup> = {};
  const programBytes: Record<string, number> = {};
  let idle: Run["idle"] = { rounds: [], missing: [] };
  const snapshot = (): Run => ({
    preset: preset.name,
    machine,
    rounds: preset.rounds,
    seconds: preset.seconds,
    tookSeconds: (performance.now() - beganMs) / 1000,
    results,
    idle,
    artefacts: weighArtefacts(programBytes),
    setups,
  });
  for (const { scenarios, only } of preset.parts) {
    const { rounds, seconds, warmupSeconds } = preset;
    const stage = new Stage({
      ...{ rounds, seconds, warmupSeconds, core, otherCore, only },
      ...{ load: "wrk", backend: "nginx" },
    });
    for (const scenario of chooseScenarios(scenarios)) {
      say(`${Math.round((performance.now() - beganMs) / 1000)} s: ${scenario.name}`);
      results.push(await stage.run(scenario));
      Object.assign(setups, await stage.setups());
      // Now, because what was built here goes when the stage does.
      Object.assign(programBytes, weighPrograms(programsOf(setups)));
      // After each scenario, so that what was measured outlives an interruption.
      writeRun(out, snapshot());
    }
    // Those that nobody measures any more shall not take anything from the next.
    await stopAll();
  }
  if (preset.idle !== undefined) idle = await measureIdle(preset.idle, core, otherCore);
  return snapshot();
}

async function measureIdle(args: readonly string[], core: number, otherCore: number): Promise<Run["idle"]> {
  say("idle connections");
  const json = path.join(temporaryDirectory(), "idle.json");
  const script = path.join(import.meta.dirname, "..", "idle.ts");
  const cores = ["--core", String(core), "--other-core", String(otherCore)];
  await runToEnd([process.execPath, script, ...args, ...cores, "--json", json], { core: undefined });
  const read = JSON.parse(readFileSync(json, "utf8")) as {
    readonly rounds: readonly IdleRound[];
    readonly missing: readonly Missing[];
  };
  return { rounds: read.rounds, missing: read.missing };
}

/** The program of every contender, by its title; those of Node.js are one program. */
function programsOf(setups: Readonly<Record<string, Setup>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(setups).flatMap(([key, { argv }]) =>
      argv[0] === process.execPath ? [] : [[key.replace(/ on core .*/, ""), argv[0]!]],
    ),
  );
}

function say(text: string): void {
  progress("");
  process.stderr.write(`${text}\n`);
}

async function main(argv: readonly string[]): Promise<void> {
  const settings = parseSettings(argv);
  if (settings.help) {
    process.stdout.write(HELP);
    return;
  }
  mkdirSync(settings.out, { recursive: true });
  const run =
    settings.render === ""
      ? await measure(settings)
      : (JSON.parse(readFileSync(settings.render, "utf8")) as Run);
  writeRun(settings.out, run);
  const { out } = settings;
  process.stdout.write(`${path.join(out, "README.md")}: ${Math.round(run.tookSeconds)} s\n`);
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    process.exitCode = 1;
  } finally {
    await stopAll();
  }
}
