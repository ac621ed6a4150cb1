/** What the edge keeps of one exchange: its views, how far its chain has come, and what must end with it. */
import { type Edge, HeadOf, type Intercepted } from "../contract/interception.ts";
import { BodyPipe, type PipeStage } from "./body-pipe.ts";
import { ENDED } from "./ended-exchange.ts";
import { gone } from "./header-fields.ts";
import { HookError } from "./hook-error.ts";
import type { HookContext, HookUpstream } from "./hooks.ts";
import type { HookSurroundings, HookTimer } from "./link.ts";
import { RequestView } from "./request-view.ts";
import { ResponseView } from "./response-view.ts";

export class ExchangeView implements HookContext, Edge {
  /** Of nobody else while it lives; whoever keeps the view keeps nothing of the session. */
  exchange: Intercepted;
  readonly surroundings: HookSurroundings;
  readonly request: RequestView;
  response: ResponseView | null = null;
  /** The moment that is going on (`Moment`); 0: none, its verdict is given. */
  moment = 0;
  /** Changes whenever what was waited for does not count any more. */
  turn = 0;
  isHeld = false;
  /** The request came with what tells one user from another. */
  isForOne = false;
  /** Of the promise that is waited for. */
  timer: HookTimer | undefined = undefined;
  #requestPipe: BodyPipe | null = null;
  #responsePipe: BodyPipe | null = null;
  #state: Record<string, unknown> | null = null;
  #abort: AbortController | null = null;

  constructor(exchange: Intercepted, surroundings: HookSurroundings) {
    this.exchange = exchange;
    this.surroundings = surroundings;
    this.request = new RequestView(this);
  }

  get state(): Record<string, unknown> {
    this.#state ??= {};
    return this.#state;
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (!this.exchange.isLive) this.#abort.abort(gone(this.exchange));
    }
    return this.#abort.signal;
  }

  responseView(): ResponseView {
    this.response ??= new ResponseView(this);
    return this.response;
  }

  upstreamView(): HookUpstream {
    const { endpoint, cluster, attempts } = this.exchange;
    return { endpoint, cluster, attempt: attempts };
  }

  /** The request body flows through stages: it does not lie behind its head. */
  get hasRequestStage(): boolean {
    return this.#requestPipe !== null;
  }

  /** More of the request body could come, and has not. */
  get awaitsClient(): boolean {
    return this.#requestPipe?.awaitsSource === true;
  }

  /** A body of it is being changed by something that takes time. */
  get isAtWork(): boolean {
    return this.#requestPipe?.isAtWork === true || this.#responsePipe?.isAtWork === true;
  }

  /** Somebody can only wait for more of a body. */
  get isGathering(): boolean {
    return this.#requestPipe?.isGathering === true || this.#responsePipe?.isGathering === true;
  }

  /** Puts the body through `stage`. Throws a `HookError` where that cannot be. */
  addStage(which: HeadOf, stage: PipeStage, keepsLength: boolean): void {
    const isRequest = which === HeadOf.request;
    const known = isRequest ? this.#requestPipe : this.#responsePipe;
    if (known !== null) {
      if (!known.takesStages) throw new HookError("too_late", "the body is on its way already");
      if (known.keepsLength && !keepsLength)
        throw new HookError("too_late", "the body was read before; transform it before you read it");
      known.add(stage);
      return;
    }
    const pipe = new BodyPipe(keepsLength);
    const sink = this.exchange.transform(which, pipe, keepsLength);
    if (sink === null) {
      if (!this.exchange.isLive) throw gone(this.exchange);
      if (this.exchange.mayTunnel)
        throw new HookError("refused", "what is asked for is a tunnel: it has no body that could be read");
      throw new HookError("too_late", "the body is on its way already");
    }
    pipe.connect(sink);
    pipe.add(stage);
    if (isRequest) this.#requestPipe = pipe;
    else this.#responsePipe = pipe;
  }

  /** The moment is over: bodies may go. */
  openPipes(): void {
    this.#requestPipe?.open();
    this.#responsePipe?.open();
  }

  /** What waits for the exchange ends with it. */
  ended(): boolean {
    this.exchange = ENDED;
    this.turn++;
    this.moment = 0;
    this.timer?.cancel();
    this.#abort?.abort(gone(ENDED));
    return true;
  }
}
