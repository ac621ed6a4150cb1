/** A stage that is somebody's web stream: what comes in is its source, and what comes out of it goes on. */
import type { ReadableStreamDefaultController, ReadableStreamDefaultReader } from "node:stream/web";
import { NOWHERE, type PipeOutput, type PipeStage } from "./body-pipe.ts";
import { HookError } from "./hook-error.ts";
import type { BodyTransform } from "./hooks.ts";

/** Bytes that wait in front of the stream before its source is stopped. */
const WAITING_BYTES_MAX = 65_536;

export class WebStage implements PipeStage {
  out: PipeOutput = NOWHERE;
  readonly isGathering = false;
  readonly #failed: (error: unknown) => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #reader: ReadableStreamDefaultReader<Uint8Array | string> | null = null;
  /** In front of the stream. It keeps none itself: so a read of it tells that it is done with all before. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** The stream waits for a piece. */
  #isAsked = false;
  /** The source was told "enough". */
  #isFull = false;
  /** Nothing follows what waits. */
  #hasEnded = false;
  #isOver = false;
  /** Told "enough" by `out`; called when that is over. */
  #goOn: (() => void) | null = null;

  /** `failed` is told of an error of the stream. Throws what `transform` throws. */
  constructor(transform: BodyTransform, failed: (error: unknown) => void) {
    this.#failed = failed;
    const source = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        // Whoever reads has enough: the rest goes nowhere.
        cancel: () => this.#cut(),
      },
      { highWaterMark: 0 },
    );
    const result = typeof transform === "function" ? transform(source) : source.pipeThrough(transform);
    if (!(result instanceof ReadableStream))
      throw new TypeError(
        "transformBody needs a TransformStream, or a function that returns a ReadableStream",
      );
    this.#reader = result.getReader() as ReadableStreamDefaultReader<Uint8Array | string>;
  }

  /** Begins to read what comes out. Once, when `out` is set. */
  begin(): void {
    void this.#pump();
  }

  get isAtWork(): boolean {
    return !this.#isOver && this.#goOn === null && !(this.#isAsked && this.#controller !== null);
  }

  take(bytes: Uint8Array): boolean {
    const controller = this.#controller;
    if (controller === null) {
      // Nobody pulls any more, and what comes is thrown away.
      return true;
    }
    if (this.#isAsked) {
      this.#isAsked = false;
      controller.enqueue(bytes);
      return true;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#isFull = this.#waitingBytes >= WAITING_BYTES_MAX;
    return !this.#isFull;
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#waiting.length === 0) this.#close();
  }

  abort(): void {
    this.#isOver = true;
    const error = new HookError("ended", "the exchange is over: its body goes nowhere");
    this.#controller?.error(error);
    this.#cut();
    this.#goOn?.();
    this.#reader?.cancel(error).catch(() => {});
  }

  drained(): void {
    this.#goOn?.();
  }

  /** The stream has room for one piece. */
  #pull(): void {
    const bytes = this.#waiting.shift();
    if (bytes === undefined) {
      this.#isAsked = true;
      return;
    }
    this.#waitingBytes -= bytes.length;
    this.#controller?.enqueue(bytes);
    if (this.#hasEnded && this.#waiting.length === 0) this.#close();
    if (!this.#isFull || this.#waitingBytes >= WAITING_BYTES_MAX) return;
    this.#isFull = false;
    this.out.more();
  }

  #close(): void {
    this.#controller?.close();
    this.#controller = null;
  }

  /** What waits goes nowhere, and what comes as well. */
  #cut(): void {
    this.#controller = null;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  async #pump(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader!.read();
        if (this.#isOver) return;
        if (done) break;
        if (!this.out.write(copyOf(value))) await this.#room();
        if (this.#isOver) return;
      }
      this.#isOver = true;
      this.out.end();
    } catch (error) {
      if (this.#isOver) return;
      this.#isOver = true;
      this.#failed(error);
      this.out.fail("hook_threw");
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#goOn = () => {
        this.#goOn = null;
        resolve();
      };
    });
  }
}

const encoder = new TextEncoder();

/** A piece of a body as bytes; throws a TypeError for anything else. */
export function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === "string") return encoder.encode(piece);
  if (piece instanceof Uint8Array) return piece;
  throw new TypeError("a body is made of Uint8Array or strings");
}

/**
 * As `bytesOf`, in memory of its own: whoever gives pieces one after the other uses theirs again, or transfers it,
 * while they wait for a client.
 */
export function copyOf(piece: unknown): Uint8Array {
  const bytes = bytesOf(piece);
  if (typeof piece === "string") return bytes;
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}
