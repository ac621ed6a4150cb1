/**
 * The command line of hp-bench: one table of options makes the parser, the help text and the error texts, so
 * that they cannot drift apart. Every error is found and reported at once, each with its remedy.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { nearest } from "../base/suggestion.ts";
import type { EngineChoice } from "../engine/choose.ts";
import { readCount, readDurationMs } from "./quantities.ts";
import { readTarget, type Target } from "./target.ts";

/** What a run does; plain values, nothing opened yet. */
export interface LoadConfiguration {
  readonly target: Target;
  readonly connections: number;
  readonly durationMs: number;
  readonly warmupMs: number;
  /** Requests per second over all connections; 0 is a closed loop. */
  readonly ratePerSecond: number;
  /** Requests in flight on one connection. */
  readonly pipeline: number;
  readonly method: string;
  /** Field lines in the order given, without those that hp-bench writes itself. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  readonly engine: EngineChoice;
  /** Where the raw result goes: a path, "-" for standard output, "" for nowhere. */
  readonly jsonPath: string;
  readonly svgPath: string;
}

export type ParsedCommandLine =
  | { readonly kind: "run"; readonly configuration: LoadConfiguration }
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "errors"; readonly errors: readonly string[] };

interface OptionRow {
  readonly value: string;
  readonly short?: string;
  readonly help: string;
}

const OPTIONS: Record<string, OptionRow> = {
  connections: { value: "N", short: "c", help: "connections kept busy (default 50)" },
  duration: { value: "TIME", short: "d", help: "how long to measure: 10, 10s, 2m (default 10s)" },
  rate: {
    value: "N",
    short: "r",
    help: "open loop: N requests a second in all (5000, 5k); default: closed loop",
  },
  pipeline: { value: "N", short: "p", help: "most requests in flight on each connection (default 1)" },
  warmup: { value: "TIME", short: "w", help: "load before the measurement begins, not counted (default 0)" },
  timeout: { value: "TIME", short: "t", help: "longest wait for a connection or an answer (default 10s)" },
  method: { value: "METHOD", short: "m", help: "request method (default GET; POST with --body-file)" },
  header: { value: "'NAME: VALUE'", short: "H", help: "request header field; repeatable" },
  "body-file": { value: "PATH", short: "b", help: "send this file as the body of every request" },
  engine: { value: "ENGINE", short: "e", help: "auto, uring, epoll or net (default auto)" },
  json: { value: "PATH", help: "write the raw result as JSON; - is standard output" },
  svg: { value: "PATH", help: "write a latency plot" },
  help: { value: "", short: "h", help: "show this text" },
  version: { value: "", help: "show the version" },
};

const CONNECTIONS_MAX = 60_000;
const PIPELINE_MAX = 1024;
const BODY_BYTES_MAX = 256 * 1024 * 1024;
const RATE_MAX = 10_000_000;
const DAY_MS = 86_400_000;
const ENGINES: readonly string[] = ["auto", "uring", "epoll", "net"];
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// Field values without control characters, obs-text included (RFC 9110 §5.5).
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Reads the arguments after the program's name. */
export function parseCommandLine(argv: readonly string[]): ParsedCommandLine {
  const errors: string[] = [];
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokensOf(argv)) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const row = Object.hasOwn(OPTIONS, token.name) ? OPTIONS[token.name] : undefined;
    if (row === undefined) errors.push(unknownOption(token.rawName));
    else if (row.value === "" && token.value !== undefined) errors.push(`${token.rawName}: takes no value`);
    else if (row.value !== "" && token.value === undefined) {
      errors.push(`${token.rawName}: needs a value; write --${token.name} ${row.value}`);
    } else values.set(token.name, [...(values.get(token.name) ?? []), token.value ?? ""]);
  }
  if (values.has("help")) return { kind: "help" };
  if (values.has("version")) return { kind: "version" };
  const configuration = new Reader(values, positionals, errors).read();
  return errors.length > 0 || configuration === undefined
    ? { kind: "errors", errors }
    : { kind: "run", configuration };
}

