/**
 * A stage that keeps a copy of a whole body, for a hook that wants to read it, and sends it on as it came.
 */
import { NOWHERE, type PipeOutput, type PipeStage } from "./body-pipe.ts";
import { HookError } from "./hook-error.ts";

export class BodyReader implements PipeStage {
  out: PipeOutput = NOWHERE;
  readonly isAtWork = false;
  readonly #bytesMax: number;
  readonly #body: Promise<Uint8Array>;
  #resolve: (bytes: Uint8Array) => void = () => {};
  #reject: (error: HookError) => void = () => {};
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isReading = true;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#body = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Nobody may be waiting for it.
    this.#body.catch(() => {});
  }

  /** Rejects with a `HookError`: `body_too_large` or `ended`. */
  get body(): Promise<Uint8Array> {
    return this.#body;
  }

  /** The body is not complete, and may still be. */
  get isReading(): boolean {
    return this.#isReading;
  }

  get isGathering(): boolean {
    return this.#isReading;
  }

  take(bytes: Uint8Array): boolean {
    if (!this.#isReading) return this.out.write(bytes);
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > this.#bytesMax) return this.#give(tooLarge(this.#bytesMax));
    return true;
  }

  end(): void {
    if (this.#isReading) this.#give(undefined);
    this.out.end();
  }

  abort(): void {
    this.#pieces = [];
    this.#reject(new HookError("ended", "the exchange ended before its body did"));
  }

  drained(): void {
    if (!this.#isReading) this.out.more();
  }

  #give(error: HookError | undefined): boolean {
    this.#isReading = false;
    if (error === undefined) this.#resolve(Buffer.concat(this.#pieces));
    else this.#reject(error);
    let goOn = true;
    for (const piece of this.#pieces) goOn = this.out.write(piece);
    this.#pieces = [];
    return goOn;
  }
}

export function tooLarge(bytesMax: number): HookError {
  return new HookError("body_too_large", `the body is longer than ${bytesMax} bytes`);
}
