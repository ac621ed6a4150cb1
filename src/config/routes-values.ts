/** Reads the values of a route. Each reader returns the value or a `Problem`. */
import {
  ANSWER_BODY_BYTES_MAX,
  type ErrorPage,
  FIELD_TEXT_BYTES_MAX,
  type FieldEdit,
  type PathPattern,
  type StaticAnswer,
  type ValueCondition,
} from "../contract/routing.ts";
import { isTemplate, segmentsOf } from "../route/path-pattern.ts";
import { Regex } from "../route/regex.ts";
import { RegexError } from "../route/regex-syntax.ts";
import { VARIABLE_NAMES } from "../route/template.ts";
import { isMap, Parts, scalar } from "./parts.ts";
import { bytesText, Problem, readDurationMs, readInteger } from "./values.ts";

const CONTENT_TYPE_BYTES_MAX = 256;

const LABELS = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*$/;
const LITERAL = /^\[[0-9a-f:.]+\]$/;

export function readHostPattern(text: string): string | Problem {
  const host = text.trim().toLowerCase();
  const name = host.startsWith("*.") ? host.slice(2) : host;
  if (LABELS.test(name) || LITERAL.test(host)) return host;
  if (host === "*") return new Problem("means every host", "leave host out");
  if (/:\d+$/.test(host)) return new Problem("has a port", "leave it out: the port does not count");
  if (host.includes("/")) return new Problem("is a URL", "write the name alone, like shop.example.com");
  if (host.includes("*"))
    return new Problem("has a * within", "write *.example.com for every name below example.com");
  return new Problem("is not a host name", "write a name, like shop.example.com or *.example.com");
}

const PATH = /^\/[\x21-\x22\x24-\x3e\x40-\x7e]*$/;

function readPathText(text: string): string | Problem {
  if (PATH.test(text)) return text;
  if (!text.startsWith("/")) return new Problem("does not begin with /", `write /${text}`);
  if (text.includes("?")) return new Problem("has a query", "write conditions for it under query");
  return new Problem("is not a path", "write it as clients send it: blanks and letters beyond ASCII as %XX");
}

export function readRoutePath(text: string): PathPattern | Problem {
  const path = readPathText(text);
  if (path instanceof Problem) return path;
  if (!isTemplate(path)) return { kind: "exact", text: path };
  const names: string[] = [];
  for (const [index, { kind, text: name }] of segmentsOf(path).entries()) {
    if (kind === "literal") continue;
    const problem = readName(name, names);
    if (problem !== undefined) return problem;
    names.push(name);
    if (kind === "rest" && index !== segmentsOf(path).length - 1)
      return new Problem(`has *${name} within`, "what takes all that is left stands at the end");
  }
  return { kind: "template", text: path };
}

function readName(name: string, before: readonly string[]): Problem | undefined {
  if (!/^[A-Za-z_]\w*$/.test(name))
    return new Problem("has a parameter without a name", "write letters behind the : or *, like :id");
  if (before.includes(name)) return new Problem(`has two parameters ${name}`, "name them apart");
  if (VARIABLE_NAMES.includes(name))
    return new Problem(`has a parameter ${name}, which is a variable already`, "name it otherwise");
  return undefined;
}

export function readPrefix(text: string): PathPattern | Problem {
  const path = readPathText(text);
  return path instanceof Problem ? path : { kind: "prefix", text: path.replace(/\/$/, "") };
}

export function readRegex(text: string): PathPattern | Problem {
  const regex = tryRegex(text);
  if (regex instanceof Problem) return regex;
  for (const name of regex.program.groupNames.keys()) {
    if (VARIABLE_NAMES.includes(name))
      return new Problem(`has a group ${name}, which is a variable already`, "name it otherwise");
  }
  return { kind: "regex", text };
}

function tryRegex(text: string): Regex | Problem {
  try {
    return new Regex(text);
  } catch (error) {
    if (!(error instanceof RegexError)) throw error;
    return new Problem(
      `${error.message}, at character ${error.offset + 1}`,
      "docs/routing.md says what is possible",
    );
  }
}

/** A token (RFC 9110 §5.6.2). */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export function readMethod(text: string): string | Problem {
  const method = text.trim();
  if (!TOKEN.test(method)) return new Problem("is not a method", "write one, like GET");
  if (
    method !== method.toUpperCase() &&
    /^(get|head|post|put|delete|options|patch|trace|connect)$/i.test(method)
  )
    return new Problem("is not the method that clients send", `write ${method.toUpperCase()}`);
  return method;
}

/** `true`: it is there. A text: it is this. For fields also `{prefix}` and `{regex}`. */
export type ConditionInput =
  | true
  | string
  | number
  | { readonly prefix: string }
  | { readonly regex: string };

