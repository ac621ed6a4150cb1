/** The line of the log about a worker that stood still: for how long, and in which hook. */
import type { NamedCall } from "./hook-names.ts";

/** As many routes are named. */
const ROUTES_MAX = 3;

/** `worker 1 has not turned for 10 s, in hook onRequest of auth.hooks.ts (route shop): it is killed` */
export function stallText(index: number, silentMs: number, call: NamedCall | undefined): string {
  const seconds = Math.round(silentMs / 100) / 10;
  return `worker ${index} has not turned for ${seconds} s, ${placeText(call)}: it is killed`;
}

function placeText(call: NamedCall | undefined): string {
  if (call === undefined) return "in no known hook";
  const { hook, source, routes, isOver } = call;
  const named = `${hook} of ${source}${routesText(routes)}`;
  // What hooks leave behind has no call: what follows an await, timers, streams.
  return isOver ? `in no call of a hook; the last was ${named}` : `in hook ${named}`;
}

function routesText(routes: readonly string[]): string {
  if (routes.length === 0) return "";
  const named = routes.slice(0, ROUTES_MAX).join(", ");
  const more = routes.length > ROUTES_MAX ? ` and ${routes.length - ROUTES_MAX} more` : "";
  return ` (${routes.length === 1 ? "route" : "routes"} ${named}${more})`;
}
