/** What differs between two configurations, key by key, as people wrote them. */
import type { ConfigError } from "../config/config-error.ts";
import { effective, shownData } from "../config/print-config.ts";
import type { ReadConfiguration } from "./read-configuration.ts";

/** One key. `before` or `after` is undefined where the key is only in the other. */
export interface Change {
  /** `timeouts.connect`, `clusters.api.backends`. */
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** What a running proxy cannot become. */
const FIXED: readonly string[] = ["mode", "engine", "affinity", "control", "log.format"];

/** All keys with another value, defaults included, in the order of the schema. */
export function changesBetween(before: ReadConfiguration, after: ReadConfiguration): Change[] {
  const old = new Map(leaves(shownData(effective(before.written, before.document)), ""));
  const now = new Map(leaves(shownData(effective(after.written, after.document)), ""));
  return [...new Set([...old.keys(), ...now.keys()])]
    .map((path) => ({ path, before: old.get(path), after: now.get(path) }))
    .filter((change) => change.before !== change.after);
}

/** `timeouts.connect: 3s → 5s`; `clusters.api.backends: added, 127.0.0.1:3001`. */
export function changeText({ path, before, after }: Change): string {
  // Hashes are nobody's to read.
  if (path.includes("basicAuth.users.")) {
    const isThere = before === undefined ? "added" : "changed";
    return `${path}: ${after === undefined ? "removed" : isThere}`;
  }
  if (before === undefined) return `${path}: added, ${after}`;
  return after === undefined ? `${path}: removed, was ${before}` : `${path}: ${before} → ${after}`;
}

/** How a new process of the command takes the place of this one. */
export const UPGRADE = "start one with hp-proxy upgrade";

/** Errors for all of `changes` that only a new proxy can follow; `remedy` says how to get one. */
export function restartErrors(changes: readonly Change[], remedy: string): ConfigError[] {
  return changes
    .filter(({ path }) => FIXED.includes(path))
    .map(({ path, before, after }) => ({
      source: path,
      path: "",
      ...(after === undefined ? {} : { value: after }),
      reason: `was ${before ?? "not set"} when this proxy began, which only a new one can change`,
      remedy: `${remedy}, or put the old value back`,
    }));
}

/** Every value with its path; a list of values is one. */
function leaves(data: unknown, path: string): [string, string][] {
  if (typeof data !== "object" || data === null) return [[path, String(data)]];
  if (!Array.isArray(data))
    return Object.entries(data).flatMap(([name, value]) =>
      leaves(value, path === "" ? name : `${path}.${name}`),
    );
  if (!data.some(isRecord)) return [[path, data.map(String).join(", ")]];
  return data.flatMap((item: unknown, index) => leaves(item, `${path}[${nameOf(item) ?? index}]`));
}

function isRecord(item: unknown): item is Readonly<Record<string, unknown>> {
  return typeof item === "object" && item !== null;
}

/** What tells an item of a list from others wherever it stands; undefined: only where it stands. */
export function nameOf(item: unknown): string | undefined {
  if (!isRecord(item)) return undefined;
  const name = item.name ?? item.address;
  return typeof name === "string" ? name : undefined;
}
