/** A stage that is somebody's web stream: what comes in is its source, and what comes out of it goes on. */
import type { ReadableStreamDefaultController, ReadableStreamDefaultReader } from "node:stream/web";
import { NOWHERE, type PipeOutput, type PipeStage } from "./body-pipe.ts";
import { HookError } from "./hook-error.ts";
import type { BodyTransform } from "./hooks.ts";

/** Bytes that wait in front of the stream before its source is stopped. */
const WAITING_BYTES_MAX = 65_536;

export class WebStage implements PipeStage {
  out: PipeOutput = NOWHERE;
  readonly #failed: (error: unknown) => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #reader: ReadableStreamDefaultReader<Uint8Array | string> | null = null;
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
        pull: () => this.out.more(),
        // Whoever reads has enough: the rest goes nowhere.
        cancel: () => {
          this.#controller = null;
        },
      },
      { highWaterMark: WAITING_BYTES_MAX, size: (piece) => piece?.byteLength ?? 0 },
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

  take(bytes: Uint8Array): boolean {
    const controller = this.#controller;
    if (controller === null) {
      // Nobody pulls any more, and what comes is thrown away.
      return true;
    }
    controller.enqueue(bytes);
    return (controller.desiredSize ?? 1) > 0;
  }

  end(): void {
    this.#controller?.close();
    this.#controller = null;
  }

  abort(): void {
    this.#isOver = true;
    const error = new HookError("ended", "the exchange is over: its body goes nowhere");
    this.#controller?.error(error);
    this.#controller = null;
    this.#goOn?.();
    this.#reader?.cancel(error).catch(() => {});
  }

  drained(): void {
    this.#goOn?.();
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
