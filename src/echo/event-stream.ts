/** Server-sent events (HTML §9.2) by timer, in chunked coding where the client knows it. */
export interface EventStreamOptions {
  readonly intervalMs: number;
  /** Events until the stream ends by itself; `Infinity` for one that only the client ends. */
  readonly count: number;
  readonly isChunked: boolean;
}

export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #write: (text: string) => void;
  readonly #end: () => void;
  #sent = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * Begins at once. `write` gets framed text; `end` is called behind the last event, never from within the
   * constructor.
   */
  constructor(options: EventStreamOptions, write: (text: string) => void, end: () => void) {
    this.#options = options;
    this.#write = write;
    this.#end = end;
    this.#timer = setTimeout(() => this.#tick(), 0);
  }

  /** Nothing to do when the queue is empty: events wait for their time. */
  pump(): boolean {
    return false;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #tick(): void {
    const { count, intervalMs, isChunked } = this.#options;
    if (this.#sent < count) {
      this.#sent++;
      const event = `id: ${this.#sent}\nevent: tick\ndata: {"count":${this.#sent}}\n\n`;
      this.#write(isChunked ? `${event.length.toString(16)}\r\n${event}\r\n` : event);
      this.#timer = setTimeout(() => this.#tick(), intervalMs);
      return;
    }
    if (isChunked) this.#write("0\r\n\r\n");
    this.#end();
  }
}
