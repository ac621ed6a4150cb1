/** From what was written to a complete document, or to everything that is wrong with it. */
import type * as z from "zod";
import { nearest } from "../base/suggestion.ts";
import type { ConfigError } from "./config-error.ts";
import { keysAt, suggestion } from "./keys.ts";
import { orList, type ProblemParams, writtenText } from "./kinds.ts";
import { isInTheWay, type ListenPlace, listenText, overlapsOf } from "./listen-overlap.ts";
import {
  at,
  isList,
  isMap,
  type Located,
  nearestAt,
  type Path,
  type Place,
  pathText,
  placeText,
  plainOf,
} from "./located.ts";
import { partOfRoute } from "./part-of-route.ts";
import { MISSING } from "./parts.ts";
import { checkRoute, checkRoutes, checkSharedKey, routeTargets } from "./routes-check.ts";
import { type Document, documentSchema } from "./schema.ts";
import type { Backend } from "./values.ts";

/** A cluster as written. */
export interface DocumentCluster {
  readonly name: string;
  readonly backends: readonly Backend[];
  readonly health: Document["health"];
  /** Where its backends are written. */
  readonly path: Path;
}

/** What `backends` alone is the short form of. */
export const DEFAULT_CLUSTER = "default";

/** Where there is no `listen`. */
export const DEFAULT_LISTENER: ListenPlace = { host: "", port: 8080 };

/** All clusters, that of `backends` first. */
export function clustersOf({ backends, clusters }: Partial<Document>): DocumentCluster[] {
  const named = Object.entries(clusters ?? {}).map(([name, cluster]) => ({
    name,
    ...cluster,
    path: ["clusters", name, "backends"],
  }));
  if (backends === undefined) return named;
  return [{ name: DEFAULT_CLUSTER, backends, health: {}, path: ["backends"] }, ...named];
}

/**
 * The cluster of a listener that says `written`; -1 when there is none of that name, or none that is meant by
 * silence.
 */
export function clusterIndex(clusters: readonly { name: string }[], written: string | undefined): number {
  if (written === undefined && clusters.length === 1) return 0;
  return clusters.findIndex(({ name }) => name === (written ?? DEFAULT_CLUSTER));
}

/** Checks all of it. Errors come in the order of options, then of lines. */
export function checkDocument(root: Located): { document: Document } | { errors: ConfigError[] } {
  const plain = plainOf(root);
  const result = documentSchema.safeParse(plain);
  const found: Found[] = [];
  if (!result.success) for (const issue of result.error.issues) found.push(...issueErrors(root, issue));
  found.push(...unusableKeys(root, []));
  const issues = result.success ? [] : result.error.issues;
  found.push(...contradictions(result.success ? result.data : partial(plain), root, issues));
  if (result.success && found.length === 0) return { document: result.data };
  return { errors: inOrder(withoutMisspelt(found)) };
}

/** A key that objects of JavaScript cannot have as others, and that would be lost on the way. */
const LOST_KEY = "__proto__";

function unusableKeys({ content }: Located, path: Path): Found[] {
  if (isList(content)) return content.flatMap((item, index) => unusableKeys(item, [...path, index]));
  if (!isMap(content)) return [];
  return [...content].flatMap(([key, node]) => {
    const here = [...path, key];
    if (key !== LOST_KEY) return unusableKeys(node, here);
    const remedy = "choose another name";
    return [found(node.keyPlace ?? node.place, here, { reason: "can be no name here", remedy })];
  });
}

/** What seems to be there under a wrong name is not missing as well. */
function withoutMisspelt(all: readonly Found[]): Found[] {
  const meant = new Set(all.flatMap(({ meant }) => (meant === undefined ? [] : [meant])));
  return all.filter(({ error }) => error.reason !== MISSING || !meant.has(error.path ?? ""));
}

/** Keys that are right by themselves, when others are not. */
function partial(plain: unknown): Partial<Document> {
  const good: Record<string, unknown> = {};
  if (typeof plain !== "object" || plain === null) return good;
  for (const [name, schema] of Object.entries(documentSchema.shape)) {
    const result = schema.safeParse((plain as Record<string, unknown>)[name]);
    if (result.success) good[name] = result.data;
  }
  return good;
}

