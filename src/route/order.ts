/**
 * Which of several routes that match a request gets it: the most specific. Written once; tables, `explain` and
 * warnings follow it. Set-up only.
 *
 * 1. Host: exact; then the longest wildcard; then any.
 * 2. Path: exact; then templates, by literal segments, then without a tail before with one, then by segments,
 *    then a literal further left; then the longest prefix; then regular expressions in the order of the file;
 *    then any.
 * 3. The number of conditions: method, header fields, query, cookies, client.
 * 4. The order of the file.
 */
import type { PathPattern, Route } from "../contract/routing.ts";
import { type Segment, segmentsOf, shapeOf } from "./path-pattern.ts";

/** A route under one of its hosts. */
export interface Entry {
  /** Index of the route. */
  readonly route: number;
  /** "": any. */
  readonly host: string;
  readonly path: PathPattern;
}

const PATH_KINDS: readonly PathPattern["kind"][] = ["exact", "template", "prefix", "regex", "any"];
const SEGMENT_KINDS: readonly Segment["kind"][] = ["literal", "one", "rest"];

/** Every route under every host, the most specific first; those with host and path in common in a row. */
export function entriesInOrder(routes: readonly Route[]): Entry[] {
  const regexOrder = new Map<string, number>();
  for (const { path } of routes) if (!regexOrder.has(path.text)) regexOrder.set(path.text, regexOrder.size);
  const keys = routes.flatMap((route, index) => {
    const hosts = route.hosts.length === 0 ? [""] : [...new Set(route.hosts)];
    const common = {
      path: route.path,
      shape: shapeOf(route.path),
      segments: segmentsOf(route.path.kind === "regex" ? "" : route.path.text),
      regex: regexOrder.get(route.path.text)!,
      conditions: conditionCount(route),
      route: index,
    };
    return hosts.map((host) => ({ ...common, host }));
  });
  keys.sort(
    (a, b) =>
      compareHosts(a.host, b.host) || comparePaths(a, b) || b.conditions - a.conditions || a.route - b.route,
  );
  return keys.map(({ route, host, path }) => ({ route, host, path }));
}

/** How many conditions a route has beside host and path. */
export function conditionCount({ methods, fields, query, cookies, clients }: Route): number {
  const lists = fields.length + query.length + cookies.length;
  return lists + (methods.length > 0 ? 1 : 0) + (clients.length > 0 ? 1 : 0);
}

function compareHosts(a: string, b: string): number {
  return hostClass(a) - hostClass(b) || b.length - a.length || compareTexts(a, b);
}

function hostClass(host: string): number {
  if (host === "") return 2;
  return host.startsWith("*.") ? 1 : 0;
}

interface PathKey {
  readonly path: PathPattern;
  readonly shape: string;
  readonly segments: readonly Segment[];
  readonly regex: number;
}

function comparePaths(a: PathKey, b: PathKey): number {
  const kinds = PATH_KINDS.indexOf(a.path.kind) - PATH_KINDS.indexOf(b.path.kind);
  if (kinds !== 0) return kinds;
  if (a.path.kind === "regex") return a.regex - b.regex;
  if (a.path.kind === "prefix")
    return b.segments.length - a.segments.length || compareTexts(a.shape, b.shape);
  if (a.path.kind === "template")
    return compareTemplates(a.segments, b.segments) || compareTexts(a.shape, b.shape);
  return compareTexts(a.shape, b.shape);
}

function compareTemplates(a: readonly Segment[], b: readonly Segment[]): number {
  const literals = (segments: readonly Segment[]) => segments.filter(({ kind }) => kind === "literal").length;
  const tail = (segments: readonly Segment[]) => (segments.at(-1)?.kind === "rest" ? 1 : 0);
  return (
    literals(b) - literals(a) ||
    tail(a) - tail(b) ||
    b.length - a.length ||
    compareTexts(kindsOf(a), kindsOf(b))
  );
}

function kindsOf(segments: readonly Segment[]): string {
  return segments.map(({ kind }) => SEGMENT_KINDS.indexOf(kind)).join("");
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
