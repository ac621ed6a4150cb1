/**
 * Edits of a head that is rendered and not sent: of a request, which may have its body behind it in the same
 * slot, and of a response.
 *
 * Strategy: a head stays one contiguous range. What grows moves what is behind it; where the slot is full, or
 * somebody else still holds it (an attempt that failed), all of it moves to a slot of its own.
 *
 * @hot
 */
import { FIELD_VALUE, LOWER_CASE, TARGET, TOKEN } from "../base/ascii.ts";
import { SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { asciiBytes, copy } from "../base/bytes.ts";
import { HeadOf } from "../contract/interception.ts";
import { hostEndOf } from "../http1/authority.ts";
import { FRAMING_NAMES } from "../http1/framing-names.ts";
import { Method } from "../http1/message-head.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";
import { isNamed, nextLine } from "../http1/written-lines.ts";
import type { Exchange } from "./exchange.ts";
import type { Plane } from "./plane.ts";

const REQUEST = HeadOf.request;
const FOLD = LOWER_CASE;
const IS_TOKEN = TOKEN;
const IS_VALUE = FIELD_VALUE;
const IS_TARGET = TARGET;
const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const COLON = 0x3a;
const SLASH = 0x2f;
const ASTERISK = 0x2a;
/** `: ` and CRLF. */
const LINE_FRAME_BYTES = 4;
/** `HTTP/1.1 ` */
const VERSION_BYTES = 9;
const NO_ROOM = -1;
/** Names shorter than this are remembered. */
const OPEN_LENGTHS = 32;

const CONTENT_LENGTH = asciiBytes("content-length");
const CONNECTION = asciiBytes("connection");
const CONNECTION_WRITTEN = asciiBytes("Connection");
const TRAILER = asciiBytes("trailer");
const CLOSE = asciiBytes("close");
const TRANSFER_ENCODING = asciiBytes("transfer-encoding");
const TRANSFER_ENCODING_WRITTEN = asciiBytes("Transfer-Encoding");
const CHUNKED = asciiBytes("chunked");
const HOST = asciiBytes("host");
const EXPECT = asciiBytes("expect");
/** They are ours to write. By their length. */
const TAKEN_NAMES: readonly (readonly Uint8Array[])[] = byLength(FRAMING_NAMES);

export class HeadEdits {
  readonly #plane: Plane;
  /** Names that were found open, by their length, one of each: those of a program come again and again. */
  readonly #open: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(OPEN_LENGTHS).fill(
    undefined,
  );

  constructor(plane: Plane) {
    this.#plane = plane;
  }

  /**
   * One line more; where it `replaces`, instead of every line named `name`. The value is the first `valueBytes` of
   * `value`. `false`: refused, or there is no room; nothing has changed then.
   */
  putField(
    exchange: Exchange,
    which: HeadOf,
    name: Uint8Array,
    value: Uint8Array,
    valueBytes: number,
    replaces: boolean,
  ): boolean {
    if (!this.#isOpenName(name) || !isValue(value, valueBytes)) return false;
    // RFC 9112 §3.2: one, and only one.
    if (which === REQUEST && isSame(name, HOST) && !(replaces && hostEndOf(value, 0, valueBytes) >= 0))
      return false;
    return this.#putLine(exchange, which, name, name, value, valueBytes, replaces);
  }

  /** `false`: the name cannot be removed. */
  removeField(exchange: Exchange, which: HeadOf, name: Uint8Array): boolean {
    if (!this.#isOpenName(name) || (which === REQUEST && isSame(name, HOST))) return false;
    if (!this.#own(exchange, which, 0)) return false;
    this.#dropLines(exchange, which, name);
    return true;
  }

  /** As `putField`, of any name and value; the name is written as `written`. */
  #putLine(
    exchange: Exchange,
    which: HeadOf,
    name: Uint8Array,
    written: Uint8Array,
    value: Uint8Array,
    valueBytes: number,
    replaces: boolean,
  ): boolean {
    if (!this.#own(exchange, which, name.length + valueBytes + LINE_FRAME_BYTES)) return false;
    if (replaces) this.#dropLines(exchange, which, name);
    this.#writeLine(exchange, which, written, value, valueBytes);
    return true;
  }

  /** The message leaves in chunks that we write. `false`: there is no room. */
  chunk(exchange: Exchange, which: HeadOf): boolean {
    const written = TRANSFER_ENCODING_WRITTEN;
    if (!this.#putLine(exchange, which, TRANSFER_ENCODING, written, CHUNKED, CHUNKED.length, true))
      return false;
    this.#dropLines(exchange, which, CONTENT_LENGTH);
    this.#dropLines(exchange, which, TRAILER);
    return true;
  }

  /** The client was told to go on, and need not be told again. */
  dropExpectation(exchange: Exchange): void {
    if (this.#own(exchange, REQUEST, 0)) this.#dropLines(exchange, REQUEST, EXPECT);
  }

  /** The end of the connection ends the response. `false`: there is no room. */
  untilClose(exchange: Exchange): boolean {
    const which = HeadOf.response;
    if (!this.#putLine(exchange, which, CONNECTION, CONNECTION_WRITTEN, CLOSE, CLOSE.length, true))
      return false;
    this.#dropLines(exchange, which, CONTENT_LENGTH);
    return true;
  }

  /** Replaces the target of the request: path and query, or `*` of an OPTIONS. `false`: refused, or no room. */
  setTarget(exchange: Exchange, target: Uint8Array): boolean {
    const { memory, snapshot } = this.#plane;
    if (!isTarget(target, exchange.method) || target.length > snapshot.limits.targetBytesMax) return false;
    let start = exchange.requestStart;
    while (memory[start] !== SP) start++;
    start++;
    let end = start;
    while (memory[end] !== SP) end++;
    const at = this.#splice(exchange, REQUEST, start, end, target.length);
    if (at === NO_ROOM) return false;
    for (let i = 0; i < target.length; i++) memory[at + i] = target[i]!;
    return true;
  }

  /** Replaces the status line of the response. `false`: there is no room. */
  setStatus(exchange: Exchange, status: number): boolean {
    const { memory } = this.#plane;
    const text = asciiBytes(`${status} ${reasonPhrase(status)}`);
    const start = exchange.slotStart + VERSION_BYTES;
    let end = start;
    while (memory[end] !== CR) end++;
    const at = this.#splice(exchange, HeadOf.response, start, end, text.length);
    if (at === NO_ROOM) return false;
    for (let i = 0; i < text.length; i++) memory[at + i] = text[i]!;
    exchange.status = status;
    return true;
  }

  #isOpenName(name: Uint8Array): boolean {
    const { length } = name;
    if (length < OPEN_LENGTHS && this.#open[length] === name) return true;
    if (!isOpenName(name)) return false;
    if (length < OPEN_LENGTHS) this.#open[length] = name;
    return true;
  }

  /** Takes every line named `name` out. */
  #dropLines(exchange: Exchange, which: HeadOf, name: Uint8Array): void {
    const { memory, view } = this.#plane;
    const start = which === REQUEST ? exchange.requestStart : exchange.slotStart;
    let end = which === REQUEST ? exchange.requestHeadEnd : exchange.slotAt;
    let line = nextLine(memory, view, start, end);
    while (line < end && memory[line] !== CR) {
      const next = nextLine(memory, view, line, end);
      if (isNamed(memory, line, name)) {
        this.#splice(exchange, which, line, next, 0);
        end -= next - line;
      } else line = next;
    }
  }

  /** Writes a line behind all others; there is room. */
  #writeLine(
    exchange: Exchange,
    which: HeadOf,
    name: Uint8Array,
    value: Uint8Array,
    valueBytes: number,
  ): void {
    const { memory } = this.#plane;
    const isRequest = which === REQUEST;
    const headEnd = isRequest ? exchange.requestHeadEnd : exchange.slotAt;
    const bytes = name.length + valueBytes + LINE_FRAME_BYTES;
    let at = headEnd - 2;
    if (isRequest) {
      if (exchange.requestEnd > headEnd) memory.copyWithin(headEnd + bytes, headEnd, exchange.requestEnd);
      exchange.requestHeadEnd += bytes;
      exchange.requestEnd += bytes;
    } else exchange.slotAt += bytes;
    for (let i = 0; i < name.length; i++) memory[at++] = name[i]!;
    memory[at] = COLON;
    memory[at + 1] = SP;
    at += 2;
    for (let i = 0; i < valueBytes; i++) memory[at++] = value[i]!;
    memory[at] = CR;
    memory[at + 1] = LF;
    memory[at + 2] = CR;
    memory[at + 3] = LF;
  }

  /**
   * Puts `bytes` of room in the place of `[start, end)` of the head. Returns where it begins, which may be in
   * another slot, or `NO_ROOM`.
   */
  #splice(exchange: Exchange, which: HeadOf, start: number, end: number, bytes: number): number {
    const { memory } = this.#plane;
    const grown = bytes - (end - start);
    const isRequest = which === REQUEST;
    const before = isRequest ? exchange.requestStart : exchange.slotStart;
    if (!this.#own(exchange, which, grown)) return NO_ROOM;
    const moved = (isRequest ? exchange.requestStart : exchange.slotStart) - before;
    const allEnd = isRequest ? exchange.requestEnd : exchange.slotAt;
    if (grown !== 0) memory.copyWithin(start + moved + bytes, end + moved, allEnd);
    if (isRequest) {
      exchange.requestHeadEnd += grown;
      exchange.requestEnd += grown;
    } else exchange.slotAt += grown;
    return start + moved;
  }

  /** Makes sure that the head lies in a slot of its own with room for `bytes` more. `false`: there is none. */
  #own(exchange: Exchange, which: HeadOf, bytes: number): boolean {
    const { buffers, memory, view } = this.#plane;
    const isRequest = which === REQUEST;
    const start = isRequest ? exchange.requestStart : exchange.slotStart;
    const end = isRequest ? exchange.requestEnd : exchange.slotAt;
    const needed = end - start + bytes;
    if (end + bytes <= buffers.slotEnd(start) && buffers.referencesOf(start) === 1) return true;
    const slot = needed <= SMALL_SLOT_BYTES ? buffers.acquireSmall() : buffers.acquireLarge();
    if (slot < 0) return false;
    if (slot + needed > buffers.slotEnd(slot)) {
      buffers.release(slot);
      return false;
    }
    const slotAt = copy(view, memory, start, end, slot);
    buffers.release(start);
    if (isRequest) {
      exchange.requestHeadEnd += slot - start;
      exchange.requestStart = slot;
      exchange.requestEnd = slotAt;
    } else {
      exchange.slotStart = slot;
      exchange.slotAt = slotAt;
      exchange.slotLimit = buffers.slotEnd(slot);
    }
    return true;
  }
}

/** A token in lower case on which framing does not depend. */
function isOpenName(name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = name[i]!;
    if (IS_TOKEN[byte] === 0 || FOLD[byte] !== byte) return false;
  }
  const taken = TAKEN_NAMES[name.length];
  if (taken !== undefined) {
    for (let i = 0; i < taken.length; i++) if (isSame(taken[i]!, name)) return false;
  }
  return name.length > 0;
}

function isValue(value: Uint8Array, valueBytes: number): boolean {
  for (let i = 0; i < valueBytes; i++) if (IS_VALUE[value[i]!] === 0) return false;
  return true;
}

function isTarget(target: Uint8Array, method: number): boolean {
  for (let i = 0; i < target.length; i++) if (IS_TARGET[target[i]!] === 0) return false;
  if (method === Method.CONNECT) return false;
  return target[0] === SLASH || (method === Method.OPTIONS && target.length === 1 && target[0] === ASTERISK);
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

/** @cold */
function byLength(names: readonly string[]): Uint8Array[][] {
  const table: Uint8Array[][] = [];
  for (const name of names) {
    table[name.length] ??= [];
    table[name.length]!.push(asciiBytes(name));
  }
  return table;
}
