/** From the hooks of a document to the chains that workers run. */
import type { HookLink } from "../contract/hooking.ts";
import type { Routing } from "../contract/routing.ts";
import type { RouteDocument } from "./routes-schema.ts";
import type { Document } from "./schema.ts";

type HookedDocument = Pick<Document, "hooks" | "compress" | "basicAuth" | "forwardAuth" | "routes">;

/** As `Hooking`, with the number of each route's chain; -1: none. */
export interface CompiledHooks {
  readonly chains: readonly (readonly HookLink[])[];
  readonly chain: number;
  /** Of requests that no route matches. */
  readonly unroutedChain: number;
  readonly routeChains: readonly number[];
  readonly digest: string;
}

/** Null where there are no hooks, and nothing that is done as they are. */
export function compileHooks(document: HookedDocument): CompiledHooks | null {
  const { hooks = [], routes } = document;
  const chains: (readonly HookLink[])[] = [];
  const known = new Map<string, number>();
  const chainOf = (links: readonly HookLink[]): number => {
    if (links.length === 0) return -1;
    const text = JSON.stringify(links);
    const number = known.get(text) ?? chains.push(links) - 1;
    known.set(text, number);
    return number;
  };
  const routeChains = (routes ?? []).map((route) => {
    const isLocal = [route.redirect, route.respond, route.maintenance].some((way) => way !== undefined);
    return chainOf(isLocal ? localLinksOf(document, route) : linksOf(document, route));
  });
  const chain = routes === undefined ? chainOf(linksOf(document, {})) : -1;
  const unroutedChain = routes === undefined ? -1 : chainOf(localLinksOf(document, {}));
  if (chains.length === 0) return null;
  const all = [...hooks, ...(routes ?? []).flatMap((route) => route.hooks ?? [])];
  const digest = [...new Set(all.map((each) => each.digest))].join(" ");
  return { chains, chain, unroutedChain, routeChains, digest };
}

/**
 * What a request of `route` passes, in this order; its response in the opposite one. So what is done last to a response
 * stands first.
 */
function linksOf(document: HookedDocument, route: RouteDocument): HookLink[] {
  const { compress = document.compress } = route;
  const built = compress === undefined || compress === null ? [] : [compress];
  const mirror = route.mirror === undefined ? [] : [route.mirror];
  const buffers = (which: "request" | "response") =>
    (route.buffer ?? []).filter((buffer) => buffer.which === which);
  return [
    ...buffers("response"),
    ...built,
    ...localLinksOf(document, route),
    ...mirror,
    ...buffers("request"),
  ];
}

/** As `linksOf`, of a request that goes to no backend: what is about bodies and backends has no use there. */
function localLinksOf(document: HookedDocument, route: RouteDocument): HookLink[] {
  const { basicAuth = document.basicAuth, forwardAuth = document.forwardAuth } = route;
  const code = [...(document.hooks ?? []), ...(route.hooks ?? [])].map(({ link }) => link);
  // Who may not pass reaches nothing behind.
  const built = [basicAuth, forwardAuth].filter((link) => link !== undefined && link !== null);
  return [...built, ...code];
}

/** `routing` with the number of each route's chain. */
export function withChains(routing: Routing, hooks: CompiledHooks | null): Routing {
  if (hooks === null) return routing;
  const routes = routing.routes.map((route, index) => {
    const chain = hooks.routeChains[index] ?? hooks.chain;
    return chain < 0 ? route : { ...route, chain };
  });
  return hooks.unroutedChain < 0
    ? { ...routing, routes }
    : { ...routing, routes, unroutedChain: hooks.unroutedChain };
}
