/** The load generators, run once for a number of seconds, and how their results are read. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "./contenders/contender.ts";
import { ownCommand, ownVersion } from "./contenders/own.ts";
import type { Setup } from "./measure.ts";
import { runToEnd, versionLine } from "./programs.ts";
import type { Scenario } from "./scenarios.ts";

/** Load of a generator's own beginning that is not measured: a runtime with a compiler starts slowly. */
const GENERATOR_WARMUP_SECONDS = 1;
/** What a generator may take beside the seconds it was asked for: start, waits for late answers, end. */
const SPARE_MS = 30_000;

/** One run, as the generator saw it. Times in microseconds. */
export interface LoadResult {
  readonly requests: number;
  /** Answered in a warm-up of the generator: the contender's CPU time has them in it. */
  readonly warmupRequests?: number;
  readonly seconds: number;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  /** Connections that failed or broke, timeouts, and responses that are not 2xx or 3xx. */
  readonly errors: number;
  /** Of these, requests that were due and not sent when the load ended, where the generator tells. */
  readonly unsent?: number;
  /** CPU time of the generator without its start, where it tells. */
  readonly cpuMs?: number;
}

export interface LoadRun {
  readonly scenario: Scenario;
  readonly port: number;
  readonly seconds: number;
  /** The core that the generator runs on. */
  readonly core: number;
  /** For generated files. */
  readonly directory: string;
}

export interface Generator {
  readonly name: string;
  readonly title: string;
  /** Its version, or why it cannot take part. */
  find(): { readonly version: string } | string;
  run(load: LoadRun): Promise<LoadResult>;
}

/** How each generator was last run in each scenario, with its script; for results.json. */
const setups = new Map<string, Setup>();

/** By name of generator and scenario. */
export function generatorSetups(): Readonly<Record<string, Setup>> {
  return Object.fromEntries(setups);
}

function note(title: string, scenario: Scenario, argv: readonly string[], files: Setup["files"] = {}): void {
  setups.set(`${title}, in ${scenario.name}`, { argv, files });
}

export const GENERATORS: readonly Generator[] = [
  { name: "wrk", title: "wrk -t1", find: findWrk, run: runWrk },
  hpBench("uring"),
  hpBench("epoll"),
  hpBench("net"),
];

/** Makes the load of scenarios that no HTTP generator can. */
export const STREAMS: Generator = {
  name: "streams",
  title: "bench/stream-clients.ts",
  find: () => ({ version: ownVersion() }),
  run: runStreams,
};

/** The generator that `scenario` is measured with where `named` is asked for. */
export function generatorFor(scenario: Scenario, named: Generator): Generator {
  if (scenario.load !== "http") return STREAMS;
  if (scenario.ratePerSecond === 0 || named.name.startsWith("hp-bench")) return named;
  // wrk has no open loop.
  return GENERATORS.find(({ name }) => name === "hp-bench-epoll")!;
}

async function runStreams({ scenario, port, seconds, core }: LoadRun): Promise<LoadResult> {
  const { load, path: target, connections } = scenario;
  const program = path.join(import.meta.dirname, "stream-clients.ts");
  const args = [load, port, target, connections, seconds, GENERATOR_WARMUP_SECONDS].map(String);
  const timeoutMs = timeLimitMs(seconds);
  const argv = [process.execPath, program, ...args];
  note(STREAMS.title, scenario, argv);
  const text = await runToEnd(argv, { core, timeoutMs });
  return JSON.parse(text) as LoadResult;
}

function timeLimitMs(seconds: number): number {
  return seconds * 1000 + SPARE_MS;
}

function findWrk(): { version: string } | string {
  const version = versionLine(["wrk", "-v"], /^wrk \S+/);
  return version === undefined ? "wrk is not installed" : { version };
}

async function runWrk({ scenario, port, seconds, core, directory }: LoadRun): Promise<LoadResult> {
  const script = path.join(directory, `${scenario.name}.lua`);
  const text = wrkScript(scenario);
  writeFileSync(script, text);
  const url = `http://127.0.0.1:${port}${scenario.path}`;
  const options = ["-t1", `-c${scenario.connections}`, `-d${seconds}s`, "--timeout", "10s"];
  const argv = ["wrk", ...options, "-s", script, url];
  note("wrk -t1", scenario, argv, { [path.basename(script)]: text });
  const timeoutMs = timeLimitMs(seconds);
  return parseWrkResult(await runToEnd(argv, { core, timeoutMs }));
}

/**
 * wrk calls `done` once at the end, so that a run without pipelining costs nothing more than one without a
 * script.
 */
