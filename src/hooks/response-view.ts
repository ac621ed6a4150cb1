/** A response as hooks see it. */
import { HeadOf, Moment } from "../contract/interception.ts";
import type { PipeStage } from "./body-pipe.ts";
import type { ExchangeView } from "./exchange-view.ts";
import { gone, HeaderFields } from "./header-fields.ts";
import { HookError } from "./hook-error.ts";
import type { BodyTransform, HookHeaders, HookResponse } from "./hooks.ts";
import { WebStage } from "./web-stage.ts";

export class ResponseView implements HookResponse {
  readonly #view: ExchangeView;
  #headers: HeaderFields | null = null;

  constructor(view: ExchangeView) {
    this.#view = view;
  }

  get status(): number {
    return this.#view.exchange.status;
  }

  set status(status: number) {
    const { exchange } = this.#view;
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new TypeError(`${String(status)} is not a status from 200 to 599`);
    if (exchange.setStatus(status)) return;
    if (!exchange.isLive) throw gone(exchange);
    const why = "it is on its way already, or one of both has no body";
    throw new HookError("refused", `the status cannot become ${status}: ${why}`);
  }

  get headers(): HookHeaders {
    this.#headers ??= new HeaderFields(this.#view, HeadOf.response);
    return this.#headers;
  }

  get endpoint(): string {
    return this.#view.exchange.endpoint;
  }

  get cluster(): string {
    return this.#view.exchange.cluster;
  }

  transformBody(transform: BodyTransform): void {
    if (!this.#hasBody()) return;
    const { surroundings } = this.#view;
    const stage = new WebStage(transform, (error) => surroundings.stray("transformBody", error));
    this.addStage(stage);
    stage.begin();
  }

  /** As `transformBody`, for stages of our own. Throws a `HookError` where it cannot be. */
  addStage(stage: PipeStage): void {
    if (this.#hasBody()) this.#view.addStage(HeadOf.response, stage, false);
  }

  #hasBody(): boolean {
    const { exchange, moment } = this.#view;
    if (moment !== Moment.response) {
      if (!exchange.isLive) throw gone(exchange);
      throw new HookError("too_late", "the response is on its way already; use onResponse");
    }
    return exchange.hasResponseBody;
  }
}
