/**
 * Measures contenders against each other on one scenario.
 *
 * Strategy: all are started once and measured in turn, round after round, each round in another order, so
 * that what changes on the machine meets all of them. What is measured has one core, the rest (backend and
 * load generator) the other. CPU time per request counts, because throughput also depends on the other core:
 * `busyShare` says how much of its core a contender used, `foreignShare` how much of it somebody else took.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Contender, Found } from "./contenders/contender.ts";
import type { Generator, LoadResult, LoadRun } from "./load.ts";
import { coreTime, endedChildrenCpuTime, type Memory, treeCpuTime, treeMemory } from "./process-tree.ts";
import { freePort, type Program, start, waitForPort } from "./programs.ts";
import type { Scenario } from "./scenarios.ts";
import { type Answers, answersOf, firstUnlike, firstWrong, type Samples, sample } from "./verify.ts";

/** How every small answer begins, whichever 13 bytes a server has chosen. */
const SMALL_ANSWER = "200 with 13 bytes";

const NO_RESULT: LoadResult = {
  requests: 0,
  seconds: 0,
  meanUs: 0,
  p50Us: 0,
  p90Us: 0,
  p99Us: 0,
  p999Us: 0,
  maxUs: 0,
  errors: 0,
};

/** How long and where. */
export interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  /** Load that is not measured, for a contender that has just been started. */
  readonly warmupSeconds: number;
  /** The core of what is measured, and that of everything else. */
  readonly core: number;
  readonly otherCore: number;
  readonly directory: string;
}

/** Something that answers on a port, and whose CPU and memory can be read. */
export interface Running {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly port: number;
  readonly program: Program;
  readonly usesAllCores: boolean;
  /** What it was started with. */
  readonly setup: Setup;
}

/** How a contender was started, to be written next to its figures. */
export interface Setup {
  readonly argv: readonly string[];
  /** Its configuration files by name. */
  readonly files: Readonly<Record<string, string>>;
}

export interface Missing {
  readonly name: string;
  readonly reason: string;
}

/** One measurement. Times per request in microseconds of CPU. */
export interface Round {
  readonly round: number;
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly userUs: number;
  readonly systemUs: number;
  readonly cpuUs: number;
  /** CPU of the load generator per request. */
  readonly generatorUs: number;
  /** The same without its start, where the generator tells it; undefined where it does not. */
  readonly generatorRunUs: number | undefined;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  /** Undefined for a load generator, which has ended by then. */
  readonly memory: Memory | undefined;
  /** Share of its core that the contender used, 0 to 1. */
  readonly busyShare: number;
  /** Share of that core that others used. */
  readonly foreignShare: number;
  /** Share of the other core that was in use: near 1, backend or load generator may be the limit. */
  readonly otherCoreShare: number;
  readonly errors: number;
  /** Turns whose answers were compared beside the load: one request each, or one pipelined batch. */
  readonly samples: number;
  /** Why this round does not count; "" when it does. */
  readonly invalid: string;
}

export interface Series {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly rounds: readonly Round[];
}

/** What can be measured: a server or proxy with a generator in front, on whichever core is its own. */
export interface Subject {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly server: Running;
  readonly generator: Generator;
  /** True when the generator is what is compared. */
  readonly isGenerator: boolean;
  /** True when no scenario was measured on `server` yet: its code may still be compiling. */
  readonly isFresh: boolean;
}

/** What a contender that other scenarios were measured on gets before the first round of the next. */
const REPEATED_WARMUP_SECONDS = 1;

/** Finds and starts `contender` on `core`, with `env` besides; resolves to the reason when it cannot take part. */
export async function launch(
  contender: Contender,
  core: number,
  backendPorts: readonly number[],
  streams: boolean,
  directory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Running | Missing> {
  const { name, title } = contender;
  let program: Program | undefined;
  try {
    const found: Found | string = await contender.find(directory);
    if (typeof found === "string") return { name, reason: found };
    const port = await freePort();
    const argv = found.argv(port, backendPorts, streams);
    const usesAllCores = contender.usesAllCores === true;
    program = start(argv, { core: usesAllCores ? undefined : core, env: { ...found.env, ...env } });
    await waitForPort(program, port);
    const files = Object.fromEntries(
      (found.files ?? []).map((file) => [path.basename(file), readFileSync(file, "utf8")]),
    );
    return { name, title, version: found.version, port, program, usesAllCores, setup: { argv, files } };
  } catch (error) {
    await program?.stop();
    return { name, reason: (error as Error).message };
  }
}

/** A backend on `core` that has to be there. Throws with the reason where it is not. */
export async function launchRequired(
  contender: Contender,
  core: number,
  directory: string,
): Promise<Running> {
  const result = await launch(contender, core, [], false, directory);
  if (isRunning(result)) return result;
  throw new Error(`${contender.name}: ${result.reason}`);
}

export function isRunning(result: Running | Missing): result is Running {
  return "port" in result;
}

/**
 * Measures `subjects` in turn. `expected` are the answers of what stands behind them; undefined where each is
 * the first to answer and its status and length are what counts.
 */
export async function measureAll(
  subjects: readonly Subject[],
  scenario: Scenario,
  expected: Answers | undefined,
  plan: Plan,
  progress: (text: string) => void,
): Promise<Series[]> {
  const rounds = subjects.map((): Round[] => []);
  for (const subject of subjects) {
    progress(`${scenario.name}: warming up ${subject.name}`);
    const seconds = subject.isFresh
      ? plan.warmupSeconds
      : Math.min(plan.warmupSeconds, REPEATED_WARMUP_SECONDS);
    // A port that accepts connections need not answer yet: that is no part of the warm-up.
    await answersOf(subject.server.port, scenario);
    if (seconds > 0) await runLoad(subject, scenario, plan, seconds).catch(() => undefined);
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const index = (turn + round) % subjects.length;
      progress(`${scenario.name}: round ${round + 1} of ${plan.rounds}, ${subjects[index]!.name}`);
      rounds[index]!.push(await measureRound(subjects[index]!, scenario, expected, plan, round));
    }
  }
  return subjects.map(({ name, title, version }, index) => ({
    name,
    title,
    version,
    rounds: rounds[index]!,
  }));
}

