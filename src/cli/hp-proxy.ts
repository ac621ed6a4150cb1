/** The command `hp-proxy`: says which command was meant, and leaves the rest to it. */

import { nearest } from "../base/suggestion.ts";
import { errorsText } from "../config/config-error.ts";
import { readArguments } from "../control/arguments.ts";
import { helpText } from "../control/help.ts";
import type { Environment } from "../control/options.ts";
import { PROXY_FLAGS, readConfiguration } from "../control/read-configuration.ts";
import { ExitStatus, runProxy } from "../control/run.ts";
import { runDemo } from "./hp-proxy-demo.ts";
import { runStats } from "./hp-proxy-stats.ts";
import { packageVersion } from "./package-version.ts";

const COMMANDS = ["demo", "stats", "help", "version"];

/** Runs `hp-proxy ARGV`; resolves to the exit status. */
export async function main(argv: readonly string[], environment: Environment): Promise<number> {
  const command = argv[0];
  if (command === undefined && !configured(environment)) return print(helpText(), ExitStatus.failed);
  if (command === "demo") return await runDemo(argv.slice(1), environment);
  if (command === "stats") return await runStats(argv.slice(1), environment);
  if (command === "help") return print(helpText());
  if (command === "version") return print(`hp-proxy ${packageVersion()}\n`);
  if (command !== undefined && !command.startsWith("-")) return unknownCommand(command);
  return await run(argv, environment);
}

/** Whether any variable means an option, misspelt ones too: then errors are told, not the help. */
function configured(environment: Environment): boolean {
  return Object.keys(environment).some((name) => name.startsWith("HP_PROXY_") && environment[name] !== "");
}

async function run(argv: readonly string[], environment: Environment): Promise<number> {
  const given = readArguments(argv, PROXY_FLAGS);
  if (given.switches.has("help")) return print(helpText());
  if (given.switches.has("version")) return print(`hp-proxy ${packageVersion()}\n`);
  const result = readConfiguration(given, environment);
  if ("errors" in result) {
    process.stderr.write(`${errorsText("hp-proxy", result.errors)}`);
    return ExitStatus.failed;
  }
  return await runProxy(result.configuration, { version: packageVersion(), environment });
}

function unknownCommand(command: string): number {
  const near = nearest(command, COMMANDS);
  const remedy = near === "" ? "hp-proxy --help tells what there is" : `did you mean hp-proxy ${near}?`;
  process.stderr.write(`hp-proxy: ${command} is not a command; ${remedy}\n`);
  return ExitStatus.failed;
}

function print(text: string, status: number = ExitStatus.done): number {
  (status === ExitStatus.done ? process.stdout : process.stderr).write(text);
  return status;
}
