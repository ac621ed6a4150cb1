/**
 * A second opinion: what llhttp, the parser of Node.js, reads from a stream when every leniency is switched
 * off. It is driven directly, without sockets, so that a million streams are a matter of seconds. (The module
 * is internal to Node and may change with it; the tests run on a pinned version.)
 */
import { METHODS } from "node:http";
import type { Reading, Seen } from "./reading.ts";

export interface Parser {
  initialize(type: number, resource: object, maxHeaderBytes: number, lenientFlags: number): void;
  execute(bytes: Uint8Array): number | (Error & { code: string; bytesParsed: number });
  finish(): undefined | (Error & { code: string });
  [callback: number]: (...values: never[]) => unknown;
}
export interface ParserClass {
  new (): Parser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientNone: number;
}

const internals = process.getBuiltinModule("_http_common" as "http") as unknown as {
  HTTPParser: ParserClass;
};
/** The parser class itself, for those that drive it their own way. */
export const { HTTPParser } = internals;
const HEADER_BYTES_MAX = 1 << 20;
/** What a callback returns to go on, and to be told of no body. */
const GO_ON = 0;
const NO_BODY = 1;

type OnHead = (
  major: number,
  minor: number,
  fields: string[] | undefined,
  method: number | undefined,
  target: string | undefined,
  status: number | undefined,
  reason: string | undefined,
  upgrade: boolean,
  persists: boolean,
) => number;

/** Reads `stream` as a server does. */
export function requestsByLlhttp(stream: string): Reading {
  return readAll(stream, HTTPParser.REQUEST, []);
}

/**
 * Reads `stream` as a client does that sent requests with these methods, up to the end of the connection.
 * Responses beyond are read as answers to GET.
 */
export function responsesByLlhttp(stream: string, methods: readonly string[]): Reading {
  return readAll(stream, HTTPParser.RESPONSE, methods);
}

function readAll(stream: string, type: number, methods: readonly string[]): Reading {
  const messages: Seen[] = [];
  const parser = new HTTPParser();
  parser.initialize(type, {}, HEADER_BYTES_MAX, HTTPParser.kLenientNone);
  let early: string[] = [];
  let earlyTarget = "";
  let answered = 0;
  parser[HTTPParser.kOnHeaders] = (fields: string[], target: string) => {
    early.push(...fields);
    earlyTarget += target;
  };
  const onHead: OnHead = (major, minor, fields, method, target, status, _reason, upgrade, persists) => {
    messages.push({
      method: method === undefined ? "" : nameOfMethod(method),
      status: status ?? 0,
      target: earlyTarget + (target ?? ""),
      version: `${major}.${minor}`,
      fields: pairs([...early, ...(fields ?? [])]),
      raw: "",
      rawBody: "",
      body: "",
      complete: false,
      persists,
      upgrade,
    });
    early = [];
    earlyTarget = "";
    if (type === HTTPParser.REQUEST || status! < 200) return GO_ON;
    return methods[answered++] === "HEAD" ? NO_BODY : GO_ON;
  };
  parser[HTTPParser.kOnHeadersComplete] = onHead;
  parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
    messages.at(-1)!.body += bytes.toString("latin1");
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    messages.at(-1)!.complete = true;
    // Trailer fields come the way early header fields do.
    early = [];
    earlyTarget = "";
  };
  const result = parser.execute(Buffer.from(stream, "latin1"));
  if (typeof result !== "number") return { messages, fault: result.code };
  if (messages.at(-1)?.upgrade === true) return { messages, fault: "" };
  return { messages, fault: parser.finish()?.code ?? "" };
}

function pairs(flat: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) found.push([flat[i]!, flat[i + 1]!]);
  return found;
}

const methodNames = new Map<number, string>();

/** The parser tells methods by its own numbers; which is which is found out by asking. */
function nameOfMethod(id: number): string {
  if (methodNames.size === 0) {
    for (const name of METHODS) {
      const parser = new HTTPParser();
      parser.initialize(HTTPParser.REQUEST, {}, HEADER_BYTES_MAX, HTTPParser.kLenientNone);
      const learn: OnHead = (_major, _minor, _fields, number) => {
        methodNames.set(number!, name);
        return GO_ON;
      };
      parser[HTTPParser.kOnHeadersComplete] = learn;
      parser.execute(Buffer.from(`${name} ${name === "CONNECT" ? "h:1" : "/"} HTTP/1.1\r\nHost: h\r\n\r\n`));
    }
  }
  return methodNames.get(id) ?? `method ${id}`;
}
