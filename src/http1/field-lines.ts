/**
 * The field lines of a head, up to and with the empty line (RFC 9112 §5): one pass, for requests and
 * responses.
 *
 * A head that is whole and in order is read by a scanner, where there is one (field-scanner.ts). Here is what
 * all others are read by, and what says of each what is wrong with it. Names are scanned byte by byte against the
 * token table. Values, the bulk of a head, are scanned in 4-byte words: one subtraction shows whether any byte of
 * a word is a control or DEL. Only what the proxy acts upon is looked at again, and only where its name is known.
 *
 * @hot
 */
import {
  equalsIgnoreCase,
  equalsKnown,
  FIELD_VALUE,
  KnownText,
  rangesEqualIgnoreCase,
  TOKEN,
} from "../base/ascii.ts";
import { asciiBytes } from "../base/bytes.ts";
import { hostEndOf } from "./authority.ts";
import { Fault } from "./fault.ts";
import { FIELD_ID_COUNT, Field, fieldIdOf, underscoredIdOf } from "./field-names.ts";
import type { FieldScanner } from "./field-scanner.ts";
import { noteContentLength, noteTransferEncoding } from "./framing.ts";
import { ConnectionOption, HeadNote, type MessageHead, Method, NEED_MORE } from "./message-head.ts";

const UNDERSCORE = 0x5f;
const IS_TOKEN = TOKEN;
/** Tokens without `_`: where one occurs, the scan of a name stops and goes on apart, at no cost to others. */
const IS_PLAIN_NAME = TOKEN.slice();
IS_PLAIN_NAME[UNDERSCORE] = 0;
const IS_VALUE = FIELD_VALUE;
const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const DOT = 0x2e;
const SLASH = 0x2f;
const DIGIT_ZERO = 0x30;
const DIGIT_ONE = 0x31;
const COLON = 0x3a;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const EACH_20 = 0x2020_2020;
const EACH_7F = 0x7f7f_7f7f;
const EACH_01 = 0x0101_0101;
const EACH_80 = 0x8080_8080 | 0;

const FIELD_OTHER = Field.other;
const FIELD_UNDERSCORED = Field.underscored;
const MORE = NEED_MORE;
const BAD_NAME = Fault.badFieldName;
const BAD_VALUE = Fault.badFieldValue;
const BARE_CR = Fault.bareCr;
const BARE_LF = Fault.bareLf;
const OBS_FOLD = Fault.obsFold;
const SPACE_BEFORE_COLON = Fault.spaceBeforeColon;
const TOO_MANY = Fault.tooManyFields;
const TOO_MANY_NOMINATED = Fault.tooManyConnectionOptions;

/**
 * Reads field lines from `pos`, where a line begins, into `head`; reads nothing at or beyond `limit`. Returns
 * the offset just past the empty line, `NEED_MORE`, or a `Fault`. `isRequest` chooses which fields mean
 * something.
 */
export function parseFieldLines(
  memory: Uint8Array,
  view: DataView,
  pos: number,
  limit: number,
  head: MessageHead,
  fieldCountMax: number,
  isRequest: boolean,
): number {
  const { scanner } = head;
  const countMax = Math.min(fieldCountMax, head.fieldIds.length);
  if (scanner !== null && scanner.memory === memory) {
    const after = scanner.scan(pos, limit, head.fieldsAt, head.fieldIdsAt, countMax);
    if (after > 0) return noteFields(memory, view, head, scanner, after, isRequest);
  }
  return judgeFieldLines(memory, view, pos, limit, head, countMax, isRequest);
}

