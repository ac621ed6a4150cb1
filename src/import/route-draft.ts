/** A route that an import writes, with where it comes from. */
import type { DraftConditions } from "./conditions.ts";
import type { Directive } from "./nginx-grammar.ts";

/** What becomes of the path: nothing, a prefix, or a text with variables. */
export type DraftRewrite = string | { readonly stripPrefix: true } | { readonly replacePrefix: string };

export interface DraftFields {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface DraftRate {
  readonly rate: string;
  readonly burst: number;
  readonly key?: string | { readonly header: string } | { readonly cookie: string };
  readonly status: number;
}

export interface DraftBasicAuth {
  readonly realm: string;
  readonly file: string;
  readonly forward?: "on";
}

export interface DraftBuffer {
  readonly request?: string;
  readonly response?: string;
}

export type DraftCompress =
  | "off"
  | {
      readonly encodings: readonly string[];
      readonly types?: readonly string[];
      readonly minSize: number;
      readonly level: Readonly<Record<string, number>>;
    };

/** Which paths; without any of them all. */
export interface DraftPattern {
  readonly path?: string;
  readonly prefix?: string;
  readonly regex?: string;
}

/** What becomes of a request: keys of a route, as they are written. */
export interface DraftAction {
  /** Others are answered 403. */
  readonly methods?: readonly string[];
  readonly to?: string | Readonly<Record<string, number>>;
  readonly redirect?: { readonly to: string; readonly status: number };
  readonly respond?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  readonly rewrite?: DraftRewrite;
  readonly requestHeaders?: DraftFields;
  readonly responseHeaders?: DraftFields;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly timeouts?: Readonly<Record<string, string>>;
  readonly maxBody?: string;
  readonly rateLimit?: DraftRate;
  readonly basicAuth?: DraftBasicAuth;
  readonly buffer?: DraftBuffer;
  readonly compress?: DraftCompress;
  readonly errorPages?: Readonly<Record<string, unknown>>;
}

export interface RouteDraft extends DraftPattern, Omit<DraftConditions, "methods">, DraftAction {
  /** What it was made of. */
  readonly source: Directive;
  readonly host?: readonly string[];
}

/** The keys of a route in the order in which they are written. */
export const ROUTE_KEYS = [
  ...[
    "host",
    "path",
    "prefix",
    "regex",
    "methods",
    "headers",
    "query",
    "cookies",
    "to",
    "redirect",
    "respond",
    "rewrite",
  ],
  ...["requestHeaders", "responseHeaders", "allow", "deny", "basicAuth", "timeouts", "maxBody", "rateLimit"],
  ...["buffer", "compress", "errorPages"],
] as const;

/** The answer of a place that could not be brought over: it must not fall to another route. */
export const NOT_IMPORTED: DraftAction = { respond: { status: 501, body: "Not imported.\n" } };

/** The answer of a place whose guard could not be brought over. */
export const CLOSED: DraftAction = { respond: { status: 403 } };
