/**
 * What the control plane tells the data plane about routes: which request goes where, and what becomes of it.
 * Plain data, checked before it gets here. In which order routes are asked is `route/order.ts`'s to say, and
 * docs/routing.md tells it to people.
 */
import type { Network } from "../base/ip-address.ts";
import type { Timeouts } from "./snapshot.ts";

export interface Routing {
  /** In the order of the file. */
  readonly routes: readonly Route[];
  /** Several routes may share one. */
  readonly rateLimits?: readonly RateLimit[];
  /** Of requests that no route matches, as `Route.rateLimit`. */
  readonly unroutedRateLimit?: number;
  /** Number of the chain of hooks of requests that no route matches; absent: none. */
  readonly unroutedChain?: number;
}

/** All conditions must hold; an empty list is no condition. */
export interface Route {
  /** For people: in logs and in `explain`. */
  readonly name: string;
  /** Lower case, without port: `example.com`, or `*.example.com` for every name below it. */
  readonly hosts: readonly string[];
  readonly path: PathPattern;
  /** Tokens; upper and lower case differ (RFC 9110 §9.1). */
  readonly methods: readonly string[];
  /** Of header fields; names in lower case. */
  readonly fields: readonly ValueCondition[];
  readonly query: readonly ValueCondition[];
  readonly cookies: readonly ValueCondition[];
  /** Networks of which the peer is in one. */
  readonly clients: readonly Network[];

  readonly action: RouteAction;
  /** Who may come: answered 403 when `deny` has the peer, or `allow` is not empty and has it not. */
  readonly allow: readonly Network[];
  readonly deny: readonly Network[];
  /** Of what goes to a backend; null: as it came. */
  readonly rewrite: Rewrite | null;
  readonly requestFields: readonly FieldEdit[];
  /** Of final responses that come from a backend. */
  readonly responseFields: readonly FieldEdit[];
  /** Complete; null: those of the snapshot. */
  readonly timeouts: Timeouts | null;
  /** As in `Limits`; -1: that of the snapshot. */
  readonly requestBodyBytesMax: number;
  /** Exchanges of one worker at a time; 0: no limit of its own. */
  readonly requestsInFlightMax: number;
  /** Attempts beyond the first that a request may have; absent: `RETRIES`. At most `RETRIES_MAX`. */
  readonly retries?: number;
  /** Null: nothing is said, and preflights are requests as any other. */
  readonly cors: Cors | null;
  /** Index into `Routing.rateLimits`; -1: none. */
  readonly rateLimit: number;
  /** Before those of the snapshot. */
  readonly errorPages: readonly ErrorPage[];
  /** Number of its chain of hooks (`Hooking.chains`); absent: none. */
  readonly chain?: number;
}

/**
 * Compared byte for byte with the path as received, up to its `?`. `exact`: all of it. `prefix`: its first
 * segments; no slash at the end, "" is every path. `template`: segments, of which `:name` is one that is not
 * empty and a last `*name` is all that is left, even nothing. `regex`: all of it.
 */
export interface PathPattern {
  readonly kind: "exact" | "template" | "prefix" | "regex" | "any";
  /** "" with `any`. */
  readonly text: string;
}

/** Of several values under one name one must do. `prefix` and `regex` only for header fields. */
export interface ValueCondition {
  readonly name: string;
  readonly kind: "present" | "exact" | "prefix" | "regex";
  /** "" with `present`. */
  readonly value: string;
}

export type RouteAction =
  /** At least one, with weights from 1 to 1,000,000. */
  | { readonly kind: "forward"; readonly targets: readonly RouteTarget[] }
  /** `location` may name variables (`route/template.ts`). */
  | { readonly kind: "redirect"; readonly status: number; readonly location: string }
  | { readonly kind: "respond"; readonly answer: StaticAnswer };

export interface RouteTarget {
  /** Index into `Snapshot.clusters`; `LISTENER_CLUSTER`: that of the listener. */
  readonly cluster: number;
  readonly weight: number;
}

/** In place of a cluster: the one that answers where there are no routes. */
export const LISTENER_CLUSTER = -1;

/** Attempts beyond the first: other backends, or other connections. */
export const RETRIES = 3;
export const RETRIES_MAX = 20;

/** Which pages of other origins may use what is answered (CORS). */
export interface Cors {
  /** `https://a.example`, `https://*.example.com` for every name below; or `*` alone, without credentials. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  /** Null: whatever is asked for. */
  readonly headers: readonly string[] | null;
  /** With cookies and the like. */
  readonly credentials: boolean;
  /** How long a browser need not ask again. */
  readonly maxAgeS: number;
  /** Fields that scripts may read, beside those that they always may. */
  readonly exposedHeaders: readonly string[];
}

/** So many requests of one key in each period, evenly, after at most `burst` at once. */
export interface RateLimit {
  /** What it is in `explain`; with all the rest it tells its buckets from those of others. */
  readonly name: string;
  /** At least 1. */
  readonly count: number;
  readonly periodMs: number;
  /** At least 1. */
  readonly burst: number;
  readonly key: RateKey;
  /** Of the answer beyond it: 400 to 599. */
  readonly status: number;
}

/**
 * Whose requests are counted together. `client`: those of one address (of IPv6, one /64). `all`: everybody's.
 * Of the others, requests that have no such value are counted by client.
 */
export type RateKey =
  | { readonly kind: "client" | "all" }
  /** `name` in lower case. */
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "cookie"; readonly name: string }
  /** Names variables (`route/template.ts`). */
  | { readonly kind: "template"; readonly text: string };

export interface StaticAnswer {
  readonly status: number;
  /** Without Content-Length, Date and Connection, which are added. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  /** Text; sent as UTF-8. At most `ANSWER_BODY_BYTES_MAX` bytes. */
  readonly body: string;
}

/** An answer lies in one slot. */
export const ANSWER_BODY_BYTES_MAX = 49_152;
/** Header fields of one answer, or those that one route adds to a head, as they are written in the file. */
export const FIELD_TEXT_BYTES_MAX = 12_288;
/** A redirect's location or a new target, as it is written in the file. */
export const TEMPLATE_BYTES_MAX = 8_192;

export type Rewrite =
  /** The prefix `from`, where the path has it, becomes `to`; the query stays. Both without a slash at the end. */
  | { readonly kind: "prefix"; readonly from: string; readonly to: string }
  /** A template that begins with `/`; the query stays unless the template has a `?`. */
  | { readonly kind: "template"; readonly text: string };

export interface FieldEdit {
  /** `set`: instead of every line of this name. `add`: one more. `remove`: `value` is "". */
  readonly kind: "set" | "add" | "remove";
  /** As it is to be written. */
  readonly name: string;
  /** May name variables. */
  readonly value: string;
}

/** What stands in an answer of the proxy's own instead of its usual text. */
export interface ErrorPage {
  /** 400 to 599. */
  readonly status: number;
  readonly contentType: string;
  /** As in `StaticAnswer`. */
  readonly body: string;
}
