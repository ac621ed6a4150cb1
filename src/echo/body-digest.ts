/** What an echo keeps of a request body: its length, and its text while that is short, or its hash. */
import { isUtf8 } from "node:buffer";
import { createHash, type Hash } from "node:crypto";

/** Longer bodies are told by hash. */
const TEXT_BYTES_MAX = 65_536;

export type BodyAccount =
  | { readonly bodyBytes: number; readonly body: string }
  | { readonly bodyBytes: number; readonly bodySha256: string };

export class BodyDigest {
  bytes = 0;
  #pieces: Buffer[] = [];
  #hash: Hash | null;

  constructor(isHashed: boolean) {
    this.#hash = isHashed ? createHash("sha256") : null;
  }

  /** Takes a copy, or a hash, of `memory[start, end)`. */
  feed(memory: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    if (this.#hash === null && this.bytes <= TEXT_BYTES_MAX) {
      this.#pieces.push(Buffer.from(memory.subarray(start, end)));
      return;
    }
    if (this.#hash === null) {
      this.#hash = createHash("sha256");
      for (const piece of this.#pieces) this.#hash.update(piece);
      this.#pieces = [];
    }
    this.#hash.update(memory.subarray(start, end));
  }

  /** Once, at the end: the text, or the hash of what is long or not UTF-8. */
  finish(): BodyAccount {
    const bodyBytes = this.bytes;
    if (this.#hash !== null) return { bodyBytes, bodySha256: this.#hash.digest("hex") };
    const whole = Buffer.concat(this.#pieces);
    if (isUtf8(whole)) return { bodyBytes, body: whole.toString("utf8") };
    return { bodyBytes, bodySha256: createHash("sha256").update(whole).digest("hex") };
  }
}
