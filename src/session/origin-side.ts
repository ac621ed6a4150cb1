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
import { RECEIVE_BYTES } from "../base/buffer-pool.ts";
import { histogramRecord } from "../base/histogram.ts";
import { Counter, HistogramCell } from "../contract/counters.ts";
import { Errno } from "../contract/errno.ts";
import { Framing, leavesConnectionClean, responseFraming } from "../http1/framing.ts";
import { MessageHead, Method, NEED_MORE, persists, upgrades } from "../http1/message-head.ts";
import { parseResponseHead } from "../http1/response-head.ts";
import type { Exchange } from "./exchange.ts";
import type { Exchanges } from "./exchanges.ts";
import { type Failure, Failures } from "./failure.ts";
import { OriginLeg, OriginState } from "./legs.ts";
import { dropPartial, growPartial, isTooEarlyToParse, NO_SLOT, parseLater } from "./partial-head.ts";
import { ConnectionKind, microseconds, type Plane } from "./plane.ts";
import type { OriginProtocol } from "./protocols.ts";
import type { ResponseWriter } from "./response-writer.ts";
import { mayReuse } from "./reuse.ts";
import { unbegunFailure } from "./routing.ts";
import { slotWithEnd } from "./trailers.ts";

const { closed, connecting, idle, head, body } = OriginState;
const RECEIVE_MAX = RECEIVE_BYTES;
/** Interim responses in one piece of input. Each takes a slot, and nobody has use for so many at once. */
const INTERIMS_AT_ONCE_MAX = 64;

export class OriginSide implements OriginProtocol {
  readonly #plane: Plane;
  readonly #exchanges: Exchanges;
  readonly #responses: ResponseWriter;
  /** By connection. */
  readonly #legs: (OriginLeg | null)[];
  readonly #free: OriginLeg[] = [];
  readonly #head = new MessageHead();

