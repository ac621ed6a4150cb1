/**
 * A body that foreign code writes: what it gave waits here as it came, until there is a connection for it with
 * room, and is copied into slots then (`interceptions.ts`).
 *
 * Strategy: nothing happens in the calls of foreign code but that it is written down; so it may call at any
 * time, also from within what the session has called.
 */
import type { BodySink, BodyStage, HookFailureReason } from "../contract/interception.ts";

/** More than this makes `write` say "enough". */
const PENDING_BYTES_MAX = 65_536;
const NOTHING = new Uint8Array(0);

/** Whose body it is. */
export interface SenderOwner {
  readonly isLive: boolean;
  /** Something was asked for: look at it when the time has come. */
  mark(): void;
}

export class BodySender implements BodySink {
  onDrained: (() => void) | null = null;
  onAborted: (() => void) | null = null;
  /** What writes here, if it is a stage; null: an answer. */
  readonly stage: BodyStage | null;
  /** Given, and not sent. */
  pendingBytes = 0;
  /** Nothing more is written. */
  hasEnded = false;
  /** Why the body will never be complete; null: it may be. */
  failure: HookFailureReason | null = null;
  /** The stage wants more input. */
  wantsMore = false;
  /** The stage has said "enough". */
  isFull = false;
  /** The stage has all of its input. */
  inputEnded = false;
  /** The connection's queue is long. */
  isBlocked = false;
  /** What is written is thrown away. */
  discards = false;
  readonly #owner: SenderOwner;
  readonly #pieces: Uint8Array[] = [];
  /** Bytes of the first piece that were sent. */
  #sentBytes = 0;
  /** That may still be written; -1: any number. */
  #promisedBytes: number;
  /** `write` has said "enough", and nobody was told that it may go on. */
  #owesDrained = false;

  /** `bodyBytes`: length of the body, -1: not known. */
  constructor(owner: SenderOwner, stage: BodyStage | null, bodyBytes: number) {
    this.#owner = owner;
    this.stage = stage;
    this.#promisedBytes = bodyBytes;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#mayWrite()) return false;
    // Whoever writes on and on would never let the thread go: the end of the exchange is what comes next.
    if (this.discards) return false;
    if (bytes.length === 0) return true;
    if (this.#promisedBytes >= 0) {
      if (bytes.length > this.#promisedBytes) {
        this.fail("hook_threw");
        return false;
      }
      this.#promisedBytes -= bytes.length;
    }
    this.#pieces.push(bytes);
    this.pendingBytes += bytes.length;
    this.#owner.mark();
    if (this.pendingBytes < PENDING_BYTES_MAX) return true;
    this.#owesDrained = true;
    return false;
  }

  end(): void {
    if (!this.#mayWrite()) return;
    if (this.#promisedBytes > 0 && !this.discards) this.fail("hook_threw");
    this.hasEnded = true;
    this.#owner.mark();
  }

  fail(reason: HookFailureReason): void {
    if (!this.#mayWrite()) return;
    this.failure = reason;
    this.#owner.mark();
  }

  more(): void {
    if (!this.#owner.isLive || !this.isFull) return;
    this.wantsMore = true;
    this.#owner.mark();
  }

  /** Everything that was written has been sent, and more may come. */
  get isIdle(): boolean {
    return this.pendingBytes === 0 && !this.hasEnded;
  }

  /** It is the foreign code's turn: nothing waits for a connection, and nothing has to come first. */
  get isAwaited(): boolean {
    if (!this.isIdle || this.isBlocked) return false;
    return this.stage === null || this.isFull || this.inputEnded;
  }

  /**
   * Copies what comes next to `memory[at, limit)`. Returns how many bytes. `failure` is set, and nothing of it
   * counts, where the memory of a piece was taken away meanwhile (transferred to another thread, resized).
   */
  take(memory: Uint8Array, at: number, limit: number): number {
    let to = at;
    while (to < limit && this.#pieces.length > 0) {
      const piece = this.#pieces[0]!;
      if (piece.length <= this.#sentBytes) {
        this.#lose();
        return 0;
      }
      const bytes = Math.min(limit - to, piece.length - this.#sentBytes);
      const isWhole = bytes === piece.length;
      memory.set(isWhole ? piece : piece.subarray(this.#sentBytes, this.#sentBytes + bytes), to);
      to += bytes;
      this.#sentBytes += bytes;
      if (this.#sentBytes < piece.length) break;
      this.#pieces.shift();
      this.#sentBytes = 0;
    }
    this.pendingBytes -= to - at;
    return to - at;
  }

  /** Tells whoever was told "enough" that there is room again, if there is. */
  tellDrained(): void {
    if (!this.#owesDrained || this.pendingBytes >= PENDING_BYTES_MAX || !this.#mayWrite()) return;
    this.#owesDrained = false;
    if (this.stage === null) this.onDrained?.();
    else this.stage.drained();
  }

  /** Nobody takes the body any more. */
  abort(): void {
    const isOver = this.hasEnded;
    this.hasEnded = true;
    this.#pieces.length = 0;
    this.pendingBytes = 0;
    if (isOver) return;
    if (this.stage === null) this.onAborted?.();
    else this.stage.abort();
  }

  #lose(): void {
    this.failure = "hook_threw";
    this.#pieces.length = 0;
    this.pendingBytes = 0;
  }

  #mayWrite(): boolean {
    return this.#owner.isLive && !this.hasEnded && this.failure === null;
  }
}

const NOBODY: SenderOwner = { isLive: false, mark: () => {} };

/** Where an answer is written to that nobody gets: it came too late. */
export function nowhere(): BodySender {
  return new BodySender(NOBODY, null, NOTHING.length);
}
