/**
 * Reads HTTP/1.1 messages from a stream, strictly, and shares no code with the proxy: what the proxy sends
 * must be readable by somebody who makes no allowances.
 */

/** What follows a head, instead of a number of bytes. */
export const CHUNKED = -1;
export const UNTIL_END = -2;

/** Takes what is read; ranges are valid during the call. */
export interface MessageSink {
  /** Nothing more is read. */
  readonly isGone: boolean;
  /** A head, with its empty line. Returns its body's length, `CHUNKED` or `UNTIL_END`. */
  head(text: string): number;
  body(bytes: Buffer, start: number, end: number): void;
  /** The lines behind the last chunk, each with its CRLF. */
  trailers(text: string): void;
  complete(): void;
  /** What came is no message. Nothing more is read. */
  malformed(what: string): void;
}

const Phase = {
  head: 0,
  body: 1,
  untilEnd: 2,
  chunkLine: 3,
  chunk: 4,
  chunkEnd: 5,
  trailers: 6,
  off: 7,
} as const;
type Phase = (typeof Phase)[keyof typeof Phase];

const CRLF = "\r\n";
const HEAD_BYTES_MAX = 200_000;
const FIELD_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*$/;

export class MessageReader {
  readonly #sink: MessageSink;
  #phase: Phase = Phase.head;
  /** A head, a chunk line or trailers that are not complete. */
  #text = "";
  #left = 0;

  constructor(sink: MessageSink) {
    this.#sink = sink;
  }

  /** Between messages: not a byte of the next has come. */
  get isBetween(): boolean {
    return this.#phase === Phase.head && this.#text === "";
  }

  /** From here on bytes are handed on as they come. */
  becomeTunnel(): void {
    this.#phase = Phase.untilEnd;
  }

  feed(bytes: Buffer, count: number): void {
    for (let at = 0; at < count && this.#phase !== Phase.off && !this.#sink.isGone; ) {
      at = this.#step(bytes, at, count);
    }
  }

  /** The stream is over. Returns whether it ended where a message may. */
  finish(): boolean {
    if (this.#phase === Phase.untilEnd) {
      this.#phase = Phase.off;
      this.#sink.complete();
      return true;
    }
    return this.isBetween || this.#phase === Phase.off;
  }

  #step(bytes: Buffer, at: number, end: number): number {
    switch (this.#phase) {
      case Phase.head:
        return this.#lines(bytes, at, end, "\r\n\r\n", (text) => this.#beginBody(text));
      case Phase.chunkLine:
        return this.#lines(bytes, at, end, CRLF, (text) => this.#beginChunk(text));
      case Phase.chunkEnd:
        return this.#lines(bytes, at, end, CRLF, (text) => this.#endChunk(text));
      case Phase.trailers:
        return this.#trailers(bytes, at, end);
      case Phase.untilEnd:
        this.#sink.body(bytes, at, end);
        return end;
      default:
        return this.#counted(bytes, at, end);
    }
  }

  #counted(bytes: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.#left);
    this.#sink.body(bytes, at, stop);
    this.#left -= stop - at;
    if (this.#left > 0) return stop;
    if (this.#phase === Phase.chunk) this.#phase = Phase.chunkEnd;
    else this.#complete();
    return stop;
  }

  /** Collects text up to `stop`. */
  #lines(bytes: Buffer, at: number, end: number, stop: string, whole: (text: string) => void): number {
    const had = this.#text.length;
    const text = this.#text + bytes.toString("latin1", at, end);
    const stopAt = text.indexOf(stop, Math.max(0, had - stop.length + 1));
    if (stopAt < 0) {
      this.#text = text;
      if (text.length > HEAD_BYTES_MAX) this.#malformed("a head without end");
      return end;
    }
    const textEnd = stopAt + stop.length;
    this.#text = "";
    whole(text.slice(0, textEnd));
    return at + textEnd - had;
  }

  #beginBody(text: string): void {
    for (const line of text.slice(text.indexOf(CRLF) + 2, -4).split(CRLF)) {
      if (line !== "" && !FIELD_LINE.test(line)) {
        this.#malformed(`a field line ${JSON.stringify(line)}`);
        return;
      }
    }
    const length = this.#sink.head(text);
    this.#left = length;
    if (length === CHUNKED) this.#phase = Phase.chunkLine;
    else if (length === UNTIL_END) this.#phase = Phase.untilEnd;
    else if (length > 0) this.#phase = Phase.body;
    else this.#complete();
  }

  #beginChunk(text: string): void {
    if (!/^[0-9a-f]{1,8}\r\n$/.test(text)) {
      this.#malformed(`a chunk line ${JSON.stringify(text)}`);
      return;
    }
    this.#left = Number.parseInt(text, 16);
    this.#phase = this.#left === 0 ? Phase.trailers : Phase.chunk;
  }

  #endChunk(text: string): void {
    if (text === CRLF) this.#phase = Phase.chunkLine;
    else this.#malformed(`a chunk that ends in ${JSON.stringify(text)}`);
  }

  #trailers(bytes: Buffer, at: number, end: number): number {
    // An empty section is the line end alone.
    const had = this.#text.length;
    if (had < 2 && this.#text + bytes.toString("latin1", at, Math.min(end, at + 2 - had)) === CRLF) {
      this.#text = "";
      this.#complete();
      return at + 2 - had;
    }
    if (had + end - at < 2) {
      this.#text += bytes.toString("latin1", at, end);
      return end;
    }
    return this.#lines(bytes, at, end, "\r\n\r\n", (text) => {
      this.#sink.trailers(text.slice(0, -2));
      this.#complete();
    });
  }

  /** The sink may make a tunnel of what follows. */
  #complete(): void {
    this.#phase = Phase.head;
    this.#sink.complete();
  }

  #malformed(what: string): void {
    this.#phase = Phase.off;
    this.#sink.malformed(what);
  }
}
