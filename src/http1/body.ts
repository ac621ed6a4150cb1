/**
 * Reads the body of one message from the buffers it arrives in, and says which bytes go on (RFC 9112 §6 and
 * §7).
 *
 * Strategy: the reader yields ranges of the very memory it is fed, so that a body leaves from where it
 * arrived. Chunked bodies that stay chunked (`wire`) are re-framed by us, never passed on unread: a chunk
 * line in canonical form (lower-case hexadecimal without leading zeros, no extension, all of it in this
 * buffer) goes on as it lies, so that a buffer full of such chunks is one range. Any other line is held back;
 * when it is complete, its canonical form is written directly in front of what follows it, over bytes of its
 * own or, when it began in an earlier buffer, over the headroom in front of this one. Chunk extensions are
 * checked, bounded and dropped; so are trailer fields, unless the mode asks for those that may be forwarded.
 *
 *     5;x=1 CRLF hello CRLF 5 CRLF world CRLF 0 CRLF CRLF
 *           ^-- "5" CRLF is written here, right-aligned: one range from there to the end
 *
 * Whatever the split into buffers, the ranges (and `writeEnd`) add up to the same bytes.
 *
 * @hot
 */
import { HEX_VALUE } from "../base/ascii.ts";
import { assert } from "../base/assert.ts";
import { hexDigits, writeHex } from "../base/bytes.ts";
import { EXTENSION_BAD, EXTENSION_START, extensionMayEnd, extensionStep } from "./chunk-extension.ts";
import { Fault } from "./fault.ts";
import { Framing } from "./framing.ts";
import { TrailerSection } from "./trailer-section.ts";

/**
 * What is yielded of a chunked body: its payload alone, or payload in canonical chunks; with trailers, the end
 * is held back when there are any that may go on. Other bodies are yielded as they are.
 */
export const BodyMode = { payload: 0, wire: 1, wireWithTrailers: 2 } as const;
export type BodyMode = (typeof BodyMode)[keyof typeof BodyMode];

/** All chunk extensions of one message. Nobody is known to use any; node allows 16 KiB. */
export const CHUNK_EXTENSION_BYTES_MAX = 4096;
/** Digits of a chunk size, leading zeros included. */
const SIZE_DIGITS_MAX = 16;
const SIZE_MAX = 2 ** 53 - 1;

const HEX = HEX_VALUE;
const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const ZERO = 0x30;
const SEMICOLON = 0x3b;
const LOWER_BIT = 0x20;

/** What the next byte is. Up to `UNTIL_CLOSE`: bodies without chunks; then in the order of a chunk. */
const ENDED = 0;
const PLAIN = 1;
const UNTIL_CLOSE = 2;
const SIZE = 3;
const SIZE_MORE = 4;
const SIZE_SPACE = 5;
const EXTENSION = 6;
const SIZE_LF = 7;
const DATA = 8;
const DATA_CR = 9;
const DATA_LF = 10;
const TRAILER = 11;

const NONE_FRAMING = Framing.none;
const LENGTH_FRAMING = Framing.length;
const CHUNKED_FRAMING = Framing.chunked;
const PAYLOAD = BodyMode.payload;
const WITH_TRAILERS = BodyMode.wireWithTrailers;
const EXT_START = EXTENSION_START;
const EXT_BAD = EXTENSION_BAD;
/** `0` CRLF in front of the trailer fields, and CRLF behind them. */
const END_FRAME_BYTES = 5;

export class BodyReader {
  /** What to forward of the bytes last fed; empty when equal. Wire mode may begin it before the fed range. */
  outStart = 0;
  outEnd = 0;
  /**
   * Most bytes that the chunks of this body may have together, 0: any number; set after `begin`, which sets no limit.
   */
  payloadBytesMax = 0;
  /** The body is complete; what follows belongs to the next message. */
  done = true;
  /** Once `done`: bytes of the end that were held back, for `writeEnd`; 0 where there are none. */
  endBytes = 0;
  #state = ENDED;
  #wire = false;
  /** Bytes still to come: of the body (length) or of the chunk. */
  #remaining = 0;
  #digits = 0;
  #canonical = true;
  /** A chunk line is read but not yet yielded: its canonical form goes in front of what is fed next. */
  #lineOwed = false;
  #size = 0;
  #extensionState = 0;
  #extensionBytes = 0;
  readonly #trailers = new TrailerSection();
  /** Of all chunks whose line has been read. */
  #payloadBytes = 0;

