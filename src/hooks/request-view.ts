/** A request as hooks see it. Strings are made when they are asked for, and kept. */

import { nearest } from "../base/suggestion.ts";
import { HeadOf, Moment } from "../contract/interception.ts";
import { BodyReader, tooLarge } from "./body-reader.ts";
import type { ExchangeView } from "./exchange-view.ts";
import { gone, HeaderFields } from "./header-fields.ts";
import { HookError } from "./hook-error.ts";
import type { BodyTransform, HookHeaders, HookRequest } from "./hooks.ts";
import { WebStage } from "./web-stage.ts";
import { targetBytes, textIn } from "./wire-text.ts";

const SP = 0x20;
const BODY_BYTES_MAX = 1_048_576;

export class RequestView implements HookRequest {
  readonly #view: ExchangeView;
  #headers: HeaderFields | null = null;
  #method = "";
  #target = "";
  #client = "";
  #cluster = "";
  #reader: BodyReader | null = null;

  constructor(view: ExchangeView) {
    this.#view = view;
  }

  get headers(): HookHeaders {
    this.#headers ??= new HeaderFields(this.#view, HeadOf.request);
    return this.#headers;
  }

  get method(): string {
    if (this.#method === "") {
      const start = this.#start();
      this.#method = textIn(this.#view.exchange.memory, start, this.#blankAfter(start));
    }
    return this.#method;
  }

  get target(): string {
    if (this.#target === "") {
      const start = this.#blankAfter(this.#start()) + 1;
      this.#target = textIn(this.#view.exchange.memory, start, this.#blankAfter(start));
    }
    return this.#target;
  }

  set target(target: string) {
    if (!this.#view.exchange.setTarget(targetBytes(target))) this.#refuse(`take ${target} for its target`);
    this.#target = "";
  }

  get path(): string {
    const { target } = this;
    const query = target.indexOf("?");
    return query < 0 ? target : target.slice(0, query);
  }

  set path(path: string) {
    if (typeof path !== "string" || !path.startsWith("/") || path.includes("?"))
      throw new TypeError(`${JSON.stringify(path)} is not a path: it begins with / and has no ?`);
    const { target } = this;
    const query = target.indexOf("?");
    this.target = query < 0 ? path : path + target.slice(query);
  }

  get query(): URLSearchParams {
    const { target } = this;
    const query = target.indexOf("?");
    return new URLSearchParams(query < 0 ? "" : target.slice(query + 1));
  }

  get host(): string {
    return this.headers.get("host") ?? "";
  }

  get client(): string {
    if (this.#client === "") this.#client = this.#view.exchange.clientAddress();
    return this.#client;
  }

  get id(): string {
    return this.headers.get("x-request-id") ?? "";
  }

  get route(): string {
    return this.#view.exchange.routeName;
  }

  get cluster(): string {
    const { exchange } = this.#view;
    return exchange.cluster === "" ? this.#cluster : exchange.cluster;
  }

  set cluster(name: string) {
    const { exchange, surroundings } = this.#view;
    const names = surroundings.clusterNames;
    const index = names.indexOf(name);
    if (index < 0) {
      const near = nearest(String(name), names);
      const remedy = near === "" ? `there are ${names.join(", ")}` : `did you mean ${near}?`;
      throw new TypeError(`${JSON.stringify(name)} is not a cluster; ${remedy}`);
    }
    if (!exchange.routeTo(index)) this.#refuse(`go to cluster ${name}`);
    this.#cluster = name;
  }

  get state(): Record<string, unknown> {
    return this.#view.state;
  }

  get signal(): AbortSignal {
    return this.#view.signal;
  }

  transformBody(transform: BodyTransform): void {
    const { exchange, surroundings, moment } = this.#view;
    this.#assertRequestMoment(moment);
    if (!exchange.hasRequestBody && !exchange.mayTunnel) return;
    const stage = new WebStage(transform, (error) => surroundings.stray("transformBody", error));
    this.#view.addStage(HeadOf.request, stage, false);
    stage.begin();
  }

  async text(options?: { readonly maxBytes?: number }): Promise<string> {
    return new TextDecoder().decode(await this.#read(options?.maxBytes));
  }

  async bytes(options?: { readonly maxBytes?: number }): Promise<Uint8Array> {
    return Uint8Array.from(await this.#read(options?.maxBytes));
  }

  /** A hook reads the body, and the client has not sent all of it. */
  get awaitsClient(): boolean {
    return this.#reader?.isReading === true && this.#view.awaitsClient;
  }

  #read(bytesMax = BODY_BYTES_MAX): Promise<Uint8Array> {
    if (typeof bytesMax !== "number" || !(bytesMax >= 0))
      throw new TypeError(`maxBytes is a number of bytes, not ${String(bytesMax)}`);
    if (this.#reader !== null) return this.#reader.body;
    const { exchange, moment } = this.#view;
    this.#assertRequestMoment(moment);
    if (!exchange.hasRequestBody && !exchange.mayTunnel) return Promise.resolve(new Uint8Array(0));
    const length = Number(this.headers.get("content-length") ?? 0);
    if (length > bytesMax) throw tooLarge(bytesMax);
    const reader = new BodyReader(bytesMax);
    this.#view.addStage(HeadOf.request, reader, true);
    this.#reader = reader;
    return reader.body;
  }

  #assertRequestMoment(moment: number): void {
    if (moment === Moment.request) return;
    if (!this.#view.exchange.isLive) throw gone(this.#view.exchange);
    throw new HookError("too_late", "the request's body is on its way already; use onRequest");
  }

  #start(): number {
    const { exchange } = this.#view;
    if (exchange.requestStart < 0 || !exchange.isLive) throw gone(exchange);
    return exchange.requestStart;
  }

  #blankAfter(start: number): number {
    const { memory, requestHeadEnd } = this.#view.exchange;
    let end = start;
    while (end < requestHeadEnd && memory[end] !== SP) end++;
    return end;
  }

  #refuse(what: string): never {
    const { exchange } = this.#view;
    if (!exchange.isLive) throw gone(exchange);
    throw new HookError(
      "refused",
      `the request cannot ${what}: it is too late, or that has no room or meaning`,
    );
  }
}
