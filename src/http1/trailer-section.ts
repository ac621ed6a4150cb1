/**
 * The trailer section of a chunked body (RFC 9112 §7.1.2): read, bounded, and forgotten, or kept for sending on.
 *
 * Strategy: one byte at a time, since trailers are rare and short and come in any split. What is kept lies in
 * an array of its own, because the buffer of a line's beginning may be gone when its end comes; the array is
 * made when a first field is kept, grows, and is given up when it has grown.
 *
 * @hot
 */
import { FIELD_VALUE, TOKEN } from "../base/ascii.ts";
import { writeBytes } from "../base/bytes.ts";
import { Fault } from "./fault.ts";
import { mayTrail } from "./trailer-names.ts";

/** All of it, in bytes. */
export const TRAILER_BYTES_MAX = 8192;
/** Fields in it. */
export const TRAILER_FIELDS_MAX = 64;
const KEPT_BYTES_MIN = 512;

const IS_VALUE = FIELD_VALUE;
const IS_TOKEN = TOKEN;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

const LINE_START = 0;
const NAME = 1;
const VALUE = 2;
const LINE_LF = 3;
const FINAL_LF = 4;

export class TrailerSection {
  /** The empty line has been read. */
  done = false;
  /** Bytes of the fields kept so far, each a whole line with CRLF. */
  keptBytes = 0;
  #state = LINE_START;
  #keeps = false;
  #bytes = 0;
  #fields = 0;
  #kept: Uint8Array | null = null;
  /** In `#kept`: end of what is written, and of the name of the line being written. */
  #writtenEnd = 0;
  #nameEnd = 0;

  /** Begins a section; `keeps`: the fields that may go on are kept. */
  begin(keeps: boolean): void {
    this.done = false;
    this.keptBytes = 0;
    this.#state = LINE_START;
    this.#keeps = keeps;
    this.#bytes = 0;
    this.#fields = 0;
    this.#writtenEnd = 0;
    this.#nameEnd = 0;
    if (this.#kept !== null && this.#kept.length > KEPT_BYTES_MIN) this.#kept = null;
  }

  /** Reads `[pos, end)`, but nothing behind the section. Returns how far it came, or a `Fault`. */
  read(memory: Uint8Array, pos: number, end: number): number {
    while (pos < end && !this.done) {
      const byte = memory[pos++]!;
      if (++this.#bytes > TRAILER_BYTES_MAX) return Fault.trailerTooLarge;
      const fault = this.#step(byte);
      if (fault !== 0) return fault;
      if (this.#keeps && !this.done) this.#keep(byte);
    }
    return pos;
  }

  /** Writes the fields kept, `keptBytes`, at `at`; returns just past them. */
  write(memory: Uint8Array, at: number): number {
    if (this.#kept === null) return at;
    for (let i = 0; i < this.keptBytes; i++) memory[at + i] = this.#kept[i]!;
    return at + this.keptBytes;
  }

  #step(byte: number): number {
    switch (this.#state) {
      case LINE_START:
        if (byte === CR) this.#state = FINAL_LF;
        else if (IS_TOKEN[byte] === 0) return Fault.badTrailer;
        else if (++this.#fields > TRAILER_FIELDS_MAX) return Fault.trailerTooLarge;
        else this.#state = NAME;
        return 0;
      case NAME:
        if (byte === COLON) {
          this.#nameEnd = this.#writtenEnd;
          this.#state = VALUE;
        } else if (IS_TOKEN[byte] === 0) return Fault.badTrailer;
        return 0;
      case VALUE:
        if (byte === CR) this.#state = LINE_LF;
        else if (IS_VALUE[byte] === 0) return Fault.badTrailer;
        return 0;
      default:
        if (byte !== LF) return Fault.bareCr;
        this.done = this.#state === FINAL_LF;
        this.#state = LINE_START;
        return 0;
    }
  }

  /** Adds a byte to the line being kept; at its end the line stays, or is undone. */
  #keep(byte: number): void {
    if (this.#state === FINAL_LF) return;
    const kept = this.#room();
    kept[this.#writtenEnd++] = byte;
    if (this.#state !== LINE_START) return;
    if (mayTrail(kept, this.keptBytes, this.#nameEnd)) this.keptBytes = this.#writtenEnd;
    else this.#writtenEnd = this.keptBytes;
  }

  /** The array, with room for one more byte. @cold */
  #room(): Uint8Array {
    const kept = this.#kept;
    if (kept !== null && this.#writtenEnd < kept.length) return kept;
    const larger = new Uint8Array(kept === null ? KEPT_BYTES_MIN : kept.length * 2);
    if (kept !== null) writeBytes(larger, 0, kept);
    this.#kept = larger;
    return larger;
  }
}
