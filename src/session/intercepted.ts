/**
 * One exchange as its chain of hooks sees it, and what the chain has asked for.
 *
 * Strategy: edits are done at once, since the exchange stands while they may come; everything else is written
 * down here and carried out by `interceptions.ts` when nothing of the session is on the stack.
 *
 * @hot
 */
import {
  type BodySink,
  type BodyStage,
  type Chain,
  type Edge,
  HeadOf,
  type HookFailureReason,
  type Intercepted,
  Moment,
} from "../contract/interception.ts";
import type { FailureNotice } from "../contract/notices.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import { Method } from "../http1/message-head.ts";
import { BodySender, nowhere } from "./body-sender.ts";
import { Exchange, endpointOf } from "./exchange.ts";
import type { Failure } from "./failure.ts";
import type { HeadEdits } from "./head-edits.ts";
import type { Plane } from "./plane.ts";

const REQUEST = HeadOf.request;
const AT_REQUEST = Moment.request;
const AT_UPSTREAM = Moment.upstream;
const AT_RESPONSE = Moment.response;
const AT_ERROR = Moment.error;
const AT_LOG = Moment.log;

/** What becomes of an exchange at its moment. */
export const Verdict = {
  goesOn: 0,
  /** It stands until the chain says otherwise. */
  held: 1,
  /** It was held, and may go on. */
  proceeds: 2,
  answers: 3,
  fails: 4,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

const GOES_ON = Verdict.goesOn;

/** Stands in for the exchange of one that is over, and for its chain. */
const OVER = new Exchange();
const NO_CHAIN: Chain = {
  moments: 0,
  request() {},
  upstream() {},
  response() {},
  error() {},
  log() {},
};

/** Whoever carries out what is asked for here. */
export interface Desk {
  readonly plane: Plane;
  readonly edits: HeadEdits;
  /** Something was asked for. */
  mark(intercepted: InterceptedExchange): void;
  /** The address of the client of `exchange`; "" where that is over. */
  clientText(exchange: Exchange): string;
  /** Another cluster answers. `false`: there is none with that number. */
  routeTo(intercepted: InterceptedExchange, cluster: number): boolean;
  /** The body goes through a stage from here on. `false`: it cannot. */
  transform(
    intercepted: InterceptedExchange,
    which: HeadOf,
    stage: BodyStage,
    keepsLength: boolean,
  ): BodySender | null;
}

/** An answer in place of a backend's, not begun. */
export interface PlannedAnswer {
  readonly status: number;
  readonly lines: Uint8Array;
  readonly bodyBytes: number;
  readonly sender: BodySender;
}

export class InterceptedExchange implements Intercepted {
  edge: Edge | null = null;
  exchange: Exchange = OVER;
  chain: Chain = NO_CHAIN;
  readonly #desk: Desk;
  /** The last one that was called; 0: it is over, or none was. */
  moment = 0;
  /** The chain is on the stack. */
  isCalling = false;
  verdict: Verdict = Verdict.goesOn;
  isMarked = false;
  /** Nothing but its chain can know of it: nothing was put off, no body goes through a stage. */
  isPlain = true;
  /** Its error moment has been. */
  hasFailed = false;
  answerPlan: PlannedAnswer | null = null;
  failReason: HookFailureReason | null = null;
  /** What went wrong, if something has; one of them. */
  failure: Failure | null = null;
  fault: Fault | 0 = 0;
  /** What was going on when it did; "": nothing did. */
  failurePhase: FailureNotice["phase"] | "" = "";
  /** What an exchange that is held before its next attempt is answered where there is none. */
  dispatchFailure: Failure | null = null;

  /** `Framing` of the bodies as they come, and the length where it is one. */
  requestFraming = 0;
  requestLength = 0;
  responseFraming = 0;
  responseLength = 0;
  /** What the bodies go through, and the answer of the chain. */
  requestSender: BodySender | null = null;
  responseSender: BodySender | null = null;
  /** A stage waits for the body that lies behind the head. */
  feedsFromSlot = false;
  /** The request stage waits for its first piece. */
  beginsStage = false;
  /** The client sends no body before it is told to (RFC 9110 §10.1.1). */
  isWaiting = false;
  /** The request body leaves in chunks that we write; none of them yet. */
  sendsChunks = false;
  isFirstChunk = true;
  /** The client is told of the failure. */
  isTold = false;
  /** The client's deadline is that of foreign code. */
  isTimed = false;
  /** No limit on silence: an event stream. */
  isStream = false;
  requestBodyBytes = 0;
  responseBodyBytes = 0;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** For a new exchange: the object is new, or was plain until its end. */
  begin(exchange: Exchange, chain: Chain, framing: number, length: number): void {
    this.exchange = exchange;
    this.chain = chain;
    this.requestFraming = framing;
    this.requestLength = length;
    this.verdict = GOES_ON;
    this.hasFailed = false;
    this.failure = null;
    this.fault = 0;
    this.failurePhase = "";
    this.dispatchFailure = null;
    this.responseFraming = 0;
    this.responseLength = 0;
    this.isTold = false;
    this.isTimed = false;
    this.responseBodyBytes = 0;
  }

  get isLive(): boolean {
    return this.exchange !== OVER;
  }

  get memory(): Uint8Array {
    return this.#desk.plane.memory;
  }

  get routeName(): string {
    return this.exchange.plan?.name ?? "";
  }

  get nowMs(): number {
    return this.#desk.plane.nowMs;
  }

  get startMs(): number {
    return this.exchange.startMs;
  }

  get method(): number {
    return this.exchange.method;
  }

  get clientMinor(): number {
    return this.exchange.clientMinor;
  }

  get mayTunnel(): boolean {
    return this.exchange.mayTunnel;
  }

  get hasRequestBody(): boolean {
    return this.requestFraming !== 0;
  }

  get hasResponseBody(): boolean {
    return this.responseFraming !== 0;
  }

  get isEventStream(): boolean {
    return this.exchange.eventStream;
  }

  get status(): number {
    if (this.moment !== AT_ERROR) return this.exchange.status;
    return this.failure === null ? FAULTS[this.fault as Fault].status : this.failure.status;
  }

  get endpoint(): string {
    return endpointOf(this.exchange);
  }

  get cluster(): string {
    return this.exchange.cluster?.name ?? "";
  }

  get attempts(): number {
    return this.exchange.attempts;
  }

  get failureBy(): FailureNotice["by"] | "" {
    if (this.failure !== null) return this.failure.by;
    return this.fault === 0 ? "" : "client";
  }

  get failureReason(): string {
    if (this.failure !== null) return this.failure.reason;
    return this.fault === 0 ? "" : FAULTS[this.fault].name;
  }

  get failureText(): string {
    if (this.failure !== null) return this.failure.text;
    return this.fault === 0 ? "" : FAULTS[this.fault].text;
  }

  clientAddress(): string {
    return this.#desk.clientText(this.exchange);
  }

  get requestStart(): number {
    return this.exchange.requestStart;
  }

  get requestHeadEnd(): number {
    return this.exchange.requestStart < 0 ? -1 : this.exchange.requestHeadEnd;
  }

  get responseStart(): number {
    return this.#mayEditResponse() ? this.exchange.slotStart : -1;
  }

  get responseHeadEnd(): number {
    return this.#mayEditResponse() ? this.exchange.slotAt : -1;
  }

  setField(which: HeadOf, name: Uint8Array, value: Uint8Array, valueBytes = value.length): boolean {
    if (!this.#mayEdit(which)) return false;
    return this.#desk.edits.putField(this.exchange, which, name, value, valueBytes, true);
  }

  addField(which: HeadOf, name: Uint8Array, value: Uint8Array, valueBytes = value.length): boolean {
    if (!this.#mayEdit(which)) return false;
    return this.#desk.edits.putField(this.exchange, which, name, value, valueBytes, false);
  }

  removeField(which: HeadOf, name: Uint8Array): boolean {
    return this.#mayEdit(which) && this.#desk.edits.removeField(this.exchange, which, name);
  }

  setTarget(target: Uint8Array): boolean {
    return this.#mayEdit(REQUEST) && this.#desk.edits.setTarget(this.exchange, target);
  }

  setStatus(status: number): boolean {
    if (!this.#mayEditResponse() || !isFinal(status)) return false;
    if (isBodiless(status) || isBodiless(this.exchange.status) || status === RESET_CONTENT) return false;
    // RFC 9110 §9.3.6: no other status of CONNECT may become one that opens a tunnel.
    if (this.exchange.method === Method.CONNECT && status < 300) return false;
    return this.#desk.edits.setStatus(this.exchange, status);
  }

  routeTo(cluster: number): boolean {
    return this.moment === AT_REQUEST && this.#stands() && this.#desk.routeTo(this, cluster);
  }

  hold(): void {
    if (this.verdict !== Verdict.goesOn || !this.isCalling || this.moment === AT_LOG) return;
    this.verdict = Verdict.held;
    this.isPlain = false;
  }

  proceed(): void {
    if (this.verdict !== Verdict.held) return;
    this.verdict = this.isCalling ? Verdict.goesOn : Verdict.proceeds;
    if (!this.isCalling) this.mark();
  }

  answer(status: number, lines: Uint8Array, bodyBytes: number): BodySink {
    if (!this.#stands() || this.moment === AT_LOG) return nowhere();
    if (!isFinal(status)) {
      this.fail("hook_threw");
      return nowhere();
    }
    // RFC 9112 §6.3: its end is found as that of any other, so its length is told.
    const toldBytes = status === RESET_CONTENT ? 0 : bodyBytes;
    const sender = new BodySender(this, null, bodyBytes);
    const { method } = this.exchange;
    // RFC 9110 §9.3.6: behind a 2xx to CONNECT stands a tunnel, and none is opened here.
    const opensTunnel = method === Method.CONNECT && status < 300;
    const isEmpty = isBodiless(status) || status === RESET_CONTENT;
    sender.discards = isEmpty || method === Method.HEAD || opensTunnel;
    this.answerPlan = { status, lines, bodyBytes: toldBytes, sender };
    this.verdict = Verdict.answers;
    this.mark();
    return sender;
  }

  fail(reason: HookFailureReason): void {
    if (!this.isLive || this.moment === AT_LOG) return;
    this.failReason = reason;
    this.verdict = Verdict.fails;
    this.mark();
  }

  transform(which: HeadOf, stage: BodyStage, keepsLength: boolean): BodySink | null {
    const atMoment = which === REQUEST ? AT_REQUEST : AT_RESPONSE;
    if (this.moment !== atMoment || !this.#stands()) return null;
    this.isPlain = false;
    return this.#desk.transform(this, which, stage, keepsLength);
  }

  mark(): void {
    if (!this.isLive) return;
    this.isPlain = false;
    this.#desk.mark(this);
  }

  /** The exchange is over: nothing of it can be seen or changed any more. */
  end(): void {
    this.exchange = OVER;
    this.moment = 0;
  }

  /** Nobody knows of it any more: it waits for another exchange, and keeps nothing of this one. */
  rest(): void {
    this.edge = null;
    this.chain = NO_CHAIN;
  }

  /** The exchange waits for what the chain says. */
  #stands(): boolean {
    if (this.verdict === Verdict.held) return this.isLive;
    return this.isCalling && this.verdict === Verdict.goesOn;
  }

  #mayEdit(which: HeadOf): boolean {
    if (which !== REQUEST) return this.#mayEditResponse();
    const isTheTime = this.moment === AT_REQUEST || this.moment === AT_UPSTREAM;
    return isTheTime && this.exchange.requestStart >= 0 && this.#stands();
  }

  #mayEditResponse(): boolean {
    return this.moment === AT_RESPONSE && this.exchange.slotStart >= 0 && this.#stands();
  }
}

function isFinal(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}

/** RFC 9110 §15.3.6: we make no content for it; a backend's may have some. */
const RESET_CONTENT = 205;

/** RFC 9110 §6.4.1: never a body. */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 304;
}
