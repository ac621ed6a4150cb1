/**
 * Who may use what is answered here from a page of another origin (CORS: Fetch standard §3.2): which fields a
 * response gets, and the answer to the question that a browser asks first (a preflight).
 *
 * The origin of a request is looked at where the head lies; what is read stays here until the next request.
 *
 * @hot
 */
import { equalsIgnoreCase } from "../base/ascii.ts";
import { asciiBytes, writeBytes } from "../base/bytes.ts";
import type { Cors, FieldEdit } from "../contract/routing.ts";
import { type MessageHead, Method } from "../http1/message-head.ts";

const OPTIONS = Method.OPTIONS;
const ORIGIN = asciiBytes("origin");
const REQUESTED_METHOD = asciiBytes("access-control-request-method");
const REQUESTED_HEADERS = asciiBytes("access-control-request-headers");
const ALLOW_ORIGIN = asciiBytes("Access-Control-Allow-Origin: ");
const ALLOW_HEADERS = asciiBytes("Access-Control-Allow-Headers: ");
const ANY_ORIGIN = asciiBytes("Access-Control-Allow-Origin: *\r\n");
const VARY = asciiBytes("Vary: Origin\r\n");
const CRLF = Uint8Array.of(0x0d, 0x0a);
const NOTHING = new Uint8Array(0);
const HYPHEN = 0x2d;
const DOT = 0x2e;
/** A scheme, a name of 253 bytes and a port are shorter. */
const ORIGIN_BYTES_MAX = 300;
/** Of the names of fields that a preflight asks for; what asks for more gets none. */
const REQUESTED_BYTES_MAX = 1024;
const NONE = -1;

/** Fields of a backend that ours replace. */
const REPLACED = [
  "Allow-Origin",
  "Allow-Credentials",
  "Expose-Headers",
  "Allow-Methods",
  "Allow-Headers",
  "Max-Age",
];

export const CORS_EDITS: readonly FieldEdit[] = REPLACED.map((name) => ({
  kind: "remove",
  name: `Access-Control-${name}`,
  value: "",
}));

/** `https://*.example.com`: what stands in front of the labels, and behind them. */
interface OriginPattern {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

export class ReadyCors {
  /** After `read`: the origin may use the answer; true without an origin where any may. */
  isAllowed = false;
  /** After `read`: the request only asks whether another may come. */
  isPreflight = false;
  /** What answers a preflight, but for the lines of `writeLines`. */
  readonly preflight: { readonly status: number; readonly lines: Uint8Array; readonly body: Uint8Array };
  /** Every origin is allowed, by the same line. */
  readonly #isAny: boolean;
  readonly #exact: readonly Uint8Array[];
  readonly #patterns: readonly OriginPattern[];
  /** Lines for an origin that is allowed: of a preflight, and of anything else. */
  readonly #preflightLines: Uint8Array;
  readonly #allowedLines: Uint8Array;
  readonly #echoesHeaders: boolean;
  #memory: Uint8Array = NOTHING;
  #originStart = NONE;
  #originEnd = NONE;
  #headersStart = NONE;
  #headersEnd = NONE;

  constructor({ origins, methods, headers, credentials, maxAgeS, exposedHeaders }: Cors) {
    this.#isAny = origins.includes("*");
    const patterns = origins.filter((origin) => origin.includes("*.")).map((origin) => origin.split("*"));
    this.#exact = origins.filter((origin) => !origin.includes("*")).map(asciiBytes);
    this.#patterns = patterns.map(([start, end]) => ({ start: asciiBytes(start!), end: asciiBytes(end!) }));
    const own = credentials ? "Access-Control-Allow-Credentials: true\r\n" : "";
    const exposed = exposedHeaders.length > 0 ? listLine("Expose-Headers", exposedHeaders) : "";
    this.#preflightLines = asciiBytes(own);
    this.#allowedLines = asciiBytes(own + exposed);
    this.#echoesHeaders = headers === null;
    const lines = [
      "HTTP/1.1 204 No Content\r\n",
      listLine("Allow-Methods", methods),
      headers === null || headers.length === 0 ? "" : listLine("Allow-Headers", headers),
      `Access-Control-Max-Age: ${maxAgeS}\r\n`,
    ];
    this.preflight = { status: 204, lines: asciiBytes(lines.join("")), body: NOTHING };
  }

