/** `rewrite` of nginx as routes of their own, which stand before the place that they are in. */
import type { Directive } from "./nginx-grammar.ts";
import { literalRegex, literalStart, wholeRegex } from "./nginx-values.ts";

export interface Rewrite {
  readonly directive: Directive;
  /** Regular expression as written, and what takes the place of the path. */
  readonly source: string;
  readonly replacement: string;
  /** 301 or 302: clients are sent there; 0: the backend gets the new path. */
  readonly status: number;
  /** Locations are asked again, with the new path. */
  readonly isLast: boolean;
}

export function readRewrite(directive: Directive): Rewrite {
  const [written = "", replaced = "", flag = ""] = directive.words;
  const isUrl = /^(?:https?:\/\/|\$scheme\b)/.test(replaced);
  const status = flag === "permanent" ? 301 : flag === "redirect" || isUrl ? 302 : 0;
  // A group that takes the slash along would leave a path that begins with a variable.
  const takesSlash = status === 0 && replaced.startsWith("$1") && /^[^()]*\(\/\.\*\)/.test(written);
  return {
    directive,
    source: takesSlash ? written.replace("(/.*)", "/(.*)") : written,
    replacement: takesSlash ? `/${replaced}` : replaced,
    status,
    isLast: flag !== "break",
  };
}

/** Groups of an expression: their number, and names. */
export function groupsOf(source: string): {
  readonly groupCount: number;
  readonly groupNames: readonly string[];
} {
  const plain = source.replaceAll(/\\./g, "").replaceAll(/\[[^\]]*\]/g, "");
  const names = [...plain.matchAll(/\(\?P?<([A-Za-z_]\w*)>/g)].map(([, name]) => name!);
  return { groupCount: [...plain.matchAll(/\((?!\?)/g)].length + names.length, groupNames: names };
}

const ALL = /^\^?(?:\.\*|\(\.\*\))?\$?$/;
const ALL_BUT_SLASH = /^\^\/\(\.\*\)\$?$/;

/**
 * An expression about whole paths that begin with `prefix` and that `source` matches; undefined where that
 * cannot be written.
 */
export function withinPrefix(source: string, prefix: string): string | undefined {
  if (prefix === "/" || literalStart(source)?.startsWith(prefix) === true) return wholeRegex(source, false);
  if (ALL.test(source))
    return source.includes("(") ? `(${literalRegex(prefix)}.*)` : `${literalRegex(prefix)}.*`;
  if (ALL_BUT_SLASH.test(source)) return `/(${literalRegex(prefix.slice(1))}.*)`;
  return undefined;
}

/** The path that takes the place of `prefix` in a rewrite that does only that; undefined for any other. */
export function replacedPrefix(
  { source, replacement, status, isLast }: Rewrite,
  prefix: string,
): string | undefined {
  if (status !== 0 || isLast || !prefix.endsWith("/")) return undefined;
  const plain = source.replaceAll(/\\([/.~-])/g, "$1").replace(/\$$/, "");
  const isOf = [`^${prefix}(.*)`, `^${prefix}?(.*)`].includes(plain);
  const to = /^(\/(?:[\w.~-]+\/)*)\$1$/.exec(replacement)?.[1];
  return isOf ? to : undefined;
}