interface Found {
  readonly place: Place;
  readonly error: ConfigError;
  /** Of an unknown key: the path that was probably meant. */
  readonly meant?: string;
}

function found(place: Place, path: Path, error: Omit<ConfigError, "source" | "path">): Found {
  const source = placeText(place);
  if (place.kind === "option") return { place, error: { source, ...error } };
  return { place, error: { source, path: pathText(path), ...error } };
}

/** Options as they were found; then files by name, and in each by line. */
function inOrder(all: readonly Found[]): ConfigError[] {
  const rank = ({ place }: Found) => (place.kind === "option" ? 0 : 1);
  const sorted = [...all].sort((a, b) => {
    if (rank(a) !== rank(b) || rank(a) === 0) return rank(a) - rank(b);
    if (a.place.source !== b.place.source) return a.place.source < b.place.source ? -1 : 1;
    return a.place.line - b.place.line || a.place.column - b.place.column;
  });
  return sorted.map(({ error }) => error);
}

function issueErrors(root: Located, issue: z.core.$ZodIssue): Found[] {
  const path = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
  const near = nearestAt(root, path);
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.filter((key) => key !== LOST_KEY);
    return keys.map((key) => {
      const node = at(root, [...path, key]);
      const place = node?.keyPlace ?? node?.place ?? near.node.place;
      const remedy = suggestion(path, key);
      const error = found(place, [...path, key], { reason: "is not a key of a configuration", remedy });
      return { ...error, meant: pathText([...path, nearest(key, keysAt(path))]) };
    });
  }
  if (issue.code === "custom") {
    const { remedy, written, isKey, meant } = issue.params as unknown as ProblemParams;
    const reason = issue.message;
    if (isKey === true && path.at(-1) === LOST_KEY) return [];
    if (isKey === true) {
      const error = found(near.node.keyPlace ?? near.node.place, path, { reason, remedy });
      return meant === undefined ? [error] : [{ ...error, meant: pathText([...path.slice(0, -1), meant]) }];
    }
    const missing = near.path.length < path.length && written === undefined;
    if (missing) return [found(near.node.keyPlace ?? near.node.place, path, { reason, remedy })];
    const value = written === undefined ? {} : { value: written };
    return [found(near.node.place, near.path, { ...value, reason, remedy })];
  }
  const written = writtenText(plainOf(near.node));
  const keys = keysAt(path);
  return [
    found(near.node.place, near.path, {
      ...(written === undefined ? {} : { value: written }),
      reason: issue.code === "invalid_type" ? "is not a group of keys" : issue.message,
      remedy:
        keys.length > 0
          ? `write keys below it: ${keys.join(", ")}`
          : "write names below it, each with its keys",
    }),
  ];
}

/** What is wrong with values together, though each is right by itself. */
function contradictions(
  good: Partial<Document>,
  root: Located,
  issues: readonly z.core.$ZodIssue[],
): Found[] {
  const errors: Found[] = [];
  const complain = (path: Path, reason: string, remedy: string, value?: string) => {
    const node = at(root, path) ?? nearestAt(root, path).node;
    // A name that is a key is wrong where the key stands.
    const place = value !== undefined && path.at(-1) === value ? (node.keyPlace ?? node.place) : node.place;
    errors.push(found(place, path, { ...(value === undefined ? {} : { value }), reason, remedy }));
  };
  const clusters = clustersOf(good);
  checkBackends(good, clusters, root, complain);
  checkListeners(good, clusters, root, complain);
  checkRouting(good, clusters, root, issues, complain);
  checkHealth(good, complain);
  const { target, head } = good.limits ?? { target: 0, head: 0 };
  if (target > head) {
    if (at(root, ["limits", "target"]) !== undefined) {
      const remedy = `raise the limit of the whole head (${head}) or lower this`;
      complain(["limits", "target"], "is more than a whole head may have", remedy, String(target));
    } else {
      const remedy = `raise it, or lower the limit of the target (${target})`;
      complain(["limits", "head"], "is less than a target alone may have", remedy, String(head));
    }
  }
  return errors;
}