  constructor(plane: Plane, exchanges: Exchanges, responses: ResponseWriter) {
    this.#plane = plane;
    this.#exchanges = exchanges;
    this.#responses = responses;
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
    if (mayReuse(plane, exchange, endpoint)) {
      const connection = endpoint.takeIdle();
      if (connection >= 0) {
        const leg = this.#legs[connection]!;
        plane.count(Counter.originsIdle, -1);
        plane.count(Counter.originsReused, 1);
        leg.reused = true;
        this.#send(leg, exchange);
        return 0;
      }
    }
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
      if (leg.state === head) pos = this.#readHeads(leg, leg.exchange!, start, end);
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
        this.#exchanges.fail(leg.exchange!, Failures.responseCut);
    }
  }

  /** The backend has taken all that was queued of the request body. */
  drained(leg: OriginLeg): void {
    const { exchange } = leg;
    if (exchange === null || exchange.requestSent) return;
    if (leg.state === head) this.#plane.deadlines.clear(leg.connection);
    this.#exchanges.originReady(exchange);
  }

  /** The leg's deadline has passed. */
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

  /** The client has room again. */
  resume(leg: OriginLeg): void {
    if (!leg.paused) return;
    leg.paused = false;
    this.#plane.port.resume(leg.connection);
    const client = leg.exchange!.client!;
    this.#plane.standstill.leave(client.connection);
    // The other direction may be as stuck as before.
    if (client.blocked) this.#plane.standstill.enter(client.connection, this.#plane.nowMs);
    if (leg.state === body) this.#expectBody(leg, leg.exchange!);
    else if (leg.exchange!.requestSent) this.#awaitResponse(leg);
  }

  /** The exchange is over before its response is: the connection cannot be used again. */
  abort(leg: OriginLeg): void {
    this.#close(leg);
  }

  /** The connection becomes one half of a tunnel: the leg goes, the connection stays. */
  detach(leg: OriginLeg): void {
    dropPartial(this.#plane, leg.partial);
    this.#plane.deadlines.clear(leg.connection);
    if (leg.paused) this.#plane.port.resume(leg.connection);
    this.#recycle(leg);
  }

  /** Closes every idle connection to `endpoint`. */
  closeIdleOf(endpoint: EndpointState): void {
    for (;;) {
      const connection = endpoint.takeIdle();
      if (connection < 0) return;
      this.#plane.count(Counter.originsIdle, -1);
      this.#close(this.#legs[connection]!);
    }
  }

  /** Closes idle connections to `endpoint` beyond what its pool may keep now. */
  closeSurplusOf(endpoint: EndpointState): void {
    for (let surplus = endpoint.takeSurplus(); surplus >= 0; surplus = endpoint.takeSurplus()) {
      this.#plane.count(Counter.originsIdle, -1);
      this.#close(this.#legs[surplus]!);
    }
  }

  #send(leg: OriginLeg, exchange: Exchange): void {
    const plane = this.#plane;
    leg.state = head;
    leg.sentBatch = plane.batch;
    leg.exchange = exchange;
    exchange.origin = leg;
    const { requestStart, requestEnd } = exchange;
    plane.buffers.retain(requestStart);
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
   * Reads interim heads and the final one. Returns where the body begins, or -1: nothing more to do with this
   * input.
   */
  #readHeads(leg: OriginLeg, exchange: Exchange, start: number, end: number): number {
    const { memory, snapshot } = this.#plane;
    const { partial } = leg;
    let pos = start;
    for (let heads = 0; pos < end; heads++) {
      let result: number;
      let after: number;
      if (partial.start < 0) {
        result = parseResponseHead(memory, pos, end, this.#head, snapshot.limits);
        after = result;
        if (result === NEED_MORE) {
          if (growPartial(this.#plane, partial, pos, end, snapshot.limits.headBytesMax) === NO_SLOT) {
            this.#exchanges.fail(exchange, Failures.overload);
          } else parseLater(partial, snapshot.limits.headBytesMax);
          return -1;
        }
      } else {
        after = growPartial(this.#plane, partial, pos, end, snapshot.limits.headBytesMax);
        if (after === NO_SLOT) {
          this.#exchanges.fail(exchange, Failures.overload);
          return -1;
        }
        if (isTooEarlyToParse(partial)) return -1;
        result = parseResponseHead(memory, partial.start, partial.end, this.#head, snapshot.limits);
        if (result === NEED_MORE) {
          parseLater(partial, snapshot.limits.headBytesMax);
          return -1;
        }
      }
      if (result < 0 || heads > INTERIMS_AT_ONCE_MAX) {
        this.#exchanges.fail(exchange, Failures.badResponse);
        return -1;
      }
      pos = after;
      if (!this.#headRead(leg, exchange, pos, end)) return -1;
      dropPartial(this.#plane, partial);
      if (leg.state !== head) return pos;
    }
    return -1;
  }

  /**
   * Acts on the head just read; `[pos, end)` follows it. `false`: the exchange has ended or become a tunnel.
   */
  #headRead(leg: OriginLeg, exchange: Exchange, pos: number, end: number): boolean {
    const responseHead = this.#head;
    const { status } = responseHead;
    if (status === 101) {
      if (!exchange.upgrade || !upgrades(responseHead)) {
        this.#exchanges.fail(exchange, Failures.badResponse);
        return false;
      }
      if (this.#responses.interim(exchange, responseHead, true)) this.#exchanges.tunnel(exchange, pos, end);
      else this.#exchanges.fail(exchange, Failures.overload);
      return false;
    }
    if (exchange.method === Method.CONNECT && status >= 200 && status < 300) {
      // RFC 9110 §9.3.6: whatever its fields say, this response has no body.
      if (this.#responses.tunnelOpened(exchange, responseHead)) this.#exchanges.tunnel(exchange, pos, end);
      else this.#exchanges.fail(exchange, Failures.overload);
      return false;
    }
    const framing = responseFraming(responseHead, exchange.method);
    if (framing < 0) {
      this.#exchanges.fail(exchange, Failures.badResponse);
      return false;
    }
    if (status < 200) {
      if (this.#responses.interim(exchange, responseHead, false)) return true;
      this.#exchanges.fail(exchange, Failures.overload);
      return false;
    }
    exchange.eventStream = responseHead.eventStream;
    exchange.originKeepAlive = persists(responseHead) && leavesConnectionClean(responseHead, framing);
    if (!this.#responses.begin(exchange, responseHead, framing)) {
      this.#exchanges.fail(exchange, unbegunFailure(exchange));
      return false;
    }
    this.#exchanges.responseBegun(exchange);
    exchange.responseBody.begin(framing, responseHead.contentLength, exchange.bodyMode);
    leg.state = body;
    // `received` goes on with the body only when input is left; a response without one is complete here.
    if (framing === Framing.none) {
      this.#complete(leg, exchange, pos === end);
      return false;
    }
    if (pos === end) {
      this.#responses.flush(exchange);
      this.#expectBody(leg, exchange);
    }
    return true;
  }

  /** Reads the body from `from` on, in the range `[start, end)` that was received. */
  #readBody(leg: OriginLeg, exchange: Exchange, start: number, from: number, end: number): void {
    const { memory, view } = this.#plane;
    const reader = exchange.responseBody;
    let pos = from;
    while (pos < end && !reader.done) {
      pos = reader.feed(memory, view, pos, end);
      if (pos < 0) {
        this.#exchanges.fail(exchange, Failures.responseCut);
        return;
      }
      this.#responses.body(exchange, reader.outStart, reader.outEnd);
    }
    if (reader.done) {
      // Behind a receive that filled its buffer more may wait that was there before the next request is.
      this.#complete(leg, exchange, pos === end && end - start < RECEIVE_MAX);
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
    if (!this.#responses.end(exchange)) {
      this.#exchanges.fail(exchange, Failures.overload);
      return;
    }
    exchange.origin = null;
    if (clean && exchange.originKeepAlive && exchange.requestSent && this.#park(leg)) leg.exchange = null;
    else this.#close(leg);
    this.#exchanges.finish(exchange);
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
    dropPartial(plane, leg.partial);
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
    this.#exchanges.originLost(exchange, failure, reused, unsent);
  }

  #connectFailed(leg: OriginLeg, errno: number): void {
    const { notices, nowS } = this.#plane;
    const exchange = leg.exchange!;
    const endpoint = leg.endpoint!;
    if (endpoint.suspect(nowS)) notices.endpoint(endpoint.address, errno);
    this.#close(leg);
    this.#exchanges.connectFailed(exchange, errno);
  }

  #closeIdle(leg: OriginLeg): void {
    leg.endpoint!.removeIdle(leg.connection);
    this.#plane.count(Counter.originsIdle, -1);
    this.#close(leg);
  }

  #close(leg: OriginLeg): void {
    const plane = this.#plane;
    dropPartial(plane, leg.partial);
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
