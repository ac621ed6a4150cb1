/**
 * The kinds of values that a configuration has (times, sizes, numbers, words, lists), as zod schemas.
 *
 * Strategy: every value is read by the same function wherever it is written, so that a flag's text, a line of
 * YAML and a property of a TypeScript object are equal; a default is a text that a user could have written.
 * Each schema has its description beside it: help, manual and the editors' JSON Schema are made of it.
 */
import * as z from "zod";
import type { Path } from "./located.ts";
import { GroupProblem, MISSING, type PartProblem } from "./parts.ts";
import { bytesText, durationText, Problem, readBytes, readDurationMs, readInteger } from "./values.ts";

/** What people read about a key. */
export interface KeyText {
  /** Heading in the help. */
  readonly group: string;
  /** Name of its flag in camel case: `poolSize` is `--pool-size` and `HP_PROXY_POOL_SIZE`. */
  readonly flag?: string;
  /** Placeholder of the value: `TIME`, `http|tcp`. */
  readonly value: string;
  readonly text: string;
  /** What goes wrong with a bad choice; "" where nothing is known to. */
  readonly danger: string;
  /** What stands where nothing is written. */
  readonly initial?: string;
  /** A list: the flag may be given several times, and takes commas. */
  readonly list?: true;
  /** The value in JSON Schema. */
  readonly json: JsonSchema;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

/** `KeyText` without what the kind knows by itself. */
export type KeyWords = Pick<KeyText, "group" | "flag" | "text" | "danger">;

/** The texts of each key's schema. */
export const keyTexts = new WeakMap<object, KeyText>();

/** What people write. */
export type Duration = `${number}${"ms" | "s" | "m" | "h"}` | "0" | 0;
export type Size = number | `${number}${"" | "B" | "KiB" | "MiB" | "GiB"}`;
export type Count = number | `${number}`;
export type TextList<Item extends string = string> = Item | readonly Item[];

/**
 * A schema for whatever `read` can read; what `read` refuses becomes an issue with `params`. What is secret is not
 * told in messages.
 */
export function kind<In, Out>(read: (value: unknown) => Out | Problem, isSecret = false) {
  return z.custom<In>().transform((value, context): Out => {
    const result = read(value);
    if (!(result instanceof Problem)) return result;
    if (!(result instanceof GroupProblem))
      context.addIssue(problemIssue(result, isSecret ? undefined : value));
    else for (const part of result.parts) context.addIssue(partIssue(part, value, isSecret));
    return z.NEVER;
  });
}

/** Remedy and value of a `Problem`, as an issue of zod carries them. */
export interface ProblemParams {
  readonly remedy: string;
  /** What is written there; undefined where nothing is. */
  readonly written: string | undefined;
  /** It is about the key, not about what stands under it. */
  readonly isKey?: boolean;
  /** Of an unknown key: the one that was probably meant. */
  readonly meant?: string | undefined;
}

function problemIssue({ reason, remedy }: Problem, value: unknown, path: (string | number)[] = []) {
  const params: ProblemParams = { remedy, written: writtenText(value) };
  return { code: "custom" as const, message: reason, path, params: { ...params } };
}

/** As an issue of zod, whose path goes on from that of `group`. */
function partIssue(part: PartProblem, group: unknown, isSecret: boolean) {
  const { path, reason, remedy, isKey, meant } = part;
  const written = isKey || isSecret ? undefined : writtenText(part.written ?? partAt(group, path));
  const params: ProblemParams = { remedy, written, isKey, meant };
  return { code: "custom" as const, message: reason, path: [...path], params: { ...params } };
}

function partAt(group: unknown, path: Path): unknown {
  let part = group;
  for (const step of path) {
    if (typeof part !== "object" || part === null) return undefined;
    part = (part as Record<string | number, unknown>)[step];
  }
  return part;
}

/** A value as people see it in a message. */
export function writtenText(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return "an object";
  }
}

/** Numbers and texts alike; undefined for anything else. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : undefined;
}

function text<T>(read: (text: string) => T | Problem, otherwise: Problem): (value: unknown) => T | Problem {
  return (value) => {
    const written = textOf(value);
    if (value === undefined) return new Problem(MISSING, otherwise.remedy);
    return written === undefined ? otherwise : read(written);
  };
}

const DAY_MS = 86_400_000;

export function duration(words: KeyWords, initialMs: number, min = 1, max = DAY_MS) {
  const refused = new Problem("is not a duration", "write a number with ms, s, m or h, like 500ms or 30s");
  const schema = kind<Duration, number>(text((written) => readDurationMs(written, min, max), refused));
  const initial = durationText(initialMs);
  const pattern = "^(\\d+(\\.\\d+)?(ms|s|m|h)|0)$";
  const json = { anyOf: [{ type: "string", pattern: orVariable(pattern) }, { const: 0 }] };
  return { schema, words: { ...words, value: "TIME", initial, json } };
}

/** A duration that may also be 0: never. */
export function durationOrNever(words: KeyWords, initialMs: number, min: number, max = DAY_MS) {
  const refused = new Problem("is not a duration", "write a number with s, m or h, like 30s; 0: never");
  const read = (written: string): number | Problem => {
    const ms = readDurationMs(written, 0, max);
    if (ms === 0 || (typeof ms === "number" && ms >= min)) return ms;
    return ms instanceof Problem && ms.reason !== "is out of range"
      ? ms
      : new Problem(
          "is out of range",
          `write something from ${durationText(min)} to ${durationText(max)}, or 0: never`,
        );
  };
  return { schema: kind<Duration, number>(text(read, refused)), words: duration(words, initialMs).words };
}