/** As `parseFieldLines`, without a scanner. */
function judgeFieldLines(
  memory: Uint8Array,
  view: DataView,
  pos: number,
  limit: number,
  head: MessageHead,
  countMax: number,
  isRequest: boolean,
): number {
  const { fields, fieldIds } = head;
  const lastWord = limit - 4;
  for (let count = 0; ; count++) {
    const nameStart = pos;
    while (pos < limit && IS_PLAIN_NAME[memory[pos]!] !== 0) pos++;
    if (pos >= limit) return MORE;
    let isUnderscored = false;
    if (memory[pos] !== COLON || pos === nameStart) {
      if (memory[pos] === UNDERSCORE) {
        isUnderscored = true;
        while (pos < limit && IS_TOKEN[memory[pos]!] !== 0) pos++;
        if (pos >= limit) return MORE;
      }
      if (memory[pos] !== COLON || pos === nameStart) {
        if (memory[pos] !== CR || pos !== nameStart) return nameFault(memory, nameStart, pos, count);
        if (pos + 1 >= limit) return MORE;
        if (memory[pos + 1] !== LF) return BARE_CR;
        head.fieldCount = count;
        head.end = pos + 2;
        return pos + 2;
      }
    }
    const nameEnd = pos;
    if (count >= countMax) return TOO_MANY;
    pos++;
    while (pos < limit && (memory[pos] === SP || memory[pos] === HTAB)) pos++;
    const valueStart = pos;
    while (pos <= lastWord) {
      const word = view.getInt32(pos, true);
      if ((((word - EACH_20) | ((word ^ EACH_7F) - EACH_01)) & ~word & EACH_80) !== 0) break;
      pos += 4;
    }
    while (pos < limit && IS_VALUE[memory[pos]!] !== 0) pos++;
    if (pos >= limit) return MORE;
    if (memory[pos] !== CR) return memory[pos] === LF ? BARE_LF : BAD_VALUE;
    if (pos + 1 >= limit) return MORE;
    if (memory[pos + 1] !== LF) return BARE_CR;
    let valueEnd = pos;
    while (valueEnd > valueStart && (memory[valueEnd - 1] === SP || memory[valueEnd - 1] === HTAB))
      valueEnd--;
    pos += 2;

    const at = count << 2;
    fields[at] = nameStart;
    fields[at + 1] = nameEnd;
    fields[at + 2] = valueStart;
    fields[at + 3] = valueEnd;
    const id = isUnderscored
      ? underscoredIdOf(memory, nameStart, nameEnd)
      : fieldIdOf(memory, view, nameStart, nameEnd);
    fieldIds[count] = id;
    if (id !== FIELD_OTHER) {
      const fault = noteField(memory, view, head, id, count, isRequest, 0);
      if (fault !== 0) return fault;
    }
  }
}

/** Takes up the lines that `scanner` found. Returns `after`, where they end, or a `Fault`. */
function noteFields(
  memory: Uint8Array,
  view: DataView,
  head: MessageHead,
  { count, plainHostAt }: FieldScanner,
  after: number,
  isRequest: boolean,
): number {
  const { fieldIds } = head;
  for (let index = 0; index < count; index++) {
    const id = fieldIds[index]!;
    if (id === FIELD_OTHER) continue;
    const fault = noteField(memory, view, head, id, index, isRequest, plainHostAt);
    if (fault !== 0) return fault;
  }
  head.fieldCount = count;
  head.end = after;
  return after;
}

/**
 * What is wrong with a line whose name `[start, pos)` is followed by neither a colon nor, being empty, by
 * CRLF.
 */
function nameFault(memory: Uint8Array, start: number, pos: number, count: number): number {
  const byte = memory[pos]!;
  if (byte === LF) return BARE_LF;
  if (byte !== SP && byte !== HTAB) return BAD_NAME;
  if (pos === start) return count > 0 ? OBS_FOLD : BAD_NAME;
  return SPACE_BEFORE_COLON;
}

const HOST = Field.host;
const CONNECTION = Field.connection;
const CONTENT_LENGTH = Field.contentLength;
const TRANSFER_ENCODING = Field.transferEncoding;
const UPGRADE = Field.upgrade;
const EXPECT = Field.expect;
const DATE = Field.date;
const CONTENT_TYPE = Field.contentType;
const TE = Field.te;
const MAX_FORWARDS = Field.maxForwards;
const ACCEPTS_TRAILERS = HeadNote.acceptsTrailers;
const OPTIONS_METHOD = Method.OPTIONS;
const TRACE_METHOD = Method.TRACE;
/** More than any path has hops; what is larger counts as this (RFC 9110 §7.6.2). */
const FORWARDS_MAX = 2 ** 30;
const FORWARDS_DIGITS_MAX = 16;
/** The `HeadNote` bit of each known field. */
const NOTES = new Uint8Array(FIELD_ID_COUNT);
NOTES[Field.underscored] = HeadNote.underscoredName;
NOTES[Field.underscoredForwarded] = HeadNote.underscoredName;
NOTES[Field.via] = HeadNote.via;
NOTES[Field.xRequestId] = HeadNote.requestId;
NOTES[Field.forwarded] = HeadNote.forwarded;
NOTES[Field.xForwardedFor] = HeadNote.xForwardedFor;
NOTES[Field.xForwardedProto] = HeadNote.xForwardedProto;
NOTES[Field.xForwardedHost] = HeadNote.xForwardedHost;
const TRAILERS_BYTES = asciiBytes("trailers");
const CONTINUE = new KnownText("100-continue");
const EVENT_STREAM = new KnownText("text/event-stream");

