/**
 * Splits a command line into options, knowing only which flags exist and which take a value. Collects what is
 * wrong and goes on, so that one run tells everything. Built on `util.parseArgs` and its tokens.
 */
import { parseArgs } from "node:util";
import { nearest } from "../base/suggestion.ts";

/** One thing wrong with the options: where it stands, what it says, why it was refused, and what to do. */
export interface OptionError {
  /** `--port` or `HP_PROXY_PORT`. */
  readonly source: string;
  readonly value?: string;
  readonly reason: string;
  readonly remedy: string;
}

export interface Arguments {
  /** Texts of each valued flag in order, by flag name without hyphens. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** Flags without a value that were given. */
  readonly switches: ReadonlySet<string>;
  readonly errors: readonly OptionError[];
}

/** `valued` and `switches` are flag names without hyphens; `short` maps one letter to a switch. */
export interface KnownFlags {
  readonly valued: readonly string[];
  readonly switches: readonly string[];
  readonly short?: Readonly<Record<string, string>>;
}

/** Reads `argv`; what it does not know becomes an error, never an exception. */
export function readArguments(argv: readonly string[], known: KnownFlags): Arguments {
  const values = new Map<string, string[]>();
  const switches = new Set<string>();
  const errors: OptionError[] = [];
  let rest = [...argv];
  while (rest.length > 0) rest = readSome(rest, known, values, switches, errors);
  return { values, switches, errors };
}

/** Reads until a flag swallowed the next flag as its value; returns what is left to read from there. */
function readSome(
  argv: string[],
  known: KnownFlags,
  values: Map<string, string[]>,
  switches: Set<string>,
  errors: OptionError[],
): string[] {
  const all = [...known.valued, ...known.switches];
  for (const token of tokensOf(argv, known)) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      errors.push({
        source: token.value,
        reason: "stands where a flag was expected",
        remedy: "flags begin with --",
      });
      continue;
    }
    const { name, rawName, value } = token;
    if (known.switches.includes(name)) {
      if (token.inlineValue !== true) switches.add(name);
      else
        errors.push({
          source: rawName,
          value: `${value}`,
          reason: "takes no value",
          remedy: `write ${rawName}`,
        });
    } else if (!known.valued.includes(name)) {
      errors.push(unknownFlag(rawName, all));
      if (token.inlineValue !== true && isValue(argv[token.index + 1])) return argv.slice(token.index + 2);
    } else if (value === undefined || (token.inlineValue !== true && value.startsWith("--"))) {
      errors.push({
        source: rawName,
        reason: "has no value",
        remedy: `write ${rawName} VALUE or ${rawName}=VALUE`,
      });
      return argv.slice(token.index + 1);
    } else {
      values.set(name, [...(values.get(name) ?? []), value]);
    }
  }
  return [];
}

function isValue(argument: string | undefined): boolean {
  return argument !== undefined && !argument.startsWith("-");
}

function tokensOf(argv: string[], known: KnownFlags) {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const name of known.valued) options[name] = { type: "string" };
  for (const name of known.switches) options[name] = { type: "boolean" };
  for (const [short, name] of Object.entries(known.short ?? {})) options[name] = { type: "boolean", short };
  return parseArgs({ args: argv, options, strict: false, tokens: true, allowPositionals: true }).tokens;
}

function unknownFlag(rawName: string, names: readonly string[]): OptionError {
  const near = nearest(rawName.replace(/^-+/, ""), names);
  const remedy = near === "" ? "--help lists all flags" : `did you mean --${near}?`;
  return { source: rawName, reason: "is not a flag", remedy };
}

/** All errors as text for standard error. */
export function errorsText(command: string, errors: readonly OptionError[]): string {
  const lines = errors.map(({ source, value, reason, remedy }) => {
    const shown = value === undefined ? source : `${source} ${JSON.stringify(value)}`;
    return `  ${shown}: ${reason}; ${remedy}`;
  });
  const count = errors.length === 1 ? "an error" : `${errors.length} errors`;
  return `${command}: ${count} in the options, nothing was started\n${lines.join("\n")}\n`;
}
