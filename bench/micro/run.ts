/**
 * Nanoseconds, and instructions where they can be counted, of each small piece of the data plane.
 *
 *     npm run bench:micro -- --help
 *
 * Instructions are counted by perf(1) around two runs of a program of its own, one with many operations and
 * one with three times as many: the difference is free of start and warm-up. A virtual machine often has no
 * such counter.
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { runCommand, WrongArguments, wholeNumber } from "../command.ts";
import { writeNumber, writeTable } from "../statistics.ts";
import { checksumSoFar, type Micro, type MicroFigures, measureMicros } from "./micro.ts";

const HELP = `Nanoseconds of each small piece of the data plane.

  npm run bench:micro -- [options]

  --only TEXT          those whose name contains TEXT: parse request, route, … (all)
  --rounds N           rounds, interleaved; the fastest and the median are shown (15)
  --ms N               milliseconds that each piece runs in a round (5)
  --instructions       counts instructions as well, by perf, where the machine can
  --json               figures as JSON
`;

/** Time that the shorter of the two counted runs shall take. */
const COUNTED_MS = 200;
const COUNT_MIN = 10_000;

/**
 * Every micro of this folder, or those whose name contains `only`. A file that cannot be loaded is left out
 * and named: bench/gate.ts lays this folder over commits that may lack what it needs.
 */
async function loadMicros(only: string): Promise<Micro[]> {
  const micros: Micro[] = [];
  for (const file of globSync("*.bench.ts", { cwd: import.meta.dirname }).sort()) {
    const url = pathToFileURL(path.join(import.meta.dirname, file)).href;
    await import(url).then(
      (module: { MICROS: readonly Micro[] }) => micros.push(...module.MICROS),
      (error: Error) => process.stderr.write(`bench: ${file} is left out: ${error.message}\n`),
    );
  }
  const chosen = micros.filter(({ name }) => name.includes(only));
  if (chosen.length > 0) return chosen;
  throw new WrongArguments(
    `--only: "${only}" is in no name; there are ${micros.map(({ name }) => name).join("; ")}`,
  );
}

/** Instructions in user space per operation, or why they cannot be counted. */
function countInstructions({ name, ns }: MicroFigures): number | string {
  const count = Math.max(COUNT_MIN, Math.round((COUNTED_MS * 1e6) / ns));
  const fewer = instructionsOf(name, count);
  if (typeof fewer === "string") return fewer;
  const more = instructionsOf(name, count * 3);
  return typeof more === "string" ? more : (more - fewer) / (count * 2);
}

function instructionsOf(name: string, count: number): number | string {
  const child = [process.execPath, import.meta.filename, "--exactly", name, "--count", String(count)];
  const args = ["stat", "-x,", "-e", "instructions:u", "--", ...child];
  const { error, status, stderr } = spawnSync("perf", args, { encoding: "utf8" });
  if (error !== undefined) return "perf is not installed";
  const line = stderr.split("\n").find((each) => each.includes("instructions"));
  const counted = Number(line?.split(",")[0]);
  if (status === 0 && Number.isFinite(counted)) return counted;
  return line === undefined
    ? `perf: ${stderr.trim().split("\n").at(-1)}`
    : "this machine does not count them";
}

function writeFigures(figures: readonly MicroFigures[], counted: readonly (number | string)[]): string {
  const header = ["", "ns", "median", "ns/byte", ...(counted.length > 0 ? ["instructions"] : [])];
  const rows = figures.map(({ name, bytes, ns, medianNs }, i) => {
    const instructions = counted[i];
    return [
      name,
      writeNumber(ns),
      writeNumber(medianNs),
      bytes === 0 ? "" : writeNumber(ns / bytes),
      ...(instructions === undefined
        ? []
        : [typeof instructions === "number" ? writeNumber(instructions) : "–"]),
    ];
  });
  const reasons = new Set(counted.filter((one) => typeof one === "string"));
  return [writeTable(header, rows), ...[...reasons].map((one) => `\nInstructions: ${one}.`)].join("\n");
}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string", default: "" },
      rounds: { type: "string", default: "15" },
      ms: { type: "string", default: "5" },
      instructions: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      // What a counted run of this program gets.
      exactly: { type: "string", default: "" },
      count: { type: "string", default: "1" },
    },
  });
  if (values.exactly !== "") {
    const micros = await loadMicros(values.exactly);
    const run = micros.find(({ name }) => name === values.exactly)!.prepare();
    process.stdout.write(`${run(wholeNumber("--count", values.count, 1))}\n`);
    return 0;
  }
  const micros = await loadMicros(values.only);
  const rounds = wholeNumber("--rounds", values.rounds, 1);
  const figures = measureMicros(micros, rounds, wholeNumber("--ms", values.ms, 1));
  if (values.json) {
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    return 0;
  }
  const counted = values.instructions ? figures.map(countInstructions) : [];
  process.stdout.write(`${writeFigures(figures, counted)}\n\nchecksum ${checksumSoFar()}\n`);
  return 0;
}

if (import.meta.main) await runCommand("bench", HELP, main);
