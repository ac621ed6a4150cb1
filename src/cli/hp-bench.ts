/** The command hp-bench: arguments in, a run, a report out. */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { styleText } from "node:util";
import { chooseEngine } from "../engine/choose.ts";
import { helpText, type LoadConfiguration, parseCommandLine } from "../loadgen/options.ts";
import { drawPlot } from "../loadgen/plot.ts";
import { announceRun, progressLine, writeReport } from "../loadgen/report.ts";
import type { Result } from "../loadgen/result.ts";
import { runLoad } from "../loadgen/run.ts";
import type { Tally } from "../loadgen/tally.ts";
import { packageVersion } from "../package-version.ts";

/** Clears the line under the cursor (ECMA-48 EL). */
const CLEAR_LINE = "\r\x1b[K";

/**
 * Runs the command. Returns the exit status: 0, or 1 without a successful response or with wrong arguments.
 */
export async function main(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = parseCommandLine(argv);
  switch (parsed.kind) {
    case "help":
      process.stdout.write(helpText());
      return 0;
    case "version":
      process.stdout.write(`hp-bench ${packageVersion()}\n`);
      return 0;
    case "errors":
      for (const error of parsed.errors) process.stderr.write(`hp-bench: ${error}\n`);
      return 1;
    case "run":
      return await runAndReport(parsed.configuration, env);
  }
}

async function runAndReport(configuration: LoadConfiguration, env: NodeJS.ProcessEnv): Promise<number> {
  if (!mayWriteFiles(configuration)) return 1;
  // With JSON on standard output, everything for people goes to standard error.
  const people = configuration.jsonPath === "-" ? process.stderr : process.stdout;
  const hasColours = people.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  process.once("SIGINT", onInterrupt);
  process.once("SIGTERM", onInterrupt);
  let result: Result;
  try {
    result = await runLoad(configuration, {
      version: packageVersion(),
      openEngine: (options) => chooseEngine(configuration.engine, options),
      began: (run) => people.write(`${announceRun(run)}\n\n`),
      progressed: (tally) => {
        if (process.stderr.isTTY)
          process.stderr.write(CLEAR_LINE + liveLine(tally, configuration.durationMs));
      },
      stopSignal: interrupt.signal,
    });
  } catch (error) {
    process.stderr.write(`hp-bench: ${errorText(error)}\n`);
    return 1;
  } finally {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onInterrupt);
  }
  if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
  const loud = (text: string) =>
    hasColours ? styleText(["bold", "red"], text, { validateStream: false }) : text;
  people.write(`${writeReport(result, loud)}\n`);
  const isWritten = writeFiles(configuration, result);
  return result.successful > 0 && isWritten ? 0 : 1;
}

/** Before the load, so that nobody waits for a result that has no place. Tells all that cannot be written. */
function mayWriteFiles({ jsonPath, svgPath }: LoadConfiguration): boolean {
  return tryEach([
    () => jsonPath !== "-" && jsonPath !== "" && closeSync(openSync(jsonPath, "a")),
    () => svgPath !== "" && closeSync(openSync(svgPath, "a")),
  ]);
}

function writeFiles({ jsonPath, svgPath }: LoadConfiguration, result: Result): boolean {
  return tryEach([
    () => {
      if (jsonPath === "-") process.stdout.write(`${JSON.stringify(result)}\n`);
      else if (jsonPath !== "") writeFileSync(jsonPath, `${JSON.stringify(result, null, 1)}\n`);
    },
    () => svgPath !== "" && writeFileSync(svgPath, drawPlot(result)),
  ]);
}

/** Takes every step, whichever fails, and tells of those. */
function tryEach(steps: readonly (() => unknown)[]): boolean {
  let haveAllSucceeded = true;
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      haveAllSucceeded = false;
      process.stderr.write(`hp-bench: ${errorText(error)}\n`);
    }
  }
  return haveAllSucceeded;
}

/** What the second before the one under way looked like. */
function liveLine(tally: Tally, durationMs: number): string {
  const second = Math.max(0, tally.secondCount - 2);
  return progressLine(
    tally.elapsedMs,
    durationMs,
    tally.secondResponses[second]!,
    tally.errors.reduce((sum, count) => sum + count, 0),
    tally.secondP99Us[second]!,
  );
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