/** The text of `--help`. */
export function helpText(): string {
  const rows = Object.entries(OPTIONS).map(([name, row]) => {
    const short = row.short === undefined ? "    " : `-${row.short}, `;
    return [`  ${short}--${name} ${row.value}`.trimEnd(), row.help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return `hp-bench: HTTP load generator with honest latencies

Usage
  hp-bench TARGET [CONNECTIONS [SECONDS]] [options]

TARGET is 127.0.0.1:8080, http://host:port/path, unix:/socket or unix:/socket:/path.

Options
${rows.map(([left, help]) => left.padEnd(width) + help).join("\n")}

A closed loop sends the next request when an answer is there: it finds the highest
throughput, and its latencies are those of a saturated server. An open loop (--rate)
sends on a fixed schedule and counts latency from the moment a request was due, so
that a stall shows in every request it held up.

Exit status: 0; 1 when no response was successful (2xx or 3xx) or an argument is wrong.

Examples
  hp-bench 127.0.0.1:8080 100 10
  hp-bench http://127.0.0.1:8080/api --rate 5k --duration 30s --warmup 2s --svg plot.svg
  hp-bench 127.0.0.1:8080 --body-file body.json -H 'Content-Type: application/json'
`;
}

type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];

function tokensOf(argv: readonly string[]): readonly Token[] {
  const options = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, row]) => [
      name,
      {
        type: row.value === "" ? ("boolean" as const) : ("string" as const),
        ...(row.short === undefined ? {} : { short: row.short }),
      },
    ]),
  );
  return parseArgs({ args: [...argv], options, strict: false, tokens: true }).tokens;
}

function unknownOption(rawName: string): string {
  const name = rawName.replace(/^-+/, "");
  const near = nearest(name, Object.keys(OPTIONS));
  const remedy = near === "" ? "hp-bench --help lists all options" : `did you mean --${near}?`;
  return `${rawName}: unknown option; ${remedy}`;
}

class Reader {
  readonly #values: Map<string, string[]>;
  readonly #positionals: readonly string[];
  readonly #errors: string[];

  constructor(values: Map<string, string[]>, positionals: readonly string[], errors: string[]) {
    this.#values = values;
    this.#positionals = positionals;
    this.#errors = errors;
  }

  /** The configuration, or undefined after at least one more error. */
  read(): LoadConfiguration | undefined {
    const [targetText, connectionsText, secondsText, ...more] = this.#positionals;
    for (const extra of more)
      this.#errors.push(`"${extra}": one argument too many; quote what belongs together`);
    this.#adopt("connections", connectionsText);
    this.#adopt("duration", secondsText);
    const target = this.#target(targetText);
    const body = this.#body();
    const fields = this.#fields();
    const pipeline = this.#count("pipeline", 1, 1, PIPELINE_MAX);
    if (pipeline > 1 && fields.some(([name, value]) => isConnectionClose(name, value))) {
      this.#errors.push(`--pipeline: cannot be more than 1 with "Connection: close"; remove one of the two`);
    }
    const configuration = {
      connections: this.#count("connections", 50, 1, CONNECTIONS_MAX),
      durationMs: this.#duration("duration", 10_000, 1, DAY_MS),
      warmupMs: this.#duration("warmup", 0, 0, DAY_MS),
      ratePerSecond: this.#values.has("rate") ? this.#count("rate", 0, 1, RATE_MAX) : 0,
      pipeline,
      method: this.#method(body.length > 0),
      fields,
      body,
      timeoutMs: this.#duration("timeout", 10_000, 1, DAY_MS),
      engine: this.#engine(),
      jsonPath: this.#last("json") ?? "",
      svgPath: this.#last("svg") ?? "",
    };
    return target === undefined ? undefined : { target, ...configuration };
  }

