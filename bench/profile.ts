/**
 * Where the CPU time of a worker goes: a profile by perf(1) under load, as tables and a flame graph.
 *
 *     npm run bench:profile -- --help
 *
 * Strategy: V8 writes down where it puts compiled code (`--perf-basic-prof`), so perf can name it; the worker is
 * sampled by the clock, because virtual machines seldom have counters. In the same seconds its CPU time per request is
 * measured, which turns shares into microseconds. Writing that list costs the worker some time: compare shares, not
 * sums, with runs without it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { runCommand, WrongArguments, wholeNumber } from "./command.ts";
import { hpProxy, type OwnSettings } from "./contenders/own.ts";
import { GENERATORS, generatorFor } from "./load.ts";
import { describeMachine, writeMachine } from "./machine.ts";
import { launchRequired } from "./measure.ts";
import { treeCpuTime, treePids } from "./process-tree.ts";
import { drawFlames } from "./profile/flame.ts";
import { outermostFirst, parseStacks, partOf, readable } from "./profile/stacks.ts";
import { freePort, runToEnd, start, stopAll, temporaryDirectory, waitForPort } from "./programs.ts";
import { chooseScenarios, type Scenario } from "./scenarios.ts";
import { BACKEND, ECHO_BACKEND } from "./servers.ts";
import { writeNumber, writeTable } from "./statistics.ts";

const HELP = `Where the CPU time of a worker goes: a profile by perf(1) under load.

  npm run bench:profile -- [options]

  --scenario NAME      what is asked; see npm run bench -- --help (get-64)
  --engine NAME        uring (default), epoll or net
  --tcp                mode tcp in place of http
  --seconds N          length of the profile (10)
  --out DIR            where tables and flame graph go (bench/results/profile)

The worker runs on core 0, backend and load on core 1. Needs perf, and nginx and wrk as npm run bench does.
`;
/** Odd, so that nothing periodic falls into step with it. */
const SAMPLES_PER_SECOND = 997;
const WARM_UP_SECONDS = 4;
/** Load begins before the profile and ends behind it. */
const MARGIN_SECONDS = 1;
const SYMBOLS_SHOWN = 30;
const CORE = 0;
const OTHER_CORE = 1;

interface Settings {
  readonly scenario: Scenario;
  readonly engine: OwnSettings["engine"];
  readonly mode: "http" | "tcp";
  readonly seconds: number;
  readonly out: string;
}

function parseSettings(argv: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      scenario: { type: "string", default: "get-64" },
      engine: { type: "string", default: "uring" },
      tcp: { type: "boolean", default: false },
      seconds: { type: "string", default: "10" },
      out: { type: "string", default: path.join("bench", "results", "profile") },
    },
  });
  const { engine } = values;
  if (engine !== "uring" && engine !== "epoll" && engine !== "net")
    throw new WrongArguments(`--engine: "${engine}" is none; write uring, epoll or net`);
  return {
    scenario: chooseScenarios([values.scenario])[0]!,
    engine,
    mode: values.tcp ? "tcp" : "http",
    seconds: wholeNumber("--seconds", values.seconds, 1),
    out: path.resolve(values.out),
  };
}

interface Sampled {
  readonly script: string;
  readonly cpuUs: number;
  readonly perSecond: number;
}

async function sampleWorker(settings: Settings): Promise<Sampled> {
  const { scenario, seconds } = settings;
  const directory = temporaryDirectory();
  const backend = await launchRequired(
    scenario.backend === "echo" ? ECHO_BACKEND : BACKEND,
    OTHER_CORE,
    directory,
  );
  const found = await hpProxy("hp-proxy", "hp-proxy", { ...settings, usual: true }).find(directory);
  if (typeof found === "string") throw new Error(found);
  const port = await freePort();
  // It inherits to the worker; V8 leaves a log in the working directory.
  const env = { NODE_OPTIONS: "--perf-basic-prof" };
  const program = start(found.argv(port, [backend.port], false), { core: CORE, env, cwd: directory });
  await waitForPort(program, port);
  const generator = generatorFor(scenario, GENERATORS[0]!);
  const load = (length: number) =>
    generator.run({ scenario, port, seconds: length, core: OTHER_CORE, directory });
  await load(WARM_UP_SECONDS);
  const [, worker] = treePids(program.pid);
  if (worker === undefined) throw new Error("the proxy has no worker");
  const before = treeCpuTime(worker);
  const loading = load(seconds + 2 * MARGIN_SECONDS);
  await delay(MARGIN_SECONDS * 1000);
  const data = path.join(directory, "perf.data");
  const record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", String(SAMPLES_PER_SECOND), "-g"];
  const target = ["-p", String(worker), "-o", data, "--", "sleep", String(seconds)];
  await runToEnd([...record, ...target], { core: OTHER_CORE });
  const { requests, seconds: tookSeconds } = await loading;
  const after = treeCpuTime(worker);
  const cpuMs = after.userMs + after.systemMs - before.userMs - before.systemMs;
  const fields = ["script", "-i", data, "-F", "comm,tid,ip,sym,dso"];
  const { stdout } = spawnSync("perf", fields, { encoding: "utf8", maxBuffer: 1 << 30 });
  for (const pid of treePids(program.pid)) rmSync(path.join(os.tmpdir(), `perf-${pid}.map`), { force: true });
  return { script: stdout, cpuUs: (cpuMs * 1000) / requests, perSecond: requests / tookSeconds };
}

/** Rows of `counts`, the largest first, with shares and microseconds of a request. */
function table(title: string, counts: ReadonlyMap<string, number>, total: number, cpuUs: number): string {
  const rows = [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SYMBOLS_SHOWN)
    .map(([name, count]) => [
      name,
      `${((100 * count) / total).toFixed(1)} %`,
      writeNumber((cpuUs * count) / total),
    ]);
  return writeTable([title, "share", "µs/request"], rows);
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

async function main(argv: readonly string[]): Promise<number> {
  const settings = parseSettings(argv);
  const { scenario, engine, mode, out } = settings;
  const { script, cpuUs, perSecond } = await sampleWorker(settings);
  const stacks = parseStacks(script);
  if (stacks.length === 0) throw new Error("perf took no samples of the worker");
  const title = `${scenario.title}, engine ${engine}, mode ${mode}`;
  const note =
    `${writeMachine(describeMachine())}; ${stacks.length} samples, ` +
    `${writeNumber(perSecond)} requests/s, ${writeNumber(cpuUs)} CPU µs/request`;
  const report = [
    `# Profile: ${title}\n\n${note}`,
    table("part", count(stacks.map(partOf)), stacks.length, cpuUs),
    table("function", count(stacks.map(([innermost]) => readable(innermost!))), stacks.length, cpuUs),
  ].join("\n\n");
  mkdirSync(out, { recursive: true });
  const folded = stacks.map((stack) => [partOf(stack), ...outermostFirst(stack)]);
  writeFileSync(path.join(out, "flames.svg"), drawFlames(title, note, folded));
  writeFileSync(path.join(out, "README.md"), `${report}\n\n![Flame graph](flames.svg)\n`);
  process.stdout.write(`${report}\n\n${path.join(out, "flames.svg")}\n`);
  return 0;
}

if (import.meta.main) {
  try {
    await runCommand("bench", HELP, main);
  } finally {
    await stopAll();
  }
}
