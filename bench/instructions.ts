/**
 * How many instructions a request takes, and of which line of source: counted, not timed.
 *
 *     npm run bench:instructions -- --help
 *
 * Strategy: callgrind runs every instruction of a program itself, and counts. A whole proxy in one process, on io_uring
 * or epoll, goes through it in front of a real backend under real load, a tenth as fast. What others do on the machine
 * changes nothing: two runs of one commit differ by some 0.1 %. What it cannot see: the kernel, and waiting for memory.
 * And the slower proxy has larger batches, so that what a turn of the loop costs is nearly nothing here.
 */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { runCommand, WrongArguments, wholeNumber } from "./command.ts";
import { ROOT } from "./contenders/contender.ts";
import { installed } from "./contenders/installed.ts";
import { type Attributed, attribute } from "./instructions/attribute.ts";
import { readCallgrind } from "./instructions/callgrind.ts";
import { readJitDump } from "./instructions/jit-dump.ts";
import { GENERATORS, generatorFor } from "./load.ts";
import { describeMachine, writeMachine } from "./machine.ts";
import { launchRequired } from "./measure.ts";
import {
  freePort,
  type Program,
  runToEnd,
  start,
  stopAll,
  temporaryDirectory,
  versionLine,
  waitForPort,
} from "./programs.ts";
import { chooseScenarios, type Scenario } from "./scenarios.ts";
import { BACKEND, ECHO_BACKEND } from "./servers.ts";
import { writeNumber, writeTable } from "./statistics.ts";

const HELP = `How many instructions a request takes, and of which line of source, counted by callgrind.

  npm run bench:instructions -- [options]

  --scenario NAME      what is asked; see npm run bench -- --help (get-64)
  --engine NAME        uring (default) or epoll
  --seconds N          load that is counted (20)
  --warm-up N          load before it, in which V8 compiles (40)
  --rows N             rows of each table (40)
  --checkout DIR       whose code (this one's)

The proxy runs on core 0, backend and load on core 1. Needs valgrind, and nginx and wrk as npm run bench does.
`;
const CORE = 0;
const OTHER_CORE = 1;
/** Node.js takes most of a minute to start under callgrind. */
const START_TIMEOUT_MS = 180_000;
const OUTPUT = "callgrind.out";
/** Of the first dump, the part of the first thread. */
const FIRST_DUMP = `${OUTPUT}.1-01`;

interface Settings {
  readonly scenario: Scenario;
  readonly engine: "uring" | "epoll";
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly rows: number;
  readonly root: string;
}

function parseSettings(argv: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      scenario: { type: "string", default: "get-64" },
      engine: { type: "string", default: "uring" },
      seconds: { type: "string", default: "20" },
      "warm-up": { type: "string", default: "40" },
      rows: { type: "string", default: "40" },
      checkout: { type: "string", default: ROOT },
    },
  });
  const { engine } = values;
  if (engine !== "uring" && engine !== "epoll")
    throw new WrongArguments(`--engine: "${engine}" cannot be counted; write uring or epoll`);
  return {
    scenario: chooseScenarios([values.scenario])[0]!,
    engine,
    seconds: wholeNumber("--seconds", values.seconds, 1),
    warmUpSeconds: wholeNumber("--warm-up", values["warm-up"], 1),
    rows: wholeNumber("--rows", values.rows, 1),
    root: path.resolve(values.checkout),
  };
}

/** A proxy in one process, with V8 as workers have it. */
function proxyCode(folder: string, engine: string, port: number, backendPort: number): string {
  const configuration = JSON.stringify({
    listen: `127.0.0.1:${port}`,
    backends: [`127.0.0.1:${backendPort}`],
    engine,
    health: { kind: "off" },
  });
  return `
    const { createProxy } = await import(${JSON.stringify(path.join(folder, "dist", "index.js"))});
    const { tuneCompiler } = await import(${JSON.stringify(path.join(folder, "dist", "worker", "compiler-flags.js"))});
    await createProxy(${configuration}, { log: "warn" }).listen();
    tuneCompiler();
    // What V8 has noted of its code is written at an end in order.
    process.once("SIGTERM", () => process.exit());
  `;
}

