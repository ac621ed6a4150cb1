/** The keys `basicAuth` and `forwardAuth`, of the whole and of a route. */
import type { BasicAuthLink, ForwardAuthLink } from "../contract/hooking.ts";
import { readPasswordHash } from "../hooks/password.ts";
import { type Duration, kind, open } from "./kinds.ts";
import { isMap, MISSING, Parts, readOnOff } from "./parts.ts";
import { readText } from "./read-text.ts";
import { TOKEN } from "./routes-values.ts";
import { Problem, readDurationMs } from "./values.ts";

type Off = "off" | false;

/** Null: it is switched off. */
type Read<T> = T | null | Problem;

function isOff(written: unknown): boolean {
  return written === false || written === "off" || written === "false";
}

/** The name of a field in lower case. */
function readName(text: string): string | Problem {
  const name = text.trim().toLowerCase();
  return TOKEN.test(name) ? name : new Problem("is not a field name", "write one, like X-User");
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
  const parts = new Parts(written, ["users", "file", "realm", "forward", "userHeader"]);
  const users = readUsers(parts);
  const realm = parts.read("realm", "Restricted", readRealm);
  const forwards = parts.read("forward", "off", readOnOff);
  const userField = written.userHeader === "" ? "" : (parts.optional("userHeader", readName) ?? "");
  return parts.result({ kind: "basicAuth", realm, users, forwards, userField });
}

function readRealm(text: string): string | Problem {
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(text)) return text;
  return new Problem("is not a short text", "write US-ASCII without quotes and backslashes");
}

function readUsers(parts: Parts): (readonly [string, string])[] {
  const { users = {}, file } = parts.map;
  if (!isMap(users)) parts.refuse(["users"], "is not a map of names", HASH);
  const pairs = Object.entries(isMap(users) ? users : {}).map(
    ([name, hash]) => [name, String(hash)] as const,
  );
  for (const [name, hash] of pairs) {
    const problem = userProblem(name, hash);
    if (problem !== undefined) parts.refuse(["users", name], problem.reason, problem.remedy, { isKey: true });
  }
  const lines = file === undefined ? [] : (parts.take(["file"], readLines(String(file))) ?? []);
  for (const [name, hash] of lines) {
    const { reason, remedy } = userProblem(name, hash) ?? {};
    if (reason !== undefined)
      parts.refuse(["file"], `has a line of ${JSON.stringify(name)}, which ${reason}`, remedy ?? "");
  }
  const all = [...pairs, ...lines];
  if (all.length === 0 && parts.isGood)
    parts.refuse([], "has no users", "write users: {NAME: HASH}, or file: users.htpasswd");
  const doubled = all.find(([name], index) => all.findIndex(([other]) => other === name) !== index);
  if (doubled !== undefined) parts.refuse(["file"], `has ${doubled[0]} once more`, "keep one");
  return all;
}

function userProblem(name: string, hash: string): Problem | undefined {
  if (!/^[\x21-\x39\x3b-\x7e]{1,255}$/.test(name))
    return new Problem("is not a name of a user", "write US-ASCII without blanks and colons");
  return readPasswordHash(hash) === undefined
    ? new Problem("has a hash that cannot be checked", HASH)
    : undefined;
}

/** `NAME:HASH` on each line; # begins a comment. */
function readLines(file: string): (readonly [string, string])[] | Problem {
  let text: string;
  try {
    text = readText(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return new Problem(`names ${file}, which cannot be read: ${code}`, "name one with lines NAME:HASH");
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
  const parts = new Parts(written, ["url", "timeout", "requestHeaders", "responseHeaders"], "url");
  const url = parts.optional("url", readUrl) ?? "";
  if (parts.map.url === undefined) parts.refuse(["url"], MISSING, URL_REMEDY);
  const timeoutMs = parts.read("timeout", "2s", (text) => readDurationMs(text, 1, 3_600_000));
  const names = (key: string) => parts.list(key, [], "[X-User]", readName);
  const requestFields = parts.map.requestHeaders === undefined ? null : names("requestHeaders");
  const responseFields = names("responseHeaders");
  return parts.result({ kind: "forwardAuth", url, timeoutMs, requestFields, responseFields });
}

const URL_REMEDY = "write one, like http://127.0.0.1:4000/auth";

function readUrl(text: string): string | Problem {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  const isGood =
    parsed !== undefined && /^https?:$/.test(parsed.protocol) && parsed.username === "" && parsed.hash === "";
  return isGood ? text : new Problem("is no URL to ask", URL_REMEDY);
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
