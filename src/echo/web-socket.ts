/**
 * A WebSocket that sends every message back (RFC 6455).
 *
 * Strategy: data frames go back frame by frame as their bytes arrive, unmasked in place, with our shorter
 * header written over the end of the client's: a message of any length costs no memory, and fragments stay
 * fragments. Only control frames (at most 125 bytes) are collected.
 */
import { createHash } from "node:crypto";
import type { Port } from "../contract/port.ts";
import { type EchoRequest, fieldValue } from "./echo-request.ts";

/** RFC 6455 §1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const OPCODE_CONTINUATION = 0;
const OPCODE_TEXT = 1;
const OPCODE_BINARY = 2;
const OPCODE_CLOSE = 8;
const OPCODE_PING = 9;
const OPCODE_PONG = 10;
const CONTROL_BYTES_MAX = 125;

const CLOSE_NORMAL = 1000;
const CLOSE_PROTOCOL_ERROR = 1002;
const CLOSE_BAD_TEXT = 1007;
/** Close codes that an endpoint may send (RFC 6455 §7.4). */
const isSendable = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);

/** The value of `Sec-WebSocket-Accept`, or the status of the refusal. */
export function acceptWebSocket(request: EchoRequest): string | number {
  const wantsWebSocket = request.isUpgrade && fieldValue(request, "upgrade").toLowerCase() === "websocket";
  if (!wantsWebSocket || fieldValue(request, "sec-websocket-version") !== "13") return 426;
  const key = fieldValue(request, "sec-websocket-key");
  if (request.method !== "GET" || Buffer.from(key, "base64").length !== 16) return 400;
  return createHash("sha1")
    .update(key + ACCEPT_SUFFIX)
    .digest("base64");
}

export class WebSocketEcho {
  readonly #port: Port;
  readonly #connection: number;
  readonly #memory: Buffer;
  /** The header of the current frame, as far as it has come. */
  readonly #header = Buffer.alloc(14);
  #headerBytes = 0;
  readonly #control = Buffer.alloc(CONTROL_BYTES_MAX);
  #controlBytes = 0;
  #opcode = 0;
  #frameBytes = 0;
  /** Payload of the current frame still to come; -1 while its header is being read. */
  #remaining = -1;
  /** Opcode of the message whose last fragment has not come, or 0. */
  #message = 0;
  #text: TextDecoder | null = null;

  /** `memory` covers the port's buffers. */
  constructor(port: Port, connection: number, memory: Buffer) {
    this.#port = port;
    this.#connection = connection;
    this.#memory = memory;
  }