type Complain = (path: Path, reason: string, remedy: string, value?: string) => void;

function checkBackends(
  good: Partial<Document>,
  clusters: readonly DocumentCluster[],
  root: Located,
  complain: Complain,
): void {
  const written = (path: Path) => at(root, path) !== undefined;
  if (
    !written(["backends"]) &&
    (!written(["clusters"]) || good.clusters !== undefined) &&
    clusters.length === 0 &&
    !answersAlone(good, root)
  )
    complain(["backends"], MISSING, WHERE[root.place.kind]);
  if (good.backends !== undefined && good.clusters?.[DEFAULT_CLUSTER] !== undefined) {
    const reason = `is the short form of clusters.${DEFAULT_CLUSTER}, which is there as well`;
    complain(["backends"], reason, "keep one of them");
  }
  for (const { name, backends, path } of clusters) {
    if (!/^[A-Za-z0-9][\w.-]*$/.test(name)) {
      const remedy = "write letters, digits, hyphens, dots and underscores";
      complain(["clusters", name], "is not a name for a cluster", remedy);
    }
    if (backends.length === 0) complain(path, "is empty", WHERE[root.place.kind]);
    const names = backends.map((backend) => backend.name);
    for (const [index, double] of doubles(names)) {
      const item = isList(at(root, path)?.content ?? []) ? [...path, index] : path;
      complain(item, "is there twice", "keep one", double);
    }
  }
}

/** No route needs a backend, as far as it can be told. */
function answersAlone({ routes }: Partial<Document>, root: Located): boolean {
  if (at(root, ["routes"]) === undefined) return false;
  return (
    routes === undefined || (routes.length > 0 && routes.every((route) => routeTargets(route).length === 0))
  );
}

const WHERE = {
  option: 'write where requests go, like --backends "localhost:3001,localhost:3002", or try hp-proxy demo',
  file: "write where requests go, like backends: [localhost:3001, localhost:3002]",
};

function checkListeners(
  good: Partial<Document>,
  clusters: readonly DocumentCluster[],
  root: Located,
  complain: Complain,
): void {
  const { listen } = good;
  if (listen !== undefined && listen.length === 0)
    complain(["listen"], "is empty", "write an address, like :8080");
  const pathOf = (index: number): Path =>
    isList(at(root, ["listen"])?.content ?? []) ? ["listen", index] : ["listen"];
  checkOverlaps(good, pathOf, root, complain);
  const known = good.clusters !== undefined || at(root, ["clusters"]) === undefined;
  if (!known || clusters.length === 0) return;
  const names = clusters.map(({ name }) => name);
  const used = new Set<number>();
  const isRouted = at(root, ["routes"]) !== undefined;
  for (const name of (good.routes ?? []).flatMap(routeTargets)) used.add(clusterIndex(clusters, name));
  for (const { mirror } of good.routes ?? [])
    if (mirror !== undefined) used.add(names.indexOf(mirror.cluster));
  for (const [index, { cluster }] of (listen ?? [{ cluster: undefined }]).entries()) {
    const chosen = clusterIndex(clusters, cluster);
    if (!isRouted) used.add(chosen);
    if (chosen >= 0 || (cluster === undefined && isRouted)) continue;
    if (cluster === undefined) {
      const remedy = `write one, like {address: ":8080", cluster: ${names[0]}}: there are ${andList(names)}`;
      complain(pathOf(index), "names no cluster", remedy);
    } else {
      const near = nearest(cluster, names);
      const remedy = near === "" ? `write ${orList(names)}` : `did you mean ${near}?`;
      complain([...pathOf(index), "cluster"], "is not a cluster", remedy, cluster);
    }
  }
  // What is wrong with the routes is told of them.
  if (isRouted && good.routes === undefined) return;
  // Hooks may send requests to any cluster.
  if (good.hooks !== undefined || good.routes?.some((route) => route.hooks !== undefined) === true) return;
  // Nor do backends lack a listener where the listeners themselves are wrong.
  const isListening = listen === undefined ? at(root, ["listen"]) === undefined : listen.length > 0;
  if (used.has(-1) || !isListening) return;
  for (const [index, { name, path }] of clusters.entries()) {
    if (!used.has(index) && names.indexOf(name) === index)
      complain(
        path,
        `belongs to cluster ${name}, which ${isRouted ? "no route" : "no listener"} uses`,
        `name it in a ${isRouted ? "route" : "listener"}, or leave it out`,
      );
  }
}

