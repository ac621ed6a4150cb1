/**
 * Outgoing heads: what was received, less what belongs to the other connection, plus what a proxy owes the
 * next reader (RFC 9110 §7.6).
 *
 * Strategy: field lines lie one behind the other, so lines that pass unchanged are copied in runs, and a run
 * begins with the start line whenever that passes too. A plain request is one or two runs and one block of
 * constants. Room is checked once, for the worst case, before the first byte is written.
 *
 * Dropped on both ways: Connection and every field it nominates, Keep-Alive, Proxy-Connection, TE, Trailer
 * (unless trailers are passed on), Transfer-Encoding (written anew), Upgrade (unless the policy upgrades),
 * Proxy-Authenticate, Proxy-Authorization and Proxy-Authentication-Info (RFC 9110 §11.7: between a client and
 * a proxy that authenticates, which we are not). A nomination cannot remove Host, Content-Length, Date or Via:
 * without them the message would mean something else. What becomes of which field is in `request-policy.ts`.
 *
 * @hot
 */
import { asciiBytes, ConstantBytes, copy, writeBytes, writeConstant } from "../base/bytes.ts";
import { isNominated } from "./field-lines.ts";
import { type FieldScanner, placedConstant } from "./field-scanner.ts";
import { ADDED_BYTES_MAX, writeForwardingLines } from "./forwarding-lines.ts";
import { ConnectionOption, type MessageHead, Method, TargetForm, TransferCoding } from "./message-head.ts";
import {
  Fate,
  FORWARDED_HOST_BYTES,
  RESPONSE_FATES,
  type RequestPolicy,
  TRAILED_RESPONSE_FATES,
  VIA_MINOR_AT,
} from "./request-policy.ts";

/** Returned when `[at, limit)` may be too small. Nothing that was written there matters then. */
export const NO_ROOM = -1;

/** How the body of a response leaves: as received, chunked by us, or ended by the end of the connection. */
export const ResponseFraming = { keep: 0, chunked: 1, close: 2 } as const;
export type ResponseFraming = (typeof ResponseFraming)[keyof typeof ResponseFraming];

/** Decisions about a response head, in a record that is reused. */
export class ResponsePolicy {
  framing: ResponseFraming = ResponseFraming.keep;
  /**
   * A `Date` line with CRLF, written when it is not empty and the response has no Date and is not interim.
   */
  date: Uint8Array;
  /** Writes `Connection: close`. */
  close = false;
  /** Writes `Connection: keep-alive`, for an HTTP/1.0 client that asked for it. */
  keepAliveHint = false;
  /** Passes Upgrade on (101). */
  upgrade = false;
  /** Passes Trailer on: the trailer fields follow. */
  trailers = false;
  /** A whole line with CRLF. */
  readonly viaLine: ConstantBytes;

  /** Of heads that lie in the memory of `scanner`, where there is one. */
  constructor(viaLine: Uint8Array, scanner: FieldScanner | null = null) {
    this.viaLine = placedConstant(viaLine, scanner);
    this.date = new Uint8Array(0);
  }
}

const CRLF_WORD = 0x0a0d;
const HOST_PREFIX = new ConstantBytes(asciiBytes("Host: "));
const CHUNKED_LINE = new ConstantBytes(asciiBytes("Transfer-Encoding: chunked\r\n"));
const UPGRADE_LINE = new ConstantBytes(asciiBytes("Connection: Upgrade\r\n"));
const CLOSE_LINE = new ConstantBytes(asciiBytes("Connection: close\r\n"));
const KEEP_ALIVE_LINE = new ConstantBytes(asciiBytes("Connection: keep-alive\r\n"));
const VERSION_END = new ConstantBytes(asciiBytes(" HTTP/1.1\r\n"));
/**
 * More than all our own constant lines together, but for those of the policy, and what `writeConstant`
 * overwrites behind them.
 */
const OWN_BYTES_MAX = 256;

const PASS = Fate.pass;
const DROP_UPGRADE = Fate.dropUpgrade;
const DROP_HOST = Fate.dropHost;
const DROP_LENGTH = Fate.dropLength;
const DROP_FORWARDS = Fate.dropForwards;
const PASS_ALWAYS = Fate.passAlways;
const PASS_FILLED = Fate.passFilled;
const DROP_OLD = Fate.dropOld;
const MINOR_AT = VIA_MINOR_AT;
/** What follows the Via line in `middle`. */
const FORWARDED_HOST_LENGTH = FORWARDED_HOST_BYTES.length;

const NOMINATED = ConnectionOption.nominated;
const ABSOLUTE = TargetForm.absolute;
const CHUNKED = TransferCoding.chunked;
const FRAMING_KEEP = ResponseFraming.keep;
const FRAMING_CHUNKED = ResponseFraming.chunked;
const OPTIONS_METHOD = Method.OPTIONS;
const SP = 0x20;
const SLASH = 0x2f;
const ASTERISK = 0x2a;
const DIGIT_ZERO = 0x30;
const DIGIT_ONE = 0x31;

