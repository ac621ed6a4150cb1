/** What a path asks of the echo server. */

export type Route =
  /** Tells what the request was, or gives the fixed body. */
  | { readonly name: "echo" | "health" | "chunked" | "ws" | "upload" | "close" }
  | { readonly name: "events"; readonly intervalMs: number; readonly count: number }
  | { readonly name: "status"; readonly status: number }
  | { readonly name: "bytes"; readonly bytes: number }
  | { readonly name: "slow"; readonly delayMs: number }
  /** A path of ours with an argument that makes no sense. */
  | { readonly name: "bad"; readonly text: string };

const DELAY_MS_MAX = 600_000;
const EVENT_INTERVAL_MS = 250;

/** Second byte of every path that is not `echo`: the cheap test before a path is made into text. */
export const ROUTE_INITIALS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  "hcewusb".includes(String.fromCharCode(byte)) ? 1 : 0,
);

/** The route of a path with its query; "" (as in `OPTIONS *`) is `echo`. */
export function routeOf(pathAndQuery: string): Route {
  const question = pathAndQuery.indexOf("?");
  const path = question < 0 ? pathAndQuery : pathAndQuery.slice(0, question);
  const query = new URLSearchParams(question < 0 ? "" : pathAndQuery.slice(question + 1));
  switch (path) {
    case "/health":
    case "/chunked":
    case "/ws":
    case "/upload":
    case "/close":
      return { name: path.slice(1) as "health" | "chunked" | "ws" | "upload" | "close" };
    case "/events":
      return eventsRoute(query);
  }
  const [, name, argument] = /^\/(status|bytes|slow)\/(.*)$/.exec(path) ?? [];
  if (name === undefined || argument === undefined) return { name: "echo" };
  const value = /^\d{1,16}$/.test(argument) ? Number(argument) : Number.NaN;
  if (name === "status")
    return value >= 200 && value <= 599
      ? { name, status: value }
      : { name: "bad", text: "/status/NNN takes a final status from 200 to 599.\n" };
  if (name === "bytes")
    return Number.isSafeInteger(value)
      ? { name, bytes: value }
      : { name: "bad", text: "/bytes/N takes a number of bytes.\n" };
  return value <= DELAY_MS_MAX
    ? { name: "slow", delayMs: value }
    : { name: "bad", text: `/slow/MS takes milliseconds up to ${DELAY_MS_MAX}.\n` };
}

/** `/events?interval=MS&count=N` */
function eventsRoute(query: URLSearchParams): Route {
  const intervalMs = Number(query.get("interval") ?? EVENT_INTERVAL_MS);
  const count = Number(query.get("count") ?? Number.POSITIVE_INFINITY);
  if (!(intervalMs >= 1 && intervalMs <= DELAY_MS_MAX && count >= 0))
    return { name: "bad", text: "/events takes interval=MS (1 to 600000) and count=N.\n" };
  return { name: "events", intervalMs, count };
}
