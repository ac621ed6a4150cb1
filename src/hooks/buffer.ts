/**
 * Bodies that wait here, so that a slow client holds no backend.
 *
 * Strategy: of a request, no backend is chosen before its body is complete; of a response, the backend is relieved of
 * it as fast as it gives it, and the client takes it at its own pace. What does not fit flows on as it would without
 * this: nothing fails because it is large.
 */
import { Counter } from "../contract/counters.ts";
import type { BufferLink } from "../contract/hooking.ts";
import { HeadOf } from "../contract/interception.ts";
import { NOWHERE, type PipeOutput, type PipeStage } from "./body-pipe.ts";
import type { ExchangeView } from "./exchange-view.ts";
import { HookError } from "./hook-error.ts";
import type { HookContext, HookRequest, HookResponse, Hooks } from "./hooks.ts";

/** Of one worker, all bodies together. */
export const BUFFERED_BYTES_MAX = 67_108_864;

/** What the links of one worker share. */
export class Buffers {
  readonly #cells: Float64Array;
  readonly #allBytesMax: number;
  /** In use. */
  bytes = 0;

  constructor(cells: Float64Array, allBytesMax: number = BUFFERED_BYTES_MAX) {
    this.#cells = cells;
    this.#allBytesMax = allBytesMax;
  }

  get isExhausted(): boolean {
    return this.bytes >= this.#allBytesMax;
  }

  /** The functions of `link`. */
  hooksOf({ which, bytesMax }: BufferLink): Hooks {
    if (which === "request")
      return {
        onRequest: (request: HookRequest, context: HookContext) =>
          this.#request(bytesMax, request, context as ExchangeView),
      };
    return {
      onResponse: (_response: HookResponse, _request: HookRequest, context: HookContext) =>
        this.#response(bytesMax, context as ExchangeView),
    };
  }

  /** A body has no room any more because of all the others. */
  countShort(): void {
    this.#cells[Counter.buffersShort]!++;
  }

  #request(bytesMax: number, request: HookRequest, view: ExchangeView): Promise<undefined> | undefined {
    const { exchange } = view;
    if (!exchange.hasRequestBody || exchange.mayTunnel) return undefined;
    const length = Number(request.headers.get("content-length") ?? -1);
    const isThere = length >= 0 && exchange.requestBodyBytes === length && !view.hasRequestStage;
    if (isThere || length > bytesMax) return undefined;
    const stage = new BufferStage(bytesMax, this, true);
    return added(view, HeadOf.request, stage) ? stage.whole : undefined;
  }

  #response(bytesMax: number, view: ExchangeView): void {
    const { exchange } = view;
    if (!exchange.hasResponseBody || exchange.mayTunnel || exchange.isEventStream) return;
    added(view, HeadOf.response, new BufferStage(bytesMax, this, false));
  }
}

/** `false`: the body is on its way, or there is no room in its head. */
function added(view: ExchangeView, which: HeadOf, stage: BufferStage): boolean {
  try {
    view.addStage(which, stage, true);
    return true;
  } catch (error) {
    if (error instanceof HookError) return false;
    throw error;
  }
}

export class BufferStage implements PipeStage {
  out: PipeOutput = NOWHERE;
  readonly isAtWork = false;
  readonly #bytesMax: number;
  readonly #all: Buffers;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #resolve: (nothing: undefined) => void = () => {};
  /** Nothing goes on before the body is complete, or too large. */
  #isHolding: boolean;
  /** `out` has enough. */
  #isBlocked = false;
  /** The source was told "enough". */
  #isFull = false;
  #hasEnded = false;
  #isOver = false;
  /** Resolves when all of it is here, or as much as there is room for, or nobody wants it any more. */
  readonly whole: Promise<undefined>;

  constructor(bytesMax: number, all: Buffers, isHolding: boolean) {
    this.#bytesMax = bytesMax;
    this.#all = all;
    this.#isHolding = isHolding;
    this.whole = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get isGathering(): boolean {
    return this.#isHolding;
  }

  take(bytes: Uint8Array): boolean {
    if (this.#isOver) return true;
    if (!this.#isHolding && !this.#isBlocked) {
      this.#isBlocked = !this.out.write(bytes);
      return true;
    }
    this.#pieces.push(bytes);
    this.#count(bytes.length);
    const isShort = this.#all.isExhausted;
    if (this.#bytes < this.#bytesMax && !isShort) return true;
    if (isShort && this.#bytes < this.#bytesMax) this.#all.countShort();
    this.#isFull = true;
    if (this.#isHolding) this.#letGo();
    return !this.#isFull;
  }

  end(): void {
    if (this.#isOver) return;
    this.#hasEnded = true;
    if (this.#isHolding) this.#letGo();
    else this.#flush();
  }

  abort(): void {
    this.#isOver = true;
    this.#pieces.length = 0;
    this.#count(-this.#bytes);
    this.#resolve(undefined);
  }

  drained(): void {
    this.#isBlocked = false;
    this.#flush();
  }

  #letGo(): void {
    this.#isHolding = false;
    this.#resolve(undefined);
    this.#flush();
  }

  #flush(): void {
    if (this.#isOver || this.#isHolding) return;
    while (!this.#isBlocked && this.#pieces.length > 0) {
      const bytes = this.#pieces.shift()!;
      this.#count(-bytes.length);
      this.#isBlocked = !this.out.write(bytes);
    }
    if (this.#pieces.length > 0) {
      this.#askMore();
      return;
    }
    if (this.#hasEnded) {
      this.#isOver = true;
      this.out.end();
    } else this.#askMore();
  }

  /** The source goes on when half of the room is free again. */
  #askMore(): void {
    if (!this.#isFull || this.#bytes > this.#bytesMax / 2) return;
    this.#isFull = false;
    this.out.more();
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#all.bytes += bytes;
  }
}
