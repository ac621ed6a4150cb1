/** Which route a request gets, found the slow way: every route is asked, with texts and V8's own RegExp. */
import type { PathPattern, Route, ValueCondition } from "../../src/contract/routing.ts";

export interface ReferenceRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly fields: readonly (readonly [string, string])[];
}

/** Index of the winner, or -1. */
export function referenceMatch(routes: readonly Route[], request: ReferenceRequest): number {
  let best: { index: number; rank: (number | string)[] } | undefined;
  for (const [index, route] of routes.entries()) {
    if (!conditionsHold(route, request) || !pathMatches(route.path, request.path)) continue;
    for (const host of route.hosts.length === 0 ? [""] : route.hosts) {
      if (!hostMatches(host, request.host)) continue;
      const rank = [...hostRank(host), ...pathRank(routes, host, route.path), -conditions(route), index];
      if (best === undefined || isLess(rank, best.rank)) best = { index, rank };
    }
  }
  return best?.index ?? -1;
}

function isLess(a: readonly (number | string)[], b: readonly (number | string)[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]!;
  return false;
}

function hostMatches(pattern: string, host: string): boolean {
  const name = host
    .toLowerCase()
    .replace(/:\d*$/, "")
    .replace(/(.)\.$/, "$1");
  if (pattern === "") return true;
  return pattern.startsWith("*.")
    ? name.endsWith(pattern.slice(1)) && name.length > pattern.length - 1
    : name === pattern;
}

function hostRank(pattern: string): number[] {
  if (pattern === "") return [2, 0];
  return pattern.startsWith("*.") ? [1, -pattern.length] : [0, 0];
}

function pathMatches({ kind, text }: PathPattern, path: string): boolean {
  switch (kind) {
    case "any":
      return true;
    case "exact":
      return path === text;
    case "prefix":
      return path === text || path.startsWith(`${text}/`);
    case "regex":
      return new RegExp(`^(?:${text})$`, "s").test(path);
    case "template":
      return new RegExp(`^${text.replaceAll(/:\w+/g, "[^/]+").replace(/\*\w+$/, ".*")}$`, "s").test(path);
  }
}

function isOf(host: string, hosts: readonly string[]): boolean {
  return host === "" ? hosts.length === 0 : hosts.includes(host);
}

/** Every path in one comparable row: kind, and what counts within it. */
function pathRank(routes: readonly Route[], host: string, { kind, text }: PathPattern): (number | string)[] {
  const parts = text.split("/").slice(1);
  const literals = parts.filter((part) => !/^[:*]/.test(part));
  const kinds = parts.map((part) => (part.startsWith(":") ? 1 : part.startsWith("*") ? 2 : 0)).join("");
  switch (kind) {
    case "exact":
      return [0, 0, 0, 0, ""];
    case "template":
      return [1, -literals.length, /\/\*\w+$/.test(text) ? 1 : 0, -parts.length, kinds];
    case "prefix":
      return [2, -text.length, 0, 0, ""];
    case "regex":
      return [3, routes.findIndex(({ path, hosts }) => path.text === text && isOf(host, hosts)), 0, 0, ""];
    case "any":
      return [4, 0, 0, 0, ""];
  }
}

function conditions({ methods, fields, query, cookies }: Route): number {
  return Math.min(1, methods.length) + fields.length + query.length + cookies.length;
}

function conditionsHold({ methods, fields, query, cookies }: Route, request: ReferenceRequest): boolean {
  const cookieText = request.fields
    .filter(([name]) => name.toLowerCase() === "cookie")
    .map(([, value]) => value);
  const pairs = (text: string, separator: string) =>
    text
      .split(separator)
      .map((pair) => pair.trim())
      .map((pair): [string, string] => [
        pair.split("=")[0]!,
        pair.includes("=") ? pair.slice(pair.indexOf("=") + 1) : "",
      ]);
  return (
    (methods.length === 0 || methods.includes(request.method)) &&
    fields.every((condition) =>
      valuesHold(
        condition,
        request.fields.map(([name, value]) => [name.toLowerCase(), value]),
      ),
    ) &&
    query.every((condition) =>
      valuesHold(condition, request.query === "" ? [] : pairs(request.query.slice(1), "&")),
    ) &&
    cookies.every((condition) =>
      valuesHold(
        condition,
        cookieText.flatMap((text) => pairs(text, ";")),
      ),
    )
  );
}

function valuesHold(
  { name, kind, value }: ValueCondition,
  pairs: readonly (readonly [string, string])[],
): boolean {
  return pairs.some(([own, text]) => {
    if (own !== name) return false;
    if (kind === "exact") return text === value;
    if (kind === "prefix") return text.startsWith(value);
    return kind === "present" || new RegExp(`^(?:${value})$`, "s").test(text);
  });
}
