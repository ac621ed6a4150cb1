/**
 * A body of any length that costs no memory. Byte number `i` is `0x30 + i mod 73`: printable, checked by a
 * client without knowing more, and a byte that is lost, doubled or moved shows (73 is prime: no buffer size
 * is a multiple of it).
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import type { Port } from "../contract/port.ts";
import { SharedBytes } from "./shared-bytes.ts";

const PATTERN_PERIOD = 73;
const PATTERN_FIRST = 0x30;
/** What one slot holds. */
const BLOCK_BYTES = PATTERN_PERIOD * 880;
/** Sending stops here and goes on when all has left. */
const QUEUED_BYTES_MAX = 4 * BLOCK_BYTES;

/** The first `count` bytes of the pattern. */
export function patternBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let i = 0; i < count; i++) bytes[i] = PATTERN_FIRST + (i % PATTERN_PERIOD);
  return bytes;
}

/** The pattern's block; one for all bodies of an engine. */
export function patternBlock(buffers: BufferPool): SharedBytes {
  return new SharedBytes(buffers, patternBytes(BLOCK_BYTES));
}

export class PatternBody {
  readonly #port: Port;
  readonly #connection: number;
  readonly #block: SharedBytes;
  #remaining: number;

  constructor(port: Port, connection: number, block: SharedBytes, bodyBytes: number) {
    this.#port = port;
    this.#connection = connection;
    this.#block = block;
    this.#remaining = bodyBytes;
  }

  /**
   * Sends what may be queued now. Returns true at the end of the body; otherwise call again at `drained`,
   * which is asked for.
   */
  pump(): boolean {
    while (this.#remaining > 0 && this.#port.queuedBytes(this.#connection) < QUEUED_BYTES_MAX) {
      const start = this.#block.share();
      if (start < 0) break;
      const bytes = Math.min(this.#remaining, BLOCK_BYTES);
      this.#port.send(this.#connection, start, start + bytes);
      this.#remaining -= bytes;
    }
    if (this.#remaining > 0) this.#port.wantDrained(this.#connection);
    return this.#remaining === 0;
  }

  stop(): void {
    this.#remaining = 0;
  }
}