export function bytes(words: KeyWords, initialBytes: number | undefined, min: number, max: number) {
  const refused = new Problem(
    "is not a size",
    "write a number of bytes, or one with KiB, MiB or GiB, like 64KiB",
  );
  const schema = kind<Size, number>(text((written) => readBytes(written, min, max), refused));
  const pattern = "^\\d+(B|KiB|MiB|GiB)?$";
  const json = {
    anyOf: [
      { type: "integer", minimum: min, maximum: max },
      { type: "string", pattern: orVariable(pattern) },
    ],
  };
  const common = { ...words, value: "SIZE", json };
  return {
    schema,
    words: initialBytes === undefined ? common : { ...common, initial: bytesText(initialBytes) },
  };
}

export function integer(words: KeyWords, initialCount: number | undefined, min: number, max: number) {
  const refused = new Problem("is not a whole number", `write a number from ${min} to ${max}`);
  const schema = kind<Count, number>(text((written) => readInteger(written, min, max), refused));
  const json = {
    anyOf: [
      { type: "integer", minimum: min, maximum: max },
      { type: "string", pattern: orVariable("^\\d+$") },
    ],
  };
  const common = { ...words, value: "N", json };
  return { schema, words: initialCount === undefined ? common : { ...common, initial: `${initialCount}` } };
}

export function choice<const T extends readonly string[]>(words: KeyWords, initial: T[number], choices: T) {
  const refused = new Problem("is not a choice", `write ${orList(choices)}`);
  const find = (written: string): T[number] | Problem => choices.find((word) => word === written) ?? refused;
  const schema = kind<T[number], T[number]>(text(find, refused));
  const json = { anyOf: [{ enum: [...choices] }, { type: "string", pattern: VARIABLE }] };
  return { schema, words: { ...words, value: choices.join("|"), initial, json } };
}

/** Written `true` and `false`, or `on` and `off`. */
export function onOff(words: KeyWords, initial: boolean) {
  const refused = new Problem("is not a choice", "write on or off");
  const schema = kind<boolean | "on" | "off", boolean>((value) => {
    if (value === true || value === "on" || value === "true") return true;
    return value === false || value === "off" || value === "false" ? false : refused;
  });
  const json = {
    anyOf: [{ type: "boolean" }, { enum: ["on", "off"] }, { type: "string", pattern: VARIABLE }],
  };
  return { schema, words: { ...words, value: "on|off", initial: initial ? "on" : "off", json } };
}

/** A text that `read` understands. */
export function word<T>(
  words: KeyWords & { value: string; initial?: string },
  read: (text: string) => T | Problem,
) {
  const schema = kind<string, T>(text(read, new Problem("is not a text", "write a text")));
  return { schema, words: { ...words, json: { type: "string" } } };
}

/** A list of what `read` understands; one text with commas is a list as well. */
export function list<T, Item extends string = string>(
  words: KeyWords & { value: string },
  read: (text: string) => T | Problem,
  items: JsonSchema = { type: "string" },
) {
  const readItem = text(read, new Problem("is not a text", "write a text"));
  const schema = z.custom<TextList<Item>>().transform((value, context): T[] => {
    const written: unknown = typeof value === "string" ? splitList(value) : value;
    if (!Array.isArray(written)) {
      const reason = value === undefined ? MISSING : "is not a list";
      context.addIssue(problemIssue(new Problem(reason, "write [a, b] or one text with commas"), value));
      return z.NEVER;
    }
    return written.flatMap((item: unknown, index) => {
      const result = readItem(item);
      if (!(result instanceof Problem)) return [result];
      context.addIssue(problemIssue(result, item, [index]));
      return [];
    });
  });
  const json = { anyOf: [{ type: "array", items }, { type: "string" }] };
  return { schema, words: { ...words, list: true as const, json } };
}

/** The parts of a text with commas; empty ones do not count. */
export function splitList(written: string): string[] {
  return written.split(",").filter((part) => part.trim() !== "");
}

/** A key that has a value in any case: `initial`, or an empty list, where nothing is written. */
export function filled<S extends z.ZodType>({ schema, words }: { schema: S; words: KeyText }) {
  const initial = words.list === true ? [] : words.initial;
  return described(schema.prefault(initial as never), words);
}

/** A key that must be written. */
export function required<S extends z.ZodType>({ schema, words }: { schema: S; words: KeyText }) {
  return described(schema, words);
}

/** A key that may be left out; `words.initial` only tells what that means. */
export function open<S extends z.ZodType>({ schema, words }: { schema: S; words: KeyText }) {
  return described(schema.optional(), words);
}

/** `schema`, known to be a key with this text. */
export function described<S extends object>(schema: S, words: KeyText): S {
  keyTexts.set(schema, words);
  return schema;
}

/** The remedy of a choice: `a, b or c`. */
export function orList(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** In files any text may come from a variable. */
const VARIABLE = "\\$\\{";

function orVariable(pattern: string): string {
  return `${pattern}|${VARIABLE}`;
}
