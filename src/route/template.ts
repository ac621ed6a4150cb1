/**
 * Texts with variables, as routes write them: `https://$host$target`, `/v2/${rest}`. Taken apart when routes
 * are read; written from where the request lies.
 *
 * `$name` and `${name}` are variables of this file or parts that the path's pattern names, `$1` the first of
 * these, `$$` a dollar. Every value comes from a head that was parsed, so none has a line break.
 *
 * @hot
 */
import { asciiBytes, copy } from "../base/bytes.ts";
import type { HalfSipHash } from "../base/half-sip-hash.ts";
import type { MessageHead } from "../http1/message-head.ts";
import type { PathCaptures } from "./path-pattern.ts";
import { RequestView } from "./request-view.ts";

/** What is wrong with a template, and where: offset of a character in it. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const Part = {
  literal: 0,
  clientAddress: 1,
  /** Without port. */
  host: 2,
  /** With its port, if it is named. */
  authority: 3,
  method: 4,
  path: 5,
  /** With its `?`; empty where there is none. */
  query: 6,
  /** Path and query. */
  target: 7,
  scheme: 8,
  requestId: 9,
  /** From here on: parts that the pattern names, the first at `capture + 1`. */
  capture: 10,
} as const;

const VARIABLES: Readonly<Record<string, number>> = {
  client_address: Part.clientAddress,
  host: Part.host,
  authority: Part.authority,
  method: Part.method,
  path: Part.path,
  query: Part.query,
  target: Part.target,
  scheme: Part.scheme,
  request_id: Part.requestId,
};

/** Names that mean something everywhere. */
export const VARIABLE_NAMES: readonly string[] = Object.keys(VARIABLES);

/** Where the values of a request lie. One record is used for all requests of its owner. */
export class TemplateSource {
  view: RequestView = new RequestView();
  head: MessageHead | null = null;
  captures: PathCaptures | null = null;
  /** Text of the client's address. */
  clientStart = 0;
  clientEnd = 0;
  /** Empty where there is none. */
  requestIdStart = 0;
  requestIdEnd = 0;
}

const { literal, clientAddress, host, authority, method, path, query, target, scheme, requestId, capture } =
  Part;
const SCHEME = asciiBytes("http");
const NOTHING = new Uint8Array(0);

export class Template {
  readonly text: string;
  /** `Part`s, and the text of those that are literal. */
  readonly #parts: Uint8Array;
  readonly #literals: readonly Uint8Array[];

  /** `names` and `count` are those of the pattern's captures. Throws `TemplateError`. */
  constructor(text: string, names: ReadonlyMap<string, number>, count: number) {
    const parts = partsOf(text, names, count);
    this.text = text;
    this.#parts = Uint8Array.from(parts, ({ part }) => part);
    this.#literals = parts.map(({ text: own }) => (own === "" ? NOTHING : asciiBytes(own)));
  }

  /** It has no variables. */
  get isConstant(): boolean {
    return this.#parts.every((part) => part === literal);
  }

  /** It names the parts of the path. */
  get usesCaptures(): boolean {
    return this.#parts.some((part) => part > capture);
  }

  /** It may have a query, its own or that of the request. */
  get hasQuery(): boolean {
    return this.text.includes("?") || this.#parts.includes(query) || this.#parts.includes(target);
  }

  get usesClientAddress(): boolean {
    return this.#parts.includes(clientAddress);
  }

  get usesRequestId(): boolean {
    return this.#parts.includes(requestId);
  }

