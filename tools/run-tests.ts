/**
 * Runs every `*.test.ts` and `*.fuzz.ts` under src/ and test/, each file in its own process.
 *
 *     npm run tests -- [part of a path…]
 *
 * On a terminal the output is node's spec reporter. Elsewhere it is one line per file, each failure in full,
 * and node's own summary (`# tests N`, `# pass N`, …) as the last lines. With CI set a skipped or unfinished
 * test fails the run: what was not tested there is tested nowhere.
 */
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { run } from "node:test";
import { spec, type TestEvent } from "node:test/reporters";
import { inspect } from "node:util";

const ROOT = path.dirname(import.meta.dirname);
const FILE_TIMEOUT_MS = 240_000;
const IS_CI = !["", "0", "false"].includes(process.env.CI ?? "");

/** Tests that proved nothing, with their reasons. */
const unproven: string[] = [];
let success = false;

const files = testFiles(process.argv.slice(2));
if (files.length === 0) {
  console.error("no test file has such a path");
  process.exit(1);
}
// Test files and the commands they start, some thousand processes, compile the same sources: once is enough.
const compileCache = mkdtempSync(path.join(tmpdir(), "hp-proxy-tests-"));
process.env.NODE_COMPILE_CACHE = compileCache;
const events = run({
  files,
  cwd: ROOT,
  isolation: "process",
  // Most tests wait for sockets and processes more than they compute; many more at once disturb each other.
  concurrency: availableParallelism() + 1,
  timeout: FILE_TIMEOUT_MS,
});
if (process.stdout.isTTY) {
  events.on("data", observe);
  for await (const text of events.compose(spec)) process.stdout.write(text);
  process.stdout.write(unprovenList());
} else {
  for await (const event of events) print(event);
}
try {
  rmSync(compileCache, { recursive: true, force: true, maxRetries: 5 });
} catch {
  // A process that a test left behind still writes there: no reason to fail.
}
process.exitCode = success && !(IS_CI && unproven.length > 0) ? 0 : 1;

/** Absolute paths, sorted: those that contain one of `parts`, or all. */
function testFiles(parts: readonly string[]): string[] {
  const found = globSync("{src,test,bench}/**/*.{test,fuzz}.ts", { cwd: ROOT }).sort();
  const wanted =
    parts.length === 0 ? found : found.filter((file) => parts.some((part) => file.includes(part)));
  return wanted.map((file) => path.join(ROOT, file));
}

function observe(event: TestEvent): void {
  if (event.type === "test:summary" && event.data.file === undefined) success = event.data.success;
  if (event.type !== "test:pass") return;
  const { skip, todo, name, file } = event.data;
  if (skip === undefined && todo === undefined) return;
  const reason = [skip, todo].find((value) => typeof value === "string" && value !== "") ?? "no reason given";
  unproven.push(`${relative(file)}: "${name}" ${skip === undefined ? "todo" : "skipped"}: ${reason}`);
}

function print(event: TestEvent): void {
  observe(event);
  const write = (text: string) => process.stdout.write(text);
  switch (event.type) {
    case "test:fail":
      // A parent fails with its children; they have said why.
      if (failureType(event.data.details.error) === "subtestsFailed") return;
      write(`\nFAIL ${relative(event.data.file)}:${event.data.line ?? 0} ${event.data.name}\n`);
      write(`${errorText(event.data.details.error.cause ?? event.data.details.error)}\n\n`);
      return;
    case "test:stdout":
    case "test:stderr":
      write(event.data.message);
      return;
    case "test:summary":
      if (event.data.file !== undefined) write(fileLine(event.data));
      return;
    case "test:diagnostic":
      if (event.data.nesting !== 0 || event.data.file !== undefined) return;
      if (event.data.message.startsWith("tests ")) write(unprovenList());
      write(`# ${event.data.message}\n`);
  }
}

/** The stack, which begins with the message; an assertion's message shows what differs. */
function errorText(error: unknown): string {
  return error instanceof Error && error.stack !== undefined ? error.stack : inspect(error);
}

function failureType(error: Error): unknown {
  return "failureType" in error ? error.failureType : undefined;
}

function fileLine(summary: { file: string | undefined; counts: TestCounts; duration_ms: number }): string {
  const { counts } = summary;
  const failed = counts.tests - counts.passed - counts.skipped - counts.todo;
  const extra = [
    [failed, "FAILED"],
    [counts.skipped, "skipped"],
    [counts.todo, "todo"],
  ].flatMap(([count, word]) => (count === 0 ? [] : [`, ${count} ${word}`]));
  const seconds = (summary.duration_ms / 1000).toFixed(1);
  return `${relative(summary.file)}: ${counts.passed} passed${extra.join("")} (${seconds} s)\n`;
}

interface TestCounts {
  readonly tests: number;
  readonly passed: number;
  readonly skipped: number;
  readonly todo: number;
}

function unprovenList(): string {
  if (unproven.length === 0) return "";
  const verdict = IS_CI ? "Not run, which fails this run because CI is set:" : "Not run:";
  return `\n${verdict}\n${unproven.map((line) => `  ${line}\n`).join("")}\n`;
}

function relative(file: string | undefined): string {
  return file === undefined ? "?" : path.relative(ROOT, file);
}