/** Resolves when the proxy accepts. */
async function startCounted(
  settings: Settings,
  directory: string,
  port: number,
  backendPort: number,
): Promise<Program> {
  const counting = ["valgrind", "--tool=callgrind", "--dump-instr=yes", "--separate-threads=yes"];
  // Code is made while the program runs, and changed.
  const files = ["--smc-check=all-non-file", `--callgrind-out-file=${path.join(directory, OUTPUT)}`];
  const code = proxyCode(installed(settings.root), settings.engine, port, backendPort);
  const node = [process.execPath, "--single-threaded-gc", "--perf-prof", "--input-type=module", "-e", code];
  const program = start([...counting, ...files, ...node], { core: CORE, cwd: directory });
  await waitForPort(program, port, START_TIMEOUT_MS);
  return program;
}

interface Counted extends Attributed {
  readonly requests: number;
}

/** The instructions of the proxy's main thread while it served so many requests. */
async function count(settings: Settings): Promise<Counted> {
  const { scenario, seconds, warmUpSeconds } = settings;
  const directory = temporaryDirectory();
  const backend = await launchRequired(
    scenario.backend === "echo" ? ECHO_BACKEND : BACKEND,
    OTHER_CORE,
    directory,
  );
  const port = await freePort();
  const program = await startCounted(settings, directory, port, backend.port);
  const generator = generatorFor(scenario, GENERATORS[0]!);
  const load = (length: number) =>
    generator.run({ scenario, port, seconds: length, core: OTHER_CORE, directory });
  try {
    await load(warmUpSeconds);
  } catch (error) {
    throw program.ended() ? new Error(`the proxy has ended: ${program.output()}`) : error;
  }
  await control(program, "--zero");
  const { requests } = await load(seconds);
  await control(program, "--dump");
  program.child.kill();
  await once(program.child, "close", { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
  const notes = readdirSync(directory).find((name) => /^jit-\d+\.dump$/.test(name));
  if (notes === undefined) throw new Error("V8 has noted nothing of its code");
  const counts = readCallgrind(readFileSync(path.join(directory, FIRST_DUMP), "utf8"));
  const code = readJitDump(readFileSync(path.join(directory, notes)));
  return { ...attribute(counts, code), requests };
}

/** callgrind is told, and does it when it comes by. */
async function control(program: Program, order: string): Promise<void> {
  await runToEnd(["callgrind_control", order, String(program.pid)], { core: OTHER_CORE });
}

function table(title: string, sums: ReadonlyMap<string, number>, requests: number, rows: number): string {
  const largest = [...sums].sort(([, a], [, b]) => b - a).slice(0, rows);
  return writeTable(
    [title, "instructions/request"],
    largest.map(([name, sum]) => [name, writeNumber(sum / requests)]),
  );
}

async function main(argv: readonly string[]): Promise<number> {
  const settings = parseSettings(argv);
  const version = versionLine(["valgrind", "--version"], /valgrind-\S+/);
  if (version === undefined) throw new Error("valgrind is not there (Debian: valgrind)");
  const { scenario, engine, rows, seconds } = settings;
  const { all, byFunction, byFile, byLine, requests } = await count(settings);
  const title = `# Instructions: ${scenario.title}, engine ${engine}`;
  const note =
    `${writeMachine(describeMachine())}, ${version}; ${requests} requests in ${seconds} s, ` +
    `${Math.round(all / requests)} instructions per request`;
  const tables = [
    table("compiled function", byFunction, requests, rows),
    table("file", byFile, requests, rows),
    table("line", byLine, requests, rows),
  ];
  process.stdout.write(`${[title, note, ...tables].join("\n\n")}\n`);
  return 0;
}

if (import.meta.main) {
  try {
    await runCommand("bench", HELP, main);
  } finally {
    await stopAll();
  }
}
