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
  // Two hosts may have the same expressions in different order.
  const firsts = new Map<string, number>();
  const keys = routes.flatMap((route, index) => {
    const hosts = route.hosts.length === 0 ? [""] : [...new Set(route.hosts)];
    const conditions = conditionCount(route);
    return hosts.map((host) => {
      const key = `${host} ${route.path.text}`;
      const first = firsts.get(key) ?? index;
      firsts.set(key, first);
      return { ...pathKey(route.path, first), conditions, route: index, host };
    });
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

/** What the order of paths goes by, made once for each. */
interface PathKey {
  readonly path: PathPattern;
  readonly kind: number;
  readonly shape: string;
  /** Smaller comes first: literal segments, tail, segments; or where a regex stands. */
  readonly ranks: readonly [number, number, number];
  /** Kinds of segments, a digit each: a literal further left is less. */
  readonly kinds: string;
}

function pathKey(path: PathPattern, regexOrder: number): PathKey {
  const kind = PATH_KINDS.indexOf(path.kind);
  const shape = shapeOf(path);
  if (path.kind === "regex") return { path, kind, shape, ranks: [regexOrder, 0, 0], kinds: "" };
  if (path.kind === "prefix")
    return { path, kind, shape, ranks: [-segmentsOf(path.text).length, 0, 0], kinds: "" };
  if (path.kind !== "template") return { path, kind, shape, ranks: [0, 0, 0], kinds: "" };
  const segments = segmentsOf(path.text);
  const kinds = segments.map((segment) => SEGMENT_KINDS.indexOf(segment.kind)).join("");
  const literals = segments.filter((segment) => segment.kind === "literal").length;
  const tail = segments.at(-1)?.kind === "rest" ? 1 : 0;
  return { path, kind, shape, ranks: [-literals, tail, -segments.length], kinds };
}

function comparePaths(a: PathKey, b: PathKey): number {
  return (
    a.kind - b.kind ||
    a.ranks[0] - b.ranks[0] ||
    a.ranks[1] - b.ranks[1] ||
    a.ranks[2] - b.ranks[2] ||
    compareTexts(a.kinds, b.kinds) ||
    compareTexts(a.shape, b.shape)
  );
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
