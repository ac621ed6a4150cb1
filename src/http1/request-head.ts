/**
 * The head of a request (RFC 9112 §3 and §5), in one pass over bytes that lie in memory.
 *
 * Strategy: the parser keeps no state between calls. A head nearly always arrives whole, and then every byte
 * is looked at once. One that does not is refused at once if what is there is already wrong; otherwise the
 * caller waits, looks for the end with `findHeadEnd` from where it stopped, and parses again when it is
 * there: no byte is looked at more than about three times however a client trickles.
 *
 * Strict where two readers could understand a head differently: CRLF only, one SP between the parts of the
 * request line, no folding, no space before a colon.
 *
 * @hot
 */
import { equalsIgnoreCase, TARGET, TOKEN } from "../base/ascii.ts";
import { asciiBytes, viewOf } from "../base/bytes.ts";
import { hostEndOf } from "./authority.ts";
import { Fault } from "./fault.ts";
import { parseFieldLines } from "./field-lines.ts";
import { HeadNote, type MessageHead, Method, NEED_MORE, TargetForm } from "./message-head.ts";

/** Bounds of a request head; `Limits` of a snapshot has them. */
export interface HeadLimits {
  readonly headBytesMax: number;
  readonly targetBytesMax: number;
  readonly fieldCountMax: number;
}

/** The longest registered method has 17 bytes. */
export const METHOD_BYTES_MAX = 64;

const IS_TOKEN = TOKEN;
const IS_TARGET = TARGET;
const MORE = NEED_MORE;
const BARE_LF = Fault.bareLf;
const METHOD_MAX = METHOD_BYTES_MAX;
const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const SLASH = 0x2f;
const QUESTION = 0x3f;
const ASTERISK = 0x2a;
const EACH_LF = 0x0a0a_0a0a;
const EACH_21 = 0x2121_2121;
const EACH_23 = 0x2323_2323;
const EACH_7F = 0x7f7f_7f7f;
const EACH_01 = 0x0101_0101;
const EACH_80 = 0x8080_8080 | 0;
/** "GET ", "HTTP", "/1.1" and "/1.0" as little-endian words. */
const WORD_GET = 0x2054_4547;
const WORD_HTTP = 0x5054_5448;
const WORD_1_1 = 0x312e_312f;
const WORD_1_0 = 0x302e_312f;
const VERSION_BYTES = asciiBytes("HTTP/");

/**
 * Reads the head that begins at `start` into `head`, looking at nothing outside `memory[start, end)`. Returns
 * the offset just past the head, `NEED_MORE`, or a `Fault`; `head` is meaningful only in the first case. One
 * empty line before the request line is skipped (RFC 9112 §2.2). Body length is judged apart, by
 * `requestFraming`.
 */
export function parseRequestHead(
  memory: Uint8Array,
  start: number,
  end: number,
  head: MessageHead,
  limits: HeadLimits,
): number {
  const headBytesMax = limits.headBytesMax;
  const limit = end - start > headBytesMax ? start + headBytesMax : end;
  const view = viewOf(memory);
  let pos = start;
  if (pos < limit && memory[pos] === CR) {
    head.reset(pos);
    if (pos + 1 >= limit) return MORE;
    if (memory[pos + 1] !== LF) return Fault.badRequestLine;
    pos += 2;
  }
  head.reset(pos);
  pos = parseRequestLine(memory, view, pos, limit, head, limits.targetBytesMax);
  if (pos >= 0) pos = parseFieldLines(memory, view, pos, limit, head, limits.fieldCountMax, true);
  if (pos >= 0) return head.hostIndex < 0 && head.versionMinor === 1 ? Fault.missingHost : pos;
  return pos === MORE && end - start >= headBytesMax ? Fault.headTooLarge : pos;
}

function parseRequestLine(
  memory: Uint8Array,
  view: DataView,
  start: number,
  limit: number,
  head: MessageHead,
  targetBytesMax: number,
): number {
  let pos = start;
  head.methodStart = pos;
  if (pos + 4 <= limit && view.getInt32(pos, true) === WORD_GET) {
    head.method = Method.GET;
    pos += 3;
  } else {
    const methodLimit = limit - pos > METHOD_MAX ? pos + METHOD_MAX : limit;
    while (pos < methodLimit && IS_TOKEN[memory[pos]!] !== 0) pos++;
    if (pos >= limit) return MORE;
    if (pos === start) return Fault.badRequestLine;
    if (memory[pos] !== SP) return Fault.badMethod;
    head.method = methodOf(memory, start, pos);
  }
  head.methodEnd = pos;
  pos++;
  const targetStart = pos;
  head.targetStart = pos;
  const lastWord = limit - 4;
  while (pos <= lastWord) {
    const word = view.getInt32(pos, true);
    const below = (word - EACH_21) | ((word ^ EACH_23) - EACH_01) | ((word ^ EACH_7F) - EACH_01) | word;
    if ((below & EACH_80) !== 0) break;
    pos += 4;
  }
  while (pos < limit && IS_TARGET[memory[pos]!] !== 0) pos++;
  if (pos - targetStart > targetBytesMax) return Fault.targetTooLong;
  if (pos >= limit) return MORE;
  if (memory[pos] !== SP) return targetEndFault(memory[pos]!);
  if (pos === targetStart) return Fault.badRequestLine;
  head.targetEnd = pos;
  pos = parseVersion(memory, view, pos + 1, limit, head);
  if (pos < 0) return pos;
  if (memory[targetStart] === SLASH && head.method !== Method.CONNECT) {
    head.pathStart = targetStart;
    return pos;
  }
  const fault = parseOtherTarget(memory, head);
  return fault === 0 ? pos : fault;
}