  /** Reads the request with `head`. */
  read(memory: Uint8Array, head: MessageHead): void {
    this.#memory = memory;
    const origin = lineOf(memory, head, ORIGIN);
    const isOne = origin >= 0 && lineOf(memory, head, ORIGIN, origin + 1) < 0;
    this.#originStart = isOne ? head.fields[(origin << 2) + 2]! : NONE;
    this.#originEnd = isOne ? head.fields[(origin << 2) + 3]! : NONE;
    this.isAllowed = this.#isAny || (isOne && this.#allows(memory, this.#originStart, this.#originEnd));
    this.isPreflight = head.method === OPTIONS && isOne && lineOf(memory, head, REQUESTED_METHOD) >= 0;
    this.#headersStart = NONE;
    this.#headersEnd = NONE;
    if (!this.isPreflight || !this.#echoesHeaders) return;
    const asked = lineOf(memory, head, REQUESTED_HEADERS);
    if (asked < 0) return;
    this.#headersStart = head.fields[(asked << 2) + 2]!;
    this.#headersEnd = head.fields[(asked << 2) + 3]!;
  }

  /** Bytes that `writeLines` writes at most. */
  get linesBytesMax(): number {
    return 2 * ORIGIN_BYTES_MAX + REQUESTED_BYTES_MAX + this.#allowedLines.length;
  }

  /** Writes the lines for the request that was read to `into`, at `at`. Returns the offset past them. */
  writeLines(into: Uint8Array, at: number): number {
    const memory = this.#memory;
    if (this.#isAny) at = writeBytes(into, at, ANY_ORIGIN);
    else {
      at = writeBytes(into, at, VARY);
      if (!this.isAllowed) return at;
      at = writeBytes(into, at, ALLOW_ORIGIN);
      for (let pos = this.#originStart; pos < this.#originEnd; pos++) into[at++] = memory[pos]!;
      at = writeBytes(into, at, CRLF);
    }
    if (!this.isPreflight) return writeBytes(into, at, this.#allowedLines);
    at = writeBytes(into, at, this.#preflightLines);
    const bytes = this.#headersEnd - this.#headersStart;
    if (bytes === 0 || bytes > REQUESTED_BYTES_MAX) return at;
    at = writeBytes(into, at, ALLOW_HEADERS);
    for (let pos = this.#headersStart; pos < this.#headersEnd; pos++) into[at++] = memory[pos]!;
    return writeBytes(into, at, CRLF);
  }

  #allows(memory: Uint8Array, start: number, end: number): boolean {
    if (end - start > ORIGIN_BYTES_MAX) return false;
    for (let i = 0; i < this.#exact.length; i++) {
      const origin = this.#exact[i]!;
      if (end - start === origin.length && isAt(memory, start, origin)) return true;
    }
    for (let i = 0; i < this.#patterns.length; i++) {
      const pattern = this.#patterns[i]!;
      const labelsStart = start + pattern.start.length;
      const labelsEnd = end - pattern.end.length;
      if (labelsStart >= labelsEnd) continue;
      if (!isAt(memory, start, pattern.start) || !isAt(memory, labelsEnd, pattern.end)) continue;
      if (areLabels(memory, labelsStart, labelsEnd)) return true;
    }
    return false;
  }
}

/** Whether the request with `head` is a preflight for one of `methods`. */
export function isPreflightFor(
  memory: Uint8Array,
  head: MessageHead,
  methods: readonly Uint8Array[],
): boolean {
  if (head.method !== OPTIONS || lineOf(memory, head, ORIGIN) < 0) return false;
  const line = lineOf(memory, head, REQUESTED_METHOD);
  if (line < 0) return false;
  const start = head.fields[(line << 2) + 2]!;
  const end = head.fields[(line << 2) + 3]!;
  for (let i = 0; i < methods.length; i++) {
    if (end - start === methods[i]!.length && isAt(memory, start, methods[i]!)) return true;
  }
  return false;
}

/** @cold */
function listLine(name: string, values: readonly string[]): string {
  return `Access-Control-${name}: ${values.join(", ")}\r\n`;
}

/** The first line of the field `name`, in lower case, from line `from` on; -1: there is none. */
function lineOf(memory: Uint8Array, head: MessageHead, name: Uint8Array, from = 0): number {
  const { fields, fieldCount } = head;
  for (let line = from; line < fieldCount; line++) {
    const at = line << 2;
    if (equalsIgnoreCase(memory, fields[at]!, fields[at + 1]!, name)) return line;
  }
  return NONE;
}

/** Lower-case letters, digits, hyphens and dots between them: labels of a name, as browsers write them. */
function areLabels(memory: Uint8Array, start: number, end: number): boolean {
  let isDot = true;
  for (let pos = start; pos < end; pos++) {
    const byte = memory[pos]!;
    if (byte === DOT && isDot) return false;
    isDot = byte === DOT;
    const isLabel = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === HYPHEN;
    if (!isLabel && !isDot) return false;
  }
  return !isDot;
}

function isAt(memory: Uint8Array, start: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (memory[start + i] !== bytes[i]) return false;
  return true;
}