const CONDITIONS = "write name: value, or name: true for any value";

/** Conditions by name. */
export function readConditions(value: unknown, areFields: boolean): ValueCondition[] | Problem {
  if (!isMap(value)) return new Problem("is not a map of names", CONDITIONS);
  const parts = new Parts(value, null);
  const conditions: ValueCondition[] = [];
  for (const [written, wanted] of Object.entries(value)) {
    const name = areFields ? written.toLowerCase() : written;
    if (areFields ? !TOKEN.test(name) : !/^[\x21-\x7e]+$/.test(name) || /[=&;]/.test(name)) {
      parts.refuse([written], "is not a name", CONDITIONS, { isKey: true });
      continue;
    }
    const condition = parts.take([written], readCondition(name, wanted, areFields));
    if (condition !== undefined) conditions.push(condition);
  }
  return parts.result(conditions);
}

function readCondition(name: string, wanted: unknown, areFields: boolean): ValueCondition | Problem {
  if (wanted === true) return { name, kind: "present", value: "" };
  const text = typeof wanted === "boolean" ? undefined : scalar(wanted);
  if (text !== undefined) return isFieldValue(text) ? { name, kind: "exact", value: text } : BAD_VALUE;
  if (areFields && isMap(wanted)) {
    const { prefix, regex, ...rest } = wanted;
    if (Object.keys(rest).length === 0 && typeof prefix === "string" && regex === undefined)
      return isFieldValue(prefix) ? { name, kind: "prefix", value: prefix } : BAD_VALUE;
    if (Object.keys(rest).length === 0 && typeof regex === "string" && prefix === undefined) {
      const compiled = tryRegex(regex);
      return compiled instanceof Problem ? compiled : { name, kind: "regex", value: regex };
    }
  }
  const more = areFields ? ", {prefix: …} or {regex: …}" : "";
  return new Problem("is not a condition", `${CONDITIONS}${more}`);
}

const BAD_VALUE = new Problem(
  "is a value that no request can have",
  "write ASCII without control characters",
);

function isFieldValue(text: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(text) && text.trim() === text;
}

/** Fields that say how a message is framed and where it goes: they are written by the proxy alone. */
const OWN_FIELDS = [
  ...["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"],
  "upgrade",
];

export interface FieldEditsInput {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: string | readonly string[];
}

/** What becomes of header fields. */
export function readFieldEdits(value: unknown): FieldEdit[] | Problem {
  const shape = "write set: {name: value}, add: {name: value} or remove: [name]";
  if (!isMap(value)) return new Problem("is not a group of keys", shape);
  const parts = new Parts(value, ["set", "add", "remove"]);
  const edits = (["set", "add"] as const).flatMap(
    (kind) => parts.take([kind], readFields(kind, value[kind] ?? {})) ?? [],
  );
  const remove = (name: string) => fieldProblem("remove", name) ?? name;
  for (const name of parts.list("remove", [], "[Server]", remove))
    edits.push({ kind: "remove", name, value: "" });
  const bytes = edits.reduce((sum, { name, value: text }) => sum + name.length + text.length, 0);
  if (bytes > FIELD_TEXT_BYTES_MAX) parts.refuse([], ...tooManyBytes(bytes));
  return parts.result(edits);
}

function tooManyBytes(bytes: number): [reason: string, remedy: string] {
  const most = bytesText(FIELD_TEXT_BYTES_MAX);
  return [`has fields of ${bytes} bytes, and ${most} is the most`, "write less: clients take less"];
}

/** Fields by name. */
function readFields(kind: "set" | "add", written: unknown): FieldEdit[] | Problem {
  if (!isMap(written)) return new Problem("is not a map of names", "write name: value");
  const parts = new Parts(written, null);
  const edits: FieldEdit[] = [];
  for (const [name, value] of Object.entries(written)) {
    const problem = fieldProblem(kind, name);
    if (problem !== undefined) parts.refuse([name], problem.reason, problem.remedy, { isKey: true });
    const text = scalar(value);
    if (text === undefined || !isFieldValue(text))
      parts.refuse([name], "is not a field value", "write ASCII without line breaks");
    else edits.push({ kind, name, value: text });
  }
  return parts.result(edits);
}

function fieldProblem(kind: FieldEdit["kind"], name: string): Problem | undefined {
  if (!TOKEN.test(name)) return new Problem("is not a field name", "correct it");
  const lower = name.toLowerCase();
  if (OWN_FIELDS.includes(lower))
    return new Problem(`changes ${name}, on which the framing of messages depends`, "leave it out");
  if (lower === "host" && kind !== "set")
    return new Problem(`has Host under ${kind}`, "a request has one: write it under set");
  return undefined;
}

