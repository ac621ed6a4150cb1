/** The answer to each route. */
import type { Port } from "../contract/port.ts";
import type { EchoConnection } from "./echo-connection.ts";
import { type EchoRequest, renderHead, renderResponse } from "./echo-request.ts";
import { EventStream } from "./event-stream.ts";
import { sendBytes } from "./output.ts";
import { PatternBody } from "./pattern-body.ts";
import type { SharedBytes } from "./shared-bytes.ts";
import { acceptWebSocket } from "./web-socket.ts";

export interface AnswerContext {
  readonly port: Port;
  /** Length of the fixed body, or -1. */
  readonly bodyBytes: number;
  readonly pattern: SharedBytes;
  readonly serverName: string;
  /** A stream that is not pumped has queued its last byte. */
  readonly finish: (connection: EchoConnection) => void;
  /** The response cannot be finished. */
  readonly abort: (connection: EchoConnection) => void;
}

/** `whole`: all is queued. `stream`: `connection.stream` goes on. `webSocket`: frames follow. */
export type AnswerVerdict = "whole" | "stream" | "webSocket";

const CHUNK_COUNT = 5;
const JSON_TYPE = "application/json";

/** Answers `connection.request`. */
export function beginAnswer(context: AnswerContext, connection: EchoConnection): AnswerVerdict {
  const request = connection.request!;
  const route = request.route;
  switch (route.name) {
    case "health":
      return whole(context, connection, renderResponse(request, 200, "ok\n"));
    case "close":
      return whole(context, connection, renderResponse(request, 200, "closing\n"));
    case "slow":
      return whole(context, connection, renderResponse(request, 200, `after ${route.delayMs} ms\n`));
    case "bad":
      return whole(context, connection, renderResponse(request, 400, route.text));
    case "status":
      return whole(context, connection, renderResponse(request, route.status, `status ${route.status}\n`));
    case "chunked":
      return whole(context, connection, renderChunked(request));
    case "upload":
      return whole(context, connection, renderJson(request, request.body.finish()));
    case "bytes":
      return beginBytes(context, connection, route.bytes, "application/octet-stream");
    case "events":
      return beginEvents(context, connection, route.intervalMs, route.count);
    case "ws":
      return beginWebSocket(context, connection);
    case "echo":
      if (context.bodyBytes >= 0) return beginBytes(context, connection, context.bodyBytes, "text/plain");
      return whole(context, connection, renderEcho(context, request));
  }
}

function whole(context: AnswerContext, connection: EchoConnection, bytes: Uint8Array): AnswerVerdict {
  if (!sendBytes(context.port, connection.number, bytes)) context.abort(connection);
  return "whole";
}

function renderEcho(context: AnswerContext, request: EchoRequest): Buffer {
  if (request.method === "CONNECT") return renderResponse(request, 405, "This is no proxy.\n");
  return renderJson(request, {
    server: context.serverName,
    method: request.method,
    target: request.target,
    version: `HTTP/1.${request.versionMinor}`,
    headers: request.fields,
    ...request.body.finish(),
  });
}

function renderJson(request: EchoRequest, value: object): Buffer {
  return renderResponse(request, 200, `${JSON.stringify(value)}\n`, JSON_TYPE);
}

/** `Transfer-Encoding: chunked`, or plain for HTTP/1.0, which does not know it (RFC 9112 §6.1). */
function renderChunked(request: EchoRequest): Buffer {
  const pieces = Array.from({ length: CHUNK_COUNT }, (_, i) => `chunk ${i + 1} of ${CHUNK_COUNT}\n`);
  if (request.versionMinor === 0) return renderResponse(request, 200, pieces.join(""));
  const head = renderHead(request, 200, -1, ["Content-Type: text/plain", "Transfer-Encoding: chunked"]);
  const chunks = [...pieces, ""].map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  return Buffer.from(head + (request.isHead ? "" : chunks.join("")), "latin1");
}

function beginBytes(
  context: AnswerContext,
  connection: EchoConnection,
  bytes: number,
  contentType: string,
): AnswerVerdict {
  const request = connection.request!;
  const head = renderHead(request, 200, bytes, [`Content-Type: ${contentType}`]);
  whole(context, connection, Buffer.from(head, "latin1"));
  if (request.isHead || connection.request === null) return "whole";
  connection.stream = new PatternBody(context.port, connection.number, context.pattern, bytes);
  return connection.stream.pump() ? "whole" : "stream";
}

function beginEvents(
  context: AnswerContext,
  connection: EchoConnection,
  intervalMs: number,
  count: number,
): AnswerVerdict {
  // To HTTP/1.0 the end of the connection is the end of the body.
  const isChunked = connection.request!.versionMinor === 1;
  const request = isChunked ? connection.request! : { ...connection.request!, persists: false };
  connection.request = request;
  const fields = ["Content-Type: text/event-stream", "Cache-Control: no-store"];
  if (isChunked) fields.push("Transfer-Encoding: chunked");
  whole(context, connection, Buffer.from(renderHead(request, 200, -1, fields), "latin1"));
  if (request.isHead || connection.request === null) return "whole";
  connection.stream = new EventStream(
    { intervalMs, count, isChunked },
    (text) => whole(context, connection, Buffer.from(text, "latin1")),
    () => context.finish(connection),
  );
  return "stream";
}

function beginWebSocket(context: AnswerContext, connection: EchoConnection): AnswerVerdict {
  const request = connection.request!;
  const accept = acceptWebSocket(request);
  if (typeof accept === "number") {
    const text = "This path speaks WebSocket, version 13.\n";
    const fields = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    const head = renderHead({ ...request, persists: true }, accept, text.length, fields);
    return whole(context, connection, Buffer.from(head + (request.isHead ? "" : text), "latin1"));
  }
  const fields = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
  whole(context, connection, Buffer.from(renderHead(request, 101, -1, fields), "latin1"));
  return "webSocket";
}