  /**
   * Begins a body. `contentLength` counts with `Framing.length` only; `mode` (a `BodyMode`) with
   * `Framing.chunked` only.
   */
  begin(framing: number, contentLength: number, mode: number): void {
    this.outStart = 0;
    this.outEnd = 0;
    this.endBytes = 0;
    this.#wire = mode !== PAYLOAD;
    this.#remaining = 0;
    this.#digits = 0;
    this.#canonical = true;
    this.#lineOwed = false;
    this.#size = 0;
    this.#extensionBytes = 0;
    this.#payloadBytes = 0;
    this.payloadBytesMax = 0;
    if (framing === LENGTH_FRAMING) {
      assert(contentLength >= 0, "a length is known");
      this.#remaining = contentLength;
      this.#state = contentLength === 0 ? ENDED : PLAIN;
    } else if (framing === CHUNKED_FRAMING) {
      this.#state = SIZE;
      this.#trailers.begin(mode === WITH_TRAILERS);
    } else this.#state = framing === NONE_FRAMING ? ENDED : UNTIL_CLOSE;
    this.done = this.#state === ENDED;
  }

  /**
   * Reads `[pos, end)`, sets `outStart`, `outEnd` and `done`, and returns how far it came, or a `Fault`.
   * Short of `end` without `done`: forward the range, then feed the rest. May write into the range and, in
   * wire mode, into the `HEADROOM_BYTES` before the first byte of a buffer.
   */
  feed(memory: Uint8Array, _view: DataView, pos: number, end: number): number {
    this.outStart = pos;
    this.outEnd = pos;
    if (this.#state === PLAIN) return this.#feedLength(pos, end);
    if (this.#state === UNTIL_CLOSE) {
      this.outEnd = end;
      return end;
    }
    if (this.#state === ENDED) return pos;
    return this.#wire ? this.#feedWire(memory, pos, end) : this.#feedPayload(memory, pos, end);
  }

  /** Payload bytes read so far of a chunked body. */
  get chunkedBytes(): number {
    return this.#payloadBytes - this.#remaining;
  }

  /** The sender has ended its stream: whether the body is complete. */
  finish(): boolean {
    if (this.#state === UNTIL_CLOSE) {
      this.#state = ENDED;
      this.done = true;
    }
    return this.done;
  }

  /** Writes what was held back, `endBytes`, at `at`: the last chunk with its trailers. Returns just past it. */
  writeEnd(memory: Uint8Array, at: number): number {
    memory[at++] = ZERO;
    memory[at++] = CR;
    memory[at++] = LF;
    at = this.#trailers.write(memory, at);
    memory[at++] = CR;
    memory[at++] = LF;
    return at;
  }

  #feedLength(pos: number, end: number): number {
    const available = end - pos;
    if (available < this.#remaining) {
      this.#remaining -= available;
      this.outEnd = end;
      return end;
    }
    this.outEnd = pos + this.#remaining;
    this.#remaining = 0;
    this.#state = ENDED;
    this.done = true;
    return this.outEnd;
  }

  #feedPayload(memory: Uint8Array, pos: number, end: number): number {
    while (pos < end) {
      if (this.#state === DATA) {
        const bytes = Math.min(end - pos, this.#remaining);
        this.#remaining -= bytes;
        this.outStart = pos;
        this.outEnd = pos + bytes;
        if (this.#remaining === 0) this.#state = DATA_CR;
        return this.outEnd;
      }
      pos = this.#state <= SIZE_LF ? this.#readLine(memory, pos, end) : this.#readEnd(memory, pos, end);
      if (pos < 0 || this.done) break;
    }
    this.outStart = pos;
    this.outEnd = pos;
    return pos;
  }

  /**
   * The run `[runStart, pos)` grows over all that goes on as it lies. It ends before a line that does not,
   * which is then owed; the next call begins its run with it.
   */
  #feedWire(memory: Uint8Array, pos: number, end: number): number {
    let runStart = pos;
    if (this.#lineOwed) runStart = this.#writeLine(memory, pos);
    while (pos < end) {
      const state = this.#state;
      if (state === DATA) {
        const bytes = Math.min(end - pos, this.#remaining);
        this.#remaining -= bytes;
        pos += bytes;
        if (this.#remaining === 0) this.#state = DATA_CR;
      } else if (state <= SIZE_LF) {
        const lineStart = pos;
        const whole = state === SIZE;
        pos = this.#readLine(memory, pos, end);
        if (pos < 0) return pos;
        const complete = this.#state === DATA || this.#state === TRAILER;
        if (complete && whole && this.#canonical && this.#endsAsItLies(memory, pos, end)) continue;
        if (complete) this.#lineOwed = true;
        // The canonical line is never longer than the one received, so it cannot reach into the range yielded
        // here.
        if (runStart < lineStart) return this.#yield(runStart, lineStart, pos);
        if (this.#state === DATA) runStart = this.#writeLine(memory, pos);
        else runStart = pos;
      } else if (state <= DATA_LF) {
        pos = this.#readEnd(memory, pos, end);
        if (pos < 0) return pos;
      } else {
        return this.#feedTrailer(memory, runStart, pos, end);
      }
    }
    return this.#yield(runStart, pos, pos);
  }

  /**
   * Whether what follows a canonical line goes on as it lies: data does; after the last chunk only CRLF, and
   * all of it here.
   */
  #endsAsItLies(memory: Uint8Array, pos: number, end: number): boolean {
    if (this.#state === DATA) return true;
    return pos + 2 <= end && memory[pos] === CR && memory[pos + 1] === LF;
  }

  /**
   * The end of the body. With the last chunk's line owed nothing is yielded until all is read; else its CRLF
   * ends the run.
   */
  #feedTrailer(memory: Uint8Array, runStart: number, pos: number, end: number): number {
    pos = this.#readEnd(memory, pos, end);
    if (pos < 0) return pos;
    if (!this.#lineOwed) return this.#yield(runStart, pos, pos);
    if (!this.done) return this.#yield(pos, pos, pos);
    this.#lineOwed = false;
    if (this.#trailers.keptBytes > 0) {
      this.endBytes = END_FRAME_BYTES + this.#trailers.keptBytes;
      return this.#yield(pos, pos, pos);
    }
    memory[pos - 5] = ZERO;
    memory[pos - 4] = CR;
    memory[pos - 3] = LF;
    memory[pos - 2] = CR;
    memory[pos - 1] = LF;
    return this.#yield(pos - 5, pos, pos);
  }

  #yield(outStart: number, outEnd: number, pos: number): number {
    this.outStart = outStart;
    this.outEnd = outEnd;
    return pos;
  }

  /**
   * Writes the owed chunk line so that it ends at `at`; returns where it begins. Not for the last chunk,
   * which needs its end.
   */
  #writeLine(memory: Uint8Array, at: number): number {
    if (this.#state >= TRAILER) return at;
    this.#lineOwed = false;
    const start = at - 2 - hexDigits(this.#size);
    writeHex(memory, start, this.#size);
    memory[at - 2] = CR;
    memory[at - 1] = LF;
    return start;
  }

  /**
   * A chunk line: `1*HEXDIG [ BWS ";" … ] CRLF`. Ends in `DATA` or, for the last chunk, in `TRAILER`.
   */
  #readLine(memory: Uint8Array, pos: number, end: number): number {
    while (pos < end) {
      const byte = memory[pos]!;
      switch (this.#state) {
        case SIZE:
          if (HEX[byte] === 255) return Fault.badChunkSize;
          this.#size = 0;
          this.#digits = 0;
          this.#canonical = true;
          this.#state = SIZE_MORE;
          pos = this.#readDigits(memory, pos, end);
          if (pos < 0) return pos;
          break;
        case SIZE_MORE:
          if (HEX[byte] !== 255) pos = this.#readDigits(memory, pos, end);
          else pos = this.#leaveDigits(byte) ? pos + 1 : Fault.badChunkSize;
          if (pos < 0) return pos;
          break;
        case SIZE_SPACE:
        case EXTENSION:
          pos = this.#readExtension(memory, pos, end);
          if (pos < 0) return pos;
          break;
        default:
          if (byte !== LF) return Fault.bareCr;
          this.#remaining = this.#size;
          this.#payloadBytes += this.#size;
          if (this.payloadBytesMax > 0 && this.#payloadBytes > this.payloadBytesMax)
            return Fault.bodyTooLarge;
          this.#state = this.#size === 0 ? TRAILER : DATA;
          return pos + 1;
      }
    }
    return pos;
  }

  #readDigits(memory: Uint8Array, pos: number, end: number): number {
    for (; pos < end; pos++) {
      const byte = memory[pos]!;
      const digit = HEX[byte]!;
      if (digit === 255) break;
      // A zero in front of another digit.
      if (this.#digits > 0 && this.#size === 0) this.#canonical = false;
      this.#digits++;
      this.#size = this.#size * 16 + digit;
      if (this.#digits > SIZE_DIGITS_MAX || this.#size > SIZE_MAX) return Fault.chunkSizeOverflow;
      if (digit > 9) memory[pos] = byte | LOWER_BIT;
    }
    return pos;
  }

  /** Takes the byte behind the digits. */
  #leaveDigits(byte: number): boolean {
    if (byte === CR) this.#state = SIZE_LF;
    else if (byte === SEMICOLON) this.#beginExtension();
    else if (byte === SP || byte === HTAB) this.#state = SIZE_SPACE;
    else return false;
    if (byte !== CR) {
      this.#canonical = false;
      this.#extensionBytes++;
    }
    return true;
  }

  #readExtension(memory: Uint8Array, pos: number, end: number): number {
    for (; pos < end; pos++) {
      const byte = memory[pos]!;
      if (this.#state === SIZE_SPACE) {
        // Whitespace belongs to an extension; alone behind a size it is no part of the grammar.
        if (byte === SEMICOLON) this.#beginExtension();
        else if (byte !== SP && byte !== HTAB) return Fault.badChunkSize;
      } else if (byte === CR) {
        if (!extensionMayEnd(this.#extensionState)) return Fault.badChunkExtension;
        this.#state = SIZE_LF;
        return pos + 1;
      } else {
        this.#extensionState = extensionStep(this.#extensionState, byte);
        if (this.#extensionState === EXT_BAD) return Fault.badChunkExtension;
      }
      if (++this.#extensionBytes > CHUNK_EXTENSION_BYTES_MAX) return Fault.chunkExtensionTooLong;
    }
    return pos;
  }

  #beginExtension(): void {
    this.#state = EXTENSION;
    this.#extensionState = EXT_START;
  }

  /** What ends a chunk (CRLF) or the body (trailer section): reads as far as one of these goes. */
  #readEnd(memory: Uint8Array, pos: number, end: number): number {
    if (this.#state === TRAILER) return this.#readTrailers(memory, pos, end);
    for (; pos < end; pos++) {
      const byte = memory[pos]!;
      if (this.#state === DATA_CR) {
        if (byte !== CR) return Fault.badChunkEnd;
        this.#state = DATA_LF;
      } else {
        if (byte !== LF) return Fault.badChunkEnd;
        this.#state = SIZE;
        return pos + 1;
      }
    }
    return pos;
  }

  #readTrailers(memory: Uint8Array, pos: number, end: number): number {
    pos = this.#trailers.read(memory, pos, end);
    if (!this.#trailers.done) return pos;
    this.#state = ENDED;
    this.done = true;
    return pos;
  }
}
