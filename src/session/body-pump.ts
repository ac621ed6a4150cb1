/**
 * Moves what foreign code has written of bodies into slots and on to connections: of answers and response
 * stages to the client, of request stages to the backend.
 *
 * Strategy: as much as the connection's queue takes, and no more: the rest waits as it was given
 * (`body-sender.ts`) until the connection has drained. Framing is written here, a chunk for each slot.
 *
 * @hot
 */
import { SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { CHUNK_PREFIX_BYTES_MAX, prefixChunk, writeLastChunk } from "../http1/chunk-writer.ts";
import type { BodySender } from "./body-sender.ts";
import type { Exchanges } from "./exchanges.ts";
import { Failures, hookFailure } from "./failure.ts";
import { type InterceptedExchange, Verdict } from "./intercepted.ts";
import { ClientState, OriginState } from "./legs.ts";
import type { Plane } from "./plane.ts";
import type { OriginProtocol } from "./protocols.ts";
import type { ResponseWriter } from "./response-writer.ts";

const PREFIX_BYTES = CHUNK_PREFIX_BYTES_MAX;
const SMALL_BYTES_MAX = SMALL_SLOT_BYTES - PREFIX_BYTES;
const IN_BODY = ClientState.body;
const HELD = Verdict.held;
/** From here on the head of the request has been sent. */
const SENDING = OriginState.head;

export class BodyPump {
  readonly #plane: Plane;
  readonly #exchanges: Exchanges;
  readonly #responses: ResponseWriter;
  #origins!: OriginProtocol;
  /** Where `#takeNext` has put something. */
  #start = -1;

  constructor(plane: Plane, exchanges: Exchanges, responses: ResponseWriter) {
    this.#plane = plane;
    this.#exchanges = exchanges;
    this.#responses = responses;
  }

  /** Once, before the first event. */
  join(origins: OriginProtocol): void {
    this.#origins = origins;
  }

  /** Sends what can be sent of the bodies of an exchange, which may be over then, and watches the rest. */
  move(intercepted: InterceptedExchange): void {
    const { requestSender, responseSender } = intercepted;
    if (requestSender !== null) {
      if (requestSender.failure !== null) this.#fail(intercepted, requestSender);
      else this.#moveRequest(intercepted, requestSender);
    }
    if (responseSender !== null && intercepted.responseSender === responseSender) {
      if (responseSender.failure !== null) this.#fail(intercepted, responseSender);
      else this.#moveResponse(intercepted, responseSender);
    }
    if (!intercepted.isLive) return;
    intercepted.requestSender?.tellDrained();
    intercepted.responseSender?.tellDrained();
    this.#watch(intercepted);
  }

  /** Whether the exchange cannot go on without foreign code. */
  isAwaited({ exchange, requestSender, responseSender, isStream, verdict }: InterceptedExchange): boolean {
    // Who holds it has a time of its own.
    if (verdict === HELD) return false;
    if (responseSender?.isAwaited === true && exchange.responseStarted && !isStream) return true;
    return requestSender?.isAwaited === true;
  }

  #fail({ exchange }: InterceptedExchange, sender: BodySender): void {
    this.#exchanges.fail(exchange, hookFailure(sender.failure!));
  }

  #moveRequest(intercepted: InterceptedExchange, sender: BodySender): void {
    const { buffers, memory } = this.#plane;
    const { exchange, sendsChunks } = intercepted;
    const { origin } = exchange;
    if (exchange.requestSent || origin === null || origin.state < SENDING) return;
    while (sender.pendingBytes > 0 && !sender.isBlocked) {
      const bytes = this.#takeNext(intercepted, sender);
      if (bytes < 0) return;
      const start = this.#start;
      const from = sendsChunks ? prefixChunk(memory, start, bytes, intercepted.isFirstChunk) : start;
      intercepted.isFirstChunk = false;
      this.#origins.sendBody(exchange, from, start + bytes, false);
      buffers.release(start);
    }
    if (!sender.hasEnded || sender.pendingBytes > 0) return;
    const slot = buffers.acquireSmall();
    if (slot < 0) {
      this.#exchanges.fail(exchange, Failures.overload);
      return;
    }
    const end = sendsChunks ? writeLastChunk(memory, slot, intercepted.isFirstChunk) : slot;
    this.#origins.sendBody(exchange, slot, end, true);
    buffers.release(slot);
  }

  #moveResponse(intercepted: InterceptedExchange, sender: BodySender): void {
    const { buffers } = this.#plane;
    const { exchange } = intercepted;
    // Its head may be held.
    if (!exchange.responseStarted) return;
    const client = exchange.client!.connection;
    while (sender.pendingBytes > 0 && !sender.isBlocked) {
      const bytes = this.#takeNext(intercepted, sender);
      if (bytes < 0) return;
      const start = this.#start;
      intercepted.responseBodyBytes += bytes;
      this.#responses.body(exchange, start, start + bytes);
      buffers.release(start);
      if (this.#plane.isQueueLong(client, bytes)) this.#block(intercepted, sender, client);
    }
    if (!sender.hasEnded || sender.pendingBytes > 0) {
      this.#responses.flush(exchange);
      return;
    }
    // A stage may have said all before its backend has.
    if (exchange.origin !== null) {
      this.#origins.abort(exchange.origin);
      exchange.origin = null;
    }
    if (this.#responses.end(exchange)) this.#exchanges.finish(exchange);
    else this.#exchanges.fail(exchange, Failures.overload);
  }

  /**
   * Copies what comes next of a body to `#start`, behind room for the line of a chunk, in a slot with one
   * reference. Returns how many bytes; -1: the exchange has failed.
   */
  #takeNext(intercepted: InterceptedExchange, sender: BodySender): number {
    const { buffers, memory } = this.#plane;
    const slot = this.#acquire(sender.pendingBytes);
    if (slot < 0) {
      this.#exchanges.fail(intercepted.exchange, Failures.overload);
      return -1;
    }
    this.#start = slot + PREFIX_BYTES;
    const bytes = sender.take(memory, this.#start, buffers.slotEnd(slot));
    if (sender.failure === null) return bytes;
    buffers.release(slot);
    this.#fail(intercepted, sender);
    return -1;
  }

  /** The client is slow: its own silence is what is timed. */
  #block(intercepted: InterceptedExchange, sender: BodySender, client: number): void {
    const { deadlines, port, snapshot, standstill, nowMs } = this.#plane;
    this.#responses.flush(intercepted.exchange);
    sender.isBlocked = true;
    intercepted.isTimed = false;
    deadlines.set(client, snapshot.timeouts.clientSendIdleMs);
    standstill.enter(client, nowMs);
    port.wantDrained(client);
  }

  /** Times foreign code while it is its turn. */
  #watch(intercepted: InterceptedExchange): void {
    const { deadlines } = this.#plane;
    const { exchange } = intercepted;
    const client = exchange.client!;
    if (this.isAwaited(intercepted)) {
      intercepted.isTimed = true;
      deadlines.set(client.connection, exchange.timeouts.responseBodyIdleMs);
      return;
    }
    if (!intercepted.isTimed) return;
    intercepted.isTimed = false;
    // A body that is being read has the deadline of its next piece.
    if (client.state !== IN_BODY || client.blocked) deadlines.clear(client.connection);
  }

  /** A slot for `bytes`, or for some of them; -1: there is none. */
  #acquire(bytes: number): number {
    const { buffers } = this.#plane;
    const isSmall = bytes <= SMALL_BYTES_MAX || this.#plane.isShortOfSlots();
    const slot = isSmall ? buffers.acquireSmall() : buffers.acquireLarge();
    if (slot >= 0) return slot;
    return isSmall ? buffers.acquireLarge() : buffers.acquireSmall();
  }
}
