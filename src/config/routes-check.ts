/** What is wrong with routes together, though each of their values is right by itself. */
import { nearest } from "../base/suggestion.ts";
import { TEMPLATE_BYTES_MAX } from "../contract/routing.ts";
import { DEFAULT_TIMEOUTS } from "../contract/snapshot.ts";
import { entriesInOrder } from "../route/order.ts";
import { PathCaptures, segmentsOf, shapeOf } from "../route/path-pattern.ts";
import { Template, TemplateError, VARIABLE_NAMES } from "../route/template.ts";
import { orList } from "./kinds.ts";
import type { Path } from "./located.ts";
import type { PartOfRoute } from "./part-of-route.ts";
import { corsRival } from "./route-cors.ts";
import { ANY_PATH, compileRoutes, pathOf, routeName } from "./routes-compile.ts";
import type { RouteDocument } from "./routes-schema.ts";
import type { Document } from "./schema.ts";
import { bytesText } from "./values.ts";

/** `path` may go on below what is written: `to.app` of `to: app`. */
export type Complain = (path: Path, reason: string, remedy: string, value?: string) => void;

/** Numbers of the clusters that `routes` name, where -1 stands for one that there is not. */
export function routeTargets(route: RouteDocument): (string | undefined)[] {
  const { to, redirect, respond } = route;
  if (to !== undefined) return to.map(({ cluster }) => cluster);
  return redirect === undefined && respond === undefined ? [undefined] : [];
}

/** `clusterIndex` as for `compileRoutes`, -1 where there is none. */
export function checkRoutes(
  routes: readonly RouteDocument[],
  clusterNames: readonly string[],
  clusterIndex: (name: string | undefined) => number,
  complain: Complain,
): void {
  for (const [index, route] of routes.entries())
    checkRoute({ route, wrong: new Set() }, ["routes", index], clusterNames, clusterIndex, complain);
  checkDoubles(routes, complain);
}

/** As `checkRoutes`, for what is right in a route by itself. */
export function checkRoute(
  { route, wrong }: PartOfRoute,
  at: Path,
  clusterNames: readonly string[],
  clusterIndex: (name: string | undefined) => number,
  complain: Complain,
): void {
  const isRight = (...keys: readonly string[]) => !keys.some((key) => wrong.has(key));
  if (isRight("prefix")) checkChoices(route, at, complain);
  if (route.to !== undefined || isRight("to", "redirect", "respond"))
    checkTargets(route, at, clusterNames, clusterIndex, complain);
  if (isRight("path", "prefix", "regex")) checkTemplates(route, at, complain);
}

function checkCors(
  { cors, responseHeaders = [], respond }: RouteDocument,
  at: Path,
  complain: Complain,
): void {
  if (cors === undefined) return;
  const rivals = { responseHeaders: corsRival(responseHeaders), respond: corsRival(respond?.fields ?? []) };
  for (const [key, name] of Object.entries(rivals))
    if (name !== undefined)
      complain([...at, key], `writes ${name}, and so does cors`, "leave one of them out");
}

const NEED_BACKENDS = [
  ...([
    "rewrite",
    "requestHeaders",
    "responseHeaders",
    "timeouts",
    "maxBody",
    "maxRequests",
    "compress",
    "retries",
    "mirror",
    "buffer",
  ] as const),
];

function checkChoices(route: RouteDocument, at: Path, complain: Complain): void {
  const { path, prefix, regex, to, redirect, respond, rewrite } = route;
  const paths = Object.entries({ path, prefix, regex }).filter(([, value]) => value !== undefined);
  if (paths.length > 1) {
    const names = paths.map(([name]) => name);
    complain(
      [...at, names[1]!],
      `stands beside ${names[0]}`,
      "keep one of them: a route has one pattern of paths",
    );
  }
  const actions = Object.entries({ to, redirect, respond }).filter(([, value]) => value !== undefined);
  if (actions.length > 1) {
    const names = actions.map(([name]) => name);
    complain([...at, names[1]!], `stands beside ${names[0]}`, "keep one of them: a route does one thing");
  }
  if (rewrite?.kind === "prefix" && rewrite.from === undefined && prefix === undefined)
    complain(
      [...at, "rewrite"],
      "replaces a prefix, and the route has none",
      "write prefix, or stripPrefix: /the-prefix",
    );
  checkCors(route, at, complain);
  const local = redirect !== undefined ? "redirect" : "respond";
  if (redirect === undefined && respond === undefined) return;
  for (const key of NEED_BACKENDS) {
    if (route[key] !== undefined)
      complain([...at, key], `has no use beside ${local}`, "leave it out: nothing goes to a backend");
  }
}

