/**
 * Reads HTTP/1 messages out of a stream, as the clients and backends of a simulation need it: whole ones, of a sender
 * that writes by the rules. What breaks them is an error of the simulation's user or of the proxy, and is thrown.
 */

/** What a message was, whole. */
export interface WholeMessage {
  /** `GET /a HTTP/1.1`, `HTTP/1.1 200 OK`. */
  readonly startLine: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** How long a body is: in bytes, in chunks, or until the stream ends. */
type Length = number | "chunked" | "until-end";

/** For the head of a message: how long its body is. */
export type LengthRule = (startLine: string, fields: WholeMessage["fields"]) => Length;

const HEAD_END = "\r\n\r\n";

export class MessageReader {
  readonly #lengthOf: LengthRule;
  #bytes: Buffer = Buffer.alloc(0);
  #waiting: Buffer[] = [];
  #hasEnded = false;

  constructor(lengthOf: LengthRule) {
    this.#lengthOf = lengthOf;
  }

  feed(bytes: Uint8Array): void {
    this.#waiting.push(Buffer.from(bytes));
  }

  /** The stream has ended. */
  end(): void {
    this.#hasEnded = true;
  }

  /** Everything that no message has taken. */
  rest(): Buffer {
    const all = this.#all();
    this.#bytes = Buffer.alloc(0);
    return all;
  }

  /** The next message; undefined while it is not whole. */
  next(): WholeMessage | undefined {
    const bytes = this.#all();
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd < 0) return undefined;
    const [startLine = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
    const fields = lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
    const start = headEnd + HEAD_END.length;
    const read = this.#body(bytes, start, this.#lengthOf(startLine, fields));
    if (read === undefined) return undefined;
    this.#bytes = bytes.subarray(read.end);
    return { startLine, fields, body: read.body };
  }

  #all(): Buffer {
    if (this.#waiting.length > 0) this.#bytes = Buffer.concat([this.#bytes, ...this.#waiting]);
    this.#waiting = [];
    return this.#bytes;
  }

  #body(bytes: Buffer, start: number, length: Length): { body: Uint8Array; end: number } | undefined {
    if (length === "until-end")
      return this.#hasEnded ? { body: bytes.subarray(start), end: bytes.length } : undefined;
    if (length === "chunked") return chunks(bytes, start);
    if (bytes.length < start + length) return undefined;
    return { body: bytes.subarray(start, start + length), end: start + length };
  }
}

function chunks(bytes: Buffer, start: number): { body: Uint8Array; end: number } | undefined {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error("a chunk has no size");
    if (size === 0) {
      // Trailers end as heads do; without them the empty line follows at once.
      const end = bytes.indexOf(HEAD_END, lineEnd);
      return end < 0 ? undefined : { body: Buffer.concat(parts), end: end + HEAD_END.length };
    }
    if (bytes.length < lineEnd + 2 + size + 2) return undefined;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

/** The value of a field, in lower case; undefined where there is none. */
export function fieldOf(fields: WholeMessage["fields"], name: string): string | undefined {
  return fields.find(([each]) => each.toLowerCase() === name)?.[1].toLowerCase();
}

export const requestLength: LengthRule = (_startLine, fields) => {
  if (fieldOf(fields, "transfer-encoding") !== undefined) return "chunked";
  return Number(fieldOf(fields, "content-length") ?? 0);
};

/** `isHead`: it answers a HEAD. */
export function responseLength(isHead: boolean): LengthRule {
  return (startLine, fields) => {
    const status = statusOf(startLine);
    if (isHead || status < 200 || status === 204 || status === 304) return 0;
    if (fieldOf(fields, "transfer-encoding") !== undefined) return "chunked";
    const length = fieldOf(fields, "content-length");
    return length === undefined ? "until-end" : Number(length);
  };
}

export function statusOf(startLine: string): number {
  return Number(startLine.split(" ")[1] ?? 0);
}
