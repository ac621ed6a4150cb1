/**
 * The rules of forwarding, written once: how an exchange begins, how it ends, who is told. Which backend it gets
 * is told in `attempts.ts`.
 *
 * Strategy: the two sides read and write their protocols and report here; nothing here knows how bytes are
 * framed. A request's head is rewritten once, into a slot that is kept until a response head comes: as long
 * as it is there, and nothing was said to the client, the request can be sent again without the client.
 *
 * @hot
 */
import type { RoundRobin } from "../balance/round-robin.ts";
import { assert } from "../base/assert.ts";
import { SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { histogramRecord } from "../base/histogram.ts";
import { Counter, HistogramCell } from "../contract/counters.ts";
import { type Chain, type Interception, Moment } from "../contract/interception.ts";
import { LISTENER_CLUSTER } from "../contract/routing.ts";
import { BodyMode } from "../http1/body.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import { Framing, requestFraming } from "../http1/framing.ts";
import { HeadNote, type MessageHead, Method, persists, upgrades } from "../http1/message-head.ts";
import { askedIn } from "./asked.ts";
import { Attempts } from "./attempts.ts";
import { ClientNames } from "./client-names.ts";
import { Exchange, noteTold } from "./exchange.ts";
import { type Failure, Failures } from "./failure.ts";
import { FailureReports } from "./failure-reports.ts";
import { HeadRules } from "./head-rules.ts";
import { Interceptions } from "./interceptions.ts";
import { type ClientLeg, ClientState } from "./legs.ts";
import type { LocalAnswer } from "./local-answer.ts";
import { LocalAnswers } from "./local-answers.ts";
import { microseconds, type Plane } from "./plane.ts";
import type { ClientProtocol, OriginProtocol } from "./protocols.ts";
import type { Relays } from "./relay.ts";
import type { RequestWriter } from "./request-writer.ts";
import type { ResponseWriter } from "./response-writer.ts";
import { bodyBytesMaxOf, type Router } from "./routing.ts";
import { chunkedMode } from "./trailers.ts";

const ACCEPTS_TRAILERS = HeadNote.acceptsTrailers;
const NONE = Framing.none;
const CHUNKED = Framing.chunked;

export class Exchanges {
  readonly names: ClientNames;
  readonly reports: FailureReports;
  readonly interceptions: Interceptions;
  readonly attempts: Attempts;
  readonly #plane: Plane;
  readonly #requests: RequestWriter;
  readonly #responses: ResponseWriter;
  readonly #relays: Relays;
  readonly #rules: HeadRules;
  readonly #locals: LocalAnswers;
  readonly #free: Exchange[] = [];
  #clients!: ClientProtocol;
  #origins!: OriginProtocol;
  /** By cluster index of the snapshot. */
  #clusters: readonly RoundRobin[] = [];
  /** Null where there are no routes. */
  #router: Router | null = null;
  /** Of requests where there are no routes. */
  #chain: Chain | null = null;

  constructor(plane: Plane, requests: RequestWriter, responses: ResponseWriter, relays: Relays) {
    this.#plane = plane;
    this.names = new ClientNames(plane);
    this.reports = new FailureReports(plane, this.names);
    this.interceptions = new Interceptions(plane, this, responses);
    this.attempts = new Attempts(plane, this);
    this.#locals = new LocalAnswers(plane, responses, this);
    this.#rules = new HeadRules(plane.snapshot);
    this.#requests = requests;
    this.#responses = responses;
    this.#relays = relays;
  }

  /** Joins the two sides; once, before the first event. */
  join(clients: ClientProtocol, origins: OriginProtocol): void {
    this.#clients = clients;
    this.#origins = origins;
    this.attempts.join(origins);
    this.reports.join(clients);
    this.#locals.join(clients);
    this.interceptions.join(clients, origins);
  }

  /**
   * Exchanges that begin from now on choose from these, by the rules of the plane's snapshot; `router` is null
   * where it has no routes, and `chain` has the hooks of requests then. `interception` is null where there are
   * no hooks.
   */
  use(
    clusters: readonly RoundRobin[],
    router: Router | null,
    chain: Chain | null,
    interception: Interception | null,
  ): void {
    this.interceptions.use(clusters, interception);
    this.#rules.use(this.#plane.snapshot);
    this.#requests.use(this.#plane.snapshot);
    this.attempts.use(clusters);
    this.#clusters = clusters;
    this.#router = router;
    this.#chain = chain;
  }

  /**
   * A request head was read from `leg`; `[pos, end)` of the same input follows it. Returns up to where the
   * input was used: a small body is taken along at once. The leg is `idle` when this is called, and `body`,
   * `waiting` or further when it returns.
   */
  begin(leg: ClientLeg, head: MessageHead, pos: number, end: number): number {
    const plane = this.#plane;
    plane.counters[Counter.requests] = plane.counters[Counter.requests]! + 1;
    const framing = requestFraming(head);
    if (framing < 0) {
      this.#clients.refuseFault(leg, framing as Fault);
      return end;
    }
    const { limits } = plane.snapshot;
    const refusal = this.#rules.refusal(plane.memory, head);
    if (refusal !== null && (refusal !== Failures.httpsTarget || !this.#trusts(leg))) {
      this.#clients.refuse(leg, refusal);
      return end;
    }
    if (head.maxForwards === 0) return this.#locals.options(leg, head, framing, pos, end);
    this.#clients.ensurePeer(leg);
    const router = this.#router;
    let local: LocalAnswer | null = null;
    if (router !== null) {
      if (leg.peerStart < 0) {
        this.#clients.refuse(leg, Failures.overload);
        return end;
      }
      if (!router.find(leg, head)) {
        local = router.local();
        if (local === null) return this.#locals.routed(leg, head, router, framing, pos, end);
      }
    }
    const exchange = this.#open(leg, head, framing, local);
    const isRendered = this.#requests.render(exchange, head);
    if (!isRendered || (exchange.plan !== null && !router!.edit(exchange))) {
      // The connection ends: whatever follows the head is not read.
      leg.state = ClientState.body;
      this.fail(exchange, isRendered ? (router!.failure ?? Failures.overload) : this.#requests.failure);
      return end;
    }
    exchange.requestHeadEnd = exchange.requestEnd;
    const after = this.#requests.takeBody(exchange, framing, head.contentLength, pos, end);
    if (exchange.wholeInSlot) {
      leg.state = ClientState.waiting;
      plane.deadlines.clear(leg.connection);
    } else {
      leg.state = ClientState.body;
      this.#clients.block(leg);
      exchange.requestBody.begin(
        framing,
        head.contentLength,
        framing === CHUNKED ? chunkedMode(plane, head, true) : BodyMode.payload,
      );
      const bodyBytesMax = bodyBytesMaxOf(exchange.plan, limits.requestBodyBytesMax);
      if (bodyBytesMax > 0) exchange.requestBody.payloadBytesMax = bodyBytesMax;
    }
    if (
      limits.requestsInFlightMax > 0 &&
      plane.counters[Counter.requestsInFlight]! > limits.requestsInFlightMax
    ) {
      // Its hooks are told, and cannot hold it.
      if (exchange.chain !== null) this.interceptions.attach(exchange, head, framing).hasFailed = true;
      this.fail(exchange, Failures.tooManyInFlight);
      return after;
    }
    if (exchange.chain !== null && !this.interceptions.request(exchange, head, framing)) return after;
    if (local === null) this.attempts.dispatch(exchange, Failures.noEndpoint);
    else this.#locals.goOn(exchange);
    return after;
  }

  /**
   * A piece of the request body, framed as it goes to the origin; the last when `done`. Borrows the range.
   */
  requestBytes(exchange: Exchange, start: number, end: number, done: boolean): void {
    if (exchange.intercepted === null) this.#origins.sendBody(exchange, start, end, done);
    else this.interceptions.requestBytes(exchange, start, end, done);
  }

  /** The request body cannot be understood. */
  badBody(exchange: Exchange, fault: Fault): void {
    this.attempts.forget(exchange);
    if (exchange.intercepted !== null && this.interceptions.failed(exchange, null, fault)) return;
    this.#endBad(exchange, fault);
  }

  /** Tells the client of a request body that cannot be understood. */
  #endBad(exchange: Exchange, fault: Fault): void {
    const leg = exchange.client!;
    const { responseStarted } = exchange;
    const asked = askedIn(this.#plane.memory, exchange);
    const status = responseStarted ? 0 : FAULTS[fault].status;
    this.reports.ofBody(exchange, fault, status, asked);
    if (!responseStarted) {
      noteTold(exchange, status);
      this.#responses.keepLines(exchange);
    }
    this.#abandon(exchange);
    if (responseStarted) {
      this.#clients.cut(leg);
      return;
    }
    this.#responses.answerFault(leg, fault, asked);
    this.#clients.exchangeEnded(leg, false);
  }

  /** The client has left, or broken off. */
  clientGone(exchange: Exchange): void {
    const leg = exchange.client!;
    this.reports.ofExchange(exchange, Failures.clientGone, 0);
    if (exchange.intercepted !== null) this.interceptions.clientGone(exchange);
    this.#abandon(exchange);
    leg.exchange = null;
  }

  /** The client's queue is empty again. */
  clientDrained(exchange: Exchange): void {
    if (exchange.origin !== null) this.#origins.resume(exchange.origin);
    if (exchange.intercepted !== null) this.interceptions.clientDrained(exchange);
  }

  /** The origin connection has no room for more of the request body. */
  blockClient(exchange: Exchange): void {
    if (exchange.intercepted === null) this.#clients.block(exchange.client!);
    else this.interceptions.blockRequest(exchange);
  }

  /** A connection for the exchange stands: the request goes out. */
  originReady(exchange: Exchange): void {
    if (exchange.wholeInSlot) return;
    if (exchange.intercepted === null) this.#clients.unblock(exchange.client!);
    else this.interceptions.originReady(exchange);
  }

  /** The final response head has been read: the request will not be sent again. */
  responseBegun(exchange: Exchange): void {
    const { counters, nowMs, buffers } = this.#plane;
    // A small one stays for the notice, should the response break off; a stream without end is not worth it.
    const isSmall = exchange.requestEnd - exchange.requestStart <= SMALL_SLOT_BYTES;
    if (exchange.intercepted === null) {
      if (!isSmall || exchange.eventStream || buffers.freeSmallCount < buffers.smallCount >> 1) {
        this.#dropRequest(exchange);
      }
    } else if (isSmall ? buffers.freeSmallCount < buffers.smallCount >> 2 : buffers.isTight) {
      this.#dropRequest(exchange);
    }
    histogramRecord(counters, HistogramCell.originUs, microseconds(nowMs - exchange.startMs));
  }

  /** The response is complete and queued for the client; the origin connection is taken care of. */
  finish(exchange: Exchange): void {
    const { counters, nowMs } = this.#plane;
    histogramRecord(counters, HistogramCell.requestUs, microseconds(nowMs - exchange.startMs));
    const leg = exchange.client!;
    const keepAlive = exchange.keepAlive;
    this.#release(exchange);
    this.#clients.exchangeEnded(leg, keepAlive);
  }

  /** Ends the exchange without (the rest of) a response from a backend. */
  fail(exchange: Exchange, failure: Failure): void {
    this.attempts.forget(exchange);
    if (exchange.intercepted !== null && this.interceptions.failed(exchange, failure, 0)) return;
    this.#endFailed(exchange, failure);
  }

  /** The chain lets an exchange go on that it held. */
  proceed(exchange: Exchange): void {
    const { moment, failure, fault, dispatchFailure } = exchange.intercepted!;
    if (moment === Moment.request) {
      if (exchange.cluster !== null) this.attempts.renewCluster(exchange);
      if (exchange.local === null) this.attempts.dispatch(exchange, Failures.noEndpoint);
      else this.#locals.goOn(exchange);
    } else if (moment === Moment.upstream) {
      this.attempts.goOn(exchange, dispatchFailure!);
    } else if (moment === Moment.response) {
      this.#responses.commit(exchange);
      if (exchange.cluster === null) this.#locals.send(exchange);
      else this.#origins.release(exchange.origin!);
    } else if (failure === null) this.#endBad(exchange, fault as Fault);
    else this.#endFailed(exchange, failure);
  }

  /** Tells the client that the exchange has failed. */
  #endFailed(exchange: Exchange, failure: Failure): void {
    const leg = exchange.client!;
    if (exchange.responseStarted || failure.status === 0) {
      this.reports.ofExchange(exchange, failure, 0);
      this.#abandon(exchange);
      this.#clients.cut(leg);
      return;
    }
    this.reports.ofExchange(exchange, failure, failure.status);
    noteTold(exchange, failure.status);
    const asked = askedIn(this.#plane.memory, exchange);
    const mayGoOn = exchange.keepAlive && exchange.clientMinor === 1 && leg.state === ClientState.waiting;
    const keepAlive = mayGoOn && !this.#plane.isLeaving(leg.listener);
    const pages = exchange.plan?.pages;
    this.#responses.keepLines(exchange);
    if (exchange.local !== null) this.#locals.keepRetryAfter(exchange.local, failure);
    this.#abandon(exchange);
    const isTold = this.#responses.answerFailure(leg, failure, asked, !keepAlive, pages);
    this.#clients.exchangeEnded(leg, keepAlive && isTold);
  }

  /**
   * The backend has switched protocols (RFC 9110 §15.2.2) or opened a tunnel (§9.3.6) with `status`: from here on
   * bytes are relayed. `[pos, end)` came behind that response's head; borrowed.
   */
  tunnel(exchange: Exchange, status: number, pos: number, end: number): void {
    const plane = this.#plane;
    const client = exchange.client!;
    const origin = exchange.origin!;
    noteTold(exchange, status);
    const clientConnection = client.connection;
    const originConnection = origin.connection;
    this.#release(exchange);
    this.#origins.detach(origin);
    this.#relays.join(clientConnection, originConnection);
    if (client.paused) plane.port.resume(clientConnection);
    if (pos < end) {
      plane.buffers.retain(pos);
      this.#relays.forward(originConnection, pos, end);
    }
    this.#relays.forwardAll(clientConnection, client.pending);
    const { ended } = client;
    this.#clients.detach(client);
    if (ended) this.#relays.ended(clientConnection);
  }

  /** An exchange for the request with `head`, which goes where its route or its listener says, or is for `local`. */
  #open(leg: ClientLeg, head: MessageHead, framing: number, local: LocalAnswer | null): Exchange {
    const plane = this.#plane;
    const exchange = this.#free.length > 0 ? this.#free.pop()! : new Exchange();
    exchange.client = leg;
    if (leg.trusted) this.names.note(leg, head);
    exchange.startMs = plane.nowMs;
    exchange.method = head.method;
    exchange.clientMinor = head.versionMinor;
    exchange.keepAlive = persists(head);
    exchange.trailers = (head.notes & ACCEPTS_TRAILERS) !== 0 && head.versionMinor === 1;
    if (head.method === Method.CONNECT) {
      // Bytes that were meant for the tunnel must not be read as requests if there is none.
      exchange.keepAlive = false;
      exchange.mayTunnel = true;
    } else {
      exchange.upgrade = framing === NONE && upgrades(head);
      exchange.mayTunnel = exchange.upgrade;
    }
    if (leg.lastCounter >= 0) {
      if (!exchange.keepAlive) leg.lastCounter = -1;
      exchange.keepAlive = false;
    }
    const plan = this.#router === null ? null : this.#router.plan;
    exchange.plan = plan;
    exchange.timeouts = plan?.timeouts ?? plane.snapshot.timeouts;
    exchange.local = local;
    if (local === null) {
      exchange.chain = plan === null ? this.#chain : plan.chain;
      if (plan !== null) plan.requestsInFlight++;
      const chosen = plan === null ? LISTENER_CLUSTER : plan.targets!.next();
      const cluster = chosen >= 0 ? chosen : plane.snapshot.listeners[leg.listener]!.cluster;
      exchange.cluster = this.#clusters[cluster]!;
    } else exchange.chain = local.chain;
    leg.exchange = exchange;
    plane.count(Counter.requestsInFlight, 1);
    const { requestMs } = exchange.timeouts;
    if (requestMs > 0) plane.requestDeadlines!.set(leg.connection, requestMs);
    return exchange;
  }

  /** Whether the peer of `leg` is a proxy that is believed. */
  #trusts(leg: ClientLeg): boolean {
    this.#clients.ensurePeer(leg);
    return leg.trusted;
  }

  #dropRequest(exchange: Exchange): void {
    if (exchange.requestStart < 0) return;
    this.#plane.buffers.release(exchange.requestStart);
    exchange.requestStart = -1;
  }

  /**
   * The exchange is over before its time: nothing more is sent for it, its origin connection is not used
   * again.
   */
  #abandon(exchange: Exchange): void {
    const leg = exchange.client!;
    if (exchange.origin !== null) this.#origins.abort(exchange.origin);
    this.#responses.drop(exchange);
    this.#release(exchange);
    leg.exchange = null;
  }

  #release(exchange: Exchange): void {
    assert(exchange.client !== null, "an exchange ends once");
    if (exchange.intercepted !== null) this.interceptions.over(exchange);
    this.attempts.forget(exchange);
    this.#dropRequest(exchange);
    const plane = this.#plane;
    const { connection } = exchange.client!;
    plane.standstill.leave(connection);
    if (plane.requestDeadlines !== null) plane.requestDeadlines.clear(connection);
    plane.count(Counter.requestsInFlight, -1);
    if (exchange.plan !== null && exchange.local === null) exchange.plan.requestsInFlight--;
    if (exchange.linesStart >= 0) plane.buffers.release(exchange.linesStart);
    exchange.clear();
    this.#free.push(exchange);
  }
}
