/** The keys of `routes`: which requests a route is about, and what becomes of them. */
import * as z from "zod";
import type { ErrorPage, FieldEdit, StaticAnswer, ValueCondition } from "../contract/routing.ts";
import { hooks } from "./hooks-schema.ts";
import {
  bytes,
  type Count,
  type Duration,
  described,
  type JsonSchema,
  kind,
  list,
  open,
  orList,
  word,
} from "./kinds.ts";
import { isMap, MISSING, Parts } from "./parts.ts";
import { basicAuth, forwardAuth } from "./route-auth.ts";
import { ROUTE_BUFFER } from "./route-buffer.ts";
import { compress } from "./route-compress.ts";
import { ROUTE_CORS } from "./route-cors.ts";
import { ROUTE_LIMITS } from "./route-limits.ts";
import { ROUTE_MIRROR } from "./route-mirror.ts";
import {
  type ConditionInput,
  type ErrorPagesInput,
  type FieldEditsInput,
  type MaintenanceInput,
  type RespondInput,
  readConditions,
  readErrorPages,
  readFieldEdits,
  readHostPattern,
  readMaintenance,
  readMethod,
  readPrefix,
  readRegex,
  readRespond,
  readRoutePath,
} from "./routes-values.ts";
import { Problem, readDurationMs, readInteger, readNetwork } from "./values.ts";

const ROUTES = "Routes";
const ANY_JSON: JsonSchema = {};

function shaped<In, Out>(
  value: string,
  text: string,
  danger: string,
  read: (written: unknown) => Out | Problem,
  json: JsonSchema = { type: "object" },
) {
  return open({
    schema: kind<In, Out>((written) => read(written)),
    words: { group: ROUTES, value, text, danger, json },
  });
}

function pattern<T>(value: string, text: string, danger: string, read: (text: string) => T | Problem) {
  return open(word({ group: ROUTES, value, text, danger }, read));
}

function conditions(what: string, areFields: boolean) {
  const more = areFields ? ", {prefix: …} or {regex: …}" : "";
  return shaped<Readonly<Record<string, ConditionInput>>, ValueCondition[]>(
    "MAP",
    `${what} that must be there, by name: a value, true for any${more}`,
    "Compared byte for byte; nothing is decoded.",
    (written) => readConditions(written, areFields),
  );
}

/** Where requests go: a cluster, or several with the weight of each. */
export type ToInput = string | Readonly<Record<string, Count>>;

export interface Target {
  readonly cluster: string;
  readonly weight: number;
}

function readTo(written: unknown): Target[] | Problem {
  const shape = "write the name of a cluster, or names with weights, like {app: 95, canary: 5}";
  if (typeof written === "string") return [{ cluster: written, weight: 1 }];
  if (!isMap(written)) return new Problem("is not a cluster", shape);
  const parts = new Parts(written, null);
  const targets: Target[] = [];
  for (const cluster of Object.keys(written)) {
    const weight = parts.read(cluster, "1", (text) => readInteger(text, 0, 1_000_000));
    if (weight > 0) targets.push({ cluster, weight });
  }
  if (targets.length === 0) parts.refuse([], "has no cluster with a weight", shape);
  return parts.result(targets);
}

export type RedirectInput = string | { readonly to: string; readonly status?: Count };

const REDIRECTS = [301, 302, 303, 307, 308];

function readRedirect(written: unknown): { location: string; status: number } | Problem {
  const parts = new Parts(written, ["to", "status"], "to");
  const status = parts.read("status", "308", (text) =>
    REDIRECTS.includes(Number(text))
      ? Number(text)
      : new Problem("is not the status of a redirect", `write ${orList(REDIRECTS.map(String))}`),
  );
  const place = "write a URL or path, like https://$host$target";
  const { to = "" } = parts.map;
  if (parts.map.to === undefined) parts.refuse(["to"], MISSING, place);
  else if (typeof to !== "string" || !/^[\x21-\x7e]+$/.test(to))
    parts.refuse(["to"], "is not a place to go", place);
  return parts.result({ location: to as string, status });
}

