/**
 * Compares hp-proxy with other proxies: CPU time per request, throughput, latency and memory.
 *
 *     npm run bench -- --help
 *
 * Needs Linux with two cores and `taskset`; every peer that is not installed is left out and named.
 */
import { writeFileSync } from "node:fs";
import { type Contender, PROXIES } from "./contenders.ts";
import { GENERATORS, type Generator } from "./load.ts";
import { describeMachine, writeMachine } from "./machine.ts";
import {
  fingerprint,
  isRunning,
  launch,
  type Missing,
  measureAll,
  type Plan,
  type Running,
  type Subject,
} from "./measure.ts";
import { COMPARE_HELP, type CompareOptions, chooseByName, parseCompareOptions } from "./options.ts";
import { stopAll, temporaryDirectory } from "./programs.ts";
import { type ScenarioResult, writeScenario } from "./report.ts";
import type { Scenario } from "./scenarios.ts";
import { BACKEND, SERVERS } from "./servers.ts";

/** Everything that is started once and used by all scenarios. */
class Stage {
  readonly #options: CompareOptions;
  readonly #plan: Plan;
  readonly #started = new Map<Contender, Promise<Running | Missing>>();

  constructor(options: CompareOptions) {
    this.#options = options;
    this.#plan = { ...options, directory: temporaryDirectory() };
  }

  /** Measures one scenario; writes what it does to standard error. */
  async run(scenario: Scenario): Promise<ScenarioResult> {
    const { kind } = scenario;
    const generator = chooseByName(GENERATORS, [this.#options.load])[0]!;
    const backend = kind === "proxy" ? await this.#backend(scenario) : undefined;
    const table = kind === "proxy" ? PROXIES : kind === "server" ? SERVERS : GENERATORS;
    const missing: Missing[] = [];
    const subjects: Subject[] = [];
    const only = this.#options.only.filter((name) => table.some((row) => row.name === name));
    for (const row of chooseByName<Contender | Generator>(table, only)) {
      const subject = await this.#subject(row, generator, backend?.port ?? 0);
      if ("reason" in subject) missing.push(subject);
      else subjects.push(subject);
    }
    const expected = backend && (await fingerprint(backend.port, scenario));
    const series = await measureAll(subjects, scenario, expected, this.#plan, progress);
    const loadVersion = generator.find();
    return {
      scenario,
      generator:
        kind === "generator"
          ? ""
          : `load: ${generator.title} (${typeof loadVersion === "string" ? "?" : loadVersion.version})`,
      backend: backend === undefined ? "" : `backend: ${backend.title} (${backend.version})`,
      series,
      missing,
    };
  }

  async #backend(scenario: Scenario): Promise<Running> {
    const name = this.#options.backend;
    const contender = name === BACKEND.name ? BACKEND : chooseByName(SERVERS, [name])[0]!;
    if (contender !== BACKEND && scenario.path !== "/")
      throw new Error(`--backend ${name}: has no ${scenario.path}, which ${scenario.name} asks for`);
    return this.#required(contender, this.#plan.otherCore);
  }

  async #subject(
    row: Contender | Generator,
    load: Generator,
    backendPort: number,
  ): Promise<Subject | Missing> {
    const { name, title } = row;
    if ("run" in row) {
      const found = row.find();
      if (typeof found === "string") return { name, reason: found };
      const server = await this.#required(SERVERS.find((one) => one.name === "nginx")!, this.#plan.core);
      return { name, title, version: found.version, server, generator: row, isGenerator: true };
    }
    const server = await this.#launch(row, this.#plan.core, backendPort);
    if (!isRunning(server)) return server;
    return { name, title, version: server.version, server, generator: load, isGenerator: false };
  }

  async #required(contender: Contender, core: number): Promise<Running> {
    const result = await this.#launch(contender, core, 0);
    if (isRunning(result)) return result;
    throw new Error(`${contender.name}: cannot start: ${result.reason}`);
  }

  #launch(contender: Contender, core: number, backendPort: number): Promise<Running | Missing> {
    const started = this.#started.get(contender);
    if (started !== undefined) return started;
    progress(`starting ${contender.name}`);
    const starting = launch(contender, core, backendPort, this.#plan.directory);
    this.#started.set(contender, starting);
    return starting;
  }
}

/** One line on a terminal that is written over and over. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function write(text: string): void {
  progress("");
  process.stdout.write(`${text}\n`);
}

/** Names of contenders that no table has. */
function checkNames(options: CompareOptions): void {
  chooseByName<{ readonly name: string }>([...PROXIES, ...SERVERS, ...GENERATORS], options.only);
  chooseByName(GENERATORS, [options.load]);
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseCompareOptions(argv);
  if (options.help) {
    process.stdout.write(COMPARE_HELP);
    return 0;
  }
  checkNames(options);
  const machine = describeMachine();
  write(`${writeMachine(machine)}\n`);
  write(`${options.rounds} rounds of ${options.seconds} s each, interleaved; medians, lowest and highest\n`);
  const stage = new Stage(options);
  const results: ScenarioResult[] = [];
  for (const scenario of options.scenarios) {
    const result = await stage.run(scenario);
    results.push(result);
    write(`${writeScenario(result)}\n`);
    // After each scenario, so that what was measured outlives an interruption.
    if (options.jsonPath !== "")
      writeFileSync(options.jsonPath, `${JSON.stringify({ machine, options, results }, undefined, 1)}\n`);
  }
  const versions = new Map(results.flatMap(({ series }) => series.map((one) => [one.title, one.version])));
  write(`Versions: ${[...versions].map(([title, version]) => `${title} (${version})`).join(", ")}`);
  return 0;
}

if (import.meta.main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    process.exitCode = 1;
  } finally {
    await stopAll();
  }
}
