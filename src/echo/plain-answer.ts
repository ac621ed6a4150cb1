/**
 * The answer to `GET /` under `--body-bytes`: the same bytes for everybody, several copies in a row, so that
 * a whole batch of pipelined requests is answered with one range.
 *
 * @hot
 */
import { type BufferPool, LARGE_SLOT_BYTES } from "../base/buffer-pool.ts";
import type { Port } from "../contract/port.ts";
import { SharedBytes } from "./shared-bytes.ts";

const COPIES_MAX = 32;
/** A `Date` is right to the second. */
const RENDER_EVERY_MS = 1000;

export class PlainAnswer {
  /** The most answers that one `send` gives. */
  readonly copiesMax: number;
  readonly #body: Buffer;
  readonly #shared: SharedBytes;
  #answerBytes = 0;
  #renderedAtMs = Number.NEGATIVE_INFINITY;

  /** Whether a body of `bodyBytes` can be answered so; longer ones are streamed. */
  static fits(bodyBytes: number): boolean {
    return bodyBytes <= LARGE_SLOT_BYTES - 256;
  }

  constructor(buffers: BufferPool, body: Buffer) {
    this.#body = body;
    const answer = renderPlain(body);
    this.#answerBytes = answer.length;
    this.copiesMax = Math.min(COPIES_MAX, Math.floor(LARGE_SLOT_BYTES / answer.length));
    this.#shared = new SharedBytes(buffers, answer);
  }

  /** Once per batch: renews the `Date` when its second is over. @cold */
  refresh(nowMs: number): void {
    if (nowMs - this.#renderedAtMs < RENDER_EVERY_MS) return;
    this.#renderedAtMs = nowMs;
    const answer = renderPlain(this.#body);
    this.#shared.replace(Buffer.concat(new Array(this.copiesMax).fill(answer)));
  }

  /** Sends `count <= copiesMax` answers. Returns false when no slot is free: nothing was sent. */
  send(port: Port, connection: number, count: number): boolean {
    const start = this.#shared.share();
    if (start < 0) return false;
    port.send(connection, start, start + count * this.#answerBytes);
    return true;
  }

  stop(): void {
    this.#shared.release();
  }
}

/** All have the same length: so has every `Date` (RFC 9110 §5.6.7). @cold */
function renderPlain(body: Buffer): Buffer {
  const head = [
    "HTTP/1.1 200 OK",
    `Date: ${new Date().toUTCString()}`,
    "Content-Type: text/plain",
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), body]);
}