/**
 * Writes `head` as an HTTP/1.1 request at `at`: in origin-form, in authority-form for CONNECT, or `*`. What the
 * target says of the authority replaces the Host field (RFC 9112 §3.2.2). `head` lies in the same memory,
 * outside `[at, limit)`. Returns the end of what is written, or `NO_ROOM`.
 */
export function writeRequestHead(
  memory: Uint8Array,
  view: DataView,
  at: number,
  limit: number,
  head: MessageHead,
  policy: RequestPolicy,
): number {
  const named = head.authorityStart >= 0;
  const hostStart = named
    ? head.authorityStart
    : head.hostIndex < 0
      ? 0
      : head.fields[head.hostIndex * 4 + 2]!;
  const hostEnd = named ? head.authorityEnd : head.hostIndex < 0 ? 0 : head.fields[head.hostIndex * 4 + 3]!;
  const plain = !policy.addsLines && !policy.trusted && head.maxForwards < 0;
  const namesBytes = hostEnd - hostStart + (policy.peerEnd - policy.peerStart);
  const receivedBytes = head.end - head.start + 2 * namesBytes;
  const ownBytes = policy.middle.length + policy.hostFallback.length + OWN_BYTES_MAX;
  const addedBytes = plain ? 0 : namesBytes + ADDED_BYTES_MAX;
  if (receivedBytes + ownBytes + addedBytes > limit - at) return NO_ROOM;

  const scanner = scannerOf(memory, head);
  let runStart = head.start;
  if (named || hostEnd === hostStart) {
    at = writeStart(memory, view, at, head, scanner);
    runStart = head.fieldCount > 0 ? head.fields[0]! : head.end - 2;
    at = writeConstant(view, at, HOST_PREFIX);
    if (named) at = put(memory, view, hostStart, hostEnd, at, scanner);
    else at = writeBytes(memory, at, policy.hostFallback);
    at = writeCrlf(view, at);
  } else if (head.versionMinor === 0) {
    at = put(memory, view, runStart, head.targetEnd, at, scanner);
    at = writeConstant(view, at, VERSION_END);
    runStart = head.targetEnd + VERSION_END.length;
  }
  const dropHost = named || hostEnd === hostStart;
  const fates = policy.trusted ? policy.trustedFates : policy.fates;
  at = writeFields(memory, view, at, head, runStart, fates, dropHost, false, policy.upgrade);
  if (head.transferCoding === CHUNKED) at = writeConstant(view, at, CHUNKED_LINE);
  if (policy.upgrade) at = writeConstant(view, at, UPGRADE_LINE);
  if (!plain) {
    return writeCrlf(view, writeForwardingLines(memory, view, at, head, policy, hostStart, hostEnd));
  }
  at = putConstant(view, at, policy.forwardedFor, scanner);
  at = put(memory, view, policy.peerStart, policy.peerEnd, at, scanner);
  at = putConstant(view, at, policy.middle, scanner);
  if (head.versionMinor === 0) {
    memory[at - FORWARDED_HOST_LENGTH - policy.viaLine.length + MINOR_AT] = DIGIT_ZERO;
  }
  if (hostEnd === hostStart) at -= FORWARDED_HOST_LENGTH;
  else at = writeCrlf(view, put(memory, view, hostStart, hostEnd, at, scanner));
  return writeCrlf(view, at);
}

/** The request line anew: absolute-form becomes origin-form (RFC 9112 §3.2.1), or `*` (§3.2.4). */
function writeStart(
  memory: Uint8Array,
  view: DataView,
  at: number,
  head: MessageHead,
  scanner: FieldScanner | null,
): number {
  if (head.targetForm !== ABSOLUTE) {
    at = put(memory, view, head.start, head.targetEnd, at, scanner);
    return writeConstant(view, at, VERSION_END);
  }
  at = put(memory, view, head.start, head.methodEnd, at, scanner);
  memory[at++] = SP;
  if (head.pathStart < 0) {
    memory[at++] = head.method === OPTIONS_METHOD ? ASTERISK : SLASH;
  } else {
    if (memory[head.pathStart] !== SLASH) memory[at++] = SLASH;
    at = put(memory, view, head.pathStart, head.targetEnd, at, scanner);
  }
  return writeConstant(view, at, VERSION_END);
}

/**
 * Writes `head` as an HTTP/1.1 response at `at`; interim responses (1xx) too. `head` lies in the same memory,
 * outside `[at, limit)`. Returns the end of what is written, or `NO_ROOM`.
 */