/**
 * Takes up the line at `index`, whose field is known. A Host value that begins at `plainHostAt` is known to be valid.
 * Returns 0 or a `Fault`.
 */
function noteField(
  memory: Uint8Array,
  view: DataView,
  head: MessageHead,
  id: number,
  index: number,
  isRequest: boolean,
  plainHostAt: number,
): number {
  const valueStart = head.fields[(index << 2) + 2]!;
  const valueEnd = head.fields[(index << 2) + 3]!;
  switch (id) {
    case HOST:
      if (!isRequest) break;
      if (head.hostIndex >= 0) return Fault.duplicateHost;
      head.hostIndex = index;
      if (valueStart !== plainHostAt && hostEndOf(memory, valueStart, valueEnd) < 0) return Fault.badHost;
      break;
    case CONNECTION:
      return noteConnection(memory, view, valueStart, valueEnd, head);
    case CONTENT_LENGTH:
      noteContentLength(memory, valueStart, valueEnd, head);
      break;
    case TRANSFER_ENCODING:
      noteTransferEncoding(memory, valueStart, valueEnd, head);
      break;
    case UPGRADE:
      if (head.upgradeIndex < 0) head.upgradeIndex = index;
      if (namesHttp2(memory, valueStart, valueEnd)) head.upgradesToHttp2 = true;
      break;
    case EXPECT:
      if (equalsKnown(view, valueStart, valueEnd, CONTINUE)) head.expectContinue = isRequest;
      break;
    case DATE:
      head.dateIndex = index;
      break;
    case CONTENT_TYPE:
      head.eventStream = isEventStream(memory, view, valueStart, valueEnd);
      break;
    case TE:
      if (listNames(memory, valueStart, valueEnd, TRAILERS_BYTES)) head.notes |= ACCEPTS_TRAILERS;
      break;
    case MAX_FORWARDS:
      if (isRequest) return noteMaxForwards(memory, valueStart, valueEnd, head);
      break;
    default:
      if (valueEnd > valueStart || id >= FIELD_UNDERSCORED) head.notes |= NOTES[id]!;
  }
  return 0;
}

/**
 * Takes up Max-Forwards, which means something to a proxy in OPTIONS and TRACE alone (RFC 9110 §7.6.2).
 * Returns 0 or a `Fault`.
 */
function noteMaxForwards(memory: Uint8Array, start: number, end: number, head: MessageHead): number {
  if (head.method !== OPTIONS_METHOD && head.method !== TRACE_METHOD) return 0;
  if (head.maxForwards !== -1 || start === end || end - start > FORWARDS_DIGITS_MAX) {
    return Fault.badMaxForwards;
  }
  let value = 0;
  for (let pos = start; pos < end; pos++) {
    const digit = memory[pos]! - 0x30;
    if (digit < 0 || digit > 9) return Fault.badMaxForwards;
    value = value * 10 + digit;
  }
  head.maxForwards = Math.min(value, FORWARDS_MAX);
  return 0;
}

function isEventStream(memory: Uint8Array, view: DataView, start: number, end: number): boolean {
  const typeEnd = start + EVENT_STREAM.length;
  if (end < typeEnd || !equalsKnown(view, start, typeEnd, EVENT_STREAM)) return false;
  return end === typeEnd || memory[typeEnd] === SEMICOLON || IS_TOKEN[memory[typeEnd]!] === 0;
}

/** Whether one element of the list `[start, end)` is the token `lowerCaseBytes`, in any case. */
function listNames(memory: Uint8Array, pos: number, end: number, lowerCaseBytes: Uint8Array): boolean {
  while (pos < end) {
    const tokenStart = pos;
    while (pos < end && IS_TOKEN[memory[pos]!] !== 0) pos++;
    if (equalsIgnoreCase(memory, tokenStart, pos, lowerCaseBytes)) return true;
    while (pos < end && IS_TOKEN[memory[pos]!] === 0) pos++;
  }
  return false;
}

const H2C_BYTES = asciiBytes("h2c");
const H2_BYTES = asciiBytes("h2");
const HTTP_BYTES = asciiBytes("http");

/**
 * Whether an Upgrade line names HTTP/2 or later, by any of its names: `h2c`, `h2`, and `HTTP` unless its version
 * is 0.x or 1.x. Each token counts, also one that stands where a version belongs.
 */
