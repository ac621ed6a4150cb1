/**
 * The whole comparison in one command, started by bench/run.sh: presets of scenarios and contenders, and a
 * folder with raw data, tables and pictures.
 */
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { runCommand, wholeNumber } from "../command.ts";
import { ROOT } from "../contenders/contender.ts";
import { PROXIES } from "../contenders.ts";
import type { IdleRound } from "../idle-report.ts";
import { describeMachine } from "../machine.ts";
import type { Missing, Setup } from "../measure.ts";
import { splitNames } from "../options.ts";
import { runToEnd, stopAll, temporaryDirectory } from "../programs.ts";
import type { ScenarioResult } from "../report.ts";
import { chooseScenarios, type Scenario } from "../scenarios.ts";
import { progress, Stage } from "../stage.ts";
import { weighArtefacts, weighPrograms } from "./artefacts.ts";
import { changePreset, FULL, type IdlePart, type Part, type Preset, QUICK } from "./presets.ts";
import { type Run, writeRun } from "./report.ts";

const HELP = `The whole comparison: every proxy in every scenario, interleaved, with its raw data.

  bench/run.sh [--quick] [options]

  --quick          some scenarios, one round of one second, under 3 minutes: does it work here?
  --install        installs peers into a cache folder, says what is there, and measures nothing
  --out DIR        where tables, pictures and raw data go (bench/results; docs/benchmarks only without any
                   argument; with --render where FILE is)
  --scenario LIST  only these of the run's scenarios; "idle" is the idle connections
  --rounds N, --seconds N, --warmup N   other than the preset's; seconds of warm-up may be 0
  --core N, --other-core N  cores of what is measured (0) and of backend and load (1)
  --render FILE    draws tables and pictures anew from the results.json of a run

A run without --quick takes under 30 minutes on two cores that do nothing else.
npm run bench -- --help measures single scenarios.
`;
/** A minute to open connections, twice, and one until memory is flat; more than the load of one proxy in one round. */
const IDLE_ROUND_TIMEOUT_MS = 240_000;

interface Settings {
  readonly argv: readonly string[];
  readonly preset: Preset;
  readonly out: string;
  readonly render: string;
  readonly core: number;
  readonly otherCore: number;
}

/** Published figures are written over by the unchanged full run only, or where `--out` names their folder. */
export function parseSettings(argv: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      out: { type: "string" },
      scenario: { type: "string", multiple: true, default: [] },
      rounds: { type: "string" },
      seconds: { type: "string" },
      warmup: { type: "string" },
      core: { type: "string", default: "0" },
      "other-core": { type: "string", default: "1" },
      render: { type: "string", default: "" },
    },
  });
  const ownOut = path.join(ROOT, ...(argv.length === 0 ? ["docs", "benchmarks"] : ["bench", "results"]));
  const usualOut = values.render === "" ? ownOut : path.dirname(values.render);
  const number = (flag: string, text: string | undefined, min: number) =>
    text === undefined ? undefined : wholeNumber(flag, text, min);
  return {
    argv,
    preset: changePreset(values.quick ? QUICK : FULL, {
      rounds: number("--rounds", values.rounds, 1),
      seconds: number("--seconds", values.seconds, 1),
      warmupSeconds: number("--warmup", values.warmup, 0),
      scenarios: splitNames(values.scenario),
    }),
    out: path.resolve(values.out ?? usualOut),
    render: values.render,
    core: wholeNumber("--core", values.core, 0),
    otherCore: wholeNumber("--other-core", values["other-core"], 0),
  };
}

