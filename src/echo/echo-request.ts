/** A request off the plain path, in words; and the text of responses to it. */
import { FIELD_STRIDE, type MessageHead, Method, persists } from "../http1/message-head.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";
import { BodyDigest } from "./body-digest.ts";
import { type Route, routeOf } from "./route.ts";

export interface EchoRequest {
  readonly method: string;
  readonly target: string;
  readonly versionMinor: number;
  /** Name and value of each field line, in the order and case received. */
  readonly fields: readonly (readonly [string, string])[];
  readonly isHead: boolean;
  readonly isUpgrade: boolean;
  /** Whether another request may follow on this connection. */
  readonly persists: boolean;
  readonly route: Route;
  readonly body: BodyDigest;
}

/** Reads a parsed `head` whose bytes lie in `memory`. */
export function readEchoRequest(memory: Buffer, head: MessageHead, isUpgrade: boolean): EchoRequest {
  const fields: [string, string][] = [];
  for (let i = 0; i < head.fieldCount; i++) {
    const [nameStart, nameEnd, valueStart, valueEnd] = head.fields.subarray(
      i * FIELD_STRIDE,
      (i + 1) * FIELD_STRIDE,
    );
    fields.push([
      memory.toString("latin1", nameStart, nameEnd),
      memory.toString("latin1", valueStart, valueEnd),
    ]);
  }
  const route = routeOf(head.pathStart < 0 ? "" : memory.toString("latin1", head.pathStart, head.targetEnd));
  return {
    method: memory.toString("latin1", head.methodStart, head.methodEnd),
    target: memory.toString("latin1", head.targetStart, head.targetEnd),
    versionMinor: head.versionMinor,
    fields,
    isHead: head.method === Method.HEAD,
    isUpgrade,
    persists: persists(head) && route.name !== "close",
    route,
    body: new BodyDigest(route.name === "upload"),
  };
}

/** The value of the first field called `lowerCaseName`, or "". */
export function fieldValue(request: EchoRequest, lowerCaseName: string): string {
  return request.fields.find(([name]) => name.toLowerCase() === lowerCaseName)?.[1] ?? "";
}

/**
 * A response head with `Date` and what the connection needs. `bodyBytes`: -1 for a body whose length is told
 * otherwise, or that cannot be (1xx, 204).
 */
export function renderHead(
  request: EchoRequest,
  status: number,
  bodyBytes: number,
  fields: readonly string[],
): string {
  const lines = [`HTTP/1.1 ${status} ${reasonPhrase(status)}`];
  if (status >= 200) lines.push(`Date: ${new Date().toUTCString()}`);
  lines.push(...fields);
  if (bodyBytes >= 0) lines.push(`Content-Length: ${bodyBytes}`);
  if (status >= 200 && !request.persists) lines.push("Connection: close");
  else if (request.versionMinor === 0) lines.push("Connection: keep-alive");
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A whole response. HEAD, 204 and 304 go without the body (RFC 9112 §6.3). */
export function renderResponse(
  request: EchoRequest,
  status: number,
  body: string,
  contentType = "text/plain; charset=utf-8",
): Buffer {
  const bytes = Buffer.from(body, "utf8");
  const hasBody = status !== 204 && status !== 304;
  const fields = hasBody ? [`Content-Type: ${contentType}`] : [];
  const head = renderHead(request, status, hasBody ? bytes.length : -1, fields);
  return Buffer.concat([Buffer.from(head, "latin1"), hasBody && !request.isHead ? bytes : Buffer.alloc(0)]);
}
