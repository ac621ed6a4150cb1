/**
 * Reads the responses of every connection of a run with the proxy's own parser (RFC 9112 §4, §6, §7).
 *
 * Strategy: a received range is parsed where it lies and given back at once. Only a head that is cut by the
 * end of a range is kept: a short one in a small slot, from where it is copied in front of the next range; a
 * long one in the slot it arrived in, to which the next range's bytes are added. So a slow server holds few
 * large slots.
 *
 * Servers under load send the same head again and again, until its Date changes. The last head and what it
 * meant are kept: equal bytes mean the same, and comparing them costs a tenth of parsing them.
 *
 * @hot
 */
import { HEADROOM_BYTES } from "../base/buffer-pool.ts";
import type { Port } from "../contract/port.ts";
import { BodyMode, BodyReader } from "../http1/body.ts";
import { Framing, responseFraming } from "../http1/framing.ts";
import { MessageHead, persists } from "../http1/message-head.ts";
import { parseResponseHead } from "../http1/response-head.ts";

/** Whom a reader tells, and asks. */
export interface ResponseSink {
  /** Whether a response is expected on this connection. */
  awaits(connection: number): boolean;
  /** A final response was read whole. */
  responded(connection: number, status: number): void;
}

/** What `feed` and `finish` return beside faults of the parser. */
export const Reading = {
  /** Go on. */
  open: 0,
  /** The last response of this connection is read: close it. */
  last: 1,
  /** `finish` only: the end came inside a response, or in place of one. */
  cut: 2,
  /** Bytes that answer no request. Beyond the parser's faults, as are the ones below. */
  unasked: -1001,
  /** 101, though nothing asked for an upgrade. */
  switched: -1002,
} as const;

const OPEN = Reading.open;
const LAST = Reading.last;
const CUT = Reading.cut;
const UNASKED = Reading.unasked;
const SWITCHED = Reading.switched;
const NEED_MORE = -1;
const FRAMING_NONE = Framing.none;
const FRAMING_UNTIL_CLOSE = Framing.untilClose;
const MODE_PAYLOAD = BodyMode.payload;
const SHORT_BYTES = HEADROOM_BYTES;
const FIELD_COUNT_MAX = 256;
/** Longer heads are parsed each time. */
const KNOWN_BYTES_MAX = 2048;
const LIMITS = { headBytesMax: 32_768, fieldCountMax: FIELD_COUNT_MAX };

export class ResponseReader {
  readonly #port: Port;
  readonly #sink: ResponseSink;
  readonly #method: number;
  readonly #head = new MessageHead(FIELD_COUNT_MAX);
  readonly #bodies: BodyReader[] = [];
  readonly #inBody: Uint8Array;
  readonly #last: Uint8Array;
  readonly #status: Uint16Array;
  /** The kept beginning of a head; `#keptStart` is -1 when there is none. */
  readonly #keptStart: Int32Array;
  readonly #keptEnd: Int32Array;
  /** The last final head, and what it meant; `#knownLength` is 0 when there is none. */
  readonly #knownBytes = new Uint8Array(KNOWN_BYTES_MAX);
  readonly #knownView = new DataView(this.#knownBytes.buffer);
  #knownLength = 0;
  #knownStatus = 0;
  #knownLast = 0;
  #knownFraming = 0;
  #knownContentLength = 0;

  /** Responses to requests of `method`, a `Method` id. */
  constructor(port: Port, method: number, sink: ResponseSink) {
    const count = port.connectionsMax;
    this.#port = port;
    this.#sink = sink;
    this.#method = method;
    this.#inBody = new Uint8Array(count);
    this.#last = new Uint8Array(count);
    this.#status = new Uint16Array(count);
    this.#keptStart = new Int32Array(count).fill(-1);
    this.#keptEnd = new Int32Array(count);
  }

