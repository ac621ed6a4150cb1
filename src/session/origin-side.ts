/**
 * Backend connections speaking HTTP/1.1: opens them, keeps them for reuse, sends requests, reads responses.
 *
 * Strategy: an idle connection goes on being read, so that a backend's FIN (or any byte nobody asked for)
 * takes it out of the pool before it can be reused; the race that remains is met by repeating the request. A
 * connection goes back to the pool only when both messages are complete and not a byte lies behind the
 * response.
 *
 * @hot
 */
import type { EndpointState } from "../balance/endpoint.ts";
import { assert } from "../base/assert.ts";
import { HEADROOM_BYTES, RECEIVE_BYTES } from "../base/buffer-pool.ts";
import { histogramRecord } from "../base/histogram.ts";
import { Counter, HistogramCell } from "../contract/counters.ts";
import { Errno } from "../contract/errno.ts";
import { Framing, leavesConnectionClean } from "../http1/framing.ts";
import { persists } from "../http1/message-head.ts";
import { type Exchange, isStaged } from "./exchange.ts";
import type { Exchanges } from "./exchanges.ts";
import { type Failure, Failures, isShortage } from "./failure.ts";
import { OriginLeg, OriginState, WhileHeld } from "./legs.ts";
import { dropPartial } from "./partial-head.ts";
import { ConnectionKind, microseconds, type Plane } from "./plane.ts";
import type { OriginProtocol } from "./protocols.ts";
import { ResponseHeads } from "./response-heads.ts";
import type { ResponseWriter } from "./response-writer.ts";
import { mayReuse } from "./reuse.ts";
import { unbegunFailure } from "./routing.ts";
import { slotWithEnd } from "./trailers.ts";

const { closed, connecting, idle, head, body } = OriginState;
const RECEIVE_MAX = RECEIVE_BYTES;
const HEADROOM = HEADROOM_BYTES;

export class OriginSide implements OriginProtocol {
  readonly #plane: Plane;
  readonly #exchanges: Exchanges;
  readonly #responses: ResponseWriter;
  /** By connection. */
  readonly #legs: (OriginLeg | null)[];
  readonly #free: OriginLeg[] = [];
  readonly #heads: ResponseHeads;

  constructor(plane: Plane, exchanges: Exchanges, responses: ResponseWriter) {
    this.#plane = plane;
    this.#exchanges = exchanges;
    this.#responses = responses;
    this.#heads = new ResponseHeads(plane, exchanges, responses);
    this.#legs = new Array<OriginLeg | null>(plane.port.connectionsMax).fill(null);
  }

  legOf(connection: number): OriginLeg {
    const leg = this.#legs[connection]!;
    assert(leg !== null, "an origin connection has its leg");
    return leg;
  }

  /** Gives the exchange a connection to `endpoint`: an idle one, or a new one that `Exchanges.originReady`
   *  announces. Returns 0, or a negative errno when connecting could not even begin. */
  open(exchange: Exchange, endpoint: EndpointState): number {
    const plane = this.#plane;
    if (this.reuse(exchange, endpoint)) return 0;
    const connection = plane.port.connect(endpoint.address);
    if (connection < 0) return connection;
    const leg = this.#free.length > 0 ? this.#free.pop()! : new OriginLeg();
    this.#legs[connection] = leg;
    plane.adopt(connection, ConnectionKind.origin);
    plane.count(Counter.originsOpen, 1);
    leg.connection = connection;
    leg.state = connecting;
    leg.reused = false;
    leg.paused = false;
    leg.bornMs = plane.nowMs;
    leg.endpoint = endpoint;
    leg.exchange = exchange;
    exchange.origin = leg;
    plane.deadlines.set(connection, exchange.timeouts.connectMs);
    return 0;
  }

  reuse(exchange: Exchange, endpoint: EndpointState): boolean {
    const plane = this.#plane;
    const connection = mayReuse(plane, exchange, endpoint) ? endpoint.takeIdle() : -1;
    if (connection < 0) return false;
    const leg = this.#legs[connection]!;
    plane.count(Counter.originsIdle, -1);
    plane.count(Counter.originsReused, 1);
    leg.reused = true;
    this.#send(leg, exchange);
    return true;
  }

