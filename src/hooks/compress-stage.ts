/**
 * A body on its way through a compressor of node:zlib, which works on threads of its own.
 *
 * Strategy: a compressor keeps what it is given until it has enough of it. That is good for a body that comes as
 * fast as the network brings it, and bad for one whose pieces mean something each. So when all that came has been
 * taken in and nothing follows for a moment, what lies there is flushed.
 */
import zlib from "node:zlib";
import type { ContentCoding } from "../contract/hooking.ts";
import { NOWHERE, type PipeOutput, type PipeStage } from "./body-pipe.ts";
import type { HookClock, HookTimer } from "./link.ts";

/** A source that gives nothing for so long has paused. */
const PAUSE_MS = 5;
/** What waits in front of the compressor before its source is stopped. */
const WAITING_BYTES_MAX = 131_072;
/**
 * The windows of the two whose memory depends on it, as powers of two: 512 KiB. A page is found whole in it, and what
 * one response costs stays small.
 */
const WINDOW_BITS = 19;

const { constants } = zlib;
const FLUSH: Readonly<Record<ContentCoding, number>> = {
  gzip: constants.Z_SYNC_FLUSH,
  br: constants.BROTLI_OPERATION_FLUSH,
  zstd: constants.ZSTD_e_flush,
};

type Compressor = zlib.Gzip | zlib.BrotliCompress | zlib.ZstdCompress;

/** Who is told how it goes. */
export interface CompressionWatch {
  /** So many bytes have gone in. */
  took(bytes: number): void;
  /** So many bytes have come out. */
  came(bytes: number): void;
  /** The compressor failed: its own mistake, or no memory. */
  failed(error: Error): void;
  /** It has given its memory back. Once. */
  freed(): void;
}

export class CompressStage implements PipeStage {
  out: PipeOutput = NOWHERE;
  readonly isGathering = false;
  readonly #coding: ContentCoding;
  readonly #compressor: Compressor;
  readonly #watch: CompressionWatch;
  readonly #clock: HookClock;
  /** Pieces that the compressor has not taken in. */
  #waitingCount = 0;
  #timer: HookTimer | undefined = undefined;
  #isFlushing = false;
  /** `out` has enough. */
  #isBlocked = false;
  #isOver = false;
  readonly #consumed = () => {
    this.#waitingCount--;
    if (this.#waitingCount === 0 && !this.#isOver) this.#expectMore();
  };

  constructor(coding: ContentCoding, level: number, watch: CompressionWatch, clock: HookClock) {
    this.#coding = coding;
    this.#watch = watch;
    this.#clock = clock;
    this.#compressor = compressorOf(coding, level);
    this.#compressor.on("data", (bytes: Buffer) => {
      if (this.#isOver) return;
      watch.came(bytes.length);
      if (this.out.write(bytes)) return;
      this.#isBlocked = true;
      this.#compressor.pause();
    });
    this.#compressor.on("drain", () => {
      if (!this.#isOver) this.out.more();
    });
    this.#compressor.on("end", () => {
      if (this.#isOver) return;
      this.#stop();
      this.out.end();
    });
    this.#compressor.on("error", (error) => {
      if (this.#isOver) return;
      this.#stop();
      watch.failed(error);
      this.out.fail("hook_threw");
    });
    this.#compressor.on("close", () => watch.freed());
  }

  get isAtWork(): boolean {
    if (this.#isOver || this.#isBlocked) return false;
    return this.#waitingCount > 0 || this.#isFlushing || this.#compressor.writableEnded;
  }

  take(bytes: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#timer?.cancel();
    this.#waitingCount++;
    this.#watch.took(bytes.length);
    return this.#compressor.write(bytes, this.#consumed);
  }

  end(): void {
    this.#timer?.cancel();
    if (!this.#isOver) this.#compressor.end();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#compressor.destroy();
  }

  drained(): void {
    this.#isBlocked = false;
    if (!this.#isOver) this.#compressor.resume();
  }

  #expectMore(): void {
    if (this.#compressor.writableEnded) return;
    this.#timer = this.#clock.after(PAUSE_MS, () => this.#flush());
  }

  #flush(): void {
    if (this.#isOver || this.#compressor.writableEnded) return;
    this.#isFlushing = true;
    this.#compressor.flush(FLUSH[this.#coding], () => {
      this.#isFlushing = false;
    });
  }

  #stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }
}

function compressorOf(coding: ContentCoding, level: number): Compressor {
  const streaming = { highWaterMark: WAITING_BYTES_MAX };
  if (coding === "gzip") return zlib.createGzip({ ...streaming, level });
  if (coding === "br") {
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: level,
      [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
    };
    return zlib.createBrotliCompress({ ...streaming, params });
  }
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_windowLog]: WINDOW_BITS,
  };
  return zlib.createZstdCompress({ ...streaming, params });
}