function namesHttp2(memory: Uint8Array, pos: number, end: number): boolean {
  while (pos < end) {
    const tokenStart = pos;
    while (pos < end && IS_TOKEN[memory[pos]!] !== 0) pos++;
    if (equalsIgnoreCase(memory, tokenStart, pos, H2C_BYTES)) return true;
    if (equalsIgnoreCase(memory, tokenStart, pos, H2_BYTES)) return true;
    if (equalsIgnoreCase(memory, tokenStart, pos, HTTP_BYTES) && !isVersion1(memory, pos, end)) return true;
    while (pos < end && IS_TOKEN[memory[pos]!] === 0) pos++;
  }
  return false;
}

/** Whether a slash and the version 0, 1, 0.x or 1.x stand at `pos`. */
function isVersion1(memory: Uint8Array, pos: number, end: number): boolean {
  if (pos + 1 >= end || memory[pos] !== SLASH) return false;
  if (memory[pos + 1] !== DIGIT_ZERO && memory[pos + 1] !== DIGIT_ONE) return false;
  return pos + 2 === end || memory[pos + 2] === DOT || IS_TOKEN[memory[pos + 2]!] === 0;
}

/** What stands between the elements of a list. */
const IS_BETWEEN = new Uint8Array(256);
IS_BETWEEN[COMMA] = 1;
IS_BETWEEN[SP] = 1;
IS_BETWEEN[HTAB] = 1;
const NOMINATED = ConnectionOption.nominated;
const CLOSE = new KnownText("close");
const KEEP_ALIVE = new KnownText("keep-alive");
const UPGRADE_OPTION = new KnownText("upgrade");
/** Options that name a field which never passes a proxy: nothing more to do about them. */
const HOP_BY_HOP_BYTES = ["te", "trailer", "transfer-encoding", "proxy-connection"].map(asciiBytes);

/**
 * Collects the options of one Connection line. Elements that are not tokens name nothing and are skipped.
 * Returns 0 or a `Fault`.
 */
function noteConnection(
  memory: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  head: MessageHead,
): number {
  // Most lines are this and nothing else.
  if (equalsKnown(view, start, end, KEEP_ALIVE)) {
    head.connectionOptions |= ConnectionOption.keepAlive;
    return 0;
  }
  let pos = start;
  while (pos < end) {
    const optionStart = pos;
    while (pos < end && IS_TOKEN[memory[pos]!] !== 0) pos++;
    if (pos > optionStart) {
      const option = connectionOption(memory, view, optionStart, pos);
      head.connectionOptions |= option;
      if (option === NOMINATED && isElement(memory, optionStart, pos, start, end)) {
        if (!nominate(head, optionStart, pos)) return TOO_MANY_NOMINATED;
      }
    }
    while (pos < end && IS_TOKEN[memory[pos]!] === 0) pos++;
  }
  return 0;
}

/** Whether nothing but a comma or whitespace stands around the token `[pos, tokenEnd)` in `[start, end)`. */
function isElement(memory: Uint8Array, pos: number, tokenEnd: number, start: number, end: number): boolean {
  return (
    (pos === start || IS_BETWEEN[memory[pos - 1]!] !== 0) &&
    (tokenEnd === end || IS_BETWEEN[memory[tokenEnd]!] !== 0)
  );
}

/** Takes down the field name `[start, end)`, that Connection names. Returns whether there was room. */
function nominate(head: MessageHead, start: number, end: number): boolean {
  const at = head.nominationCount << 1;
  if (at >= head.nominations.length) return false;
  head.nominations[at] = start;
  head.nominations[at + 1] = end;
  head.nominationCount++;
  return true;
}

function connectionOption(memory: Uint8Array, view: DataView, start: number, end: number): number {
  if (equalsKnown(view, start, end, KEEP_ALIVE)) return ConnectionOption.keepAlive;
  if (equalsKnown(view, start, end, CLOSE)) return ConnectionOption.close;
  if (equalsKnown(view, start, end, UPGRADE_OPTION)) return ConnectionOption.upgrade;
  for (let i = 0; i < HOP_BY_HOP_BYTES.length; i++) {
    if (equalsIgnoreCase(memory, start, end, HOP_BY_HOP_BYTES[i]!)) return 0;
  }
  return NOMINATED;
}

/**
 * Whether Connection names the field name `[start, end)` (RFC 9110 §7.6.1). Slow path: each field of such a
 * head is compared with at most `NOMINATION_COUNT_MAX` names, however long the Connection lines are.
 */
export function isNominated(memory: Uint8Array, head: MessageHead, start: number, end: number): boolean {
  const { nominations } = head;
  const nominationsEnd = head.nominationCount << 1;
  for (let at = 0; at < nominationsEnd; at += 2) {
    if (rangesEqualIgnoreCase(memory, nominations[at]!, nominations[at + 1]!, start, end)) return true;
  }
  return false;
}