  /** Expects the first response on a new connection. */
  opened(connection: number): void {
    // Numbers are given out from the lowest: the list has no holes for long.
    while (this.#bodies.length <= connection) this.#bodies.push(new BodyReader());
    this.#inBody[connection] = 0;
  }

  /** Drops what is kept for a connection that goes away. */
  closed(connection: number): void {
    if (this.#keptStart[connection]! >= 0) this.#port.buffers.release(this.#keptStart[connection]!);
    this.#keptStart[connection] = -1;
  }

  /**
   * Reads `[start, end)` and takes over its reference. Returns `Reading.open`, `Reading.last` or a negative
   * fault.
   */
  feed(connection: number, start: number, end: number): number {
    const keptStart = this.#keptStart[connection]!;
    if (keptStart < 0) return this.#read(connection, start, end);
    const buffers = this.#port.buffers;
    const keptEnd = this.#keptEnd[connection]!;
    this.#keptStart[connection] = -1;
    const room = start - buffers.slotStart(start);
    if (keptEnd - keptStart <= room) {
      buffers.memory.copyWithin(start - (keptEnd - keptStart), keptStart, keptEnd);
      buffers.release(keptStart);
      return this.#read(connection, start - (keptEnd - keptStart), end);
    }
    const taken = Math.min(end - start, buffers.slotEnd(keptStart) - keptEnd);
    buffers.memory.copyWithin(keptEnd, start, start + taken);
    const reading = this.#read(connection, keptStart, keptEnd + taken);
    if (reading === OPEN && taken < end - start) return this.feed(connection, start + taken, end);
    buffers.release(start);
    return reading;
  }

  /**
   * The peer will send nothing more. Returns `Reading.last` when that ended a response or came between two,
   * else `Reading.cut`.
   */
  finish(connection: number): number {
    if (this.#inBody[connection] === 1) {
      if (!this.#bodies[connection]!.finish()) return CUT;
      this.#inBody[connection] = 0;
      this.#sink.responded(connection, this.#status[connection]!);
      return LAST;
    }
    return this.#keptStart[connection]! >= 0 || this.#sink.awaits(connection) ? CUT : LAST;
  }

  #read(connection: number, start: number, end: number): number {
    const buffers = this.#port.buffers;
    const body = this.#bodies[connection]!;
    let pos = start;
    while (pos < end) {
      if (this.#inBody[connection] === 1) pos = body.feed(buffers.memory, buffers.view, pos, end);
      else pos = this.#readHead(connection, pos, end);
      if (pos < 0) {
        if (pos === NEED_MORE) return OPEN;
        buffers.release(start);
        return pos;
      }
      if (this.#inBody[connection] === 1) {
        if (!body.done) continue;
        this.#inBody[connection] = 0;
      }
      if (this.#status[connection] === 0) continue;
      this.#sink.responded(connection, this.#status[connection]!);
      if (this.#last[connection] === 1) {
        buffers.release(start);
        return LAST;
      }
    }
    buffers.release(start);
    return OPEN;
  }

  /**
   * Reads one head at `pos`. Returns just past it, a fault, or `NEED_MORE` after keeping it with its slot's
   * reference.
   */
  #readHead(connection: number, pos: number, end: number): number {
    if (!this.#sink.awaits(connection)) return UNASKED;
    if (this.#isKnown(pos, end)) {
      this.#enter(connection);
      return pos + this.#knownLength;
    }
    const head = this.#head;
    const next = parseResponseHead(this.#port.buffers.memory, pos, end, head, LIMITS);
    if (next < 0) {
      if (next === NEED_MORE) this.#keep(connection, pos, end);
      return next;
    }
    if (head.status < 200) {
      // Interim responses announce nothing that matters here (RFC 9110 §15.2).
      this.#status[connection] = 0;
      return head.status === 101 ? SWITCHED : next;
    }
    const framing = responseFraming(head, this.#method);
    if (framing < 0) return framing;
    this.#knownStatus = head.status;
    this.#knownLast = persists(head) && framing !== FRAMING_UNTIL_CLOSE ? 0 : 1;
    this.#knownFraming = framing;
    this.#knownContentLength = head.contentLength;
    this.#learn(pos, next);
    this.#enter(connection);
    return next;
  }

  /** Whether the head that was read last lies at `pos`, byte for byte. */
  #isKnown(pos: number, end: number): boolean {
    const length = this.#knownLength;
    if (length === 0 || end - pos < length) return false;
    const view = this.#port.buffers.view;
    const known = this.#knownView;
    const lastWord = length - 4;
    for (let i = 0; i < lastWord; i += 4) {
      if (view.getInt32(pos + i, true) !== known.getInt32(i, true)) return false;
    }
    return view.getInt32(pos + lastWord, true) === known.getInt32(lastWord, true);
  }

  #learn(start: number, end: number): void {
    this.#knownLength = 0;
    if (end - start > KNOWN_BYTES_MAX) return;
    const memory = this.#port.buffers.memory;
    for (let pos = start; pos < end; pos++) this.#knownBytes[pos - start] = memory[pos]!;
    this.#knownLength = end - start;
  }

  /** Begins the response that the last head announced. */
  #enter(connection: number): void {
    this.#status[connection] = this.#knownStatus;
    this.#last[connection] = this.#knownLast;
    if (this.#knownFraming === FRAMING_NONE) return;
    this.#bodies[connection]!.begin(this.#knownFraming, this.#knownContentLength, MODE_PAYLOAD);
    this.#inBody[connection] = 1;
  }

  #keep(connection: number, start: number, end: number): void {
    const buffers = this.#port.buffers;
    const length = end - start;
    let at = length <= SHORT_BYTES ? buffers.acquireSmall() : -1;
    if (at >= 0) {
      buffers.memory.copyWithin(at, start, end);
      buffers.release(start);
    } else {
      at = buffers.slotStart(start);
      buffers.memory.copyWithin(at, start, end);
    }
    this.#keptStart[connection] = at;
    this.#keptEnd[connection] = at + length;
  }
}
