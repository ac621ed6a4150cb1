/**
 * Field lines that the next answer of our own gets beside those that are rendered for its reason: what
 * depends on the request. One record is used for all of them. And what the lines of a chain say.
 *
 * @hot
 */
import { asciiBytes, textOf, writeBytes } from "../base/bytes.ts";

const RETRY_AFTER = asciiBytes("Retry-After: ");
const CR = 0x0d;
const LF = 0x0a;
const DIGIT_ZERO = 0x30;
/** More than the lines of one answer have. */
const LINES_BYTES_MAX = 4096;

export class AnswerLines {
  /** `[0, end)` are whole lines. */
  readonly bytes = new Uint8Array(LINES_BYTES_MAX);
  end = 0;

  /** `seconds` is a whole number from 0. */
  addRetryAfter(seconds: number): void {
    const { bytes } = this;
    let at = writeBytes(bytes, this.end, RETRY_AFTER);
    let digits = 1;
    for (let rest = seconds; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    at += digits;
    for (let pos = at, rest = seconds; digits > 0; digits--, rest = Math.floor(rest / 10)) {
      bytes[--pos] = DIGIT_ZERO + (rest % 10);
    }
    bytes[at] = CR;
    bytes[at + 1] = LF;
    this.end = at + 2;
  }

  /** Adds the lines `memory[start, end)`; none of them where they are too long. */
  addRange(memory: Uint8Array, start: number, end: number): void {
    if (end - start > LINES_BYTES_MAX - this.end) return;
    for (; start < end; start++) this.bytes[this.end++] = memory[start]!;
  }

  /** Writes the lines at `at`, and forgets them. Returns the offset past them. */
  write(memory: Uint8Array, at: number): number {
    const { bytes, end } = this;
    for (let pos = 0; pos < end; pos++) memory[at++] = bytes[pos]!;
    this.end = 0;
    return at;
  }
}

/** Whether `lines`, which a chain wrote, say that an event stream follows. @cold */
export function isEventStream(lines: Uint8Array): boolean {
  return /^content-type:[ \t]*text\/event-stream\s*(;|\r\n)/im.test(textOf(lines, 0, lines.length));
}
