/**
 * When which moment of an exchange is told to its chain of hooks, and what comes of it.
 *
 * Strategy: a moment is one call. Where the chain lets the exchange go on, so does the caller; where it does
 * not, the exchange stands, and whatever the chain asks for, then or later, is written down and carried out
 * here at the end of the batch, or at the beginning of the next: never with anything of the session or of the
 * chain on the stack. Where there is no chain, nothing of this is touched.
 *
 * @hot
 */
import type { RoundRobin } from "../balance/round-robin.ts";
import { type BodyStage, HeadOf, type Interception, Moment } from "../contract/interception.ts";
import { BodyMode } from "../http1/body.ts";
import type { Fault } from "../http1/fault.ts";
import { Framing } from "../http1/framing.ts";
import type { MessageHead } from "../http1/message-head.ts";
import { isEventStream } from "./answer-lines.ts";
import { askedIn } from "./asked.ts";
import { BodyPump } from "./body-pump.ts";
import { BodySender } from "./body-sender.ts";
import { watchUnread } from "./early-input.ts";
import { type Exchange, Outgoing, phaseOf } from "./exchange.ts";
import type { Exchanges } from "./exchanges.ts";
import { type Failure, Failures, hookFailure } from "./failure.ts";
import { HeadEdits } from "./head-edits.ts";
import { type Desk, InterceptedExchange, Verdict } from "./intercepted.ts";
import { ClientState } from "./legs.ts";
import type { Plane } from "./plane.ts";
import type { ClientProtocol, OriginProtocol } from "./protocols.ts";
import type { ResponseWriter } from "./response-writer.ts";

const AT_REQUEST = Moment.request;
const AT_UPSTREAM = Moment.upstream;
const AT_RESPONSE = Moment.response;
const AT_ERROR = Moment.error;
const AT_LOG = Moment.log;
const REQUEST = HeadOf.request;
const GOES_ON = Verdict.goesOn;
const HELD = Verdict.held;
const NONE = Framing.none;
const LENGTH = Framing.length;
const CHUNKED = Framing.chunked;
const PAYLOAD = BodyMode.payload;
const IN_BODY = ClientState.body;

export class Interceptions implements Desk {
  readonly plane: Plane;
  readonly edits: HeadEdits;
  readonly #exchanges: Exchanges;
  readonly #responses: ResponseWriter;
  readonly #pump: BodyPump;
  /** Those that something was asked for. */
  readonly #marked: InterceptedExchange[] = [];
  #clients!: ClientProtocol;
  #origins!: OriginProtocol;
  #clusters: readonly RoundRobin[] = [];
  #interception: Interception | null = null;
  /** Of exchanges that are over. */
  readonly #free: InterceptedExchange[] = [];
  #isInBatch = false;

  constructor(plane: Plane, exchanges: Exchanges, responses: ResponseWriter) {
    this.plane = plane;
    this.edits = new HeadEdits(plane);
    this.#exchanges = exchanges;
    this.#responses = responses;
    this.#pump = new BodyPump(plane, exchanges, responses);
  }

  /** Once, before the first event. */
  join(clients: ClientProtocol, origins: OriginProtocol): void {
    this.#clients = clients;
    this.#origins = origins;
    this.#pump.join(origins);
  }

  /** From now on. @cold */
  use(clusters: readonly RoundRobin[], interception: Interception | null): void {
    this.#clusters = clusters;
    if (interception !== null) this.#interception = interception;
  }

