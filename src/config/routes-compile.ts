/** From the routes of a document to those that the data plane follows. */
import {
  LISTENER_CLUSTER,
  type PathPattern,
  type RateLimit,
  type Rewrite,
  type Route,
  type RouteAction,
  type Routing,
} from "../contract/routing.ts";
import type { Timeouts } from "../contract/snapshot.ts";
import type { RateLimitWritten } from "./route-limits.ts";
import type { RouteDocument } from "./routes-schema.ts";
import type { Document } from "./schema.ts";

export const ANY_PATH: PathPattern = { kind: "any", text: "" };

/** The path pattern of a route that says one at most. */
export function pathOf({ path, prefix, regex }: RouteDocument): PathPattern {
  return path ?? prefix ?? regex ?? ANY_PATH;
}

/** What a route is called where it has no name: its host and path. */
export function routeName(route: RouteDocument): string {
  if (route.name !== undefined) return route.name;
  const { kind, text } = pathOf(route);
  const host = route.host?.join(",") ?? "*";
  if (kind === "any") return host;
  return `${host}${kind === "prefix" ? `${text}/…` : kind === "regex" ? ` ~ ${text}` : text}`;
}

/**
 * The routes of a document that was checked, ready for the data plane. `clusterIndex` gives the index of a cluster
 * by its name, and of the one that is meant by silence; `timeouts` are those where a route has none.
 */
export function compileRoutes(
  { routes, rateLimit }: Pick<Partial<Document>, "routes" | "rateLimit">,
  clusterIndex: (name: string | undefined) => number,
  timeouts: Timeouts,
): Routing {
  const limits = new RateLimits();
  const shared = limits.add(rateLimit, "every request");
  const compiled = (routes ?? [EVERY_REQUEST]).map((route) => {
    const limit = route.rateLimit === undefined ? shared : limits.add(route.rateLimit, routeName(route));
    return compileRoute(route, routes === undefined ? () => LISTENER_CLUSTER : clusterIndex, timeouts, limit);
  });
  if (limits.all.length === 0) return { routes: compiled };
  return { routes: compiled, rateLimits: limits.all, unroutedRateLimit: shared };
}

/** What stands for routes where there are none, and yet something to be done with every request. */
const EVERY_REQUEST: RouteDocument = { name: "every request" };

/** Whether a document needs the data plane to look at routes. */
export function isRouted({ routes, rateLimit }: Pick<Document, "routes" | "rateLimit">): boolean {
  return routes !== undefined || (rateLimit !== undefined && rateLimit !== null);
}

/** Collects rate limits: each has other buckets, also where two are written alike. */
class RateLimits {
  readonly all: RateLimit[] = [];
  readonly #texts = new Set<string>();

  /** The number of a limit, which is -1 where there is none. */
  add(written: RateLimitWritten | null | undefined, name: string): number {
    if (written === undefined || written === null) return -1;
    let limit = { name, ...written };
    for (let n = 2; this.#texts.has(JSON.stringify(limit)); n++) limit = { ...limit, name: `${name} (${n})` };
    this.#texts.add(JSON.stringify(limit));
    return this.all.push(limit) - 1;
  }
}

function compileRoute(
  route: RouteDocument,
  clusterIndex: (name: string | undefined) => number,
  timeouts: Timeouts,
  rateLimit: number,
): Route {
  return {
    name: routeName(route),
    hosts: route.host ?? [],
    path: pathOf(route),
    methods: route.methods ?? [],
    fields: route.headers ?? [],
    query: route.query ?? [],
    cookies: route.cookies ?? [],
    clients: route.clients ?? [],
    action: actionOf(route, clusterIndex),
    allow: route.allow ?? [],
    deny: route.deny ?? [],
    rewrite: rewriteOf(route),
    requestFields: route.requestHeaders ?? [],
    responseFields: route.responseHeaders ?? [],
    timeouts: timeoutsOf(route, timeouts),
    requestBodyBytesMax: route.maxBody ?? -1,
    requestsInFlightMax: route.maxRequests ?? 0,
    ...(route.retries === undefined ? {} : { retries: route.retries }),
    cors: route.cors ?? null,
    rateLimit,
    errorPages: route.errorPages ?? [],
  };
}

function actionOf(
  { to, redirect, respond, maintenance }: RouteDocument,
  clusterIndex: (name: string | undefined) => number,
): RouteAction {
  if (maintenance !== undefined) return { kind: "respond", answer: maintenance };
  if (respond !== undefined) return { kind: "respond", answer: respond };
  if (redirect !== undefined) return { kind: "redirect", ...redirect };
  const targets = to ?? [{ cluster: undefined, weight: 1 }];
  return {
    kind: "forward",
    targets: targets.map(({ cluster, weight }) => ({ cluster: clusterIndex(cluster), weight })),
  };
}

function rewriteOf({ rewrite, prefix }: RouteDocument): Rewrite | null {
  if (rewrite === undefined) return null;
  if (rewrite.kind === "template") return rewrite;
  return { kind: "prefix", from: rewrite.from ?? prefix?.text ?? "", to: rewrite.to };
}

function timeoutsOf({ timeouts }: RouteDocument, common: Timeouts): Timeouts | null {
  if (timeouts === undefined) return null;
  const { connect, response, responseIdle, request, requestIdle } = timeouts;
  return {
    ...common,
    connectMs: connect ?? common.connectMs,
    responseHeadMs: response ?? common.responseHeadMs,
    responseBodyIdleMs: responseIdle ?? common.responseBodyIdleMs,
    requestMs: request ?? common.requestMs,
    requestBodyIdleMs: requestIdle ?? common.requestBodyIdleMs,
  };
}
