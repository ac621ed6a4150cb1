/**
 * Client connections speaking HTTP/1.1: reads requests from them and decides when they end. What is sent to
 * them is `response-writer.ts`'s.
 *
 * Strategy: input is consumed where it lies, one request at a time. What cannot be used yet (the next
 * pipelined request, a body whose backend is not ready) waits in the leg's `pending` queue, and the
 * connection is not read meanwhile. A head in pieces is put together in a slot of its own.
 *
 * @hot
 */
import { assert } from "../base/assert.ts";
import { Counter } from "../contract/counters.ts";
import { FIELD_COUNT_MAX } from "../contract/snapshot.ts";
import { Fault } from "../http1/fault.ts";
import { MessageHead, NEED_MORE } from "../http1/message-head.ts";
import { parseRequestHead } from "../http1/request-head.ts";
import { askedBy } from "./asked.ts";
import { dropInput, keepEarly, watchUnread } from "./early-input.ts";
import type { Exchanges } from "./exchanges.ts";
import { type Failure, Failures } from "./failure.ts";
import { isPeerTrusted } from "./head-rules.ts";
import { ClientLeg, ClientState, HELD_BYTES_MAX } from "./legs.ts";
import { comeForward, standBack } from "./pace.ts";
import { dropPartial, growPartial, isTooEarlyToParse, NO_SLOT, parseLater } from "./partial-head.ts";
import { PeerTexts } from "./peer-texts.ts";
import { ConnectionKind, type Plane } from "./plane.ts";
import type { ClientProtocol } from "./protocols.ts";
import type { ResponseWriter } from "./response-writer.ts";

const { closed, idle, head, body, waiting, flushing, lingering } = ClientState;

const HELD_MAX = HELD_BYTES_MAX;
/** A client without a request that is asked to leave is closed after this: one may be on its way. */
const DRAIN_GRACE_MS = 500;

export class ClientSide implements ClientProtocol {
  readonly #plane: Plane;
  readonly #exchanges: Exchanges;
  readonly #writer: ResponseWriter;
  /** By connection. */
  readonly #legs: (ClientLeg | null)[];
  readonly #free: ClientLeg[] = [];
  /** The head being read; nothing keeps it beyond the call that read it. */
  readonly #head: MessageHead;
  readonly #peers: PeerTexts;

  constructor(plane: Plane, exchanges: Exchanges, writer: ResponseWriter) {
    this.#head = new MessageHead(FIELD_COUNT_MAX, plane.scanner);
    this.#plane = plane;
    this.#exchanges = exchanges;
    this.#writer = writer;
    this.#legs = new Array<ClientLeg | null>(plane.port.connectionsMax).fill(null);
    this.#peers = new PeerTexts(plane.port);
  }

  legOf(connection: number): ClientLeg {
    const leg = this.#legs[connection]!;
    assert(leg !== null, "a client connection has its leg");
    return leg;
  }

  accepted(connection: number, listener: number): void {
    const plane = this.#plane;
    if (!plane.admission.admit(connection, plane.snapshot.limits)) return;
    plane.adopt(connection, ConnectionKind.client, listener);
    const leg = this.#free.length > 0 ? this.#free.pop()! : new ClientLeg();
    this.#legs[connection] = leg;
    leg.open(connection, listener);
    const idleMs = plane.isLeaving(listener) ? DRAIN_GRACE_MS : plane.snapshot.timeouts.clientIdleMs;
    plane.deadlines.set(connection, idleMs);
  }