  /** A batch begins: what was asked for since the last one is done. */
  beginBatch(): void {
    this.#isInBatch = true;
    if (this.#marked.length > 0) this.#run();
  }

  /** What was asked for in this batch is done. */
  endBatch(): void {
    if (this.#marked.length > 0) this.#run();
    this.#isInBatch = false;
  }

  mark(intercepted: InterceptedExchange): void {
    if (intercepted.isMarked) return;
    intercepted.isMarked = true;
    this.#marked.push(intercepted);
    if (!this.#isInBatch && this.#marked.length === 1) this.#interception?.wake();
  }

  /** The chain of `exchange` is told of it from here on; its request is ready to be sent, `head` is as it came. */
  attach(exchange: Exchange, head: MessageHead, framing: number): InterceptedExchange {
    const chain = exchange.chain!;
    const length = head.contentLength;
    const intercepted = this.#free.length > 0 ? this.#free.pop()! : new InterceptedExchange(this);
    intercepted.begin(exchange, chain, framing, length);
    exchange.intercepted = intercepted;
    intercepted.requestBodyBytes = exchange.requestEnd - exchange.requestHeadEnd;
    intercepted.isWaiting = head.expectContinue && head.versionMinor === 1;
    return intercepted;
  }

  /** As `attach`, and the chain is asked about the request. `false`: it stands. */
  request(exchange: Exchange, head: MessageHead, framing: number): boolean {
    const intercepted = this.attach(exchange, head, framing);
    if ((intercepted.chain.moments & AT_REQUEST) === 0 || exchange.local?.isDecided === true) return true;
    const goesOn = this.#call(intercepted, AT_REQUEST);
    if (intercepted.beginsStage) this.#beginStage(intercepted);
    return goesOn;
  }

  /** An endpoint is chosen; `failure` is the answer where there will be none. `false`: the exchange stands. */
  upstream(exchange: Exchange, failure: Failure): boolean {
    const intercepted = exchange.intercepted!;
    if ((intercepted.chain.moments & AT_UPSTREAM) === 0) return true;
    intercepted.dispatchFailure = failure;
    return this.#call(intercepted, AT_UPSTREAM);
  }

  /** The response head lies in its slot, and a body framed so follows. `false`: the exchange stands. */
  response(exchange: Exchange, framing: number, contentLength: number): boolean {
    const intercepted = exchange.intercepted!;
    intercepted.responseFraming = framing;
    intercepted.responseLength = contentLength;
    if ((intercepted.chain.moments & AT_RESPONSE) !== 0) {
      // Nothing was said to the client yet, and something else may be.
      exchange.responseStarted = false;
      if (!this.#call(intercepted, AT_RESPONSE)) return false;
    }
    this.#responses.commit(exchange);
    return true;
  }

  /**
   * The exchange has failed: because of `failure`, or of `fault` where that is null. `true`: it stands, and its
   * chain says what its client is told.
   */
  failed(exchange: Exchange, failure: Failure | null, fault: Fault | 0): boolean {
    const intercepted = exchange.intercepted!;
    this.#note(intercepted, failure, fault);
    if (intercepted.hasFailed || exchange.responseStarted || failure === Failures.drainCut) return false;
    if ((intercepted.chain.moments & AT_ERROR) === 0) return false;
    intercepted.hasFailed = true;
    this.#strip(intercepted);
    return !this.#call(intercepted, AT_ERROR);
  }

  /** The exchange is over; what it was is still to be seen. */
  over(exchange: Exchange): void {
    const intercepted = exchange.intercepted!;
    if ((intercepted.chain.moments & AT_LOG) !== 0) {
      if (!exchange.responseStarted && !intercepted.isTold) exchange.status = 0;
      this.#call(intercepted, AT_LOG);
    }
    this.#abortSenders(intercepted);
    const { edge } = intercepted;
    // A chain that was never called cannot know of it.
    const isUnknown = intercepted.moment === 0;
    intercepted.end();
    const isLet = edge === null ? isUnknown : edge.ended();
    if (!isLet || !intercepted.isPlain) return;
    intercepted.rest();
    this.#free.push(intercepted);
  }

  /** The client has left. */
  clientGone(exchange: Exchange): void {
    this.#note(exchange.intercepted!, Failures.clientGone, 0);
  }

  /** A piece of the request body, the last when `done`. Borrows the range. */
  requestBytes(exchange: Exchange, start: number, end: number, done: boolean): void {
    const intercepted = exchange.intercepted!;
    const sender = intercepted.requestSender;
    if (sender === null) {
      if (intercepted.requestFraming === CHUNKED) {
        intercepted.requestBodyBytes = exchange.requestBody.chunkedBytes;
      } else intercepted.requestBodyBytes += end - start;
      this.#origins.sendBody(exchange, start, end, done);
      return;
    }
    intercepted.requestBodyBytes += end - start;
    // A stage that has said all need not hear the rest.
    if (sender.hasEnded) return;
    const hasRoom = start === end || sender.stage!.feed(this.plane.memory, start, end);
    if (done) {
      sender.inputEnded = true;
      sender.stage!.end();
      intercepted.mark();
    } else if (!hasRoom) {
      sender.isFull = true;
      this.#clients.block(exchange.client!);
      intercepted.mark();
    }
  }

  /** A piece of the response body. Borrows the range. `false`: no more of it for now. */
  responseBytes(exchange: Exchange, start: number, end: number): boolean {
    const intercepted = exchange.intercepted!;
    const sender = intercepted.responseSender;
    if (sender === null) {
      if (exchange.bodyMode !== PAYLOAD) {
        intercepted.responseBodyBytes = exchange.responseBody.chunkedBytes;
      } else intercepted.responseBodyBytes += end - start;
      this.#responses.body(exchange, start, end);
      return true;
    }
    if (start === end || sender.hasEnded || sender.stage!.feed(this.plane.memory, start, end)) return true;
    sender.isFull = true;
    intercepted.mark();
    return false;
  }

  /** The backend has said all, and its connection is taken care of. */
  responseEnded(exchange: Exchange): void {
    const intercepted = exchange.intercepted!;
    const sender = intercepted.responseSender!;
    const client = exchange.client!;
    if (!exchange.requestSent) {
      this.#dropRequestStage(intercepted);
      if (client.state === IN_BODY) this.#clients.block(client);
    }
    sender.inputEnded = true;
    sender.isFull = false;
    if (!sender.hasEnded) sender.stage!.end();
    intercepted.mark();
  }

  /** A connection for the exchange stands, or has room again. */
  originReady(exchange: Exchange): void {
    const intercepted = exchange.intercepted!;
    if (intercepted.requestSender === null) this.#clients.unblock(exchange.client!);
    else {
      intercepted.requestSender.isBlocked = false;
      intercepted.mark();
    }
  }

  /** No more of the request body for now: the origin connection has no room, or is no more. */
  blockRequest(exchange: Exchange): void {
    const { requestSender } = exchange.intercepted!;
    if (requestSender === null) this.#clients.block(exchange.client!);
    else requestSender.isBlocked = exchange.origin !== null;
  }

  /** The client has taken all that was queued. */
  clientDrained(exchange: Exchange): void {
    const intercepted = exchange.intercepted!;
    if (intercepted.responseSender === null) return;
    intercepted.responseSender.isBlocked = false;
    intercepted.mark();
  }

  /** The client's deadline has passed. `true`: it was foreign code that was waited for. */
  due(exchange: Exchange): boolean {
    const intercepted = exchange.intercepted!;
    if (!intercepted.isTimed || !this.#pump.isAwaited(intercepted)) return false;
    this.#exchanges.fail(exchange, Failures.hookStalled);
    return true;
  }

  clientText({ client }: Exchange): string {
    return client === null ? "" : this.#exchanges.names.clientOf(client);
  }

  routeTo({ exchange }: InterceptedExchange, cluster: number): boolean {
    const chosen = this.#clusters[cluster];
    if (chosen === undefined) return false;
    exchange.cluster = chosen;
    return true;
  }

  transform(
    intercepted: InterceptedExchange,
    which: HeadOf,
    stage: BodyStage,
    keepsLength: boolean,
  ): BodySender | null {
    if (intercepted.exchange.mayTunnel) return null;
    if (which === REQUEST) return this.#transformRequest(intercepted, stage, keepsLength);
    return this.#transformResponse(intercepted, stage, keepsLength);
  }

  #transformRequest(
    intercepted: InterceptedExchange,
    stage: BodyStage,
    keepsLength: boolean,
  ): BodySender | null {
    const { exchange, requestFraming, requestLength } = intercepted;
    if (requestFraming === NONE || intercepted.requestSender !== null) return null;
    const isMeasured = keepsLength && requestFraming === LENGTH;
    if (!isMeasured && !this.edits.chunk(exchange, REQUEST)) return null;
    const { requestBody } = exchange;
    if (exchange.wholeInSlot) {
      exchange.wholeInSlot = false;
      intercepted.feedsFromSlot = true;
      requestBody.begin(NONE, 0, PAYLOAD);
    } else {
      const { payloadBytesMax } = requestBody;
      requestBody.begin(requestFraming, requestLength, PAYLOAD);
      requestBody.payloadBytesMax = payloadBytesMax;
    }
    intercepted.requestBodyBytes = 0;
    intercepted.sendsChunks = !isMeasured;
    intercepted.requestSender = new BodySender(intercepted, stage, isMeasured ? requestLength : -1);
    intercepted.beginsStage = true;
    intercepted.mark();
    return intercepted.requestSender;
  }

  #transformResponse(
    intercepted: InterceptedExchange,
    stage: BodyStage,
    keepsLength: boolean,
  ): BodySender | null {
    const { exchange, responseFraming, responseLength } = intercepted;
    if (responseFraming === NONE || intercepted.responseSender !== null) return null;
    const isMeasured = keepsLength && responseFraming === LENGTH;
    if (!isMeasured) {
      if (exchange.clientMinor === 1) {
        if (!this.edits.chunk(exchange, HeadOf.response)) return null;
        exchange.outgoing = Outgoing.chunked;
      } else {
        if (!this.edits.untilClose(exchange)) return null;
        exchange.outgoing = Outgoing.untilClose;
        exchange.keepAlive = false;
      }
    }
    exchange.bodyMode = PAYLOAD;
    exchange.responseBody.begin(responseFraming, responseLength, PAYLOAD);
    intercepted.isStream = exchange.eventStream;
    intercepted.responseSender = new BodySender(intercepted, stage, isMeasured ? responseLength : -1);
    return intercepted.responseSender;
  }

  /** Tells the chain. `true`: the exchange goes on. */
  #call(intercepted: InterceptedExchange, moment: number): boolean {
    const { chain } = intercepted;
    intercepted.moment = moment;
    intercepted.verdict = GOES_ON;
    intercepted.isCalling = true;
    if (moment === AT_REQUEST) chain.request(intercepted);
    else if (moment === AT_UPSTREAM) chain.upstream(intercepted);
    else if (moment === AT_RESPONSE) chain.response(intercepted);
    else if (moment === AT_ERROR) chain.error(intercepted);
    else chain.log(intercepted);
    intercepted.isCalling = false;
    const goesOn = intercepted.verdict === GOES_ON;
    if (!goesOn) watchUnread(this.plane, intercepted.exchange.client!);
    return goesOn;
  }

  #run(): void {
    const marked = this.#marked;
    // What is marked meanwhile is done as well.
    for (let i = 0; i < marked.length; i++) {
      const intercepted = marked[i]!;
      intercepted.isMarked = false;
      if (intercepted.isLive) this.#carryOut(intercepted);
    }
    marked.length = 0;
  }

  #carryOut(intercepted: InterceptedExchange): void {
    if (intercepted.beginsStage) this.#beginStage(intercepted);
    const { verdict } = intercepted;
    if (intercepted.isLive && verdict > HELD) {
      intercepted.verdict = GOES_ON;
      watchUnread(this.plane, intercepted.exchange.client!);
      if (verdict === Verdict.proceeds) this.#exchanges.proceed(intercepted.exchange);
      else if (verdict === Verdict.answers) this.#answer(intercepted);
      else this.#exchanges.fail(intercepted.exchange, hookFailure(intercepted.failReason!));
    }
    if (intercepted.isLive) this.#letMore(intercepted);
    if (intercepted.isLive) this.#pump.move(intercepted);
  }

