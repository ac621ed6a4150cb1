/** Every route that a request could take, for people. Slow: set-up and commands only. */
import type { Route } from "../contract/routing.ts";
import type { MessageHead } from "../http1/message-head.ts";
import { conditionCount, type Entry, entriesInOrder } from "./order.ts";
import { NO_ROUTE, RouteTable } from "./route-table.ts";

/**
 * Routes that match the request with `head`, the winner first. `address` as for `RouteTable.match`. A route
 * stands there once, with the most specific of its hosts.
 */
export function candidatesOf(
  routes: readonly Route[],
  memory: Uint8Array,
  head: MessageHead,
  address: Uint8Array | null,
): Entry[] {
  const seen = new Set<number>();
  return entriesInOrder(routes).filter(({ route, host }) => {
    if (seen.has(route)) return false;
    const alone = { ...routes[route]!, hosts: host === "" ? [] : [host] };
    const matches = new RouteTable([alone], 0).match(memory, head, address) !== NO_ROUTE;
    if (matches) seen.add(route);
    return matches;
  });
}

/** Why `winner` comes before `loser`, where both match: part of a sentence. */
export function reasonBetween(routes: readonly Route[], winner: Entry, loser: Entry): string {
  if (winner.host !== loser.host) return `its host (${hostText(loser.host)}) is less specific`;
  if (winner.path.kind !== loser.path.kind)
    return `${pathKindText(loser)} comes behind ${pathKindText(winner)}`;
  if (winner.path.text !== loser.path.text) {
    if (winner.path.kind === "regex") return "its regex stands further down in the file";
    return `its ${winner.path.kind} (${loser.path.text || "/"}) is less specific`;
  }
  const winning = conditionCount(routes[winner.route]!);
  const losing = conditionCount(routes[loser.route]!);
  if (winning !== losing) return `it has fewer conditions (${losing} against ${winning})`;
  return "it stands further down in the file";
}

export function hostText(host: string): string {
  return host === "" ? "any" : host;
}

function pathKindText({ path }: Entry): string {
  switch (path.kind) {
    case "exact":
      return "an exact path";
    case "any":
      return "any path";
    default:
      return `a ${path.kind}`;
  }
}
