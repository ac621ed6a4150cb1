/**
 * Splits a command line into options, knowing only which flags exist and which take a value. Collects what is
 * wrong and goes on, so that one run tells everything. Built on `util.parseArgs` and its tokens.
 */
import { parseArgs } from "node:util";
import { nearest } from "../base/suggestion.ts";
import type { ConfigError } from "../config/config-error.ts";
import { isConfigFile } from "../config/config-files.ts";

export interface Arguments {
  /** Texts of each valued flag in order, by flag name without hyphens. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** Flags without a value that were given. */
  readonly switches: ReadonlySet<string>;
  /** What stands there without a flag, up to `KnownFlags.words`. */
  readonly words: readonly string[];
  readonly errors: readonly ConfigError[];
}

/** `valued` and `switches` are flag names without hyphens; `short` maps one letter to one of them. */
export interface KnownFlags {
  readonly valued: readonly string[];
  readonly switches: readonly string[];
  readonly short?: Readonly<Record<string, string>>;
  /** Those of `valued` that may not be empty, where nobody else looks. */
  readonly filled?: readonly string[];
  /** How many words may stand there that belong to no flag. */
  readonly words?: number;
  /** What to do about a word too many. */
  readonly strayRemedy?: string;
}

/** Reads `argv`; what it does not know becomes an error, never an exception. */
export function readArguments(argv: readonly string[], known: KnownFlags): Arguments {
  const values = new Map<string, string[]>();
  const switches = new Set<string>();
  const words: string[] = [];
  const errors: ConfigError[] = [];
  let rest = [...argv];
  while (rest.length > 0) rest = readSome(rest, known, values, switches, words, errors);
  return { values, switches, words, errors };
}

/** Reads until a flag swallowed the next flag as its value; returns what is left to read from there. */
function readSome(
  argv: string[],
  known: KnownFlags,
  values: Map<string, string[]>,
  switches: Set<string>,
  words: string[],
  errors: ConfigError[],
): string[] {
  const all = [...known.valued, ...known.switches];
  for (const token of tokensOf(argv, known)) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional" && words.length < (known.words ?? 0)) {
      words.push(token.value);
      continue;
    }
    if (token.kind === "positional") {
      errors.push(strayWord(token.value, known, all));
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
    } else if (value === "" && known.filled?.includes(name) === true) {
      errors.push({ source: rawName, value, reason: "is empty", remedy: `write ${rawName} VALUE` });
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
  for (const [short, name] of Object.entries(known.short ?? {}))
    Object.assign(options[name] ?? {}, { short });
  return parseArgs({ args: argv, options, strict: false, tokens: true, allowPositionals: true }).tokens;
}

function strayWord(word: string, known: KnownFlags, names: readonly string[]): ConfigError {
  const source = word === "" ? '""' : word;
  const reason = "stands where a flag was expected";
  if (known.strayRemedy === undefined && known.valued.includes("config") && isConfigFile(word))
    return { source, reason, remedy: `did you mean --config ${word}?` };
  const near = nearest(word, names);
  if (near !== "") return { source, reason, remedy: `did you mean --${near}?` };
  return { source, reason, remedy: known.strayRemedy ?? "flags begin with --" };
}

function unknownFlag(rawName: string, names: readonly string[]): ConfigError {
  const near = nearest(rawName.replace(/^-+/, ""), names);
  const remedy = near === "" ? "--help lists all flags" : `did you mean --${near}?`;
  return { source: rawName, reason: "is not a flag", remedy };
}