export type RewriteInput =
  | string
  | { readonly stripPrefix: string | true }
  | { readonly replacePrefix: string };

/** `from` undefined: the prefix of the route itself. */
export type RewriteWritten =
  | { readonly kind: "template"; readonly text: string }
  | { readonly kind: "prefix"; readonly from: string | undefined; readonly to: string };

function readRewrite(written: unknown): RewriteWritten | Problem {
  const shape = "write a path, {stripPrefix: /api} or {replacePrefix: /v2}";
  if (typeof written === "string") {
    if (/^\/[\x21\x22\x24-\x7e]*$/.test(written) && !written.startsWith("//"))
      return { kind: "template", text: written };
    return new Problem("is not a path", "begin with one /, and escape blanks");
  }
  if (!isMap(written)) return new Problem("is not a path", shape);
  const parts = new Parts(written, ["stripPrefix", "replacePrefix"]);
  const { stripPrefix, replacePrefix } = written;
  if (parts.isGood && (stripPrefix === undefined) === (replacePrefix === undefined))
    parts.refuse([], "says two things or none", shape);
  if (stripPrefix === true) return parts.result({ kind: "prefix", from: undefined, to: "" } as const);
  const from = parts.optional("stripPrefix", readPrefix)?.text;
  const to = parts.optional("replacePrefix", readPrefix)?.text ?? "";
  return parts.result({ kind: "prefix", from, to } as const);
}

const TIMEOUT_KEYS = ["connect", "response", "responseIdle", "request", "requestIdle"] as const;
type TimeoutKey = (typeof TIMEOUT_KEYS)[number];

function readTimeouts(written: unknown): Partial<Record<TimeoutKey, number>> | Problem {
  if (!isMap(written))
    return new Problem("is not a group of keys", `write keys below it: ${TIMEOUT_KEYS.join(", ")}`);
  const parts = new Parts(written, TIMEOUT_KEYS);
  const timeouts: Partial<Record<TimeoutKey, number>> = {};
  for (const key of TIMEOUT_KEYS) {
    const ms = parts.optional(key, (text) => readDurationMs(text, key === "request" ? 0 : 1, 86_400_000));
    if (ms !== undefined) timeouts[key] = ms;
  }
  return parts.result(timeouts);
}

export function errorPages(text: string) {
  return shaped<ErrorPagesInput, ErrorPage[]>(
    "MAP",
    text,
    "A page that names internals shows them to everybody.",
    readErrorPages,
  );
}

const FIELD_EDITS_DANGER = "Values from a request are in the client's hands.";

