/**
 * Objects of hooks in a configuration, as plain data: where they are, which functions they have, and what is wrong with
 * them. Functions themselves cross neither threads nor processes; workers find them again by file and path.
 */
import { nearest } from "../base/suggestion.ts";
import type { CodeLink } from "../contract/hooking.ts";
import { errorText } from "../hooks/error-text.ts";
import { HOOK_MOMENTS } from "../hooks/hook-chain.ts";
import { orList } from "./kinds.ts";
import { Problem, readDurationMs } from "./values.ts";

/** A `CodeLink`, and of what it was made. */
export interface FoundHooks {
  readonly link: CodeLink;
  /** Of the code: another one where a file of it has changed; "" where it is in no file. */
  readonly digest: string;
}

const DEFAULT_BUDGET_MS = 5;
const DEFAULT_TIMEOUT_MS = 1_000;
const DAY_MS = 86_400_000;
const FUNCTIONS = Object.keys(HOOK_MOMENTS);
const SETTINGS = ["budget", "timeout", "onFailure"];
const KNOWN = [...FUNCTIONS, ...SETTINGS];

/** What is wrong with one key of an object; "": with all of it. */
export interface HookProblem {
  readonly key: string;
  readonly value?: string;
  readonly reason: string;
  readonly remedy: string;
}

/** What is said of an object of hooks. */
export interface HookDescription {
  readonly link: CodeLink;
  readonly problems: readonly HookProblem[];
}

/** Reads an object of hooks that is at `source`; its functions may be those of a class. */
export function describeHooks(
  hooks: Readonly<Record<string, unknown>>,
  source: CodeLink["source"],
): HookDescription {
  try {
    return described(hooks, source);
  } catch (error) {
    // It may have getters.
    const problem = { key: "", reason: `cannot be read: ${errorText(error)}`, remedy: "correct the code" };
    return { link: linkOf(source, 0), problems: [problem] };
  }
}

function described(hooks: Readonly<Record<string, unknown>>, source: CodeLink["source"]): HookDescription {
  const problems: HookProblem[] = [];
  let moments = 0;
  const isInstance = ![Object.prototype, null].includes(Object.getPrototypeOf(hooks) as null);
  for (const key of new Set([...Object.keys(hooks), ...FUNCTIONS])) {
    const value = hooks[key];
    if (value === undefined || SETTINGS.includes(key)) continue;
    if (!FUNCTIONS.includes(key)) {
      // Instances have more than their hooks.
      if (isInstance) continue;
      const near = nearest(key, KNOWN);
      const remedy = near === "" ? `there are ${orList(KNOWN)}` : `did you mean ${near}?`;
      problems.push({ key, reason: "is no hook", remedy });
    } else if (typeof value !== "function") {
      problems.push({ key, reason: "is not a function", remedy: `write ${key}(…) { … }` });
    } else moments |= HOOK_MOMENTS[key as keyof typeof HOOK_MOMENTS];
  }
  if (moments === 0 && problems.length === 0)
    problems.push({ key: "", reason: "has no hooks", remedy: `write a function ${orList(FUNCTIONS)}` });
  const read = (key: string, initial: number) => {
    if (hooks[key] === undefined) return initial;
    const ms = readDurationMs(String(hooks[key]), 1, DAY_MS);
    if (!(ms instanceof Problem)) return ms;
    problems.push({ key, value: String(hooks[key]), reason: ms.reason, remedy: ms.remedy });
    return initial;
  };
  const budgetMs = read("budget", DEFAULT_BUDGET_MS);
  const timeoutMs = read("timeout", DEFAULT_TIMEOUT_MS);
  const { onFailure = "closed" } = hooks;
  if (onFailure !== "open" && onFailure !== "closed")
    problems.push({
      key: "onFailure",
      value: String(onFailure),
      reason: "is not a choice",
      remedy: "write open or closed",
    });
  const policy = onFailure === "open" ? "open" : "closed";
  return { link: { ...linkOf(source, moments), budgetMs, timeoutMs, onFailure: policy }, problems };
}

function linkOf(source: CodeLink["source"], moments: number): CodeLink {
  const [budgetMs, timeoutMs] = [DEFAULT_BUDGET_MS, DEFAULT_TIMEOUT_MS];
  return { kind: "code", source, moments, budgetMs, timeoutMs, onFailure: "closed" };
}

/** Whether `value` is what stands in a configuration in place of an object of hooks. */
export function isFoundHooks(value: unknown): value is FoundHooks {
  return typeof value === "object" && value !== null && "link" in value && "digest" in value;
}

/** How it can be written in any file: `/etc/hp-proxy/auth.hooks.ts`, `…/hp-proxy.config.ts#routes.0.hooks`. */
export function hooksText({ link: { source } }: FoundHooks): string {
  if ("given" in source) return `given ${source.given}`;
  return source.path.length === 0 ? source.file : `${source.file}#${source.path.join(".")}`;
}

/** The names of the functions of a link: `onRequest, onLog`. */
export function functionNames({ moments }: CodeLink): string[] {
  return Object.entries(HOOK_MOMENTS).flatMap(([name, moment]) => ((moments & moment) === 0 ? [] : [name]));
}
