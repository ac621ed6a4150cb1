/** The key `cors` of `routes`. */
import type { Cors, FieldEdit } from "../contract/routing.ts";
import { type Duration, kind, open } from "./kinds.ts";
import { isMap, type Plain, readMethod, TOKEN, unknownKey } from "./routes-values.ts";
import { Problem, readDurationMs } from "./values.ts";

/** Origins alone, or with all that can be said. */
export type CorsInput = string | readonly string[] | CorsMap;

export interface CorsMap {
  readonly origins: string | readonly string[];
  readonly methods?: string | readonly string[];
  /** `*`: whatever is asked for. */
  readonly headers?: string | readonly string[];
  readonly credentials?: boolean | "on" | "off";
  readonly maxAge?: Duration;
  readonly exposeHeaders?: string | readonly string[];
}

const KEYS = ["origins", "methods", "headers", "credentials", "maxAge", "exposeHeaders"] as const;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const MAX_AGE = "10m";
const MAX_AGE_MS_MAX = 86_400_000;
/** Answers of our own have these names in them. */
const NAMES_BYTES_MAX = 1000;
const ORIGIN =
  /^[a-z][a-z0-9+.-]*:\/\/(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

function readCors(written: unknown): Cors | Problem {
  const map: Plain = isMap(written) ? written : { origins: written };
  const unknown = unknownKey(map, KEYS);
  if (unknown !== undefined) return unknown;
  const origins = listOf(map.origins);
  if (origins === undefined || origins.length === 0)
    return new Problem("has no origins", "write a list, like [https://app.example.com]");
  const credentials = [true, "on", "true"].includes(map.credentials as string);
  if (!credentials && ![undefined, false, "off", "false"].includes(map.credentials as undefined))
    return new Problem("has credentials that are no choice", "write on or off");
  const wrong = originsProblem(origins, credentials);
  if (wrong !== undefined) return wrong;
  const methods = listOf(map.methods ?? METHODS)?.map(readMethod) ?? [
    new Problem("are no list", "write [GET]"),
  ];
  const badMethod = methods.find((method) => method instanceof Problem);
  if (badMethod !== undefined)
    return new Problem(`has methods of which one ${badMethod.reason}`, badMethod.remedy);
  const isAnyHeader = map.headers === undefined || map.headers === "*";
  const headers = isAnyHeader ? null : readNames("headers", map.headers);
  if (headers instanceof Problem) return headers;
  const exposedHeaders = readNames("exposeHeaders", map.exposeHeaders ?? []);
  if (exposedHeaders instanceof Problem) return exposedHeaders;
  const maxAgeMs = readDurationMs(String(map.maxAge ?? MAX_AGE), 0, MAX_AGE_MS_MAX);
  if (maxAgeMs instanceof Problem)
    return new Problem(`has a maxAge that ${maxAgeMs.reason}`, maxAgeMs.remedy);
  const maxAgeS = Math.floor(maxAgeMs / 1000);
  return { origins, methods: methods as string[], headers, credentials, maxAgeS, exposedHeaders };
}

/** The parts of a list, or of a text with commas; undefined for anything else. */
function listOf(written: unknown): string[] | undefined {
  const list: unknown = typeof written === "string" ? written.split(",") : written;
  if (!Array.isArray(list) || !list.every((each) => typeof each === "string")) return undefined;
  return (list as string[]).map((each) => each.trim()).filter((each) => each !== "");
}

function originsProblem(origins: readonly string[], credentials: boolean): Problem | undefined {
  if (origins.includes("*")) {
    if (credentials)
      return new Problem(
        "lets every origin use what it gives to cookies",
        "list the origins, like [https://app.example.com], or leave credentials out",
      );
    return origins.length === 1 ? undefined : new Problem("has * and others", "keep one: * is every origin");
  }
  for (const origin of origins) {
    if (origin === "null")
      return new Problem("allows the origin null, which every sandboxed page has", "leave it out");
    const quoted = JSON.stringify(origin);
    if (/^(?:http:.*:80|https:.*:443)$/.test(origin))
      return new Problem(`has ${quoted}, whose port browsers leave out`, "leave it out");
    if (ORIGIN.test(origin)) continue;
    if (/^[^/]*:\/\/[^/]+\/.*$/.test(origin))
      return new Problem(`has ${quoted}, which has a path`, "write scheme and host alone");
    if (ORIGIN.test(origin.toLowerCase()))
      return new Problem(`has ${quoted}, which browsers write otherwise`, `write ${origin.toLowerCase()}`);
    return new Problem(
      `has ${quoted}, which is not an origin`,
      "write one, like https://app.example.com or https://*.example.com",
    );
  }
  return undefined;
}

function readNames(key: string, written: unknown): string[] | Problem {
  const names = listOf(written);
  if (names === undefined)
    return new Problem(`has no list of ${key}`, "write names of fields, like [X-Total]");
  const wrong = names.find((name) => !TOKEN.test(name));
  if (wrong !== undefined)
    return new Problem(`has under ${key} ${JSON.stringify(wrong)}, which is not a field name`, "correct it");
  if (names.join(", ").length > NAMES_BYTES_MAX)
    return new Problem(`has under ${key} more than ${NAMES_BYTES_MAX} bytes`, "write fewer names");
  return names;
}

/** The first edit or field of ours that `cors` writes itself. */
export function corsRival(edits: readonly Pick<FieldEdit, "name">[]): string | undefined {
  return edits.find(({ name }) => /^access-control-/i.test(name))?.name;
}

export const ROUTE_CORS = {
  cors: open({
    schema: kind<CorsInput, Cors>(readCors),
    words: {
      group: "Routes",
      value: "LIST",
      text: "Origins whose pages may use answers; or origins, methods, headers, credentials, maxAge, exposeHeaders",
      danger: "It keeps other pages from reading answers, nobody from sending requests.",
      json: { anyOf: [{ type: "string" }, { type: "array" }, { type: "object" }] },
    },
  }),
};
