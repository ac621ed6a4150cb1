/**
 * Locations of a server in the order in which nginx asks them, flat.
 *
 * nginx takes an exact location first. Then it finds the longest prefix; unless that says `^~`, regular
 * expressions come before it, in the order of the file.
 */
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import { literalRegex } from "./nginx-values.ts";
import type { Scope } from "./scope.ts";

export interface Location {
  readonly kind: "exact" | "prefix" | "regex";
  /** Decoded path, or regular expression as written. */
  readonly text: string;
  /** `^~`: no regular expression comes before it. */
  readonly isFirm: boolean;
  /** `~*` */
  readonly foldsCase: boolean;
  readonly scope: Scope;
  readonly directive: Directive;
  /** Of a regular expression within a prefix: that. */
  readonly within: string;
}

/** Every location of `server`, nested ones too, without those that only have a name. */
export function flatLocations(server: Scope, findings: Findings): Location[] {
  const all: Location[] = [];
  collect(server, "", all, findings);
  return all;
}

function collect(scope: Scope, within: string, all: Location[], findings: Findings): void {
  for (const directive of scope.own("location")) {
    const { modifier, text } = readWords(directive.words);
    if (text.startsWith("@")) continue;
    const isRegex = modifier === "~" || modifier === "~*";
    if (!isRegex && !text.startsWith("/")) {
      findings.warn(directive, "is about no path and is left out");
      continue;
    }
    const inner = scope.inner(directive);
    all.push({
      kind: isRegex ? "regex" : modifier === "=" ? "exact" : "prefix",
      text,
      isFirm: modifier === "^~",
      foldsCase: modifier === "~*",
      scope: inner,
      directive,
      within: isRegex ? within : "",
    });
    const nested = inner.own("location");
    if (isRegex && nested.length > 0)
      findings.warn(nested[0]!, "locations within regular expressions are left out");
    else collect(inner, text, all, findings);
  }
}

/** The modifier may stand right before the path. */
function readWords(words: readonly string[]): { modifier: string; text: string } {
  const [first = "", second] = words;
  if (second !== undefined) return { modifier: first, text: second };
  const [, modifier = "", text = ""] = /^(=|\^~|~\*|~)?(.*)$/s.exec(first) ?? [];
  return { modifier, text };
}

/** The location whose exact text or longest prefix is that of `path`, regular expressions aside. */
export function locationOf(locations: readonly Location[], path: string): Location | undefined {
  const exact = locations.find(({ kind, text }) => kind === "exact" && text === path);
  if (exact !== undefined) return exact;
  return longestFirst(locations).find(({ text }) => path.startsWith(text));
}

/** Prefixes, the longest first. */
export function longestFirst(locations: readonly Location[]): Location[] {
  return locations.filter(({ kind }) => kind === "prefix").sort((a, b) => b.text.length - a.text.length);
}

/** Regular expressions: those within the longest prefix first, then in the order of the file. */
export function regexesInOrder(locations: readonly Location[]): Location[] {
  const all = locations.filter(({ kind }) => kind === "regex");
  return all.sort((a, b) => b.within.length - a.within.length);
}

/** Where nginx would ask a regular expression, and routes would not: `^~` around a prefix that says nothing. */
export function warnOfOrder(locations: readonly Location[], findings: Findings): void {
  const regexes = locations.filter(({ kind }) => kind === "regex");
  if (regexes.length === 0) return;
  const prefixes = longestFirst(locations);
  for (const inner of prefixes) {
    const around = prefixes.find((each) => each !== inner && each.isFirm && inner.text.startsWith(each.text));
    if (!inner.isFirm && around !== undefined && inner.text.length > around.text.length)
      findings.warn(
        inner.directive,
        `lies within ^~ ${around.text}: regular expressions do not come before it here`,
      );
  }
  for (const regex of regexes.filter(({ within }) => within !== "")) {
    const longer = prefixes.find(
      ({ text }) => text.startsWith(regex.within) && text.length > regex.within.length,
    );
    if (longer !== undefined && regex.within !== "/")
      findings.warn(
        regex.directive,
        `comes before location ${longer.text} here, which is longer than the one around it`,
      );
  }
}

/** A prefix of nginx, which need not end at a slash, as a regular expression. */
export function prefixRegex(text: string, tail: string): string {
  return `${literalRegex(text)}${tail}`;
}
