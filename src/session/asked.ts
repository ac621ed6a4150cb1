/**
 * What an answer of our own, and the notice of it, must know of the request: read when something has gone
 * wrong, from what of the request still lies in memory. Nothing of it is kept on the way.
 */
import { equalsIgnoreCase } from "../base/ascii.ts";
import { asciiBytes, textOf } from "../base/bytes.ts";
import { FIELD_STRIDE, type MessageHead, Method } from "../http1/message-head.ts";
import { prefersJson } from "./accept.ts";
import type { Exchange } from "./exchange.ts";

export interface Asked {
  /** Method and target, cut to `REQUEST_TEXT_BYTES`; "" where they could not be read. */
  readonly request: string;
  /** A HEAD: the answer has no content (RFC 9110 §9.3.2). */
  readonly headOnly: boolean;
  /** Its client would rather read JSON than plain text. */
  readonly json: boolean;
  /** X-Request-Id as the backend got it, cut to `REQUEST_ID_BYTES`; "" where it is not known. */
  readonly requestId: string;
}

const REQUEST_TEXT_BYTES = 256;
const REQUEST_ID_BYTES = 128;
const REQUEST_ID_LINE = asciiBytes("x-request-id:");
const ACCEPT = asciiBytes("accept");
const ACCEPT_LINE = asciiBytes("accept:");
const CR = 0x0d;
const LF = 0x0a;

/**
 * Of a request whose head was read into `head`, as far as it was read. Its bytes must still lie where they
 * were parsed.
 */
export function askedBy(memory: Uint8Array, head: MessageHead): Asked {
  const end = Math.min(head.targetEnd, head.methodStart + REQUEST_TEXT_BYTES);
  const request = head.targetEnd < 0 ? "" : textOf(memory, head.methodStart, end);
  const accepted: string[] = [];
  for (let line = 0; line < head.fieldCount; line++) {
    const at = line * FIELD_STRIDE;
    if (!equalsIgnoreCase(memory, head.fields[at]!, head.fields[at + 1]!, ACCEPT)) continue;
    accepted.push(textOf(memory, head.fields[at + 2]!, head.fields[at + 3]!));
  }
  const json = prefersJson(accepted.join(","));
  return { request, headOnly: head.method === Method.HEAD, json, requestId: "" };
}

/** Of a request whose rewritten head lies in its exchange; little is known once it was given back. */
export function askedIn(memory: Uint8Array, exchange: Exchange): Asked {
  const { requestStart, requestEnd, method } = exchange;
  const headOnly = method === Method.HEAD;
  if (requestStart < 0) return { request: "", headOnly, json: false, requestId: "" };
  const text = textOf(memory, requestStart, Math.min(requestEnd, requestStart + REQUEST_TEXT_BYTES));
  const lineEnd = text.indexOf(" HTTP/1.1\r\n");
  const request = lineEnd < 0 ? text : text.slice(0, lineEnd);
  const json = prefersJson(valuesIn(memory, requestStart, requestEnd, ACCEPT_LINE));
  const requestId = valuesIn(memory, requestStart, requestEnd, REQUEST_ID_LINE).trim();
  return { request, headOnly, json, requestId: requestId.slice(0, REQUEST_ID_BYTES) };
}

/** The values of all lines of the head at `start` that begin with `line` (`accept:`), as one list. */
function valuesIn(memory: Uint8Array, start: number, end: number, line: Uint8Array): string {
  const values: string[] = [];
  let lineStart = start;
  while (lineStart < end && memory[lineStart] !== CR) {
    let lineEnd = lineStart;
    while (lineEnd < end && memory[lineEnd] !== LF) lineEnd++;
    const valueStart = lineStart + line.length;
    if (valueStart < lineEnd && equalsIgnoreCase(memory, lineStart, valueStart, line)) {
      values.push(textOf(memory, valueStart, lineEnd - 1));
    }
    lineStart = lineEnd + 1;
  }
  return values.join(",");
}
