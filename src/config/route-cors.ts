/** The key `cors` of `routes`. */
import type { Cors, FieldEdit } from "../contract/routing.ts";
import { type Duration, kind, open } from "./kinds.ts";
import { MISSING, Parts, readOnOff } from "./parts.ts";
import { readMethod, TOKEN } from "./routes-values.ts";
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
  const parts = new Parts(written, KEYS, "origins");
  const origins = parts.map.origins === undefined ? [] : parts.list("origins", [], ORIGINS, readOrigin, true);
  if (parts.map.origins === undefined) parts.refuse(["origins"], MISSING, `write a list, like ${ORIGINS}`);
  const credentials = parts.read("credentials", "off", readOnOff);
  if (origins.includes("*")) {
    if (credentials)
      parts.refuse(
        ["credentials"],
        "lets every origin use what it gives to cookies",
        `list the origins, like ${ORIGINS}, or leave credentials out`,
      );
    if (origins.length > 1) parts.refuse(["origins"], "has * and others", "keep one: * is every origin");
  }
  const methods = parts.list("methods", METHODS, "[GET]", readMethod);
  const isAnyHeader = parts.map.headers === undefined || parts.map.headers === "*";
  const headers = isAnyHeader ? null : readNames(parts, "headers");
  const exposedHeaders = readNames(parts, "exposeHeaders");
  const maxAgeMs = parts.read("maxAge", MAX_AGE, (text) => readDurationMs(text, 0, MAX_AGE_MS_MAX));
  const maxAgeS = Math.floor(maxAgeMs / 1000);
  return parts.result({ origins, methods, headers, credentials, maxAgeS, exposedHeaders });
}

const ORIGINS = "[https://app.example.com]";

function readOrigin(origin: string): string | Problem {
  if (origin === "*") return origin;
  if (origin === "null") return new Problem("is an origin that every sandboxed page has", "leave it out");
  if (/^(?:http:.*:80|https:.*:443)$/.test(origin))
    return new Problem("has a port that browsers leave out", "leave it out");
  if (ORIGIN.test(origin)) return origin;
  if (/^[^/]*:\/\/[^/]+\/.*$/.test(origin)) return new Problem("has a path", "write scheme and host alone");
  if (ORIGIN.test(origin.toLowerCase()))
    return new Problem("is what browsers write otherwise", `write ${origin.toLowerCase()}`);
  return new Problem("is not an origin", "write one, like https://app.example.com or https://*.example.com");
}

function readNames(parts: Parts, key: string): string[] {
  const names = parts.list(key, [], "[X-Total]", (name) =>
    TOKEN.test(name) ? name : new Problem("is not a field name", "correct it"),
  );
  if (names.join(", ").length > NAMES_BYTES_MAX)
    parts.refuse([key], `has more than ${NAMES_BYTES_MAX} bytes`, "write fewer names");
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