  #last(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** Takes a positional argument as the value of `--name`. */
  #adopt(name: string, text: string | undefined): void {
    if (text === undefined) return;
    if (this.#values.has(name)) {
      this.#errors.push(`"${text}" and --${name}: both give the ${name}; keep one of them`);
    } else this.#values.set(name, [text]);
  }

  #target(text: string | undefined): Target | undefined {
    if (text === undefined) {
      this.#errors.push("TARGET: is missing; write hp-bench 127.0.0.1:8080");
      return undefined;
    }
    const target = readTarget(text);
    if (typeof target !== "string") return target;
    this.#errors.push(`TARGET: "${text}" ${target}`);
    return undefined;
  }

  #count(name: string, preset: number, min: number, max: number): number {
    const text = this.#last(name);
    if (text === undefined) return preset;
    const value = readCount(text);
    const whole = name === "rate" || Number.isInteger(value);
    if (whole && value >= min && value <= max) return value;
    this.#errors.push(
      `--${name}: "${text}" is not a number from ${min} to ${max}; write --${name} ${preset || 5000}`,
    );
    return preset;
  }

  #duration(name: string, presetMs: number, minMs: number, maxMs: number): number {
    const text = this.#last(name);
    if (text === undefined) return presetMs;
    const ms = readDurationMs(text);
    if (ms >= minMs && ms <= maxMs) return ms;
    this.#errors.push(`--${name}: "${text}" is not a time up to 24h; write 10, 10s, 250ms or 2m`);
    return presetMs;
  }

  #method(hasBody: boolean): string {
    const method = this.#last("method") ?? (hasBody ? "POST" : "GET");
    if (!TOKEN.test(method))
      this.#errors.push(`--method: "${method}" is not a method name; write GET or POST`);
    if (method === "CONNECT")
      this.#errors.push("--method: CONNECT opens a tunnel and has no response to measure; write GET");
    return method;
  }

  #fields(): [string, string][] {
    const fields: [string, string][] = [];
    for (const text of this.#values.get("header") ?? []) {
      const colon = text.indexOf(":");
      const name = text.slice(0, Math.max(colon, 0));
      const value = text.slice(colon + 1).trim();
      if (!TOKEN.test(name) || !FIELD_VALUE.test(value)) {
        this.#errors.push(`--header: "${text}" is not a header field; write --header 'Name: value'`);
      } else if (/^(content-length|transfer-encoding)$/i.test(name)) {
        this.#errors.push(`--header: ${name} follows from --body-file; leave it out`);
      } else if (/^(upgrade|expect)$/i.test(name)) {
        this.#errors.push(
          `--header: ${name} asks for another conversation than request and response; leave it out`,
        );
      } else fields.push([name, value]);
    }
    return fields;
  }

  #body(): Uint8Array {
    const path = this.#last("body-file");
    if (path === undefined) return new Uint8Array(0);
    try {
      const body = readFileSync(path);
      if (body.length <= BODY_BYTES_MAX) return body;
      this.#errors.push(
        `--body-file: "${path}" has ${body.length} bytes; at most ${BODY_BYTES_MAX} can be sent`,
      );
    } catch (error) {
      this.#errors.push(
        `--body-file: "${path}" cannot be read (${(error as NodeJS.ErrnoException).code}); check the path`,
      );
    }
    return new Uint8Array(0);
  }

  #engine(): EngineChoice {
    const text = this.#last("engine") ?? "auto";
    if (ENGINES.includes(text)) return text as EngineChoice;
    this.#errors.push(`--engine: "${text}" is not an engine; write auto, uring, epoll or net`);
    return "auto";
  }
}

/** Whether this field line ends the connection after the response (RFC 9112 §9.6). */
export function isConnectionClose(name: string, value: string): boolean {
  return (
    /^connection$/i.test(name) && value.split(",").some((option) => option.trim().toLowerCase() === "close")
  );
}
