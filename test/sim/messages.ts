/**
 * The messages that travel in a simulation. A request's target says everything: who asks, and what the
 * backend is to do. Bodies are patterns of who asked, so that a byte that is lost, doubled or crossed shows
 * wherever it ends up.
 */

/** How a body is delimited. */
export type Framing = "length" | "chunked" | "close";

/** What a backend does with a request. */
export type Behaviour =
  /** Answers. */
  | "answer"
  /** Answers before it has read the body. */
  | "early"
  /** Sends interim responses first. */
  | "interim"
  /** Answers, then closes. */
  | "last"
  /** Breaks the connection before, or inside, its response. */
  | "reset"
  | "cut"
  /** Never answers. */
  | "silent";

export interface Plan {
  readonly id: number;
  readonly method: "GET" | "HEAD" | "POST" | "PUT";
  readonly requestFraming: Framing;
  readonly requestBytes: number;
  readonly responseFraming: Framing;
  readonly responseBytes: number;
  readonly behaviour: Behaviour;
}

export function targetOf(plan: Plan): string {
  const { id, responseFraming, responseBytes, behaviour } = plan;
  return `/${id}/${responseFraming}/${responseBytes}/${behaviour}`;
}

export function planOfTarget(
  target: string,
): Pick<Plan, "id" | "responseFraming" | "responseBytes" | "behaviour"> {
  const [, id, responseFraming, responseBytes, behaviour] = target.split("/");
  return {
    id: Number(id),
    responseFraming: responseFraming as Framing,
    responseBytes: Number(responseBytes),
    behaviour: behaviour as Behaviour,
  };
}

/** The body of `bytes` bytes that belongs to `seed`. */
export function pattern(seed: number, bytes: number): Buffer {
  const body = Buffer.allocUnsafe(bytes);
  for (let at = 0; at < bytes; at++) body[at] = (seed * 131 + at * 7 + (at >> 8) * 13) & 0xff;
  return body;
}

/** `body` in the framing's own form. `cutBytes` varies where chunks end. */
export function framed(body: Buffer, framing: Framing, cutBytes: number): Buffer {
  if (framing !== "chunked") return body;
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += cutBytes) {
    const piece = body.subarray(at, at + cutBytes);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  parts.push(Buffer.from("0\r\n\r\n"));
  return Buffer.concat(parts);
}

export function fieldOf(framing: Framing, bytes: number): string {
  if (framing === "length") return `Content-Length: ${bytes}\r\n`;
  return framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
}

/** A message read whole from the beginning of some bytes. */
export interface Read {
  readonly head: string;
  readonly body: Buffer;
  /** Bytes that it took. */
  readonly end: number;
}

/**
 * Reads one message from the beginning of `bytes`, strictly. Undefined while it is incomplete. `hasBody` is
 * false for a response to HEAD; `isAtEnd` says that nothing more will come.
 */
export function readMessage(bytes: Buffer, hasBody: boolean, isAtEnd: boolean): Read | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n") + 4;
  if (headEnd < 4) return undefined;
  const head = bytes.subarray(0, headEnd).toString("latin1");
  const none = { head, body: Buffer.alloc(0), end: headEnd };
  if (!hasBody || /^HTTP\/1\.1 (1\d\d|204|304) /.test(head)) return none;
  if (/\r\nTransfer-Encoding: chunked\r\n/i.test(head)) return readChunks(bytes, head, headEnd);
  const length = /\r\nContent-Length: (\d+)\r\n/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = headEnd + Number(length);
    return bytes.length < end ? undefined : { head, body: bytes.subarray(headEnd, end), end };
  }
  if (!head.startsWith("HTTP/")) return none;
  return isAtEnd ? { head, body: bytes.subarray(headEnd), end: bytes.length } : undefined;
}

function readChunks(bytes: Buffer, head: string, headEnd: number): Read | undefined {
  const parts: Buffer[] = [];
  for (let at = headEnd; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const line = bytes.subarray(at, lineEnd).toString("latin1");
    if (!/^[0-9a-f]+$/.test(line))
      throw new Error(`a chunk line that is not canonical: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    const start = lineEnd + 2;
    if (bytes.length < start + size + 2) return undefined;
    if (bytes.subarray(start + size, start + size + 2).toString("latin1") !== "\r\n") {
      throw new Error("a chunk does not end where it says");
    }
    if (size === 0) return { head, body: Buffer.concat(parts), end: start + 2 };
    parts.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
