/**
 * Reads a group of keys part by part. Whatever is wrong in it is told at once, and each of it where it is written:
 * a part that is wrong counts as one that is left out, and the rest is read all the same.
 */
import { nearest } from "../base/suggestion.ts";
import type { Path } from "./located.ts";
import { Problem } from "./values.ts";

/** A map as people write it. */
export type Plain = Readonly<Record<string, unknown>>;

export function isMap(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Number, boolean or text as text; undefined for anything else. */
export function scalar(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** The reason of what must be written and is not. */
export const MISSING = "is missing";

/** What is wrong with one part of a group. */
export interface PartProblem {
  /** From the group down. */
  readonly path: Path;
  readonly reason: string;
  readonly remedy: string;
  /** The key is wrong, not what stands under it. */
  readonly isKey: boolean;
  /** Of an unknown key: the one that was probably meant. */
  readonly meant?: string;
  /** What is wrong within the text at `path`, where that is not all of it. */
  readonly written?: unknown;
}

/** Everything that is wrong in a group; reason and remedy are those of the first part. */
export class GroupProblem extends Problem {
  readonly parts: readonly PartProblem[];

  /** `parts` is not empty. */
  constructor(parts: readonly PartProblem[]) {
    super(parts[0]!.reason, parts[0]!.remedy);
    this.parts = parts;
  }
}

/** A group that is being read. */
export class Parts {
  readonly map: Plain;
  /** The key that `written` is the value of, where it is no map. */
  readonly #short: string | undefined;
  readonly #problems: PartProblem[] = [];

  /** `known`: all keys that it may have; null: any. `short`: the key that stands for the whole where alone. */
  constructor(written: unknown, known: readonly string[] | null, short?: string) {
    this.#short = isMap(written) ? undefined : short;
    if (isMap(written)) this.map = written;
    else this.map = short === undefined ? {} : { [short]: written };
    for (const key of Object.keys(this.map)) {
      if (known === null || known.includes(key)) continue;
      const near = nearest(key, known);
      const remedy = near === "" ? `write one of ${known.join(", ")}` : `did you mean ${near}?`;
      const problem = { path: [key], reason: "is not a key of a configuration", remedy, isKey: true };
      this.#problems.push(near === "" ? problem : { ...problem, meant: near });
    }
  }

  /** Nothing was wrong so far. */
  get isGood(): boolean {
    return this.#problems.length === 0;
  }

  refuse(path: Path, reason: string, remedy: string, more: { isKey?: true; written?: unknown } = {}): void {
    const whole = this.#short !== undefined && path[0] === this.#short;
    this.#problems.push({ isKey: false, path: whole ? path.slice(1) : path, reason, remedy, ...more });
  }

  /** `value`; undefined, and told of, where it is a problem with what is at `path`. */
  take<T>(path: Path, value: T | Problem): T | undefined {
    if (!(value instanceof Problem)) return value;
    if (!(value instanceof GroupProblem)) this.refuse(path, value.reason, value.remedy);
    else for (const part of value.parts) this.#problems.push({ ...part, path: [...path, ...part.path] });
    return undefined;
  }

  /** What `read` makes of the text at `key`; of `initial`, which it can read, where there is none or a wrong one. */
  read<T>(key: string, initial: string, read: (text: string) => T | Problem): T {
    return this.optional(key, read) ?? (read(initial) as T);
  }

  /** As `read`; undefined where there is no text or a wrong one. */
  optional<T>(key: string, read: (text: string) => T | Problem): T | undefined {
    const written = this.map[key];
    return written === undefined ? undefined : this.take([key], read(String(written)));
  }

  /**
   * The good items of the list at `key`, or of its text with commas; `initial` where there is neither.
   * `isFilled`: it may not be empty.
   */
  list<T>(
    key: string,
    initial: readonly string[],
    example: string,
    read: (text: string) => T | Problem,
    isFilled = false,
  ): T[] {
    const written = this.map[key] ?? initial;
    const items: unknown = typeof written === "string" ? written.split(",") : written;
    if (!Array.isArray(items)) {
      this.refuse([key], "is not a list", `write one, like ${example}`);
      return [];
    }
    if (isFilled && items.every((item) => item === ""))
      this.refuse([key], "is empty", `write a list, like ${example}`);
    return items.flatMap((item: unknown, index) => {
      const text = scalar(item)?.trim();
      if (text === "") return [];
      const value =
        text === undefined ? new Problem("is not a text", `write texts, like ${example}`) : read(text);
      if (!(value instanceof Problem)) return [value];
      const path = Array.isArray(written) ? [key, index] : [key];
      this.refuse(path, value.reason, value.remedy, { written: item });
      return [];
    });
  }

  /** `value`, unless something was wrong. */
  result<T>(value: T): T | Problem {
    return this.isGood ? value : new GroupProblem(this.#problems);
  }
}

/** A switch as texts say it. */
export function readOnOff(text: string): boolean | Problem {
  if (text === "on" || text === "true") return true;
  return text === "off" || text === "false" ? false : new Problem("is not a choice", "write on or off");
}
