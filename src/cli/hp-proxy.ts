/** The command `hp-proxy`: says which command was meant, and leaves the rest to it. */

import { nearest } from "../base/suggestion.ts";
import { errorsText, errorText } from "../config/config-error.ts";
import { isConfigFile } from "../config/config-files.ts";
import { findConfigs } from "../config/load-config.ts";
import { readArguments } from "../control/arguments.ts";
import { helpText } from "../control/help.ts";
import { takePassedSockets } from "../control/inheritance.ts";
import { loadConfiguration } from "../control/load-configuration.ts";
import { configFile, type Environment } from "../control/options.ts";
import { Predecessor } from "../control/predecessor.ts";
import { PROXY_FLAGS } from "../control/read-configuration.ts";
import { ExitStatus, runProxy } from "../control/run.ts";
import { packageVersion } from "../package-version.ts";
import { runHealthcheck, runReload, runUpgrade } from "./hp-proxy-ask.ts";
import { runCheck, runInit, runPrint } from "./hp-proxy-config.ts";
import { runDemo } from "./hp-proxy-demo.ts";
import { runExplain } from "./hp-proxy-explain.ts";
import { runImport } from "./hp-proxy-import.ts";
import { runHashPassword } from "./hp-proxy-password.ts";
import { runStats } from "./hp-proxy-stats.ts";

const COMMANDS = [
  "run",
  "check",
  "print",
  "explain",
  "init",
  "import",
  "demo",
  "stats",
  "reload",
  "upgrade",
  "healthcheck",
  "hash-password",
  "help",
  "version",
];

/** Runs `hp-proxy ARGV`; resolves to the exit status. */
export async function main(argv: readonly string[], environment: Environment): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case undefined:
      if (await isConfigured(environment)) return await run([], environment);
      return print(helpText(), ExitStatus.failed);
    case "run":
      return await run(rest, environment);
    case "check":
      return await runCheck(rest, environment);
    case "print":
      return await runPrint(rest, environment);
    case "explain":
      return await runExplain(rest, environment);
    case "init":
      return await runInit(rest);
    case "import":
      return runImport(rest);
    case "demo":
      return await runDemo(rest, environment);
    case "stats":
      return await runStats(rest, environment);
    case "reload":
      return await runReload(rest, environment);
    case "upgrade":
      return await runUpgrade(rest, environment);
    case "healthcheck":
      return await runHealthcheck(rest, environment);
    case "hash-password":
      return await runHashPassword(rest);
    case "help":
      return await help(rest, environment);
    case "version":
      return version(rest);
    default:
      return command.startsWith("-") ? await run(argv, environment) : unknownCommand(command);
  }
}

/**
 * Whether there is a file, or any variable means an option, misspelt ones too: then errors are told, not the
 * help.
 */
async function isConfigured(environment: Environment): Promise<boolean> {
  const variables = Object.keys(environment).filter((name) => name.startsWith("HP_PROXY_"));
  return variables.some((name) => environment[name] !== "") || (await findConfigs(process.cwd())).length > 0;
}

async function run(argv: readonly string[], environment: Environment): Promise<number> {
  const flags = { ...PROXY_FLAGS, switches: [...PROXY_FLAGS.switches, "watch"] };
  const given = readArguments(argv, flags);
  if (given.switches.has("help")) return print(helpText());
  if (given.switches.has("version")) return print(`hp-proxy ${packageVersion()}\n`);
  const passed = takePassedSockets(process.env, process.pid);
  const predecessor = await Predecessor.meet(process.env);
  const folder = process.cwd();
  const isNamed = configFile(given, environment) !== undefined;
  const [found = ""] = isNamed ? [] : await findConfigs(folder);
  const begunWith = predecessor?.heritage.begunWith ?? found;
  const load = () => loadConfiguration(folder, given, environment, environment, begunWith);
  const result = await load();
  if ("errors" in result) {
    await predecessor?.fail(result.errors.map(errorText));
    process.stderr.write(errorsText("hp-proxy", result.errors));
    return ExitStatus.failed;
  }
  return await runProxy(result, {
    version: packageVersion(),
    environment,
    load,
    watch: given.switches.has("watch"),
    inheritance: { passed, predecessor, begunWith },
  });
}

/** `hp-proxy help COMMAND` is `hp-proxy COMMAND --help`. */
async function help(argv: readonly string[], environment: Environment): Promise<number> {
  const [command = "help", ...more] = argv;
  if (more.length > 0) {
    process.stderr.write("hp-proxy help: takes one command, like hp-proxy help stats\n");
    return ExitStatus.failed;
  }
  if (command === "help" || command === "--help" || command === "-h") return print(helpText());
  return COMMANDS.includes(command) ? await main([command, "--help"], environment) : unknownCommand(command);
}

function version(argv: readonly string[]): number {
  const strayRemedy = "write hp-proxy version";
  const given = readArguments(argv, { valued: [], switches: ["help"], short: { h: "help" }, strayRemedy });
  if (given.switches.has("help")) return print(helpText());
  if (given.errors.length === 0) return print(`hp-proxy ${packageVersion()}\n`);
  process.stderr.write(errorsText("hp-proxy version", given.errors, ""));
  return ExitStatus.failed;
}

function unknownCommand(command: string): number {
  const near = nearest(command, COMMANDS);
  let remedy = near === "" ? "hp-proxy --help tells what there is" : `did you mean hp-proxy ${near}?`;
  if (isConfigFile(command)) remedy = `did you mean hp-proxy --config ${command}?`;
  process.stderr.write(`hp-proxy: ${command} is not a command; ${remedy}\n`);
  return ExitStatus.failed;
}

function print(text: string, status: number = ExitStatus.done): number {
  (status === ExitStatus.done ? process.stdout : process.stderr).write(text);
  return status;
}
