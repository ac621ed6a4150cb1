/**
 * Everything that is started once and used by all scenarios: backends, and the contenders in front of them.
 */
import { spawnSync } from "node:child_process";
import type { Contender } from "./contenders/contender.ts";
import { PROXIES } from "./contenders.ts";
import { GENERATORS, type Generator, generatorFor, generatorSetups } from "./load.ts";
import {
  isRunning,
  launch,
  type Missing,
  measureAll,
  type Plan,
  type Running,
  type Setup,
  type Subject,
} from "./measure.ts";
import { checkCores, chooseByName } from "./options.ts";
import { temporaryDirectory } from "./programs.ts";
import type { ScenarioResult } from "./report.ts";
import type { Scenario } from "./scenarios.ts";
import { BACKEND, ECHO_BACKEND, SERVERS } from "./servers.ts";
import { type Answers, answersOf } from "./verify.ts";

export interface StageOptions extends Omit<Plan, "directory"> {
  /** Names of contenders, in any order; empty: the usual ones. */
  readonly only: readonly string[];
  readonly load: string;
  readonly backend: string;
}

export class Stage {
  readonly #options: StageOptions;
  readonly #plan: Plan;
  readonly #proxies: readonly Contender[];
  readonly #started = new Map<string, Promise<Running | Missing>>();
  readonly #measured = new Set<Running>();

  /** `proxies`: what can be compared; the table of all where it is not said. Throws for a core that is not there. */
  constructor(options: StageOptions, proxies: readonly Contender[] = PROXIES) {
    checkCores(options);
    this.#options = options;
    this.#proxies = proxies;
    this.#plan = { ...options, directory: temporaryDirectory() };
    // The samples of this process are load too: they stay away from what is measured.
    spawnSync("taskset", ["-a", "-p", "-c", String(options.otherCore), String(process.pid)]);
  }

  /** Measures one scenario; writes what it does to standard error. */
  async run(scenario: Scenario): Promise<ScenarioResult> {
    const { kind } = scenario;
    const named = chooseByName(GENERATORS, [this.#options.load])[0]!;
    const generator = generatorFor(scenario, named);
    const backends = kind === "proxy" ? await this.#backends(scenario) : [];
    const table = kind === "proxy" ? this.#proxies : kind === "server" ? SERVERS : GENERATORS;
    const missing: Missing[] = [];
    const subjects: Subject[] = [];
    const only = this.#options.only.filter((name) => table.some((row) => row.name === name));
    for (const row of chooseByName<Contender | Generator>(table, only)) {
      const subject = await this.#subject(row, scenario, generator, backends);
      if ("reason" in subject) missing.push(subject);
      else subjects.push(subject);
    }
    const [backend] = backends;
    const expected = backend && (await answersBehind(backend, scenario));
    const series = await measureAll(subjects, scenario, expected, this.#plan, progress);
    for (const { server } of subjects) this.#measured.add(server);
    return {
      scenario,
      generator: kind === "generator" ? "" : `load: ${generator.title} (${versionOf(generator)})`,
      backend: backend === undefined ? "" : `backend: ${describe(backend, backends.length)}`,
      series,
      missing,
    };
  }

  /** How everything that runs was started, by name, load generators included. */
  async setups(): Promise<Readonly<Record<string, Setup>>> {
    const setups: Record<string, Setup> = {};
    for (const [key, starting] of this.#started) {
      const result = await starting;
      if (isRunning(result)) setups[key] = result.setup;
    }
    return { ...setups, ...generatorSetups() };
  }

  async #backends(scenario: Scenario): Promise<Running[]> {
    const backends: Running[] = [];
    for (let i = 0; i < scenario.backends; i++)
      backends.push(await this.#required(this.#backendOf(scenario), this.#plan.otherCore, i));
    return backends;
  }

  #backendOf(scenario: Scenario): Contender {
    if (scenario.backend === "echo") return ECHO_BACKEND;
    const name = this.#options.backend;
    const contender = name === BACKEND.name ? BACKEND : chooseByName(SERVERS, [name])[0]!;
    if (contender !== BACKEND && scenario.path !== "/")
      throw new Error(`--backend ${name}: has no ${scenario.path}, which ${scenario.name} asks for`);
    return contender;
  }

  async #subject(
    row: Contender | Generator,
    scenario: Scenario,
    load: Generator,
    backends: readonly Running[],
  ): Promise<Subject | Missing> {
    const { name, title } = row;
    if ("run" in row) {
      const found = row.find();
      if (typeof found === "string") return { name, reason: found };
      const nginx = SERVERS.find((one) => one.name === "nginx")!;
      const server = await this.#required(nginx, this.#plan.core, 0);
      return {
        name,
        title,
        version: found.version,
        server,
        generator: row,
        isGenerator: true,
        isFresh: true,
      };
    }
    const reason = row.cannot?.[scenario.name];
    if (reason !== undefined) return { name, reason };
    const server = await this.#launch(row, this.#plan.core, backends, 0);
    if (!isRunning(server)) return server;
    const isFresh = !this.#measured.has(server);
    return { name, title, version: server.version, server, generator: load, isGenerator: false, isFresh };
  }

  async #required(contender: Contender, core: number, index: number): Promise<Running> {
    const result = await this.#launch(contender, core, [], index);
    if (isRunning(result)) return result;
    throw new Error(`${contender.name}: cannot start: ${result.reason}`);
  }

  /** The contender in front of just these backends: started when it is first asked for or has ended. */
  async #launch(
    contender: Contender,
    core: number,
    backends: readonly Running[],
    index: number,
  ): Promise<Running | Missing> {
    const ports = backends.map(({ port }) => port);
    const streams = backends.some(({ name }) => name === ECHO_BACKEND.name);
    const key = `${contender.title} on core ${core}, number ${index}, before [${ports.join(", ")}]`;
    const started = await this.#started.get(key);
    if (started !== undefined && !(isRunning(started) && started.program.ended())) return started;
    progress(`starting ${contender.name}`);
    const starting = launch(contender, core, ports, streams, this.#plan.directory);
    this.#started.set(key, starting);
    return starting;
  }
}

/** What every proxy has to answer. Throws when the backend itself fails. */
async function answersBehind({ name, port }: Running, scenario: Scenario): Promise<Answers> {
  const answers = await answersOf(port, scenario);
  const bad = answers.flat().find((answer) => !/^(2\d\d with|101 )/.test(answer));
  if (bad !== undefined) throw new Error(`${name}, the backend: ${bad}`);
  return answers;
}

function describe({ title, version }: Running, count: number): string {
  return `${count > 1 ? `${count} × ` : ""}${title} (${version})`;
}

function versionOf(generator: Generator): string {
  const found = generator.find();
  return typeof found === "string" ? "?" : found.version;
}

/** One line on a terminal that is written over and over. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