export const ROUTE = {
  name: pattern("NAME", "What it is called in messages (its host and path)", "None known.", (name) => name),
  host: open(
    list(
      {
        group: ROUTES,
        value: "LIST",
        text: "Hosts that it is about: shop.example.com, or *.example.com for every name below; none: all",
        danger: "Clients write what they like into Host.",
      },
      readHostPattern,
    ),
  ),
  path: pattern(
    "PATH",
    "This path, or with parameters these: /users/:id, /files/*rest",
    "Compared as received: /%61 is not /a.",
    readRoutePath,
  ),
  prefix: pattern(
    "PATH",
    "Paths that begin with these segments",
    "/x/../api does not begin with /api, and a backend may think so: see policy.rejectPaths.",
    readPrefix,
  ),
  regex: pattern(
    "REGEX",
    "Paths that match as a whole",
    "Asked one by one: many of them cost time.",
    readRegex,
  ),
  methods: open(
    list(
      { group: ROUTES, value: "LIST", text: "Methods that it is about", danger: "HEAD is not GET." },
      readMethod,
    ),
  ),
  headers: conditions("Header fields", true),
  query: conditions("Parameters of the query", false),
  cookies: conditions("Cookies", false),
  clients: open(
    list(
      {
        group: ROUTES,
        value: "CIDR",
        text: "Networks that its clients are in",
        danger: "Behind another proxy all clients have its address, unless it is in policy.trustedProxies.",
      },
      readNetwork,
    ),
  ),
  to: shaped<ToInput, Target[]>(
    "NAME",
    "The cluster that answers; or several by weight: {app: 95, canary: 5}",
    "Each worker keeps its own turn: small weights need many requests to show.",
    readTo,
    ANY_JSON,
  ),
  redirect: shaped<RedirectInput, { location: string; status: number }>(
    "URL",
    "Instead of `to`: where clients are sent, with variables: https://$host$target; or {to, status} (308)",
    "308 and 301 are kept by browsers for long. $host is what the client wrote.",
    readRedirect,
    ANY_JSON,
  ),
  respond: shaped<RespondInput, StaticAnswer>(
    "MAP",
    "Instead of `to`: an answer of the proxy's own: status (200), headers, body",
    "None known.",
    readRespond,
  ),
  maintenance: shaped<boolean | "on" | "off" | MaintenanceInput, StaticAnswer | undefined>(
    "on|off",
    "Answers 503 with Retry-After in place of what the route does; or body, contentType and retryAfter (1m)",
    "Requests under way go on; new ones are turned away at once.",
    readMaintenance,
    ANY_JSON,
  ),
  rewrite: shaped<RewriteInput, RewriteWritten>(
    "PATH",
    "The path that backends get: a text with variables, {stripPrefix: /api} or {replacePrefix: /v2}",
    "Links in responses still have the old path.",
    readRewrite,
    ANY_JSON,
  ),
  requestHeaders: shaped<FieldEditsInput, FieldEdit[]>(
    "MAP",
    "Header fields of what backends get: set, add, remove",
    FIELD_EDITS_DANGER,
    readFieldEdits,
  ),
  responseHeaders: shaped<FieldEditsInput, FieldEdit[]>(
    "MAP",
    "Header fields of what clients get from backends: set, add, remove",
    FIELD_EDITS_DANGER,
    readFieldEdits,
  ),
  hooks: hooks(ROUTES, "As `hooks`, for this route, behind those"),
  allow: open(
    list(
      {
        group: ROUTES,
        value: "CIDR",
        text: "Only clients of these networks; others get 403",
        danger: "As for clients.",
      },
      readNetwork,
    ),
  ),
  deny: open(
    list(
      { group: ROUTES, value: "CIDR", text: "Clients of these networks get 403", danger: "As for clients." },
      readNetwork,
    ),
  ),
  timeouts: shaped<Partial<Record<TimeoutKey, Duration>>, Partial<Record<TimeoutKey, number>>>(
    "MAP",
    `As \`timeouts\`, for this route: ${TIMEOUT_KEYS.join(", ")}`,
    "As there.",
    readTimeouts,
  ),
  maxBody: open(
    bytes(
      { group: ROUTES, text: "As `limits.body`, for this route", danger: "As there." },
      undefined,
      0,
      2 ** 50,
    ),
  ),
  ...ROUTE_LIMITS,
  ...ROUTE_CORS,
  basicAuth: basicAuth(ROUTES, "As `basicAuth`, for this route, in its place; or off"),
  forwardAuth: forwardAuth(ROUTES, "As `forwardAuth`, for this route, in its place; or off"),
  compress: compress(ROUTES, "As `compress`, for this route, in its place; or off"),
  ...ROUTE_MIRROR,
  ...ROUTE_BUFFER,
  errorPages: errorPages("As `errorPages`, for this route"),
};

export const routes = described(z.array(z.strictObject(ROUTE)).optional(), {
  group: ROUTES,
  value: "LIST",
  text: "Which request goes where; without it all go to the cluster of their listener",
  danger: "Where there are routes, what matches none of them is answered 404.",
  json: { type: "array" },
});

/** A route as the schema gives it. */
export type RouteDocument = NonNullable<z.output<typeof routes>>[number];
