/**
 * The flags of the proxy and its `HP_PROXY_*` variables: another way to write a configuration.
 *
 * Strategy: each is a key of the configuration (`config/schema.ts`) under a flat name, so text, default and
 * checks are those of the key. What flags and variables say becomes a document, which is laid over that of the
 * file and goes through the same checks.
 */
import { nearest } from "../base/suggestion.ts";
import type { ConfigError } from "../config/config-error.ts";
import { KEYS } from "../config/keys.ts";
import { type KeyText, splitList } from "../config/kinds.ts";
import { type Located, optionPlace, withAt } from "../config/located.ts";
import type { Arguments } from "./arguments.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What people read about an option. */
export type OptionText = Pick<KeyText, "group" | "value" | "text" | "initial" | "list">;

export interface Option {
  /** In camel case: `poolSize` is the flag `--pool-size` and the variable `HP_PROXY_POOL_SIZE`. */
  readonly name: string;
  readonly text: OptionText;
  /** The key that it writes; that of `port` is a part of `listen`, and `config` has none. */
  readonly path: readonly string[];
}

const CONFIG: Option = {
  name: "config",
  path: [],
  text: {
    group: "Basic",
    value: "FILE",
    text: "Configuration: .yaml, .json, .ts, .js (default: hp-proxy.config.* in the working directory)",
  },
};

const PORT: Option = {
  name: "port",
  path: [],
  text: {
    group: "Basic",
    value: "N",
    text: "Listen on every address of this machine, IPv4 and IPv6",
  },
};

/** In the order of help and manual. */
export const OPTIONS: readonly Option[] = [
  CONFIG,
  PORT,
  ...KEYS.flatMap(({ path, text }) => (text.flag === undefined ? [] : [{ name: text.flag, path, text }])),
].filter(({ path }) => !path.includes("NAME"));

/** `poolSize` → `--pool-size`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `poolSize` → `HP_PROXY_POOL_SIZE`. */
export function variableOf(name: string): string {
  return `HP_PROXY${flagOf(name).slice(1).replaceAll("-", "_").toUpperCase()}`;
}

/** What an option says, and where; undefined where neither flag nor variable is given. */
interface Given {
  readonly source: string;
  readonly texts: readonly string[];
}

function givenFor(name: string, given: Arguments, environment: Environment): Given | undefined {
  const flagged = given.values.get(flagOf(name).slice(2));
  if (flagged !== undefined) return { source: flagOf(name), texts: flagged };
  const variable = environment[variableOf(name)];
  if (variable === undefined || variable === "") return undefined;
  return { source: variableOf(name), texts: [variable] };
}

/** The configuration file that was asked for, and by what; undefined where none was. */
export function configFile(
  given: Arguments,
  environment: Environment,
): { readonly file: string; readonly source: string } | undefined {
  const said = givenFor("config", given, environment);
  const file = said?.texts.at(-1);
  return said === undefined || file === undefined ? undefined : { file, source: said.source };
}

/** Two ways to say the same: a flag of the one wins over the variables of both. */
const LISTENING = ["port", "listen"];

function withoutBeaten(given: Arguments, environment: Environment): Environment {
  if (!LISTENING.some((name) => given.values.has(flagOf(name).slice(2)))) return environment;
  return { ...environment, ...Object.fromEntries(LISTENING.map((name) => [variableOf(name), undefined])) };
}

/**
 * Flags and variables as a document. A flag wins over its variable, `--port` and `--listen` over those of both; an
 * empty variable is none.
 */
export function optionsDocument(
  given: Arguments,
  variables: Environment,
): { root: Located; errors: readonly ConfigError[] } {
  const errors = [...given.errors, ...unknownVariables(variables)];
  const environment = withoutBeaten(given, variables);
  // What the whole may lack are backends.
  let root: Located = { place: optionPlace("--backends"), content: new Map() };
  for (const { name, path, text } of OPTIONS) {
    const said = givenFor(name, given, environment);
    if (said === undefined) continue;
    const place = optionPlace(said.source);
    if (text.list !== true && said.texts.length > 1) {
      errors.push({ source: said.source, reason: "is given more than once", remedy: "keep one" });
    } else if (text.list === true) {
      const items = said.texts.flatMap(splitList).map((value): Located => ({ place, content: { value } }));
      root = withAt(root, path, { place, content: items });
    } else if (path.length > 0) {
      root = withAt(root, path, { place, content: { value: said.texts[0] } });
    }
  }
  return { root: withPort(root, givenFor("port", given, environment)), errors };
}

/** `--port N` is the first listener. */
function withPort(root: Located, said: Given | undefined): Located {
  if (said === undefined) return root;
  const place = optionPlace(said.source);
  const port: Located = { place, content: new Map([["port", { place, content: { value: said.texts[0] } }]]) };
  const others = root.content instanceof Map ? root.content.get("listen") : undefined;
  const content = [port, ...(Array.isArray(others?.content) ? others.content : [])];
  return withAt(root, ["listen"], { place: others?.place ?? place, content });
}

/**
 * A variable that looks like a misspelt option; others under our prefix may be anybody's (Kubernetes service
 * links).
 */
function unknownVariables(environment: Environment): ConfigError[] {
  const known = OPTIONS.map(({ name }) => variableOf(name));
  const errors: ConfigError[] = [];
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith("HP_PROXY_") || known.includes(variable)) continue;
    if (/^HP_PROXY_(PORT_\d+_|SERVICE_)/.test(variable)) continue;
    const near = nearest(variable, known);
    if (near === "") continue;
    errors.push({ source: variable, reason: "is not an option", remedy: `did you mean ${near}?` });
  }
  return errors;
}