function checkTargets(
  route: RouteDocument,
  at: Path,
  names: readonly string[],
  clusterIndex: (name: string | undefined) => number,
  complain: Complain,
): void {
  if (names.length === 0) return;
  const refuse = (key: Path, name: string) => {
    const near = nearest(name, names);
    const remedy = near === "" ? `write ${orList(names)}` : `did you mean ${near}?`;
    complain([...at, ...key], "is not a cluster", remedy, name);
  };
  for (const name of routeTargets(route)) {
    if (clusterIndex(name) >= 0) continue;
    if (name !== undefined) refuse(["to", name], name);
    else complain(at, "says not where requests go", `write to: ${orList(names)}, or redirect or respond`);
  }
  const { mirror } = route;
  if (mirror !== undefined && !names.includes(mirror.cluster)) refuse(["mirror", "to"], mirror.cluster);
}

const RATE_KEY: Path = ["rateLimit", "key"];

/** Texts with variables, with the path of each. */
function templatesOf(route: RouteDocument): (readonly [Path, string])[] {
  const { redirect, rewrite, requestHeaders = [], responseHeaders = [], rateLimit } = route;
  return [
    ...(rateLimit?.key.kind === "template" ? [[RATE_KEY, rateLimit.key.text] as const] : []),
    ...(redirect === undefined ? [] : [[["redirect", "to"], redirect.location] as const]),
    ...(rewrite?.kind === "template" ? [[["rewrite"], rewrite.text] as const] : []),
    ...requestHeaders.map(({ kind, name, value }) => [["requestHeaders", kind, name], value] as const),
    ...responseHeaders.map(({ kind, name, value }) => [["responseHeaders", kind, name], value] as const),
  ];
}