/** Listeners that take each other's connections, and an admin listener that would take theirs. */
function checkOverlaps(
  { listen, admin }: Partial<Document>,
  pathOf: (index: number) => Path,
  root: Located,
  complain: Complain,
): void {
  const isDefault = listen === undefined && at(root, ["listen"]) === undefined;
  const places: ListenPlace[] = isDefault ? [DEFAULT_LISTENER] : [...(listen ?? [])];
  for (const { wide, narrow, isSame } of overlapsOf(places)) {
    const [value, other] = [listenText(places[narrow]!), listenText(places[wide]!)];
    if (isSame) complain(pathOf(narrow), "is there twice", "keep one", value);
    else complain(pathOf(narrow), `is a part of ${other}, which is there as well`, "keep one of them", value);
  }
  if (admin === undefined || admin === null) return;
  const taken = places.find((place) => isInTheWay(admin, place));
  if (taken !== undefined) {
    const what = overlapsOf([taken, admin]).length > 0 ? "takes connections" : "cannot share the port";
    const reason = `${what} of the listener ${listenText(taken)}`;
    complain(["admin"], reason, "choose another port, or admin: off", listenText(admin));
  }
}

function checkRouting(
  good: Partial<Document>,
  clusters: readonly DocumentCluster[],
  root: Located,
  issues: readonly z.core.$ZodIssue[],
  complain: Complain,
): void {
  const { routes, mode } = good;
  if (mode === "tcp") {
    for (const key of [
      "routes",
      "rateLimit",
      "errorPages",
      "hooks",
      "compress",
      "basicAuth",
      "forwardAuth",
    ]) {
      if (at(root, [key]) !== undefined)
        complain([key], "has no meaning in mode tcp", "leave it out, or write mode: http");
    }
  }
  // A path that goes on below what is written ends there.
  const blame: Complain = (path, ...rest) => complain(nearestAt(root, path).path, ...rest);
  checkSharedKey(good, blame);
  const isKnown = good.clusters !== undefined || at(root, ["clusters"]) === undefined;
  const names = isKnown ? clusters.map(({ name }) => name) : [];
  const index = (name: string | undefined) => clusterIndex(clusters, name);
  if (routes !== undefined) checkRoutes(routes, names, index, blame);
  const written = at(root, ["routes"])?.content ?? [];
  if (routes !== undefined || !isList(written)) return;
  for (const [number, node] of written.entries()) {
    const part = partOfRoute(plainOf(node), number, issues);
    checkRoute(part, ["routes", number], names, index, blame);
  }
}

function checkHealth(good: Partial<Document>, complain: Complain): void {
  const rows: (readonly [Path, Document["health"]])[] = [[["health"], good.health ?? {}]];
  for (const [name, { health }] of Object.entries(good.clusters ?? {}))
    rows.push([["clusters", name, "health"], health]);
  for (const [path, { kind, path: target }] of rows) {
    if (target !== undefined && (kind === "tcp" || kind === "off"))
      complain(
        [...path, "path"],
        `has no use with health checks of kind ${kind}`,
        "leave one of them out",
        target,
      );
  }
}

/** The second of each that is there more than once; "" counts as nothing. */
function doubles(words: readonly string[]): (readonly [index: number, word: string])[] {
  return [...new Set(words)].flatMap((word) => {
    const second = word === "" ? -1 : words.indexOf(word, words.indexOf(word) + 1);
    return second < 0 ? [] : [[second, word] as const];
  });
}

function andList(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
