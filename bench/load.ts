/** The load generators, run once for a number of seconds, and how their results are read. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ownCommand, ownVersion } from "./contenders.ts";
import { runToEnd, versionLine } from "./programs.ts";
import type { Scenario } from "./scenarios.ts";

const ROOT = path.dirname(import.meta.dirname);

/** One run, as the generator saw it. Times in microseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Connections that failed or broke, timeouts, and responses that are not 2xx or 3xx. */
  readonly errors: number;
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

export const GENERATORS: readonly Generator[] = [
  { name: "wrk", title: "wrk -t1", find: findWrk, run: runWrk },
  hpBench("uring"),
  hpBench("epoll"),
  hpBench("net"),
];

function findWrk(): { version: string } | string {
  const version = versionLine(["wrk", "-v"], /^wrk \S+/);
  return version === undefined ? "wrk is not installed" : { version };
}

async function runWrk({ scenario, port, seconds, core, directory }: LoadRun): Promise<LoadResult> {
  const script = path.join(directory, `${scenario.name}.lua`);
  writeFileSync(script, wrkScript(scenario));
  const url = `http://127.0.0.1:${port}${scenario.path}`;
  const argv = ["wrk", "-t1", `-c${scenario.connections}`, `-d${seconds}s`, "--timeout", "10s"];
  return parseWrkResult(await runToEnd([...argv, "-s", script, url], { core }));
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
    '  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,',
    "    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))",
    "end",
  );
  return `${lines.join("\n")}\n`;
}

/** Reads the line that `wrkScript` writes. Throws when it is not there. */
export function parseWrkResult(text: string): LoadResult {
  const match = /^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)$/m.exec(text);
  if (match === null) throw new Error(`wrk wrote no result: ${text.trim().slice(-200)}`);
  const [requests, durationUs, p50Us, p99Us, errors] = match.slice(1).map(Number);
  return { requests: requests!, seconds: durationUs! / 1e6, p50Us: p50Us!, p99Us: p99Us!, errors: errors! };
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
  if (scenario.bodyBytes > 0) {
    const body = path.join(directory, "body");
    writeFileSync(body, "x".repeat(scenario.bodyBytes));
    argv.push("--body-file", body);
  }
  await runToEnd(argv, { core });
  return parseHpBenchResult(readFileSync(json, "utf8"));
}

/** Reads what `hp-bench --json` writes. */
export function parseHpBenchResult(text: string): LoadResult {
  const result = JSON.parse(text) as {
    readonly responses: number;
    readonly successful: number;
    readonly elapsedMs: number;
    readonly errorCount: number;
    readonly cpuMs: { readonly user: number; readonly system: number };
    readonly latencyUs: { readonly p50: number; readonly p99: number };
  };
  return {
    requests: result.responses,
    seconds: result.elapsedMs / 1000,
    p50Us: result.latencyUs.p50,
    p99Us: result.latencyUs.p99,
    errors: result.errorCount + result.responses - result.successful,
    cpuMs: result.cpuMs.user + result.cpuMs.system,
  };
}
