/** What `hp-proxy explain` tells of the limits that a request counts against, and of its route's CORS. */
import { durationText } from "../config/values.ts";
import { type RateKey, type RateLimit, RETRIES, type Route } from "../contract/routing.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import { type MessageHead, Method } from "../http1/message-head.ts";
import { ReadyCors } from "../route/cors.ts";
import { isIdempotent } from "../session/reuse.ts";

/** Their numbers, by name. */
const METHODS: ReadonlyMap<string, number> = new Map(Object.entries(Method));

/** Rows of a name and a text. `route` undefined: none matches. */
export function limitRows({ routing }: Snapshot, route: Route | undefined): [string, string][] {
  if (routing === undefined) return [];
  const limit =
    routing.rateLimits?.[route === undefined ? (routing.unroutedRateLimit ?? -1) : route.rateLimit];
  const rows: [string, string][] = limit === undefined ? [] : [["rate", rateText(limit)]];
  const inFlight = route?.requestsInFlightMax ?? 0;
  if (inFlight > 0) rows.push(["in flight", `${inFlight} requests at most, in each worker`]);
  return rows;
}

/** How often a request whose first line is `requestLine` may be sent again. */
export function retriesText(route: Route | undefined, requestLine: string): string {
  const count = route?.retries ?? RETRIES;
  if (count === 0) return "none";
  const method = requestLine.slice(0, requestLine.indexOf(" "));
  const isRepeated = isIdempotent(METHODS.get(method) ?? Method.other);
  const when = isRepeated
    ? "before anything is answered and while all of it is here"
    : `only while nothing of this ${method} was sent`;
  return `${count} at most, ${when}`;
}

/** Who may use what `route` answers to the request with `head`, and whether that request's origin may. */
export function corsRows(route: Route, memory: Uint8Array, head: MessageHead): [string, string][] {
  if (route.cors === null) return [];
  const { origins, methods, credentials } = route.cors;
  const who = origins.includes("*") ? "every origin" : origins.join(", ");
  const rule = `${who} by ${methods.join(", ")}${credentials ? ", with credentials" : ""}`;
  const cors = new ReadyCors(route.cors);
  cors.read(memory, head);
  const verdict = cors.isAllowed ? "this request gets the fields" : "this request gets none of the fields";
  return [["cors", `${rule}; ${cors.isPreflight ? "this is a preflight" : verdict}`]];
}

/** `10 in 1m, 20 at once, by client; more get 429` */
function rateText({ count, periodMs, burst, key, status }: RateLimit): string {
  return `${count} in ${durationText(periodMs)}, ${burst} at once, by ${keyText(key)}; more get ${status}`;
}

function keyText(key: RateKey): string {
  switch (key.kind) {
    case "client":
      return "client";
    case "all":
      return "nothing: all together";
    case "field":
      return `header field ${key.name}, else client`;
    case "cookie":
      return `cookie ${key.name}, else client`;
    case "template":
      return `${key.text}, else client`;
  }
}
