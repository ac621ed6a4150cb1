/** Routes and requests for tests: what is not said has no condition; a request is text that the parser reads. */
import assert from "node:assert/strict";
import type { PathPattern, Route, ValueCondition } from "../../src/contract/routing.ts";
import { DEFAULT_LIMITS } from "../../src/contract/snapshot.ts";
import { MessageHead } from "../../src/http1/message-head.ts";
import { parseRequestHead } from "../../src/http1/request-head.ts";
import { isTemplate } from "../../src/route/path-pattern.ts";

/** `/a`, `/a/:b`, `prefix /a`, `regex /a.*`, or "" for any. */
export function pathOf(text: string): PathPattern {
  if (text === "") return { kind: "any", text };
  const [, kind, rest] = /^(prefix|regex) (.*)$/.exec(text) ?? [];
  if (kind === "prefix") return { kind, text: rest === "/" ? "" : rest! };
  if (kind === "regex") return { kind, text: rest! };
  return { kind: isTemplate(text) ? "template" : "exact", text };
}

/** `name` (present), `name=value`, `name^=value` (prefix) or `name~=value` (regex). */
export function conditionOf(text: string): ValueCondition {
  const match = /^([^=~^]+)(=|~=|\^=)(.*)$/.exec(text);
  if (match === null) return { name: text, kind: "present", value: "" };
  const kind = match[2] === "=" ? "exact" : match[2] === "~=" ? "regex" : "prefix";
  return { name: match[1]!, kind, value: match[3]! };
}

/** A route to cluster 0 with the path `path` as `pathOf` reads it. */
export function route(path: string, changes: Partial<Route> = {}): Route {
  return {
    name: path,
    hosts: [],
    path: pathOf(path),
    methods: [],
    fields: [],
    query: [],
    cookies: [],
    clients: [],
    action: { kind: "forward", targets: [{ cluster: 0, weight: 1 }] },
    allow: [],
    deny: [],
    rewrite: null,
    requestFields: [],
    responseFields: [],
    timeouts: null,
    requestBodyBytesMax: -1,
    requestsInFlightMax: 0,
    cors: null,
    rateLimit: -1,
    errorPages: [],
    ...changes,
  };
}

export interface ParsedRequest {
  readonly memory: Uint8Array;
  readonly head: MessageHead;
}

/** Reads `METHOD target` and field lines; `Host: x` where none is given. */
export function request(line: string, ...fields: readonly string[]): ParsedRequest {
  const [method, target] = line.split(" ");
  const lines = fields.some((field) => /^host:/i.test(field)) ? fields : ["Host: x", ...fields];
  const text = `${method} ${target} HTTP/1.1\r\n${lines.map((field) => `${field}\r\n`).join("")}\r\n`;
  // Not at the beginning, so that offsets are not small by chance.
  const memory = new Uint8Array(Buffer.from(`${" ".repeat(100)}${text}${" ".repeat(16)}`, "latin1"));
  const head = new MessageHead(DEFAULT_LIMITS.fieldCountMax);
  const end = parseRequestHead(memory, 100, 100 + text.length, head, DEFAULT_LIMITS);
  assert.equal(end, 100 + text.length, `a request that can be read: ${line}`);
  return { memory, head };
}