  connected(leg: OriginLeg): void {
    const { counters, nowMs, notices } = this.#plane;
    this.#plane.count(Counter.originsOpened, 1);
    histogramRecord(counters, HistogramCell.connectUs, microseconds(nowMs - leg.bornMs));
    const endpoint = leg.endpoint!;
    if (endpoint.trust()) notices.endpoint(endpoint.address, 0);
    this.#send(leg, leg.exchange!);
  }

  /** Takes over the range's reference. */
  received(leg: OriginLeg, start: number, end: number): void {
    const plane = this.#plane;
    plane.counters[Counter.originBytesIn] = plane.counters[Counter.originBytesIn]! + (end - start);
    if (leg.state === idle) {
      // Bytes that nobody asked for would be taken for the next response (RFC 9112 §9.2).
      this.#closeIdle(leg);
    } else if (leg.reused && leg.state === head && leg.sentBatch === plane.batch) {
      // They came while the connection was idle, whatever they look like: the request has not left yet.
      this.#lose(leg, Failures.badResponse);
    } else {
      let pos = start;
      if (leg.isHeld) {
        plane.ranges.push(leg.held, start, end);
        return;
      }
      if (leg.state === head) {
        const exchange = leg.exchange!;
        pos = this.#heads.read(leg, exchange, start, end);
        if (pos >= 0 && !this.#begin(leg, exchange, pos, end)) pos = -1;
      }
      if (leg.state === body && pos >= 0) this.#readBody(leg, leg.exchange!, start, pos, end);
      else if (leg.state === head) this.#checkInterims(leg, end - start);
    }
    plane.buffers.release(start);
  }

  /** FIN from the backend. */
  ended(leg: OriginLeg): void {
    switch (leg.state) {
      case idle:
        this.#closeIdle(leg);
        break;
      case head:
        this.#lose(leg, Failures.originReset);
        break;
      case body: {
        if (leg.isHeld) {
          leg.whileHeld = WhileHeld.ended;
          return;
        }
        const exchange = leg.exchange!;
        if (exchange.responseBody.finish()) this.#complete(leg, exchange, false);
        else this.#exchanges.fail(exchange, Failures.responseCut);
        break;
      }
      default:
        this.#close(leg);
    }
  }

  failed(leg: OriginLeg, errno: number): void {
    switch (leg.state) {
      case connecting:
        this.#connectFailed(leg, errno);
        break;
      case idle:
        this.#closeIdle(leg);
        break;
      case head:
        this.#lose(leg, Failures.originReset);
        break;
      default:
        if (leg.isHeld) leg.whileHeld = WhileHeld.failed;
        else this.#exchanges.fail(leg.exchange!, Failures.responseCut);
    }
  }

  /** The backend has taken all that was queued of the request body. */
  drained(leg: OriginLeg): void {
    const { exchange } = leg;
    if (exchange === null || exchange.requestSent) return;
    if (leg.state === head) this.#plane.deadlines.clear(leg.connection);
    this.#exchanges.originReady(exchange);
  }

  due(leg: OriginLeg): void {
    switch (leg.state) {
      case connecting:
        this.#connectFailed(leg, Errno.ETIMEDOUT);
        break;
      case idle:
        this.#plane.count(Counter.closedOriginIdle, 1);
        this.#closeIdle(leg);
        break;
      case head:
        this.#exchanges.fail(leg.exchange!, Failures.responseTimeout);
        break;
      default:
        this.#exchanges.fail(leg.exchange!, Failures.responseStalled);
    }
  }

  /** Sends a piece of the request body; borrows the range. Blocks the client while too much is queued. */
  sendBody(exchange: Exchange, start: number, end: number, done: boolean): void {
    const plane = this.#plane;
    const leg = exchange.origin!;
    if (start < end || done) exchange.bodySent = true;
    if (start < end) {
      plane.buffers.retain(start);
      const housed = plane.housePiece(start, end);
      plane.port.send(leg.connection, housed, housed + end - start);
      plane.counters[Counter.originBytesOut] = plane.counters[Counter.originBytesOut]! + (end - start);
    }
    if (done) {
      const { endBytes } = exchange.requestBody;
      if (endBytes > 0) {
        const endStart = slotWithEnd(plane, exchange.requestBody);
        if (endStart < 0) {
          this.#exchanges.fail(exchange, Failures.overload);
          return;
        }
        plane.port.send(leg.connection, endStart, endStart + endBytes);
        plane.counters[Counter.originBytesOut] = plane.counters[Counter.originBytesOut]! + endBytes;
      }
      exchange.requestSent = true;
      if (leg.state === head) this.#awaitResponse(leg);
    } else if (plane.isQueueLong(leg.connection, end - start)) {
      this.#exchanges.blockClient(exchange);
      plane.port.wantDrained(leg.connection);
      if (leg.state === head) this.#awaitResponse(leg);
    }
  }

  resume(leg: OriginLeg): void {
    if (!leg.paused) return;
    leg.paused = false;
    if (leg.isHeld) return;
    this.#plane.port.resume(leg.connection);
    const client = leg.exchange!.client!;
    this.#plane.standstill.leave(client.connection);
    // The other direction may be as stuck as before.
    if (client.blocked) this.#plane.standstill.enter(client.connection, this.#plane.nowMs);
    if (leg.state === body) this.#expectBody(leg, leg.exchange!);
    else if (leg.exchange!.requestSent) this.#awaitResponse(leg);
  }

  abort(leg: OriginLeg): void {
    this.#close(leg);
  }

  detach(leg: OriginLeg): void {
    dropPartial(this.#plane, leg);
    this.#plane.deadlines.clear(leg.connection);
    if (leg.paused) this.#plane.port.resume(leg.connection);
    this.#recycle(leg);
  }

  /** Closes idle connections to `endpoint`, those used longest ago first, until there are `keptCount`. */
  closeIdle(endpoint: EndpointState, keptCount: number): void {
    const excess = endpoint.idleCount - keptCount;
    if (excess <= 0) return;
    for (let i = 0; i < excess; i++) this.#close(this.#legs[endpoint.idleAt(i)]!);
    endpoint.dropOldest(excess);
    this.#plane.count(Counter.originsIdle, -excess);
  }

  #send(leg: OriginLeg, exchange: Exchange): void {
    const plane = this.#plane;
    leg.state = head;
    leg.sentBatch = plane.batch;
    leg.exchange = exchange;
    exchange.origin = leg;
    const { requestStart, requestEnd } = exchange;
    plane.buffers.retain(requestStart);
    plane.beginMessage(leg.connection);
    plane.port.send(leg.connection, requestStart, requestEnd);
    plane.counters[Counter.originBytesOut] =
      plane.counters[Counter.originBytesOut]! + (requestEnd - requestStart);
    if (exchange.wholeInSlot) {
      exchange.requestSent = true;
      this.#awaitResponse(leg);
    } else {
      plane.deadlines.clear(leg.connection);
      this.#exchanges.originReady(exchange);
    }
  }

  #awaitResponse(leg: OriginLeg): void {
    this.#plane.deadlines.set(leg.connection, leg.exchange!.timeouts.responseHeadMs);
  }