function targetEndFault(byte: number): number {
  if (byte === LF) return Fault.bareLf;
  return byte === CR ? Fault.badRequestLine : Fault.badTarget;
}

/** The `HTTP/1.x` at `pos` and its CRLF. Returns the offset past them, `NEED_MORE` or a `Fault`. */
function parseVersion(
  memory: Uint8Array,
  view: DataView,
  pos: number,
  limit: number,
  head: MessageHead,
): number {
  if (pos + 10 > limit) return partialVersion(memory, pos, limit);
  const minor = view.getInt32(pos + 4, true);
  if (view.getInt32(pos, true) !== WORD_HTTP) return Fault.badRequestLine;
  if (minor === WORD_1_1) head.versionMinor = 1;
  else if (minor === WORD_1_0) head.versionMinor = 0;
  else return memory[pos + 4] === SLASH ? Fault.versionNotSupported : Fault.badRequestLine;
  if (memory[pos + 8] === CR) return memory[pos + 9] === LF ? pos + 10 : Fault.bareCr;
  return memory[pos + 8] === LF ? Fault.bareLf : Fault.badRequestLine;
}

/** Judges what there is of a version: `NEED_MORE` while it may still become one. */
function partialVersion(memory: Uint8Array, pos: number, limit: number): number {
  for (let i = 0; i < VERSION_BYTES.length && pos + i < limit; i++) {
    if (memory[pos + i] !== VERSION_BYTES[i]) return Fault.badRequestLine;
  }
  for (let i = pos + VERSION_BYTES.length; i < limit; i++) {
    if (memory[i] === LF) return i === pos + 8 ? Fault.bareLf : Fault.badRequestLine;
  }
  return MORE;
}

const HTTP_BYTES = asciiBytes("http://");
const HTTPS_BYTES = asciiBytes("https://");

/** Every form but origin-form (RFC 9112 §3.2.2 to §3.2.4). Returns 0 or a `Fault`. */
function parseOtherTarget(memory: Uint8Array, head: MessageHead): number {
  const start = head.targetStart;
  const end = head.targetEnd;
  if (head.method === Method.CONNECT) {
    const hostEnd = hostEndOf(memory, start, end);
    // The port is mandatory (RFC 9110 §9.3.6).
    if (hostEnd <= start || hostEnd + 1 >= end) return Fault.badTarget;
    head.targetForm = TargetForm.authority;
    head.authorityStart = start;
    head.authorityEnd = end;
    return 0;
  }
  if (memory[start] === ASTERISK && end === start + 1) {
    head.targetForm = TargetForm.asterisk;
    return head.method === Method.OPTIONS ? 0 : Fault.badTarget;
  }
  let pos = schemeEnd(memory, start, end);
  if (pos < 0) return Fault.badTarget;
  if (pos === start + HTTPS_BYTES.length) head.notes |= HeadNote.secureTarget;
  head.targetForm = TargetForm.absolute;
  head.authorityStart = pos;
  while (pos < end && memory[pos] !== SLASH && memory[pos] !== QUESTION) pos++;
  head.authorityEnd = pos;
  if (pos < end) head.pathStart = pos;
  return hostEndOf(memory, head.authorityStart, pos) > head.authorityStart ? 0 : Fault.badTarget;
}

/** Past `http://` or `https://`, or -1. */
function schemeEnd(memory: Uint8Array, start: number, end: number): number {
  const httpEnd = start + HTTP_BYTES.length;
  if (httpEnd <= end && equalsIgnoreCase(memory, start, httpEnd, HTTP_BYTES)) return httpEnd;
  const httpsEnd = start + HTTPS_BYTES.length;
  return httpsEnd <= end && equalsIgnoreCase(memory, start, httpsEnd, HTTPS_BYTES) ? httpsEnd : -1;
}

/** Methods by id; their case matters (RFC 9110 §9.1). */
const METHODS = (Object.keys(Method) as (keyof typeof Method)[])
  .filter((name) => name !== "other")
  .map((name) => ({ id: Method[name], bytes: asciiBytes(name) }));

function methodOf(memory: Uint8Array, start: number, end: number): number {
  for (let i = 0; i < METHODS.length; i++) {
    const { id, bytes } = METHODS[i]!;
    if (bytes.length !== end - start) continue;
    let at = 0;
    while (at < bytes.length && memory[start + at] === bytes[at]) at++;
    if (at === bytes.length) return id;
  }
  return Method.other;
}

/**
 * Looks for the empty line that ends a head, in `memory[from, end)`. Returns the offset just past it,
 * `NEED_MORE`, or `Fault.bareLf` where a line ends without CR: a head that is wrong so far, whatever follows.
 * To go on later, begin 3 bytes before the old `end`; the byte at `from` itself is not judged.
 */
export function findHeadEnd(memory: Uint8Array, from: number, end: number): number {
  const view = viewOf(memory);
  const first = from + 3;
  const lastWord = end - 4;
  for (let pos = from + 1; ; pos++) {
    while (pos <= lastWord) {
      const unlike = view.getInt32(pos, true) ^ EACH_LF;
      if (((unlike - EACH_01) & ~unlike & EACH_80) !== 0) break;
      pos += 4;
    }
    while (pos < end && memory[pos] !== LF) pos++;
    if (pos >= end) return MORE;
    if (memory[pos - 1] !== CR) return BARE_LF;
    if (pos >= first && memory[pos - 2] === LF && memory[pos - 3] === CR) return pos + 1;
  }
}