/** A redirect to wherever the client says would serve those who want to deceive it. */
const SAFE_LOCATION = /^(?:\/|[A-Za-z][A-Za-z0-9+.-]*:\/\/|\$\{?(?:path|target|scheme)\b)/;

function checkTemplates(route: RouteDocument, at: Path, complain: Complain): void {
  const { redirect } = route;
  if (redirect !== undefined && !SAFE_LOCATION.test(redirect.location)) {
    const reason = "begins with what clients choose, who could be sent anywhere";
    complain([...at, "redirect", "to"], reason, "begin with / or https://", redirect.location);
  }
  checkTexts(templatesOf(route), new PathCaptures(pathOf(route)), at, complain);
}

/** The key of the rate limit that routes share knows no parts of their paths. */
export function checkSharedKey({ rateLimit }: Partial<Document>, complain: Complain): void {
  const { key } = rateLimit ?? {};
  const texts = key?.kind === "template" ? [[RATE_KEY, key.text] as const] : [];
  checkTexts(texts, new PathCaptures(ANY_PATH), [], complain);
}

function checkTexts(
  texts: readonly (readonly [Path, string])[],
  { names, count }: PathCaptures,
  at: Path,
  complain: Complain,
): void {
  for (const [key, text] of texts) {
    if (text.length > TEMPLATE_BYTES_MAX) {
      const most = bytesText(TEMPLATE_BYTES_MAX);
      complain([...at, ...key], `has ${text.length} bytes, and ${most} is the most`, "write less");
    }
    try {
      const template = new Template(text, names, count);
      if (key[0] === "rateLimit" && template.usesRequestId)
        complain(
          [...at, ...key],
          "counts by what every request has another of",
          "leave $request_id out",
          text,
        );
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      const known = [...names.keys(), ...VARIABLE_NAMES];
      const written = /^\$\{?(\w+)/.exec(text.slice(error.offset))?.[1] ?? "";
      const near = nearest(written, known);
      const remedy = near === "" ? `there are ${known.join(", ")}` : `did you mean ${near}?`;
      complain([...at, ...key], `${error.message}, at character ${error.offset + 1}`, remedy, text);
    }
  }
}

/** Everything that decides whether a request is for a route. */
function matchText(route: RouteDocument): string {
  const { host = [], methods = [], headers = [], query = [], cookies = [], clients = [] } = route;
  const sorted = (list: readonly unknown[]) => list.map((each) => JSON.stringify(each)).sort();
  return JSON.stringify([
    shapeOf(pathOf(route)),
    ...[host, methods, headers, query, cookies, clients].map(sorted),
  ]);
}

function checkDoubles(routes: readonly RouteDocument[], complain: Complain): void {
  const first = new Map<string, number>();
  for (const [index, route] of routes.entries()) {
    const text = matchText(route);
    const before = first.get(text);
    if (before === undefined) first.set(text, index);
    else
      complain(
        ["routes", index],
        `is about the same requests as routes[${before}], which comes first`,
        "keep one of them, or add a condition",
      );
  }
}

/**
 * A redirect to a host that is written out, or is the one that was asked for. Parts of a path within it, or right
 * behind it, may be `evil.example\` or `.evil.example`.
 */
const SAFE_AUTHORITY = new RegExp(
  [
    /^(?:\w[\w+.-]*|\$\{?scheme\}?):\/\//,
    /(?:[^/?#$]|\$\$|\$\{?(?:host|authority)\b\}?)*/,
    /(?:$|[/?#]|\$\{?(?:path|target|query)\b)/,
  ]
    .map(({ source }) => source)
    .join(""),
);

/** A route that no request can reach, and why. */
export interface RouteWarning {
  readonly path: Path;
  readonly text: string;
}

/**
 * Routes that are never asked, because one before them takes every path of their host without conditions; and
 * those that guard a path which can be written in another way, or redirect to a host that clients choose.
 */
export function routeWarnings({ routes = [], policy }: Pick<Document, "routes" | "policy">): RouteWarning[] {
  const warnings = policy.rejectPaths.includes("dot-segment") ? [] : guardWarnings(routes);
  warnings.push(...redirectWarnings(routes), ...corsWarnings(routes));
  const { routes: compiled } = compileRoutes({ routes }, () => 0, DEFAULT_TIMEOUTS);
  const taking = new Map<string, number>();
  const reached = new Set<number>();
  const shadowed = new Map<number, number>();
  for (const { route, host, path } of entriesInOrder(compiled)) {
    const taker = taking.get(host);
    if (taker === undefined) reached.add(route);
    else shadowed.set(route, taker);
    const { methods, fields, query, cookies, clients } = compiled[route]!;
    const isFree = [methods, fields, query, cookies, clients].every((list) => list.length === 0);
    if (isFree && taker === undefined && takesEveryPath(path)) taking.set(host, route);
  }
  for (const [route, taker] of shadowed) {
    if (reached.has(route) || pathOf(routes[route]!).kind === "any") continue;
    const who = `${routeName(routes[route]!)} is never asked`;
    const why = `routes[${taker}] (${routeName(routes[taker]!)}) takes every path of its host before it`;
    warnings.push({ path: ["routes", route], text: `${who}: ${why}` });
  }
  return warnings;
}

function guardWarnings(routes: readonly RouteDocument[]): RouteWarning[] {
  return routes.flatMap((route, index) => {
    const isGuarded = route.allow !== undefined || route.deny !== undefined;
    if (!isGuarded || pathOf(route).kind === "any") return [];
    const remedy = "set policy.rejectPaths: [dot-segment, encoded-slash]";
    const text = `${routeName(route)} guards a path, and /x/.. in front of it may go round that; ${remedy}`;
    return [{ path: ["routes", index], text }];
  });
}

/** A preflight has no cookies, and of the fields to come only their names. */
function corsWarnings(routes: readonly RouteDocument[]): RouteWarning[] {
  return routes.flatMap(({ cors, headers = [], cookies = [] }, index) => {
    if (cors === undefined || headers.length + cookies.length === 0) return [];
    const why = "preflights of browsers have neither the header fields nor the cookies that it asks for";
    const text = `${routeName(routes[index]!)} gets no preflights, so most requests of other origins fail: ${why}`;
    return [{ path: ["routes", index, "cors"], text }];
  });
}

function redirectWarnings(routes: readonly RouteDocument[]): RouteWarning[] {
  return routes.flatMap((route, index) => {
    const location = route.redirect?.location ?? "/";
    if (/^(?:\/|\$\{?(?:path|target)\b)/.test(location) || SAFE_AUTHORITY.test(location)) return [];
    const remedy = "write the host out and a / behind it, unless the path's pattern lets only names pass";
    const text = `${routeName(route)} redirects to a host that clients choose by their path; ${remedy}`;
    return [{ path: ["routes", index, "redirect"], text }];
  });
}

function takesEveryPath({ kind, text }: { kind: string; text: string }): boolean {
  if (kind === "prefix") return text === "";
  return kind === "template" && segmentsOf(text).length === 1 && segmentsOf(text)[0]!.kind === "rest";
}