async function measureRound(
  subject: Subject,
  scenario: Scenario,
  expected: Answers | undefined,
  plan: Plan,
  round: number,
): Promise<Round> {
  const { server, isGenerator } = subject;
  const answers = await answersOf(server.port, scenario);
  const fault = expected === undefined ? firstUnlike(answers, SMALL_ANSWER) : firstWrong(answers, expected);
  const wrong = fault === "" ? "" : `wrong answer: ${fault}`;
  const core = isGenerator ? plan.otherCore : plan.core;
  const before = {
    server: treeCpuTime(server.program.pid),
    load: endedChildrenCpuTime(),
    core: coreTime(core),
    other: coreTime(plan.otherCore),
  };
  const stopSampling = sample(server.port, scenario, expected ?? answers);
  const startedAtMs = performance.now();
  const load = await runLoad(subject, scenario, plan, plan.seconds).catch((error: Error) => error);
  const wallMs = performance.now() - startedAtMs;
  const after = {
    server: treeCpuTime(server.program.pid),
    load: endedChildrenCpuTime(),
    core: coreTime(core),
    other: coreTime(plan.otherCore),
  };
  const samples = await stopSampling();
  const failed = load instanceof Error ? load.message : wrongSample(samples);
  const result = load instanceof Error ? NO_RESULT : load;
  const of = isGenerator ? "load" : "server";
  const userMs = after[of].userMs - before[of].userMs;
  const systemMs = after[of].systemMs - before[of].systemMs;
  const loadMs = after.load.userMs + after.load.systemMs - before.load.userMs - before.load.systemMs;
  const busyMs = after.core.busyMs - before.core.busyMs;
  const paidFor = result.requests + (result.warmupRequests ?? 0);
  const perRequest = (ms: number) => (paidFor === 0 ? 0 : (ms * 1000) / paidFor);
  return {
    round,
    requests: result.requests,
    seconds: result.seconds,
    perSecond: result.seconds === 0 ? 0 : result.requests / result.seconds,
    userUs: perRequest(userMs),
    systemUs: perRequest(systemMs),
    cpuUs: perRequest(userMs + systemMs),
    generatorUs: perRequest(loadMs),
    // Since the end of its warm-up.
    generatorRunUs:
      result.cpuMs === undefined || result.requests === 0
        ? undefined
        : (result.cpuMs * 1000) / result.requests,
    meanUs: result.meanUs,
    p50Us: result.p50Us,
    p90Us: result.p90Us,
    p99Us: result.p99Us,
    p999Us: result.p999Us,
    maxUs: result.maxUs,
    memory: isGenerator ? undefined : treeMemory(server.program.pid),
    busyShare: (userMs + systemMs) / wallMs,
    // Who may use all cores has none of its own.
    foreignShare: server.usesAllCores ? 0 : Math.max(0, busyMs - userMs - systemMs) / wallMs,
    otherCoreShare: (after.other.busyMs - before.other.busyMs) / wallMs,
    errors: result.errors,
    samples: samples.count,
    invalid: wrong || failed || verdict(result.requests, result.errors, server.program.ended()),
  };
}

function wrongSample({ wrong }: Samples): string {
  return wrong === "" ? "" : `wrong answer beside the load: ${wrong}`;
}

function verdict(requests: number, errors: number, hasEnded: boolean): string {
  if (hasEnded) return "it ended";
  if (errors > 0) return `${errors} errors or responses that are not 2xx or 3xx`;
  return requests === 0 ? "no response" : "";
}

function runLoad(subject: Subject, scenario: Scenario, plan: Plan, seconds: number) {
  const load: LoadRun = {
    scenario,
    port: subject.server.port,
    seconds,
    core: plan.otherCore,
    directory: plan.directory,
  };
  return subject.generator.run(load);
}