  /** Sources go on whose stages have room again. */
  #letMore(intercepted: InterceptedExchange): void {
    const { exchange, requestSender, responseSender } = intercepted;
    if (requestSender?.wantsMore === true) {
      requestSender.wantsMore = false;
      requestSender.isFull = false;
      this.#clients.unblock(exchange.client!);
    }
    if (responseSender?.wantsMore === true && intercepted.isLive) {
      responseSender.wantsMore = false;
      responseSender.isFull = false;
      if (exchange.origin !== null) this.#origins.release(exchange.origin);
    }
  }

  #beginStage(intercepted: InterceptedExchange): void {
    const { exchange } = intercepted;
    const sender = intercepted.requestSender!;
    intercepted.beginsStage = false;
    if (!intercepted.feedsFromSlot) {
      // Its backend cannot say so: it is not asked before the chain has seen the body.
      if (intercepted.isWaiting && intercepted.verdict === HELD) this.#invite(intercepted);
      this.#clients.unblock(exchange.client!);
      return;
    }
    const { requestHeadEnd, requestEnd } = exchange;
    intercepted.feedsFromSlot = false;
    intercepted.requestBodyBytes = requestEnd - requestHeadEnd;
    exchange.requestEnd = requestHeadEnd;
    sender.stage!.feed(this.plane.memory, requestHeadEnd, requestEnd);
    sender.inputEnded = true;
    sender.stage!.end();
    intercepted.mark();
  }

  /** The client may send its body. */
  #invite(intercepted: InterceptedExchange): void {
    intercepted.isWaiting = false;
    this.edits.dropExpectation(intercepted.exchange);
    // Where slots are out it sends its body all the same, a little later.
    this.#responses.goOn(intercepted.exchange);
  }

  /** The answer of the chain begins. */
  #answer(intercepted: InterceptedExchange): void {
    const { exchange } = intercepted;
    const plan = intercepted.answerPlan!;
    const { sender } = plan;
    intercepted.answerPlan = null;
    if (sender.failure !== null) {
      sender.abort();
      this.#exchanges.fail(exchange, hookFailure(sender.failure));
      return;
    }
    if (intercepted.moment === AT_ERROR) this.#reportAnswered(intercepted, plan.status);
    this.#strip(intercepted);
    intercepted.responseSender = sender;
    intercepted.responseBodyBytes = 0;
    if (!this.#responses.beginAnswer(exchange, plan.status, plan.lines, plan.bodyBytes, sender.discards)) {
      this.#exchanges.fail(exchange, Failures.overload);
      return;
    }
    const isUntimed = plan.bodyBytes < 0 && isEventStream(plan.lines);
    intercepted.isStream = isUntimed;
    if (!sender.discards && plan.bodyBytes !== 0) return;
    this.#responses.end(exchange);
    this.#exchanges.finish(exchange);
  }

  #reportAnswered({ exchange, failure, fault }: InterceptedExchange, status: number): void {
    const { reports } = this.#exchanges;
    if (failure !== null) reports.ofExchange(exchange, failure, status);
    else reports.ofBody(exchange, fault as Fault, status, askedIn(this.plane.memory, exchange));
  }

  /** Nothing that was begun for the exchange goes on. */
  #strip(intercepted: InterceptedExchange): void {
    const { exchange } = intercepted;
    const client = exchange.client!;
    this.#abortSenders(intercepted);
    if (exchange.origin !== null) {
      this.#origins.abort(exchange.origin);
      exchange.origin = null;
    }
    this.#responses.drop(exchange);
    if (client.state === IN_BODY) this.#clients.block(client);
  }

  #abortSenders(intercepted: InterceptedExchange): void {
    const { responseSender, answerPlan } = intercepted;
    this.#dropRequestStage(intercepted);
    intercepted.responseSender = null;
    intercepted.answerPlan = null;
    if (responseSender !== null) responseSender.abort();
    if (answerPlan !== null) answerPlan.sender.abort();
  }

  #dropRequestStage(intercepted: InterceptedExchange): void {
    const { requestSender } = intercepted;
    intercepted.requestSender = null;
    intercepted.beginsStage = false;
    if (requestSender !== null) requestSender.abort();
  }

  #note(intercepted: InterceptedExchange, failure: Failure | null, fault: Fault | 0): void {
    if (intercepted.failurePhase === "") {
      intercepted.failurePhase = fault === 0 ? phaseOf(intercepted.exchange) : "request-body";
    }
    intercepted.failure = failure;
    intercepted.fault = fault;
  }
}
