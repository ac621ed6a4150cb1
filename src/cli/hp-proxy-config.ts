/** `hp-proxy check`, `print` and `init`: what a configuration says, without running it. */
import { writeFileSync } from "node:fs";
import { nearest } from "../base/suggestion.ts";
import { type ConfigError, errorsText } from "../config/config-error.ts";
import { CONFIG_NAME } from "../config/config-files.ts";
import { orList } from "../config/kinds.ts";
import { findConfigs } from "../config/load-config.ts";
import { isCommonJs } from "../config/package-type.ts";
import { effective, shownData, shownYaml } from "../config/print-config.ts";
import { STARTER_FORMATS, STARTERS, type StarterFormat } from "../config/starter.ts";
import { type KnownFlags, readArguments } from "../control/arguments.ts";
import { deepErrors } from "../control/deep-check.ts";
import { type LoadedConfiguration, loadConfiguration } from "../control/load-configuration.ts";
import type { Environment } from "../control/options.ts";
import { PROXY_FLAGS } from "../control/read-configuration.ts";
import { warningsOf } from "../control/warnings.ts";

const CHECK_HELP = `hp-proxy check: is the configuration right?

  hp-proxy check                 hp-proxy.config.* in the working directory
  hp-proxy check -c FILE         this file; variables and flags count as when it runs

  --deep                         also resolves the names of backends and of forwardAuth, looks for
                                 unix sockets, and tries whether the addresses to listen on are this
                                 machine's
  -h, --help                     this text

Exit status 0: right; 1: wrong, and every error is told with its line.
`;

/** Resolves to the exit status. */
export async function runCheck(argv: readonly string[], environment: Environment): Promise<number> {
  const given = readArguments(argv, withFlags({ switches: ["deep"] }));
  if (given.switches.has("help")) return print(CHECK_HELP);
  const result = await loadConfiguration(process.cwd(), given, environment);
  if ("errors" in result) return failed("hp-proxy check", result.errors);
  if (given.switches.has("deep")) {
    const errors = await deepErrors(result);
    if (errors.length > 0) return failed("hp-proxy check", errors);
  }
  for (const warning of warningsOf(result)) process.stderr.write(`hp-proxy check: warning: ${warning}\n`);
  return print(`hp-proxy check: ${summary(result)}\n`);
}

function summary({ files, configuration, document }: LoadedConfiguration): string {
  const { listeners, clusters } = configuration;
  const { routes } = document;
  const backends = clusters.reduce((sum, cluster) => sum + cluster.backends.length, 0);
  const what = [
    counted(listeners.length, "listener"),
    ...(routes === undefined ? [] : [counted(routes.length, "route")]),
    counted(clusters.length, "cluster"),
    counted(backends, "backend"),
  ];
  const [first, ...included] = files;
  const others = included.length === 0 ? " is" : ` and ${counted(included.length, "more file")} are`;
  const where = first === undefined ? "the options are" : first + others;
  return `${where} right: ${what.join(", ")}`;
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

const PRINT_HELP = `hp-proxy print: the configuration as it counts, with every default

  hp-proxy print                 hp-proxy.config.* in the working directory
  hp-proxy print -c FILE         this file; variables and flags count as when it runs

  --format yaml|json             yaml: behind each value stands where it comes from (yaml)
  -h, --help                     this text
`;

/** Resolves to the exit status. */
export async function runPrint(argv: readonly string[], environment: Environment): Promise<number> {
  const given = readArguments(argv, withFlags({ valued: ["format"] }));
  if (given.switches.has("help")) return print(PRINT_HELP);
  const format = given.values.get("format")?.at(-1) ?? "yaml";
  const wrong = formatErrors(format, ["yaml", "json"]);
  const result = await loadConfiguration(
    process.cwd(),
    { ...given, errors: [...given.errors, ...wrong] },
    environment,
  );
  if ("errors" in result) return failed("hp-proxy print", result.errors);
  const shown = effective(result.written, result.document);
  return print(format === "json" ? `${JSON.stringify(shownData(shown), null, 2)}\n` : shownYaml(shown));
}

const INIT_HELP = `hp-proxy init: writes a configuration to begin with

  hp-proxy init                  hp-proxy.config.yaml
  hp-proxy init --format ts      hp-proxy.config.ts, with types; hp-proxy.config.mts where
                                 package.json has "type": "commonjs"

  --format ${STARTER_FORMATS.join("|")}          (yaml)
  -h, --help                     this text

A configuration that is there already is never overwritten.
`;

/** Resolves to the exit status. */
export async function runInit(argv: readonly string[]): Promise<number> {
  const strayRemedy = `it writes ${CONFIG_NAME}.* in the working directory; --format says which`;
  const flags: KnownFlags = { valued: ["format"], switches: ["help"], short: { h: "help" }, strayRemedy };
  const given = readArguments(argv, flags);
  if (given.switches.has("help")) return print(INIT_HELP);
  const format = given.values.get("format")?.at(-1) ?? "yaml";
  const errors = [...given.errors, ...formatErrors(format, STARTER_FORMATS)];
  const [there] = await findConfigs(process.cwd());
  if (there !== undefined) {
    const remedy = "edit it, or take it away first";
    errors.push({ source: there, reason: "is there already", remedy });
  }
  if (errors.length > 0) return failed("hp-proxy init", errors, ", nothing was written");
  // Where .ts is CommonJS, the import and export of a configuration are errors.
  const isModule = format !== "ts" || !isCommonJs(`${CONFIG_NAME}.ts`);
  const file = `${CONFIG_NAME}.${isModule ? format : "mts"}`;
  writeFileSync(file, STARTERS[format as StarterFormat], { flag: "wx" });
  return print(`hp-proxy init: wrote ${file}; hp-proxy check looks at it, hp-proxy runs it\n`);
}

function formatErrors(format: string, known: readonly string[]): ConfigError[] {
  if (known.includes(format)) return [];
  const near = nearest(format, known);
  const remedy = near === "" ? `write ${orList(known)}` : `did you mean ${near}?`;
  return [{ source: "--format", value: format, reason: "is not a format", remedy }];
}

function withFlags(more: { valued?: readonly string[]; switches?: readonly string[] }): KnownFlags {
  return {
    ...PROXY_FLAGS,
    valued: [...PROXY_FLAGS.valued, ...(more.valued ?? [])],
    switches: [...PROXY_FLAGS.switches, ...(more.switches ?? [])],
  };
}

function failed(command: string, errors: readonly ConfigError[], outcome = ""): number {
  process.stderr.write(errorsText(command, errors, outcome));
  return 1;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