  /**
   * Reads frames from `[start, end)`, which it may write to, and sends. The caller keeps its reference.
   * Returns false when the connection is over and what was said about it is sent: shut it down.
   */
  feed(start: number, end: number): boolean {
    let pos = start;
    while (pos < end || this.#remaining === 0) {
      if (this.#remaining < 0) {
        this.#header[this.#headerBytes++] = this.#memory[pos++]!;
        if (this.#headerBytes < headerBytesOf(this.#header, this.#headerBytes)) continue;
        if (!this.#beginFrame()) return this.#close(CLOSE_PROTOCOL_ERROR);
        if (this.#remaining > 0) continue;
      }
      const bytes = Math.min(this.#remaining, end - pos);
      const isAtEnd = bytes === this.#remaining;
      this.#unmask(pos, pos + bytes);
      const isGood =
        this.#opcode < OPCODE_CLOSE
          ? this.#dataPiece(pos, pos + bytes, isAtEnd)
          : this.#controlPiece(pos, pos + bytes, isAtEnd);
      if (!isGood) return false;
      pos += bytes;
      this.#remaining = isAtEnd ? -1 : this.#remaining - bytes;
      if (isAtEnd) this.#headerBytes = 0;
    }
    return true;
  }

  /** Takes up a complete header. Returns false where it breaks a rule (RFC 6455 §5.1, §5.2, §5.4, §5.5). */
  #beginFrame(): boolean {
    const header = this.#header;
    const isFinal = (header[0]! & 0x80) !== 0;
    const isMasked = (header[1]! & 0x80) !== 0;
    this.#opcode = header[0]! & 0x0f;
    this.#frameBytes = payloadBytesOf(header);
    this.#remaining = this.#frameBytes;
    this.#controlBytes = 0;
    if ((header[0]! & 0x70) !== 0 || !isMasked || this.#frameBytes < 0) return false;
    if (this.#opcode >= OPCODE_CLOSE)
      return this.#opcode <= OPCODE_PONG && isFinal && this.#frameBytes <= CONTROL_BYTES_MAX;
    if (this.#opcode > OPCODE_BINARY || (this.#opcode === OPCODE_CONTINUATION) !== this.#message > 0)
      return false;
    if (this.#opcode !== OPCODE_CONTINUATION) this.#message = this.#opcode;
    if (this.#opcode === OPCODE_TEXT) this.#text = new TextDecoder("utf-8", { fatal: true });
    return true;
  }

  /** Four bytes of the header's end, from where the frame's payload is now. */
  #unmask(start: number, end: number): void {
    const maskAt = this.#headerBytes - 4;
    let offset = this.#frameBytes - this.#remaining;
    for (let i = start; i < end; i++, offset++) this.#memory[i]! ^= this.#header[maskAt + (offset & 3)]!;
  }

  #dataPiece(start: number, end: number, isAtEnd: boolean): boolean {
    const isFirst = this.#remaining === this.#frameBytes;
    const isMessageEnd = isAtEnd && (this.#header[0]! & 0x80) !== 0;
    if (this.#message === OPCODE_TEXT && !this.#isText(start, end, isMessageEnd)) {
      // Within a frame that is half sent no close frame can follow.
      return isFirst ? this.#close(CLOSE_BAD_TEXT) : false;
    }
    if (isMessageEnd) this.#message = 0;
    const from = isFirst ? this.#writeHeader(start) : start;
    this.#port.buffers.retain(from);
    this.#port.send(this.#connection, from, end);
    return true;
  }

  #isText(start: number, end: number, isMessageEnd: boolean): boolean {
    try {
      this.#text!.decode(this.#memory.subarray(start, end), { stream: !isMessageEnd });
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Our header in front of `at`: over the client's, which is 4 bytes longer, or over headroom. Returns where
   * it begins.
   */
  #writeHeader(at: number): number {
    const header = headerFor(this.#header[0]!, this.#frameBytes);
    header.copy(this.#memory, at - header.length);
    return at - header.length;
  }

  #controlPiece(start: number, end: number, isAtEnd: boolean): boolean {
    this.#memory.copy(this.#control, this.#controlBytes, start, end);
    this.#controlBytes += end - start;
    if (!isAtEnd || this.#opcode === OPCODE_PONG) return true;
    const payload = this.#control.subarray(0, this.#controlBytes);
    if (this.#opcode === OPCODE_PING) return this.#sendControl(OPCODE_PONG, payload);
    if (payload.length === 0) return this.#close(CLOSE_NORMAL);
    if (payload.length === 1 || !isSendable(payload.readUInt16BE(0)))
      return this.#close(CLOSE_PROTOCOL_ERROR);
    this.#sendControl(OPCODE_CLOSE, payload.subarray(0, 2));
    return false;
  }

  #close(code: number): false {
    this.#sendControl(OPCODE_CLOSE, Buffer.of(code >> 8, code & 0xff));
    return false;
  }

  /** Returns false when no slot is free. */
  #sendControl(opcode: number, payload: Buffer): boolean {
    const start = this.#port.buffers.acquireSmall();
    if (start < 0) return false;
    const header = headerFor(0x80 | opcode, payload.length);
    header.copy(this.#memory, start);
    payload.copy(this.#memory, start + header.length);
    this.#port.send(this.#connection, start, start + header.length + payload.length);
    return true;
  }
}

/** Bytes of a client's header of which `known` have come. */
function headerBytesOf(header: Buffer, known: number): number {
  if (known < 2) return 2;
  const length = header[1]! & 0x7f;
  const maskBytes = (header[1]! & 0x80) !== 0 ? 4 : 0;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + maskBytes;
}

/** The payload's length, or -1 where it is not written in the shortest way or is past 2^53. */
function payloadBytesOf(header: Buffer): number {
  const length = header[1]! & 0x7f;
  if (length < 126) return length;
  if (length === 126) return header.readUInt16BE(2) < 126 ? -1 : header.readUInt16BE(2);
  const high = header.readUInt32BE(2);
  if (high >= 2 ** 21) return -1;
  const long = high * 2 ** 32 + header.readUInt32BE(6);
  return long < 65_536 ? -1 : long;
}

/** An unmasked header. */
function headerFor(first: number, payloadBytes: number): Buffer {
  if (payloadBytes < 126) return Buffer.of(first, payloadBytes);
  if (payloadBytes < 65_536) return Buffer.of(first, 126, payloadBytes >> 8, payloadBytes & 0xff);
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(payloadBytes), 2);
  return header;
}