/** A text within an answer, small enough to be sent from one buffer. */
function readBody(value: unknown): string | Problem {
  const text = scalar(value ?? "");
  if (text === undefined) return new Problem("is not a text", "write a text");
  const bytes = Buffer.byteLength(text);
  if (bytes <= ANSWER_BODY_BYTES_MAX) return text;
  const most = bytesText(ANSWER_BODY_BYTES_MAX);
  return new Problem(`has ${bytes} bytes, and ${most} is the most`, "let a backend serve it");
}

/** RFC 9110 §15.3.5, §15.3.6 and §15.4.5. */
const WITHOUT_CONTENT = [204, 205, 304];

export interface RespondInput {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export function readRespond(value: unknown): StaticAnswer | Problem {
  if (!isMap(value)) return new Problem("is not a group of keys", "write status, headers and body");
  const parts = new Parts(value, ["status", "headers", "body"]);
  const status = parts.read("status", "200", (text) => readInteger(text, 200, 599));
  const edits = parts.take(["headers"], readFields("set", value.headers ?? {})) ?? [];
  const body = parts.take(["body"], readBody(value.body)) ?? "";
  if (WITHOUT_CONTENT.includes(status) && body !== "")
    parts.refuse(["body"], `stands beside ${status}, which has no body`, "leave it out, or change status");
  const date = edits.find(({ name }) => name.toLowerCase() === "date")?.name;
  if (date !== undefined)
    parts.refuse(["headers", date], "is what every answer gets", "leave it out", { isKey: true });
  const bytes = edits.reduce((sum, { name, value: text }) => sum + name.length + text.length, 0);
  if (bytes > FIELD_TEXT_BYTES_MAX) parts.refuse(["headers"], ...tooManyBytes(bytes));
  const fields = edits.map(({ name, value: text }) => ({ name, value: text }));
  if (body !== "" && !fields.some(({ name }) => name.toLowerCase() === "content-type"))
    fields.unshift({ name: "Content-Type", value: "text/plain; charset=utf-8" });
  return parts.result({ status, fields, body });
}

export interface MaintenanceInput {
  readonly body?: string;
  readonly contentType?: string;
  readonly retryAfter?: string;
}

const MAINTENANCE_TEXT = "This service is being worked on. Please come back later.\n";

/** Undefined: it is switched off. */
export function readMaintenance(value: unknown): StaticAnswer | undefined | Problem {
  if (value === false || value === "off" || value === "false") return undefined;
  const isOn = value === true || value === "on" || value === "true";
  if (!isOn && !isMap(value))
    return new Problem("is not a switch", "write on, off, or body, contentType and retryAfter");
  const parts = new Parts(value, ["body", "contentType", "retryAfter"]);
  const afterMs = parts.read("retryAfter", "1m", (text) => readDurationMs(text, 1000, 31 * 86_400_000));
  const body = parts.take(["body"], readBody(parts.map.body ?? MAINTENANCE_TEXT)) ?? "";
  const type = parts.read("contentType", "text/plain; charset=utf-8", readContentType);
  return parts.result({
    status: 503,
    fields: [
      { name: "Content-Type", value: type },
      { name: "Cache-Control", value: "no-store" },
      { name: "Retry-After", value: String(Math.ceil(afterMs / 1000)) },
    ],
    body,
  });
}

function readContentType(text: string): string | Problem {
  if (text !== "" && text.length <= CONTENT_TYPE_BYTES_MAX && isFieldValue(text)) return text;
  const reason = `is not a content type of at most ${CONTENT_TYPE_BYTES_MAX} bytes`;
  return new Problem(reason, "write one, like text/html");
}

export type ErrorPagesInput = Readonly<
  Record<string | number, string | { readonly body: string; readonly contentType?: string }>
>;

export function readErrorPages(value: unknown): ErrorPage[] | Problem {
  const shape = "write status: text, or status: {body: text, contentType: type}";
  if (!isMap(value)) return new Problem("is not a map of statuses", shape);
  const parts = new Parts(value, null);
  const pages: ErrorPage[] = [];
  for (const [key, written] of Object.entries(value)) {
    const status = readInteger(key, 400, 599);
    if (status instanceof Problem)
      parts.refuse([key], "is not a status from 400 to 599", shape, { isKey: true });
    else {
      const page = parts.take([key], readErrorPage(status, written));
      if (page !== undefined) pages.push(page);
    }
  }
  return parts.result(pages);
}

function readErrorPage(status: number, written: unknown): ErrorPage | Problem {
  const parts = new Parts(written, ["body", "contentType"], "body");
  const body = parts.take(["body"], readBody(parts.map.body)) ?? "";
  const initial = /^\s*</.test(body) ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
  const contentType = parts.read("contentType", initial, readContentType);
  return parts.result({ status, contentType, body });
}
