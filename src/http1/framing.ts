/**
 * How long the body of a message is (RFC 9112 §6.3), and every refusal of a message whose length two readers
 * could understand differently. Nothing else decides this. The parser hands each Content-Length and
 * Transfer-Encoding line to `noteContentLength` and `noteTransferEncoding`; the verdict falls in
 * `requestFraming` and `responseFraming`.
 *
 * Stricter than the RFC where it leaves a choice: equal duplicates of Content-Length, lists in it, leading zeros
 * of it (which make a number octal to some), and Content-Length beside Transfer-Encoding are refused, not
 * repaired: the digits go on as they came.
 *
 * @hot
 */
import { equalsIgnoreCase, TOKEN } from "../base/ascii.ts";
import { asciiBytes } from "../base/bytes.ts";
import { Fault } from "./fault.ts";
import { type MessageHead, Method, TransferCoding } from "./message-head.ts";

/** How a body is delimited. `none`: there is no body, or an empty one. */
export const Framing = { none: 0, length: 1, chunked: 2, untilClose: 3 } as const;
export type Framing = (typeof Framing)[keyof typeof Framing];

const CHUNKED_BYTES = asciiBytes("chunked");
/** 2^53 - 1 has 16 digits. */
const LENGTH_DIGITS_MAX = 16;
const LENGTH_MAX = 2 ** 53 - 1;
const IS_TOKEN = TOKEN;
const SP = 0x20;
const HTAB = 0x09;
const COMMA = 0x2c;
const DIGIT_ZERO = 0x30;

/** Takes up the value `[start, end)` of a Content-Length line: `contentLength`, or `framingFault`. */
export function noteContentLength(memory: Uint8Array, start: number, end: number, head: MessageHead): void {
  if (head.contentLength !== -1) {
    head.framingFault = Fault.duplicateContentLength;
    return;
  }
  const digits = end - start;
  let value = 0;
  let valid = digits === 1 || (digits > 1 && digits <= LENGTH_DIGITS_MAX && memory[start] !== DIGIT_ZERO);
  for (; valid && start < end; start++) {
    const digit = memory[start]! - DIGIT_ZERO;
    if (digit < 0 || digit > 9) valid = false;
    value = value * 10 + digit;
  }
  if (!valid || value > LENGTH_MAX) {
    head.framingFault = Fault.badContentLength;
    value = 0;
  }
  head.contentLength = value;
}

/** Takes up the value `[start, end)` of a Transfer-Encoding line: `transferCoding`, or `framingFault`. */
export function noteTransferEncoding(
  memory: Uint8Array,
  start: number,
  end: number,
  head: MessageHead,
): void {
  if (head.transferCoding !== TransferCoding.none) {
    head.transferCoding = TransferCoding.other;
    head.framingFault = Fault.badTransferEncoding;
  } else if (equalsIgnoreCase(memory, start, end, CHUNKED_BYTES)) {
    head.transferCoding = TransferCoding.chunked;
  } else {
    head.transferCoding = TransferCoding.other;
    head.framingFault = endsInOneChunked(memory, start, end)
      ? Fault.unsupportedTransferCoding
      : Fault.badTransferEncoding;
  }
}

/**
 * Whether a list of plain codings names `chunked` once, at its end: then the other codings are what we lack
 * (501).
 */
function endsInOneChunked(memory: Uint8Array, start: number, end: number): boolean {
  let chunkedCount = 0;
  let lastIsChunked = false;
  for (let pos = start; pos <= end; pos++) {
    const tokenStart = pos;
    while (pos < end && IS_TOKEN[memory[pos]!] !== 0) pos++;
    if (pos === tokenStart) return false;
    lastIsChunked = equalsIgnoreCase(memory, tokenStart, pos, CHUNKED_BYTES);
    if (lastIsChunked) chunkedCount++;
    while (pos < end && (memory[pos] === SP || memory[pos] === HTAB)) pos++;
    if (pos < end && memory[pos] !== COMMA) return false;
    while (pos + 1 < end && (memory[pos + 1] === SP || memory[pos + 1] === HTAB)) pos++;
  }
  return lastIsChunked && chunkedCount === 1;
}

/** The `Framing` of a request's body, or a `Fault`. */
export function requestFraming(head: MessageHead): number {
  if (head.framingFault !== 0) return head.framingFault;
  if (head.transferCoding === TransferCoding.chunked) return chunkedFraming(head);
  return head.contentLength > 0 ? Framing.length : Framing.none;
}

/**
 * The `Framing` of the body of a response to a request with `requestMethod` (a `Method`), or a `Fault`.
 * `none` also for a response that ends in a tunnel (101, and 2xx to CONNECT).
 */
export function responseFraming(head: MessageHead, requestMethod: number): number {
  if (head.framingFault !== 0) return head.framingFault;
  const chunked = head.transferCoding === TransferCoding.chunked;
  // Also where no body follows: the head alone could mislead who reads it next.
  if (chunked && (head.contentLength !== -1 || head.versionMinor === 0)) return chunkedFraming(head);
  const status = head.status;
  // What such an interim response announces would be read as the next head (a 101 is followed by none).
  if (status < 200 && status !== 101 && (chunked || head.contentLength > 0)) return Fault.contentInInterim;
  if (status < 200 || status === 204 || status === 304 || requestMethod === Method.HEAD) return Framing.none;
  if (requestMethod === Method.CONNECT && status < 300) return Framing.none;
  if (chunked) return Framing.chunked;
  if (head.contentLength < 0) return Framing.untilClose;
  return head.contentLength > 0 ? Framing.length : Framing.none;
}

function chunkedFraming(head: MessageHead): number {
  if (head.versionMinor === 0) return Fault.transferEncodingInHttp10;
  if (head.contentLength !== -1) return Fault.contentLengthWithTransferEncoding;
  return Framing.chunked;
}

/**
 * Whether the connection can carry another response behind this one, which is framed as `framing`: not when
 * its end ends the body, nor when a 204 announces content, which may come all the same.
 */
export function leavesConnectionClean(head: MessageHead, framing: number): boolean {
  if (framing === Framing.untilClose) return false;
  return head.status !== 204 || (head.contentLength <= 0 && head.transferCoding === TransferCoding.none);
}
