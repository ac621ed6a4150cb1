/**
 * The lines that a proxy adds to a request, where more is asked for than the three that every request gets:
 * from a trusted proxy what is known of those before it is kept and added to, and options add Forwarded (RFC
 * 7239), X-Request-Id, `TE: trailers`, `Connection: close` and a Max-Forwards counted down. The plain case is
 * in `head-writer.ts`.
 *
 * @hot
 */
import { asciiBytes, ConstantBytes, copy, writeConstant } from "../base/bytes.ts";
import { Field } from "./field-names.ts";
import { HeadNote, type MessageHead, Method } from "./message-head.ts";
import { type RequestPolicy, VIA_MINOR_AT } from "./request-policy.ts";

/** More than everything here writes, but for hosts, addresses, values received and the policy's own lines. */
export const ADDED_BYTES_MAX = 384;

const FORWARDED_FOR = new ConstantBytes(asciiBytes("X-Forwarded-For: "));
const FORWARDED_HOST = new ConstantBytes(asciiBytes("X-Forwarded-Host: "));
const FORWARDED = new ConstantBytes(asciiBytes("Forwarded: "));
const FOR = new ConstantBytes(asciiBytes("for="));
const FOR_IPV6 = new ConstantBytes(asciiBytes('for="['));
const IPV6_END = new ConstantBytes(asciiBytes(']"'));
const FOR_UNKNOWN = new ConstantBytes(asciiBytes("for=unknown"));
const HOST = new ConstantBytes(asciiBytes(';host="'));
const REQUEST_ID = new ConstantBytes(asciiBytes("X-Request-Id: "));
const TRAILERS_LINES = new ConstantBytes(asciiBytes("TE: trailers\r\nConnection: TE\r\n"));
const CLOSE_LINE = new ConstantBytes(asciiBytes("Connection: close\r\n"));
const MAX_FORWARDS = new ConstantBytes(asciiBytes("Max-Forwards: "));
const SEPARATOR = new ConstantBytes(asciiBytes(", "));
const CRLF = new ConstantBytes(asciiBytes("\r\n"));
const X_FORWARDED_FOR = Field.xForwardedFor;
const FORWARDED_FIELD = Field.forwarded;
const NOTED_FORWARDED = HeadNote.forwarded;
const NOTED_PROTO = HeadNote.xForwardedProto;
const NOTED_HOST = HeadNote.xForwardedHost;
const NOTED_ID = HeadNote.requestId;
const NOTED_TRAILERS = HeadNote.acceptsTrailers;
const CONNECT = Method.CONNECT;
const COLON = 0x3a;
const QUOTE = 0x22;
const DIGIT_ZERO = 0x30;
const MINOR_AT = VIA_MINOR_AT;

/**
 * Writes the lines at `at`, where there is room; `[hostStart, hostEnd)` is the host that the request names, or
 * empty. Returns the offset past them; the empty line is not written.
 */
export function writeForwardingLines(
  memory: Uint8Array,
  view: DataView,
  at: number,
  head: MessageHead,
  policy: RequestPolicy,
  hostStart: number,
  hostEnd: number,
): number {
  const { trusted, options } = policy;
  const notes = head.notes;
  const kept = trusted ? notes : 0;
  at = writeConstant(view, at, FORWARDED_FOR);
  if (trusted) at = writeValues(memory, view, at, head, X_FORWARDED_FOR);
  at = copy(view, memory, policy.peerStart, policy.peerEnd, at);
  at = writeConstant(view, at, CRLF);
  if ((kept & NOTED_PROTO) === 0) at = writeConstant(view, at, policy.protoLine);
  at = writeConstant(view, at, policy.viaLine);
  if (head.versionMinor === 0) memory[at - policy.viaLine.length + MINOR_AT] = DIGIT_ZERO;
  if (hostEnd > hostStart && (kept & NOTED_HOST) === 0) {
    at = writeConstant(view, at, FORWARDED_HOST);
    at = copy(view, memory, hostStart, hostEnd, at);
    at = writeConstant(view, at, CRLF);
  }
  if (options.forwarded || (kept & NOTED_FORWARDED) !== 0) {
    at = writeConstant(view, at, FORWARDED);
    if (trusted) at = writeValues(memory, view, at, head, FORWARDED_FIELD);
    at = writeElement(memory, view, at, policy, hostStart, hostEnd);
  }
  if (policy.ids !== null && (options.requestId === "generate" || (kept & NOTED_ID) === 0)) {
    at = writeConstant(view, at, REQUEST_ID);
    at = policy.ids.write(memory, at);
    at = writeConstant(view, at, CRLF);
  }
  if (options.trailers && (notes & NOTED_TRAILERS) !== 0 && head.versionMinor === 1) {
    at = writeConstant(view, at, TRAILERS_LINES);
  }
  // What becomes a tunnel is not this proxy's to close behind the response.
  if (options.close && !policy.upgrade && head.method !== CONNECT) at = writeConstant(view, at, CLOSE_LINE);
  if (head.maxForwards > 0) {
    at = writeConstant(view, at, MAX_FORWARDS);
    at = writeNumber(memory, at, head.maxForwards - 1);
    at = writeConstant(view, at, CRLF);
  }
  return at;
}

/** Every value of the field `id` that is not empty, with a comma behind each: one list on one line. */
function writeValues(memory: Uint8Array, view: DataView, at: number, head: MessageHead, id: number): number {
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.fieldIds[index] !== id) continue;
    const start = head.fields[(index << 2) + 2]!;
    const end = head.fields[(index << 2) + 3]!;
    if (start === end) continue;
    at = copy(view, memory, start, end, at);
    at = writeConstant(view, at, SEPARATOR);
  }
  return at;
}

/** Our own element of Forwarded and the end of its line. A valid host needs no escapes within quotes. */
function writeElement(
  memory: Uint8Array,
  view: DataView,
  at: number,
  policy: RequestPolicy,
  hostStart: number,
  hostEnd: number,
): number {
  at = writeNode(memory, view, at, policy.peerStart, policy.peerEnd);
  if (hostEnd > hostStart) {
    at = writeConstant(view, at, HOST);
    at = copy(view, memory, hostStart, hostEnd, at);
    memory[at++] = QUOTE;
  }
  return writeConstant(view, at, policy.forwardedEnd);
}

/** `for=` the peer `[start, end)`: an IPv6 address in brackets and quotes, `unknown` for a unix socket (RFC
 * 7239 §6). */
function writeNode(memory: Uint8Array, view: DataView, at: number, start: number, end: number): number {
  let pos = start;
  while (pos < end && memory[pos] !== COLON) pos++;
  if (pos === end) return copy(view, memory, start, end, writeConstant(view, at, FOR));
  // `unix:` ends in its only colon; no IPv6 address does but with two of them.
  if (pos === end - 1) return writeConstant(view, at, FOR_UNKNOWN);
  at = copy(view, memory, start, end, writeConstant(view, at, FOR_IPV6));
  return writeConstant(view, at, IPV6_END);
}

/** Decimal digits of a whole number `0 <= value < 2^31`. */
function writeNumber(memory: Uint8Array, at: number, value: number): number {
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end++;
  for (let pos = end, rest = value; pos > at; rest = (rest / 10) | 0)
    memory[--pos] = DIGIT_ZERO + (rest % 10);
  return end;
}