  /** Bytes that `write` writes now. */
  length(source: TemplateSource): number {
    const parts = this.#parts;
    let bytes = 0;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!;
      if (part === literal) bytes += this.#literals[i]!.length;
      else if (part === scheme) bytes += SCHEME.length;
      else if (part === target)
        bytes += rangeEnd(path, source) - rangeStart(path, source) + queryBytes(source);
      else bytes += rangeEnd(part, source) - rangeStart(part, source);
    }
    return bytes;
  }

  /** Adds what `write` would write to `hash`. */
  addTo(hash: HalfSipHash, memory: Uint8Array, source: TemplateSource): void {
    const parts = this.#parts;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!;
      if (part === literal) hash.addRange(this.#literals[i]!, 0, this.#literals[i]!.length);
      else if (part === scheme) hash.addRange(SCHEME, 0, SCHEME.length);
      else if (part === target) {
        hash.addRange(memory, rangeStart(path, source), rangeEnd(path, source));
        hash.addRange(memory, source.view.queryStart, source.view.queryEnd);
      } else hash.addRange(memory, rangeStart(part, source), rangeEnd(part, source));
      // No value has a NUL in it: `a$x$y` is not `a$y$x` with the border elsewhere.
      hash.addByte(0);
    }
  }

  /** Writes it at `at`, where there is room, from values in the same memory. Returns the offset past it. */
  write(memory: Uint8Array, view: DataView, at: number, source: TemplateSource): number {
    const parts = this.#parts;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!;
      if (part === literal) at = writeShort(memory, at, this.#literals[i]!);
      else if (part === scheme) at = writeShort(memory, at, SCHEME);
      else if (part === target) {
        at = copy(view, memory, rangeStart(path, source), rangeEnd(path, source), at);
        at = copy(view, memory, source.view.queryStart, source.view.queryEnd, at);
      } else at = copy(view, memory, rangeStart(part, source), rangeEnd(part, source), at);
    }
    return at;
  }
}

function queryBytes({ view }: TemplateSource): number {
  return view.queryEnd - view.queryStart;
}

function rangeStart(part: number, source: TemplateSource): number {
  switch (part) {
    case clientAddress:
      return source.clientStart;
    case host:
      return source.view.hostStart;
    case authority:
      return source.view.authorityStart;
    case method:
      return source.head!.methodStart;
    case path:
      return source.view.pathStart;
    case query:
      return source.view.queryStart;
    case requestId:
      return source.requestIdStart;
    default:
      return source.captures!.ranges[2 * (part - capture)]!;
  }
}

function rangeEnd(part: number, source: TemplateSource): number {
  switch (part) {
    case clientAddress:
      return source.clientEnd;
    case host:
      return source.view.hostEnd;
    case authority:
      return source.view.authorityEnd;
    case method:
      return source.head!.methodEnd;
    case path:
      return source.view.pathEnd;
    case query:
      return source.view.queryEnd;
    case requestId:
      return source.requestIdEnd;
    default:
      return source.captures!.ranges[2 * (part - capture) + 1]!;
  }
}

function writeShort(memory: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) memory[at++] = bytes[i]!;
  return at;
}

interface TemplatePart {
  readonly part: number;
  readonly text: string;
}

/** @cold */
function partsOf(text: string, names: ReadonlyMap<string, number>, count: number): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") parts.push({ part: literal, text: plain });
    plain = "";
  };
  const pattern = /\$(?:\$|\{(\w+)\}|([A-Za-z_]\w*|\d+))?/y;
  for (let at = 0; at < text.length; ) {
    if (text[at] !== "$") {
      plain += text[at++];
      continue;
    }
    pattern.lastIndex = at;
    const [whole, braced, bare] = pattern.exec(text)!;
    if (whole === "$$") plain += "$";
    else {
      flush();
      parts.push({ part: partOf(braced ?? bare, at, names, count), text: "" });
    }
    at += whole.length;
  }
  flush();
  return parts;
}

/** @cold */
function partOf(
  name: string | undefined,
  at: number,
  names: ReadonlyMap<string, number>,
  count: number,
): number {
  if (name === undefined) throw new TemplateError("has a $ that begins no variable; write $$", at);
  const number = /^\d+$/.test(name) ? Number(name) : names.get(name);
  if (number !== undefined) {
    if (number >= 1 && number <= count) return capture + number;
    throw new TemplateError(`names part ${number} of the path, whose pattern has ${count}`, at);
  }
  const known = Object.hasOwn(VARIABLES, name) ? VARIABLES[name] : undefined;
  if (known === undefined) throw new TemplateError(`names a variable ${name} that there is not`, at);
  return known;
}