async function measure({ argv, preset, out, core, otherCore }: Settings): Promise<Run> {
  const beganMs = performance.now();
  const machine = describeMachine();
  const results: ScenarioResult[] = [];
  const setups: Record<string, Setup> = {};
  const programBytes: Record<string, number> = {};
  const idle = { rounds: [] as IdleRound[], missing: [] as Missing[] };
  const elapsedSeconds = () => (performance.now() - beganMs) / 1000;
  const keep = (): Run => {
    const tookSeconds = elapsedSeconds();
    const artefacts = weighArtefacts(programBytes);
    const run = { argv, preset: preset.name, machine, tookSeconds, results, idle, artefacts, setups };
    // After each scenario, so that what was measured outlives an interruption.
    writeRun(out, run);
    return run;
  };
  for (const part of preset.parts) {
    let stage = stageOf(part, core, otherCore);
    for (const scenario of chooseScenarios(part.scenarios)) {
      say(`${Math.round(elapsedSeconds())} s: ${scenario.name}`);
      const result = await stage.run(scenario).catch((error: Error) => lost(scenario, error));
      results.push(result);
      Object.assign(setups, await stage.setups());
      // Now, because what was built here goes when the stage does.
      Object.assign(programBytes, weighPrograms(programsOf(setups)));
      keep();
      if (result.series.length > 0) continue;
      await stopAll();
      stage = stageOf(part, core, otherCore);
    }
    // Those that nobody measures any more shall not take anything from the next.
    await stopAll();
  }
  for (const part of preset.idle) {
    say(`${Math.round(elapsedSeconds())} s: idle connections of ${part.only.join(", ")}`);
    const { rounds, missing, ...raw } = await measureIdle(part, core, otherCore).catch((error: Error) => ({
      setups: {},
      rounds: [],
      missing: part.only.map((name): Missing => ({ name, reason: error.message })),
    }));
    idle.rounds.push(...rounds);
    idle.missing.push(...missing);
    Object.assign(setups, raw.setups);
    keep();
  }
  return keep();
}

function stageOf({ rounds, seconds, warmupSeconds, only }: Part, core: number, otherCore: number): Stage {
  const backend = { load: "wrk", backend: "nginx" };
  return new Stage({ rounds, seconds, warmupSeconds, core, otherCore, only, ...backend });
}

/** A scenario that could not be measured at all: the others go on, and the page says why. */
function lost(scenario: Scenario, error: Error): ScenarioResult {
  say(`${scenario.name}: ${error.message}`);
  return {
    ...{ scenario, generator: "", backend: "", series: [] },
    missing: [{ name: "everybody", reason: error.message }],
  };
}

async function measureIdle(
  part: IdlePart,
  core: number,
  otherCore: number,
): Promise<Run["idle"] & Pick<Run, "setups">> {
  const json = path.join(temporaryDirectory(), "idle.json");
  const { only, rounds, seconds, connections } = part;
  const numbers: Readonly<Record<string, number>> = {
    ...{ rounds, seconds, core, "other-core": otherCore },
    ...(connections > 0 && { connections }),
  };
  const argv = [process.execPath, path.join(import.meta.dirname, "..", "idle.ts")];
  for (const [name, value] of Object.entries(numbers)) argv.push(`--${name}`, String(value));
  const timeoutMs = IDLE_ROUND_TIMEOUT_MS * rounds * only.length;
  await runToEnd([...argv, "--only", only.join(","), "--json", json], { core: undefined, timeoutMs });
  return JSON.parse(readFileSync(json, "utf8")) as Run["idle"] & Pick<Run, "setups">;
}

/** The program of every proxy, by its title; those of Node.js are one program. */
function programsOf(setups: Readonly<Record<string, Setup>>): Record<string, string> {
  const titles = new Set(PROXIES.map(({ title }) => title));
  return Object.fromEntries(
    Object.entries(setups).flatMap(([key, { argv }]) => {
      const title = key.replace(/ on core .*/, "");
      return titles.has(title) && argv[0] !== process.execPath ? [[title, argv[0]!]] : [];
    }),
  );
}

function say(text: string): void {
  progress("");
  process.stderr.write(`${text}\n`);
}

async function main(argv: readonly string[]): Promise<number> {
  const settings = parseSettings(argv);
  mkdirSync(settings.out, { recursive: true });
  const run =
    settings.render === ""
      ? await measure(settings)
      : (JSON.parse(readFileSync(settings.render, "utf8")) as Run);
  writeRun(settings.out, run);
  const { out } = settings;
  process.stdout.write(`${path.join(out, "README.md")}: ${Math.round(run.tookSeconds)} s\n`);
  return 0;
}

if (import.meta.main) {
  try {
    await runCommand("bench", HELP, main);
  } finally {
    await stopAll();
  }
}
