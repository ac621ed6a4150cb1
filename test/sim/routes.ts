/**
 * Routes of a simulated proxy: which one a request takes is planned with it, so that client and backend know
 * what becomes of it. Drawn from a stream of their own: worlds without routes stay as they were.
 */
import { parseNetwork } from "../../src/base/ip-address.ts";
import type { Prng } from "../../src/base/prng.ts";
import type { Routing } from "../../src/contract/routing.ts";
import { DEFAULT_TIMEOUTS } from "../../src/contract/snapshot.ts";
import { route } from "../route/asking.ts";
import type { Mood, Plan } from "./plan.ts";
import { oneOf } from "./stage.ts";

/**
 * The first segment of the target. `edit`: the target is rewritten, and fields are set both ways. `weigh`: to
 * one of two clusters. `timed`: with timeouts of its own. The rest is answered by the proxy.
 */
const FORWARDED = ["edit", "weigh", "timed"] as const;
const ANSWERED = ["respond", "redirect", "deny"] as const;
export type RouteKind = (typeof FORWARDED)[number] | (typeof ANSWERED)[number] | "";

/** Statuses of those that the proxy answers. */
const STATUSES: Partial<Record<RouteKind, number>> = { respond: 200, redirect: 307, deny: 403 };
const EVERYBODY = parseNetwork("0.0.0.0/0")!;
/** Beyond everything that happens in a world where nothing is short. */
const LONG_MS = 600_000;

/** The route that the request of `plan` asks for. */
export function drawRoute(prng: Prng, { fault, method, requestFraming, isUpgrade }: Plan): RouteKind {
  if (fault !== "" || method === "CONNECT" || prng.oneIn(3)) return "";
  // Behind a body that is not here a connection ends with the proxy's own answer.
  const mayBeAnswered = requestFraming === "none" && !isUpgrade && prng.oneIn(3);
  return mayBeAnswered ? oneOf<RouteKind>(prng, ANSWERED) : oneOf<RouteKind>(prng, FORWARDED);
}

/** Routes for two clusters. */
export function drawRouting(prng: Prng, mood: Mood): Routing {
  const isShort = mood === "wild" && prng.oneIn(2);
  const span = (): number => (isShort ? prng.between(20, 3_000) : LONG_MS);
  const timeouts = { ...DEFAULT_TIMEOUTS, requestMs: span() };
  if (isShort) Object.assign(timeouts, { responseHeadMs: span(), requestBodyIdleMs: span() });
  const weight = (): number => prng.between(1, 9);
  const targets = [
    { cluster: 0, weight: weight() },
    { cluster: 1, weight: weight() },
  ];
  const answer = { status: 200, fields: [{ name: "X-Routed", value: "1" }], body: "routed\n" };
  return {
    routes: [
      route("prefix /edit", {
        rewrite: { kind: "prefix", from: "/edit", to: "" },
        requestFields: [{ kind: "set", name: "X-Edited", value: "$path" }],
        responseFields: [{ kind: "set", name: "X-Route", value: "$method" }],
      }),
      route("prefix /weigh", { action: { kind: "forward", targets } }),
      route("prefix /timed", { timeouts }),
      route("prefix /respond", { action: { kind: "respond", answer } }),
      route("prefix /redirect", {
        action: { kind: "redirect", status: 307, location: "https://$host$target" },
      }),
      route("prefix /deny", { deny: [EVERYBODY] }),
      route(""),
    ],
  };
}

/** What the proxy answers to `plan` for its route; 0: it forwards it. */
export function routedStatus({ route: kind }: Plan): number {
  return STATUSES[kind] ?? 0;
}

/** What is wrong with the proxy's own answer to `plan`; "" if nothing is. */
export function routedFault(plan: Plan, target: string, text: string): string {
  const has = (line: string): boolean => text.includes(`\r\n${line}\r\n`);
  if (plan.route === "respond") return has("X-Routed: 1") ? "" : "has the fields of its route";
  if (plan.route === "redirect")
    return has(`Location: https://sim${target}`) ? "" : "is sent to where its route says";
  return has('Proxy-Status: sim; error=http_request_denied; details="client_denied"') ? "" : "is denied";
}