export function writeResponseHead(
  memory: Uint8Array,
  view: DataView,
  at: number,
  limit: number,
  head: MessageHead,
  policy: ResponsePolicy,
): number {
  const ownBytes = policy.viaLine.length + policy.date.length + OWN_BYTES_MAX;
  if (head.end - head.start + ownBytes > limit - at) return NO_ROOM;
  const interim = head.status < 200;
  const scanner = scannerOf(memory, head);
  const start = at;
  let runStart = head.start;
  if (memory[head.reasonStart - 1] !== SP) {
    // The SP before an empty reason was missing.
    at = put(memory, view, runStart, head.reasonStart, at, scanner);
    memory[at++] = SP;
    runStart = head.reasonEnd;
  }
  // RFC 9110 §8.6: no Content-Length in 1xx and 204.
  const dropLength = policy.framing !== FRAMING_KEEP || interim || head.status === 204;
  const fates = policy.trailers ? TRAILED_RESPONSE_FATES : RESPONSE_FATES;
  at = writeFields(memory, view, at, head, runStart, fates, false, dropLength, policy.upgrade);
  // `HTTP/1.0` has the length of `HTTP/1.1`.
  memory[start + 7] = DIGIT_ONE;
  at = putConstant(view, at, policy.viaLine, scanner);
  if (head.versionMinor === 0) memory[at - policy.viaLine.length + MINOR_AT] = DIGIT_ZERO;
  if (policy.upgrade) at = writeConstant(view, at, UPGRADE_LINE);
  if (!interim) {
    if (policy.framing === FRAMING_CHUNKED) at = writeConstant(view, at, CHUNKED_LINE);
    if (head.dateIndex < 0) at = writeBytes(memory, at, policy.date);
    if (policy.close) at = writeConstant(view, at, CLOSE_LINE);
    else if (policy.keepAliveHint) at = writeConstant(view, at, KEEP_ALIVE_LINE);
  }
  return writeCrlf(view, at);
}

/** What copies within `memory`, in which `head` lies; null: `base/bytes.ts`. */
function scannerOf(memory: Uint8Array, { scanner }: MessageHead): FieldScanner | null {
  return scanner !== null && scanner.memory === memory ? scanner : null;
}

/** Copies `[from, end)` to `at`; returns where the copy ends. */
function put(
  memory: Uint8Array,
  view: DataView,
  from: number,
  end: number,
  at: number,
  scanner: FieldScanner | null,
): number {
  return scanner === null ? copy(view, memory, from, end, at) : scanner.copy(from, end, at);
}

/** Writes `constant` as `writeConstant` does, from where it lies in that memory if it does. */
function putConstant(
  view: DataView,
  at: number,
  constant: ConstantBytes,
  scanner: FieldScanner | null,
): number {
  const start = constant.at;
  if (scanner === null || start < 0) return writeConstant(view, at, constant);
  return scanner.copy(start, start + constant.length, at);
}

function writeCrlf(view: DataView, at: number): number {
  view.setInt16(at, CRLF_WORD, true);
  return at + 2;
}

/** Copies the field lines that pass, in runs of which the first begins at `runStart`. */
function writeFields(
  memory: Uint8Array,
  view: DataView,
  at: number,
  head: MessageHead,
  runStart: number,
  fateOf: Uint8Array,
  dropHost: boolean,
  dropLength: boolean,
  upgrade: boolean,
): number {
  const scanner = scannerOf(memory, head);
  const fieldIds = head.fieldIds;
  const fields = head.fields;
  const count = head.fieldCount;
  const nominations = (head.connectionOptions & NOMINATED) !== 0;
  const linesEnd = head.end - 2;
  for (let index = 0; index < count; index++) {
    const fate = fateOf[fieldIds[index]!]!;
    if (fate === PASS) {
      if (!nominations) continue;
      if (!isNominated(memory, head, fields[index << 2]!, fields[(index << 2) + 1]!)) continue;
    } else if (fate === DROP_HOST) {
      if (!dropHost) continue;
    } else if (fate === DROP_LENGTH) {
      if (!dropLength) continue;
    } else if (fate === DROP_UPGRADE) {
      if (upgrade) continue;
    } else if (fate === DROP_FORWARDS) {
      if (head.maxForwards < 0) continue;
    } else if (fate === PASS_FILLED) {
      if (fields[(index << 2) + 3]! > fields[(index << 2) + 2]!) continue;
    } else if (fate === PASS_ALWAYS) continue;
    else if (fate === DROP_OLD && head.versionMinor === 1) {
      if (!nominations) continue;
      if (!isNominated(memory, head, fields[index << 2]!, fields[(index << 2) + 1]!)) continue;
    }
    const lineStart = fields[index << 2]!;
    if (lineStart > runStart) at = put(memory, view, runStart, lineStart, at, scanner);
    runStart = index + 1 < count ? fields[(index + 1) << 2]! : linesEnd;
  }
  return linesEnd > runStart ? put(memory, view, runStart, linesEnd, at, scanner) : at;
}