export function wrkScript({ method, fields, bodyBytes, pipeline }: Scenario): string {
  const lines = [`wrk.method = "${method}"`];
  for (const [name, value] of Object.entries(fields))
    lines.push(`wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  if (bodyBytes > 0) lines.push(`wrk.body = string.rep("x", ${bodyBytes})`);
  if (pipeline > 1)
    lines.push(
      "local batch",
      `init = function() batch = string.rep(wrk.format(), ${pipeline}) end`,
      "request = function() return batch end",
    );
  lines.push(
    "done = function(summary, latency)",
    "  local e = summary.errors",
    "  local at = function(percent) return latency:percentile(percent) end",
    '  io.write(string.format("RESULT %d %d %d %d %d %d %d %d %d\\n", summary.requests, summary.duration,',
    "    latency.mean, at(50), at(90), at(99), at(99.9), latency.max,",
    "    e.connect + e.read + e.write + e.status + e.timeout))",
    "end",
  );
  return `${lines.join("\n")}\n`;
}

/** Reads the line that `wrkScript` writes. Throws when it is not there. */
export function parseWrkResult(text: string): LoadResult {
  const match = /^RESULT((?: \d+){9})$/m.exec(text);
  if (match === null) throw new Error(`wrk wrote no result: ${text.trim().slice(-200)}`);
  const figures = match[1]!.trim().split(" ").map(Number);
  return {
    requests: figures[0]!,
    seconds: figures[1]! / 1e6,
    meanUs: figures[2]!,
    p50Us: figures[3]!,
    p90Us: figures[4]!,
    p99Us: figures[5]!,
    p999Us: figures[6]!,
    maxUs: figures[7]!,
    errors: figures[8]!,
  };
}

function hpBench(engine: string): Generator {
  return {
    name: `hp-bench-${engine}`,
    title: `hp-bench, engine ${engine}`,
    find() {
      const file = path.join(ROOT, "src", "engine", engine, `${engine}-engine.ts`);
      return existsSync(file) ? { version: ownVersion() } : `this checkout has no engine ${engine}`;
    },
    run: (load) => runHpBench(load, engine),
  };
}

async function runHpBench(load: LoadRun, engine: string): Promise<LoadResult> {
  const { scenario, port, seconds, core, directory } = load;
  const json = path.join(directory, "hp-bench.json");
  const argv = [...ownCommand("hp-bench"), `http://127.0.0.1:${port}${scenario.path}`];
  argv.push("--connections", String(scenario.connections), "--duration", `${seconds}s`, "--engine", engine);
  argv.push("--method", scenario.method, "--pipeline", String(scenario.pipeline), "--json", json);
  for (const [name, value] of Object.entries(scenario.fields)) argv.push("--header", `${name}: ${value}`);
  const { ratePerSecond } = scenario;
  if (ratePerSecond > 0)
    argv.push("--rate", String(ratePerSecond), "--warmup", `${GENERATOR_WARMUP_SECONDS}s`);
  if (scenario.bodyBytes > 0) {
    const body = path.join(directory, "body");
    writeFileSync(body, "x".repeat(scenario.bodyBytes));
    argv.push("--body-file", body);
  }
  note(`hp-bench, engine ${engine}`, scenario, argv);
  await runToEnd(argv, { core, timeoutMs: timeLimitMs(seconds) });
  const result = parseHpBenchResult(readFileSync(json, "utf8"));
  return ratePerSecond === 0
    ? result
    : { ...result, warmupRequests: ratePerSecond * GENERATOR_WARMUP_SECONDS };
}

/** Reads what `hp-bench --json` writes. Requests that were due and never sent count as errors. */
export function parseHpBenchResult(text: string): LoadResult {
  const result = JSON.parse(text) as {
    readonly responses: number;
    readonly successful: number;
    readonly elapsedMs: number;
    readonly errorCount: number;
    readonly cpuMs: { readonly user: number; readonly system: number };
    readonly unsent: number;
    readonly latencyUs: Readonly<Record<"mean" | "p50" | "p90" | "p99" | "p99_9" | "max", number>>;
  };
  return {
    requests: result.responses,
    seconds: result.elapsedMs / 1000,
    meanUs: result.latencyUs.mean,
    p50Us: result.latencyUs.p50,
    p90Us: result.latencyUs.p90,
    p99Us: result.latencyUs.p99,
    p999Us: result.latencyUs.p99_9,
    maxUs: result.latencyUs.max,
    errors: result.errorCount + result.unsent + result.responses - result.successful,
    unsent: result.unsent,
    cpuMs: result.cpuMs.user + result.cpuMs.system,
  };
}