  #expectBody(leg: OriginLeg, exchange: Exchange): void {
    const { deadlines } = this.#plane;
    if (exchange.eventStream) deadlines.clear(leg.connection);
    else deadlines.set(leg.connection, exchange.timeouts.responseBodyIdleMs);
  }

  /**
   * Begins the response whose head was just read; `[pos, end)` follows it. `false`: nothing more to do with this
   * input.
   */
  #begin(leg: OriginLeg, exchange: Exchange, pos: number, end: number): boolean {
    const responseHead = this.#heads.head;
    const { framing } = this.#heads;
    exchange.eventStream = responseHead.eventStream;
    exchange.originKeepAlive = persists(responseHead) && leavesConnectionClean(responseHead, framing);
    if (!this.#responses.begin(exchange, responseHead, framing)) {
      this.#exchanges.fail(exchange, unbegunFailure(exchange));
      return false;
    }
    this.#exchanges.responseBegun(exchange);
    exchange.responseBody.begin(framing, responseHead.contentLength, exchange.bodyMode);
    leg.state = body;
    dropPartial(this.#plane, leg);
    if (exchange.intercepted !== null) {
      const { interceptions } = this.#exchanges;
      if (!interceptions.response(exchange, framing, responseHead.contentLength)) {
        this.#hold(leg, pos, end);
        return false;
      }
    }
    // `received` goes on with the body only when input is left; a response without one is complete here.
    if (framing === Framing.none) {
      this.#complete(leg, exchange, pos === end);
      return false;
    }
    if (pos === end) this.#responses.flush(exchange);
    if (pos === end) this.#expectBody(leg, exchange);
    return pos < end;
  }

  /** Reads the body from `from` on, in the range `[start, end)` that was received. */
  #readBody(leg: OriginLeg, exchange: Exchange, start: number, from: number, end: number): void {
    const { memory, view } = this.#plane;
    const { interceptions } = this.#exchanges;
    const reader = exchange.responseBody;
    let pos = from;
    while (pos < end && !reader.done) {
      pos = reader.feed(memory, view, pos, end);
      if (pos < 0) {
        this.#exchanges.fail(exchange, Failures.responseCut);
        return;
      }
      if (exchange.intercepted === null) this.#responses.body(exchange, reader.outStart, reader.outEnd);
      else if (!interceptions.responseBytes(exchange, reader.outStart, reader.outEnd) && !reader.done) {
        this.#hold(leg, pos, end);
        return;
      }
    }
    if (reader.done) {
      // Behind a receive that filled its buffer more may wait that was there before the next request is.
      this.#complete(leg, exchange, pos === end && end - start < RECEIVE_MAX);
      return;
    }
    if (isStaged(exchange)) {
      this.#expectBody(leg, exchange);
      return;
    }
    this.#responses.flush(exchange);
    const client = exchange.client!.connection;
    if (this.#plane.isQueueLong(client, end - from)) this.#pause(leg, client);
    else this.#expectBody(leg, exchange);
  }

  /** Interim responses without end must not pile up for a client that takes none. */
  #checkInterims(leg: OriginLeg, bytes: number): void {
    const client = leg.exchange!.client!.connection;
    if (this.#plane.isQueueLong(client, bytes)) this.#pause(leg, client);
  }

  /** The client is slow: its backend waits, and the client's own silence is what is timed. */
  #pause(leg: OriginLeg, client: number): void {
    const { port, deadlines, snapshot, standstill, nowMs } = this.#plane;
    deadlines.clear(leg.connection);
    deadlines.set(client, snapshot.timeouts.clientSendIdleMs);
    if (leg.paused) return;
    leg.paused = true;
    standstill.enter(client, nowMs);
    port.pause(leg.connection);
    port.wantDrained(client);
  }

  /** The response is complete. `clean`: not a byte lies behind it, as far as that can be known. */
  #complete(leg: OriginLeg, exchange: Exchange, clean: boolean): void {
    const hasStage = isStaged(exchange);
    if (!hasStage && !this.#responses.end(exchange)) {
      this.#exchanges.fail(exchange, Failures.overload);
      return;
    }
    exchange.origin = null;
    const isClean = clean && (exchange.intercepted === null || !leg.hasLeftovers);
    if (isClean && exchange.originKeepAlive && exchange.requestSent && this.#park(leg)) leg.exchange = null;
    else this.#close(leg);
    if (hasStage) this.#exchanges.interceptions.responseEnded(exchange);
    else this.#exchanges.finish(exchange);
  }

  /** Foreign code is to be waited for. `[pos, end)` has come and is not read; borrowed. */
  #hold(leg: OriginLeg, pos: number, end: number): void {
    const { buffers, deadlines, nowMs, port, ranges, standstill } = this.#plane;
    leg.isHeld = true;
    deadlines.clear(leg.connection);
    if (pos < end) {
      buffers.retain(pos);
      ranges.unshift(leg.held, pos, end);
      standstill.enter(leg.exchange!.client!.connection, nowMs);
    }
    if (!leg.paused) port.pause(leg.connection);
  }

  release(leg: OriginLeg): void {
    if (!leg.isHeld) return;
    const { buffers, port, ranges, standstill } = this.#plane;
    const exchange = leg.exchange!;
    const client = exchange.client!;
    leg.isHeld = false;
    if (!leg.paused) port.resume(leg.connection);
    standstill.leave(client.connection);
    if (client.blocked) standstill.enter(client.connection, this.#plane.nowMs);
    while (!ranges.isEmpty(leg.held) && !exchange.responseBody.done) {
      const start = ranges.firstStart(leg.held);
      const end = ranges.firstEnd(leg.held);
      ranges.shift(leg.held);
      // The receive that brought it may have begun further in front.
      this.#readBody(leg, exchange, buffers.slotStart(start) + HEADROOM, start, end);
      buffers.release(start);
      if (leg.state !== body || leg.isHeld) return;
    }
    const { whileHeld } = leg;
    if (exchange.responseBody.done) this.#complete(leg, exchange, true);
    else if (whileHeld === WhileHeld.failed) this.#exchanges.fail(exchange, Failures.responseCut);
    else if (whileHeld === WhileHeld.ended) this.ended(leg);
    else if (!leg.paused) {
      this.#responses.flush(exchange);
      this.#expectBody(leg, exchange);
    }
  }

  #park(leg: OriginLeg): boolean {
    const plane = this.#plane;
    const endpoint = leg.endpoint!;
    const { timeouts } = plane.snapshot;
    if (!endpoint.listed) return false;
    if (plane.nowMs - leg.bornMs > timeouts.originAgeMs) {
      plane.count(Counter.closedOriginAge, 1);
      return false;
    }
    if (!endpoint.park(leg.connection)) return false;
    dropPartial(plane, leg);
    leg.state = idle;
    plane.count(Counter.originsIdle, 1);
    plane.deadlines.set(leg.connection, timeouts.originIdleMs);
    if (leg.paused) {
      leg.paused = false;
      plane.port.resume(leg.connection);
    }
    return true;
  }

  #lose(leg: OriginLeg, failure: Failure): void {
    const exchange = leg.exchange!;
    const { reused } = leg;
    const unsent = leg.sentBatch === this.#plane.batch;
    this.#close(leg);
    this.#exchanges.attempts.originLost(exchange, failure, reused, unsent);
  }

  #connectFailed(leg: OriginLeg, errno: number): void {
    const { notices, nowS } = this.#plane;
    const exchange = leg.exchange!;
    const endpoint = leg.endpoint!;
    if (!isShortage(errno) && endpoint.suspect(nowS)) notices.endpoint(endpoint.address, errno);
    this.#close(leg);
    this.#exchanges.attempts.connectFailed(exchange, errno);
  }

  #closeIdle(leg: OriginLeg): void {
    leg.endpoint!.removeIdle(leg.connection);
    this.#plane.count(Counter.originsIdle, -1);
    this.#close(leg);
  }

  #close(leg: OriginLeg): void {
    const plane = this.#plane;
    dropPartial(plane, leg);
    plane.dropRanges(leg.held);
    leg.isHeld = false;
    leg.whileHeld = WhileHeld.nothing;
    plane.count(Counter.originsOpen, -1);
    plane.deadlines.clear(leg.connection);
    plane.port.close(leg.connection);
    plane.kinds[leg.connection] = ConnectionKind.none;
    this.#recycle(leg);
  }

  #recycle(leg: OriginLeg): void {
    this.#legs[leg.connection] = null;
    leg.state = closed;
    leg.endpoint = null;
    leg.exchange = null;
    leg.connection = -1;
    this.#free.push(leg);
  }
}