  /** Takes over the range's reference. */
  received(leg: ClientLeg, start: number, end: number): void {
    const plane = this.#plane;
    plane.counters[Counter.clientBytesIn] = plane.counters[Counter.clientBytesIn]! + (end - start);
    if (leg.state >= flushing || leg.deaf) {
      plane.buffers.release(start);
      return;
    }
    if (!plane.ranges.isEmpty(leg.pending)) {
      keepEarly(this.#plane, leg, start, end);
      return;
    }
    leg.consuming = true;
    if (leg.state === idle) leg.pipelinedCount = -1;
    const pos = this.#consume(leg, start, end);
    leg.consuming = false;
    if (leg.state === body || leg.state === head || leg.standsBack) standBack(plane.port, leg);
    if (pos === end || leg.state >= flushing || leg.state === closed) {
      plane.buffers.release(start);
      return;
    }
    keepEarly(this.#plane, leg, pos, end);
  }

  /** Goes on with input that had to wait: an exchange has ended, or its backend is ready for more body. */
  pump(leg: ClientLeg): void {
    if (leg.consuming) return;
    const { ranges, buffers, port } = this.#plane;
    leg.consuming = true;
    while (!ranges.isEmpty(leg.pending)) {
      const start = ranges.firstStart(leg.pending);
      const end = ranges.firstEnd(leg.pending);
      const pos = this.#consume(leg, start, end);
      if (leg.state >= flushing || leg.state === closed) break;
      if (pos < end) {
        ranges.advanceFirst(leg.pending, pos);
        break;
      }
      ranges.shift(leg.pending);
      buffers.release(start);
    }
    leg.consuming = false;
    if (leg.standsBack) comeForward(port, leg);
    if (leg.paused && leg.state !== closed && ranges.isEmpty(leg.pending)) {
      leg.paused = false;
      this.#moved(leg);
      port.resume(leg.connection);
    } else watchUnread(this.#plane, leg);
    if (leg.ended && leg.state !== closed && ranges.isEmpty(leg.pending)) this.ended(leg);
  }

  /** FIN. A client that ends while its response is not complete has left, unless the policy says that it still reads:
   *  RFC 9112 §9.5 allows half-close, but nothing tells it from leaving, and a backend must not go on working for
   *  nobody. A request that is not whole will never be. */
  ended(leg: ClientLeg): void {
    if (leg.state === flushing) return;
    if (this.#plane.snapshot.policy.halfClosedClients === "serve" && leg.state < flushing) {
      leg.ended = true;
      // What is here already may hold the rest of the request, and more requests.
      if (!this.#plane.ranges.isEmpty(leg.pending)) return;
      if (leg.state === waiting) {
        leg.exchange!.keepAlive = false;
        return;
      }
    }
    const { exchange } = leg;
    const mustShow = exchange !== null && (!leg.ended || exchange.responseStarted);
    if (exchange !== null) this.#exchanges.clientGone(exchange);
    // A reset would take along what is still on its way of the answers before.
    if (mustShow) this.#close(leg, true);
    else this.closeBehindQueue(leg);
  }

  failed(leg: ClientLeg): void {
    if (leg.exchange !== null) this.#exchanges.clientGone(leg.exchange);
    this.#close(leg, false);
  }

  /** The client has taken everything that was queued for it. */
  drained(leg: ClientLeg): void {
    const { deadlines, snapshot } = this.#plane;
    leg.queuedBytes = -1;
    leg.heldCount = 0;
    this.#moved(leg);
    switch (leg.state) {
      case flushing:
        this.#close(leg, false);
        return;
      case lingering:
        deadlines.set(leg.connection, snapshot.timeouts.lingerMs);
        return;
      case idle:
        if (!leg.blocked) return;
        if (this.#plane.isLeaving(leg.listener)) this.#end(leg);
        else this.#becomeIdle(leg);
        return;
      case waiting:
        deadlines.clear(leg.connection);
    }
    if (leg.exchange !== null) this.#exchanges.clientDrained(leg.exchange);
  }

  /** The leg's deadline has passed. */
  due(leg: ClientLeg): void {
    const { exchange } = leg;
    if (exchange !== null && exchange.intercepted !== null && this.#exchanges.interceptions.due(exchange))
      return;
    switch (leg.state) {
      case head:
        this.#lookAgain(leg);
        this.refuse(leg, Failures.requestTimeout);
        break;
      case body:
        // A client that is being answered need not send the rest.
        if (leg.exchange!.responseStarted) this.#slow(leg);
        else this.#exchanges.fail(leg.exchange!, Failures.bodyTimeout);
        break;
      default:
        this.#slow(leg);
    }
  }

  /** The response is complete and queued: on to the next request, or to the end. */
  exchangeEnded(leg: ClientLeg, keepAlive: boolean): void {
    const { port, deadlines, snapshot } = this.#plane;
    leg.exchange = null;
    leg.queuedBytes = -1;
    if (!keepAlive || this.#plane.isLeaving(leg.listener)) {
      this.#end(leg);
      return;
    }
    leg.state = idle;
    const queuedBytes = port.queuedBytes(leg.connection);
    if (queuedBytes > HELD_MAX) this.#watch(leg);
    const holdsMany = leg.holdsMany(this.#plane.batch, queuedBytes);
    if (!holdsMany && queuedBytes <= snapshot.limits.queuedBytesMax) {
      this.#becomeIdle(leg);
      return;
    }
    // It asks without taking the answers: the next request waits until they have left.
    leg.blocked = true;
    port.wantDrained(leg.connection);
    deadlines.set(leg.connection, snapshot.timeouts.clientSendIdleMs);
  }

  /** The origin connection has room for (more of) the body. */
  unblock(leg: ClientLeg): void {
    if (leg.state !== body) return;
    leg.blocked = false;
    this.#moved(leg);
    this.#plane.deadlines.set(leg.connection, leg.exchange!.timeouts.requestBodyIdleMs);
    this.pump(leg);
  }

  /** The origin connection has no room for more of the body: what is timed now is the origin. */
  block(leg: ClientLeg): void {
    const { deadlines, standstill, nowMs } = this.#plane;
    leg.blocked = true;
    if (leg.exchange!.origin !== null) standstill.enter(leg.connection, nowMs);
    deadlines.clear(leg.connection);
  }

  /** Answers the request whose head was just read and that has no exchange, and ends the connection. */
  refuse(leg: ClientLeg, failure: Failure): void {
    const asked = askedBy(this.#plane.memory, this.#head);
    this.#writer.answerFailure(leg, failure, asked, true);
    this.#exchanges.reports.ofRequest(failure, leg, failure.status, asked.request, this.#head);
    this.linger(leg);
  }

  refuseFault(leg: ClientLeg, fault: Fault): void {
    const asked = askedBy(this.#plane.memory, this.#head);
    this.#writer.answerFault(leg, fault, asked);
    this.#exchanges.reports.ofHead(fault, leg, asked.request, this.#head);
    this.linger(leg);
  }

  /** Our last byte is queued: FIN behind it, then read and throw away until the peer's FIN, so that the peer
   *  can read our answer (closing with unread input would reset it away). RFC 9112 §9.6. */
  linger(leg: ClientLeg): void {
    const plane = this.#plane;
    dropInput(this.#plane, leg);
    // Its FIN has come already.
    if (leg.ended) {
      this.closeBehindQueue(leg);
      return;
    }
    leg.state = lingering;
    leg.exchange = null;
    leg.queuedBytes = -1;
    plane.port.shutdown(leg.connection);
    if (leg.paused) {
      leg.paused = false;
      plane.port.resume(leg.connection);
    }
    const { timeouts } = plane.snapshot;
    const allHasLeft = plane.port.queuedBytes(leg.connection) === 0;
    if (!allHasLeft) this.#watch(leg);
    plane.deadlines.set(leg.connection, allHasLeft ? timeouts.lingerMs : timeouts.clientSendIdleMs);
  }

  /** Closes once what is queued has left. */
  closeBehindQueue(leg: ClientLeg): void {
    const plane = this.#plane;
    leg.exchange = null;
    if (plane.port.queuedBytes(leg.connection) === 0) {
      this.#close(leg, false);
      return;
    }
    leg.state = flushing;
    leg.queuedBytes = -1;
    this.#watch(leg);
    plane.deadlines.set(leg.connection, plane.snapshot.timeouts.clientSendIdleMs);
  }

  /** Slots are short, and `leg` has held some for too long without moving. */
  evict(leg: ClientLeg): void {
    const plane = this.#plane;
    const { exchange } = leg;
    if (exchange === null) {
      plane.count(Counter.errorOverload, 1);
      this.#close(leg, true);
    } else if (leg.state === waiting && !exchange.mayTunnel && !plane.ranges.isEmpty(leg.pending)) {
      // What it asks ahead of its answer is worth less than the answer.
      plane.dropRanges(leg.pending);
      leg.deaf = true;
      exchange.keepAlive = false;
      if (leg.paused) plane.port.resume(leg.connection);
      leg.paused = false;
      this.#moved(leg);
    } else this.#exchanges.fail(exchange, Failures.overload);
  }

  cut(leg: ClientLeg): void {
    leg.exchange = null;
    this.#close(leg, true);
  }

  detach(leg: ClientLeg): void {
    assert(this.#plane.ranges.isEmpty(leg.pending), "input is passed on before a leg goes");
    dropPartial(this.#plane, leg);
    this.#recycle(leg);
  }

  /**
   * Closes what is between requests and asked to leave, after a moment, since a request may be on its way; the
   * rest closes with its response.
   */
  drain(): void {
    const { deadlines } = this.#plane;
    for (let connection = 0; connection < this.#legs.length; connection++) {
      const leg = this.#legs[connection]!;
      if (leg === null || leg.state !== idle || !this.#plane.isLeaving(leg.listener)) continue;
      deadlines.set(connection, DRAIN_GRACE_MS);
    }
  }

  /** Ends the leg now: the time that it had to leave is over. The end of a last response must not go missing unseen. */
  cutLate(leg: ClientLeg): void {
    const isCut = leg.exchange === null && this.#plane.port.queuedBytes(leg.connection) > 0;
    if (isCut) this.#plane.count(Counter.errorDrainCut, 1);
    if (leg.exchange === null) this.#close(leg, isCut);
    else this.#exchanges.fail(leg.exchange, Failures.drainCut);
  }

  /** The text of the client's address, in memory until the connection closes, and whether it is believed. */
  ensurePeer(leg: ClientLeg): void {
    if (leg.peerStart >= 0) return;
    this.#peers.ensure(leg);
    leg.trusted = isPeerTrusted(this.#plane, leg);
  }

  /** A client that takes something of what is queued for it in each period is slow; one that takes nothing is
   *  gone. With nothing queued, it is its backend's turn, or there is nothing to wait for. */
  #slow(leg: ClientLeg): void {
    const { port, deadlines, snapshot } = this.#plane;
    const queuedBytes = port.queuedBytes(leg.connection);
    if (queuedBytes > 0 && (leg.queuedBytes < 0 || queuedBytes < leg.queuedBytes)) {
      leg.queuedBytes = queuedBytes;
      deadlines.set(leg.connection, snapshot.timeouts.clientSendIdleMs);
    } else if (leg.exchange === null) {
      if (queuedBytes > 0) this.#plane.count(Counter.errorClientStalled, 1);
      else if (leg.state === lingering) this.#plane.count(Counter.closedLinger, 1);
      else if (!this.#plane.isLeaving(leg.listener)) this.#plane.count(Counter.closedClientIdle, 1);
      this.#close(leg, queuedBytes > 0);
    } else if (queuedBytes > 0) this.#exchanges.fail(leg.exchange, Failures.clientStalled);
  }

  /** Some of what it held has gone on its way. */
  #moved(leg: ClientLeg): void {
    const { standstill, nowMs } = this.#plane;
    standstill.leave(leg.connection);
    const isHeldBack = leg.exchange?.origin?.isStill === true;
    const isStuck = isHeldBack || (leg.blocked && leg.state === body);
    if (isStuck) standstill.enter(leg.connection, nowMs);
  }

  /** Asks to be told when all that is queued has left, which is not expected at once. */
  #watch(leg: ClientLeg): void {
    const { port, standstill, nowMs } = this.#plane;
    port.wantDrained(leg.connection);
    standstill.enter(leg.connection, nowMs);
  }

  /** Ready for the next request, which may be here already. */
  #becomeIdle(leg: ClientLeg): void {
    const { deadlines, ranges, snapshot } = this.#plane;
    leg.blocked = false;
    deadlines.set(leg.connection, snapshot.timeouts.clientIdleMs);
    if (!ranges.isEmpty(leg.pending)) this.pump(leg);
  }

  /** Nothing more is answered on this connection. */
  #end(leg: ClientLeg): void {
    if (leg.lastCounter >= 0) {
      // It may have sent more before it learnt that this was the last.
      this.#plane.count(leg.lastCounter as Counter, 1);
      this.linger(leg);
    } else if (leg.state === body || leg.deaf || !this.#plane.ranges.isEmpty(leg.pending)) this.linger(leg);
    else this.closeBehindQueue(leg);
  }

  /**
   * Uses bytes of `[start, end)` as far as the leg's state allows. Returns where it stopped. Takes over no
   * reference.
   */
  #consume(leg: ClientLeg, start: number, end: number): number {
    let pos = start;
    while (pos < end && !leg.blocked) {
      const state = leg.state;
      if (state === idle) pos = this.#readHead(leg, pos, end);
      else if (state === body) pos = this.#readBody(leg, pos, end);
      else if (state === head) pos = this.#readMoreHead(leg, pos, end);
      else break;
    }
    return pos;
  }

  #readHead(leg: ClientLeg, pos: number, end: number): number {
    const { memory, snapshot, deadlines, countsRequests } = this.#plane;
    if (countsRequests) leg.countRequest(snapshot.limits);
    const result = parseRequestHead(memory, pos, end, this.#head, snapshot.limits);
    if (result >= 0) return this.#exchanges.begin(leg, this.#head, result, end);
    if (result !== NEED_MORE) {
      this.refuseFault(leg, result as Fault);
      return end;
    }
    leg.state = head;
    deadlines.set(leg.connection, snapshot.timeouts.requestHeadMs);
    const next = growPartial(this.#plane, leg, pos, end, snapshot.limits.headBytesMax);
    if (next === NO_SLOT) this.refuse(leg, Failures.overload);
    else parseLater(leg.partial!, snapshot.limits.headBytesMax);
    return end;
  }

  /** Reads what there is of a head in pieces, for what can be told of it. */
  #lookAgain({ partial }: ClientLeg): void {
    const { memory, snapshot } = this.#plane;
    parseRequestHead(memory, partial!.start, partial!.end, this.#head, snapshot.limits);
  }

  #readMoreHead(leg: ClientLeg, pos: number, end: number): number {
    const { memory, snapshot } = this.#plane;
    const partial = leg.partial!;
    const next = growPartial(this.#plane, leg, pos, end, snapshot.limits.headBytesMax);
    if (next === NO_SLOT) {
      this.#lookAgain(leg);
      this.refuse(leg, Failures.overload);
      return end;
    }
    if (isTooEarlyToParse(partial)) return next;
    const result = parseRequestHead(memory, partial.start, partial.end, this.#head, snapshot.limits);
    if (result === NEED_MORE) {
      parseLater(partial, snapshot.limits.headBytesMax);
      return next;
    }
    if (result < 0) {
      this.refuseFault(leg, result as Fault);
      return end;
    }
    leg.state = idle;
    const after = this.#exchanges.begin(leg, this.#head, next, end);
    dropPartial(this.#plane, leg);
    return after;
  }

  #readBody(leg: ClientLeg, pos: number, end: number): number {
    const plane = this.#plane;
    const exchange = leg.exchange!;
    plane.deadlines.set(leg.connection, exchange.timeouts.requestBodyIdleMs);
    const reader = exchange.requestBody;
    const next = reader.feed(plane.memory, plane.view, pos, end);
    if (next < 0) {
      if (next === Fault.bodyTooLarge) this.#exchanges.fail(exchange, Failures.bodyTooLarge);
      else this.#exchanges.badBody(exchange, next as Fault);
      return end;
    }
    if (reader.done) {
      leg.state = waiting;
      // With its response held back for it, the client stays on the clock.
      if (exchange.origin?.paused === true) {
        plane.deadlines.set(leg.connection, plane.snapshot.timeouts.clientSendIdleMs);
      } else plane.deadlines.clear(leg.connection);
    }
    this.#exchanges.requestBytes(exchange, reader.outStart, reader.outEnd, reader.done);
    return next;
  }

  #close(leg: ClientLeg, broken: boolean): void {
    const plane = this.#plane;
    const { connection } = leg;
    dropInput(plane, leg);
    plane.admission.leave(connection);
    plane.standstill.leave(connection);
    plane.deadlines.clear(connection);
    if (broken) plane.port.reset(connection);
    else plane.port.close(connection);
    plane.kinds[connection] = ConnectionKind.none;
    this.#recycle(leg);
  }

  #recycle(leg: ClientLeg): void {
    this.#legs[leg.connection] = null;
    leg.clear();
    this.#free.push(leg);
  }
}
