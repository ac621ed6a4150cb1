/** The keys `basicAuth` and `forwardAuth`, of the whole and of a route. */
import { readFileSync } from "node:fs";
import type { BasicAuthLink, ForwardAuthLink } from "../contract/hooking.ts";
import { readPasswordHash } from "../hooks/password.ts";
import { type Duration, kind, open } from "./kinds.ts";
import { isMap, type Plain, TOKEN, unknownKey } from "./routes-values.ts";
import { Problem, readDurationMs } from "./values.ts";

type Off = "off" | false;

/** Null: it is switched off. */
type Read<T> = T | null | Problem;

function isOff(written: unknown): boolean {
  return written === false || written === "off" || written === "false";
}

function isOn(written: unknown): boolean {
  return written === true || written === "on" || written === "true";
}

/** What stands for `key` in `map`, read by `read`; `initial` where nothing does. */
function part<T>(map: Plain, key: string, initial: string, read: (text: string) => T | Problem): T | Problem {
  const value = read(String(map[key] ?? initial));
  return value instanceof Problem ? new Problem(`has a ${key} that ${value.reason}`, value.remedy) : value;
}

function readOnOff(text: string): boolean | Problem {
  if (isOn(text)) return true;
  return isOff(text) ? false : new Problem("is not a choice", "write on or off");
}

/** Field names in lower case. */
function readNames(map: Plain, key: string): string[] | Problem {
  const written = map[key];
  const names = Array.isArray(written) ? written.map(String) : String(written ?? "").split(",");
  const trimmed = names.map((name) => name.trim().toLowerCase()).filter((name) => name !== "");
  const bad = trimmed.find((name) => !TOKEN.test(name));
  return bad === undefined
    ? trimmed
    : new Problem(
        `has a ${key} ${JSON.stringify(bad)}, which is no name of a field`,
        "write names, like X-User",
      );
}

export interface BasicAuthMap {
  readonly users?: Readonly<Record<string, string>>;
  readonly file?: string;
  readonly realm?: string;
  readonly forward?: boolean | "on" | "off";
  readonly userHeader?: string;
}
export type BasicAuthInput = Off | BasicAuthMap;

const HASH = "write what hp-proxy hash-password prints, like $scrypt$ln=15,r=8,p=1$…";

export function readBasicAuth(written: unknown): Read<BasicAuthLink> {
  if (isOff(written)) return null;
  if (!isMap(written)) return new Problem("is no group of keys", "write users or file below it");
  const unknown = unknownKey(written, ["users", "file", "realm", "forward", "userHeader"]);
  if (unknown !== undefined) return unknown;
  const users = readUsers(written);
  if (users instanceof Problem) return users;
  const realm = String(written.realm ?? "Restricted");
  if (!/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(realm))
    return new Problem("has a realm that is no short text", "write US-ASCII without quotes and backslashes");
  const forwards = part(written, "forward", "off", readOnOff);
  if (forwards instanceof Problem) return forwards;
  const userField = String(written.userHeader ?? "").toLowerCase();
  if (userField !== "" && !TOKEN.test(userField))
    return new Problem("has a userHeader that is no name of a field", "write one, like X-User");
  return { kind: "basicAuth", realm, users, forwards, userField };
}

function readUsers({ users, file }: Plain): (readonly [string, string])[] | Problem {
  if (users !== undefined && !isMap(users))
    return new Problem("has users that are no names with hashes", HASH);
  const pairs = Object.entries(users ?? {}).map(([name, hash]) => [name, String(hash)] as const);
  if (file !== undefined) {
    const lines = readLines(String(file));
    if (lines instanceof Problem) return lines;
    pairs.push(...lines);
  }
  if (pairs.length === 0)
    return new Problem("has no users", "write users: {NAME: HASH}, or file: users.htpasswd");
  for (const [name, hash] of pairs) {
    if (!/^[\x21-\x39\x3b-\x7e]{1,255}$/.test(name))
      return new Problem(
        `has a user ${JSON.stringify(name)}, which is no name`,
        "write US-ASCII without blanks and colons",
      );
    if (readPasswordHash(hash) === undefined)
      return new Problem(`has a hash of ${name} that cannot be checked`, HASH);
  }
  const doubled = pairs.find(([name], index) => pairs.findIndex(([other]) => other === name) !== index);
  return doubled === undefined ? pairs : new Problem(`has ${doubled[0]} twice`, "keep one");
}

/** `NAME:HASH` on each line; # begins a comment. */
function readLines(file: string): (readonly [string, string])[] | Problem {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return new Problem(`has a file ${file} that cannot be read: ${code}`, "name one with lines NAME:HASH");
  }
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const colon = line.indexOf(":");
    return colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}

export interface ForwardAuthMap {
  readonly url: string;
  readonly timeout?: Duration;
  readonly requestHeaders?: string | readonly string[];
  readonly responseHeaders?: string | readonly string[];
}
export type ForwardAuthInput = Off | string | ForwardAuthMap;

export function readForwardAuth(written: unknown): Read<ForwardAuthLink> {
  if (isOff(written)) return null;
  const map: Plain = isMap(written) ? written : { url: written };
  const unknown = unknownKey(map, ["url", "timeout", "requestHeaders", "responseHeaders"]);
  if (unknown !== undefined) return unknown;
  const url = String(map.url ?? "");
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (
    parsed === undefined ||
    !/^https?:$/.test(parsed.protocol) ||
    parsed.username !== "" ||
    parsed.hash !== ""
  )
    return new Problem("has no URL to ask", "write one, like http://127.0.0.1:4000/auth");
  const timeoutMs = part(map, "timeout", "2s", (text) => readDurationMs(text, 1, 3_600_000));
  if (timeoutMs instanceof Problem) return timeoutMs;
  const requestFields = map.requestHeaders === undefined ? null : readNames(map, "requestHeaders");
  if (requestFields instanceof Problem) return requestFields;
  const responseFields = readNames(map, "responseHeaders");
  if (responseFields instanceof Problem) return responseFields;
  return { kind: "forwardAuth", url, timeoutMs, requestFields, responseFields };
}

const JSON_SCHEMA = { anyOf: [{ enum: ["off", false] }, { type: "string" }, { type: "object" }] };

/** `text` says what it is about. */
export function basicAuth(group: string, text: string) {
  return open({
    schema: kind<BasicAuthInput, BasicAuthLink | null>(readBasicAuth, true),
    words: {
      group,
      value: "MAP",
      text,
      danger: "Without TLS in front, passwords are readable on their way.",
      json: JSON_SCHEMA,
    },
  });
}

/** `text` says what it is about. */
export function forwardAuth(group: string, text: string) {
  return open({
    schema: kind<ForwardAuthInput, ForwardAuthLink | null>(readForwardAuth),
    words: { group, value: "URL", text, danger: "When it is down, nobody passes.", json: JSON_SCHEMA },
  });
}
