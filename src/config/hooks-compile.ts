/** From the hooks of a document to the chains that workers run. */
import type { HookLink } from "../contract/hooking.ts";
import type { Routing } from "../contract/routing.ts";
import type { FoundHooks } from "./hook-objects.ts";
import type { Document } from "./schema.ts";

/** As `Hooking`, with the number of each route's chain; -1: none. */
export interface CompiledHooks {
  readonly chains: readonly (readonly HookLink[])[];
  readonly chain: number;
  readonly routeChains: readonly number[];
  readonly digest: string;
}

/** Null where there are no hooks. */
export function compileHooks({
  hooks = [],
  routes,
}: Pick<Document, "hooks" | "routes">): CompiledHooks | null {
  const chains: HookLink[][] = [];
  const known = new Map<string, number>();
  const chainOf = (found: readonly FoundHooks[]): number => {
    if (found.length === 0) return -1;
    const links = found.map(({ link }) => link);
    const text = JSON.stringify(links);
    const number = known.get(text) ?? chains.push(links) - 1;
    known.set(text, number);
    return number;
  };
  const routeChains = (routes ?? []).map((route) => {
    const isLocal = route.redirect !== undefined || route.respond !== undefined;
    return isLocal ? -1 : chainOf([...hooks, ...(route.hooks ?? [])]);
  });
  const chain = routes === undefined ? chainOf(hooks) : -1;
  if (chains.length === 0) return null;
  const all = [...hooks, ...(routes ?? []).flatMap((route) => route.hooks ?? [])];
  const digest = [...new Set(all.map((each) => each.digest))].join(" ");
  return { chains, chain, routeChains, digest };
}

/** `routing` with the number of each route's chain. */
export function withChains(routing: Routing, hooks: CompiledHooks | null): Routing {
  if (hooks === null) return routing;
  const routes = routing.routes.map((route, index) => {
    const chain = hooks.routeChains[index] ?? hooks.chain;
    return chain < 0 ? route : { ...route, chain };
  });
  return { ...routing, routes };
}
