/**
 * Answers that no backend gives: to an OPTIONS that may go no further, of routes that forward to nobody, and to
 * requests that are refused for what their route says.
 *
 * Strategy: without hooks there is no exchange: the answer is copied and forgotten. With hooks there is one, which goes
 * through the same moments as any other; only a backend is never asked, unless a hook chooses one.
 *
 * @hot
 */
import { SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { writeBytes } from "../base/bytes.ts";
import { Framing } from "../http1/framing.ts";
import { type MessageHead, Method, persists } from "../http1/message-head.ts";
import { askedBy } from "./asked.ts";
import type { Exchange } from "./exchange.ts";
import type { Exchanges } from "./exchanges.ts";
import { type Failure, Failures } from "./failure.ts";
import { type ClientLeg, ClientState } from "./legs.ts";
import { type LocalAnswer, NO_BYTES } from "./local-answer.ts";
import type { Plane } from "./plane.ts";
import type { ClientProtocol } from "./protocols.ts";
import type { ResponseWriter } from "./response-writer.ts";
import { bodyBytesMaxOf, type Router } from "./routing.ts";

const NONE = Framing.none;
const LENGTH = Framing.length;

export class LocalAnswers {
  readonly #plane: Plane;
  readonly #responses: ResponseWriter;
  readonly #exchanges: Exchanges;
  #clients!: ClientProtocol;

  constructor(plane: Plane, responses: ResponseWriter, exchanges: Exchanges) {
    this.#plane = plane;
    this.#responses = responses;
    this.#exchanges = exchanges;
  }

  /** Once, before the first event. */
  join(clients: ClientProtocol): void {
    this.#clients = clients;
  }

  /**
   * Answers an OPTIONS that may go no further: we are its final recipient (RFC 9110 §7.6.2). Returns up to
   * where the input was used. @cold
   */
  options(leg: ClientLeg, head: MessageHead, framing: number, pos: number, end: number): number {
    const keepAlive = framing === NONE && this.#goesOn(leg, head);
    // The connection ends: whatever follows the head is not read.
    if (!keepAlive) leg.state = ClientState.body;
    const isTold = this.#responses.answerOptions(leg, !keepAlive);
    this.#clients.exchangeEnded(leg, keepAlive && isTold);
    return keepAlive ? pos : end;
  }

  /** Answers a request that `router` forwards to nobody. Returns up to where the input was used. */
  routed(
    leg: ClientLeg,
    head: MessageHead,
    router: Router,
    framing: number,
    pos: number,
    end: number,
  ): number {
    const isHere = framing === NONE || (framing === LENGTH && head.contentLength <= end - pos);
    const keepAlive = isHere && this.#goesOn(leg, head);
    // The connection ends: whatever follows the head is not read.
    if (!keepAlive) leg.state = ClientState.body;
    const isTold = router.answer(this.#responses, leg, head, !keepAlive);
    const { failure } = router;
    if (failure !== null) {
      const { request } = askedBy(this.#plane.memory, head);
      this.#exchanges.reports.ofRequest(failure, leg, failure.status, request, head);
    }
    this.#clients.exchangeEnded(leg, keepAlive && isTold);
    if (!keepAlive) return end;
    return framing === LENGTH ? pos + head.contentLength : pos;
  }

  /** The hooks of `exchange`, which was opened for a local answer, let it go on: to that, or where they send it. */
  goOn(exchange: Exchange): void {
    if (exchange.cluster === null) {
      this.#answer(exchange);
      return;
    }
    const bytesMax = bodyBytesMaxOf(exchange.plan, this.#plane.snapshot.limits.requestBodyBytesMax);
    const isTooLarge = bytesMax > 0 && exchange.intercepted!.requestLength > bytesMax;
    if (isTooLarge) this.#exchanges.fail(exchange, Failures.bodyTooLarge);
    else this.#exchanges.attempts.dispatch(exchange, Failures.noEndpoint);
  }

  #answer(exchange: Exchange): void {
    const local = exchange.local!;
    const { interceptions } = this.#exchanges;
    if (local.failure !== null) {
      this.#exchanges.fail(exchange, local.failure);
      return;
    }
    if (!this.#responses.beginLocal(exchange, local)) {
      this.#exchanges.fail(exchange, Failures.overload);
      return;
    }
    if (local.isDecided) this.#responses.commit(exchange);
    else {
      const { length } = bodyOf(exchange);
      if (!interceptions.response(exchange, length === 0 ? NONE : LENGTH, length)) return;
    }
    this.send(exchange);
  }

  /** Sends the body of the local answer whose head is committed, and ends `exchange`. */
  send(exchange: Exchange): void {
    const { buffers, memory } = this.#plane;
    const { interceptions } = this.#exchanges;
    const body = bodyOf(exchange);
    if (body.length > 0) {
      const slot = body.length <= SMALL_SLOT_BYTES ? buffers.acquireSmall() : buffers.acquireLarge();
      if (slot < 0) {
        this.#exchanges.fail(exchange, Failures.overload);
        return;
      }
      interceptions.responseBytes(exchange, slot, writeBytes(memory, slot, body));
      buffers.release(slot);
    }
    if (exchange.intercepted!.responseSender !== null) {
      interceptions.responseEnded(exchange);
      return;
    }
    this.#responses.end(exchange);
    this.#exchanges.finish(exchange);
  }

  /** The answer to `failure` says what `local` says of it. */
  keepRetryAfter(local: LocalAnswer, failure: Failure): void {
    const { retryAfterS } = local;
    if (retryAfterS > 0 && failure === local.failure) this.#responses.lines.addRetryAfter(retryAfterS);
  }

  /** Whether the connection outlives an answer of ours to the request with `head`, whose body is here. */
  #goesOn(leg: ClientLeg, head: MessageHead): boolean {
    // As in `#open`: what follows a CONNECT may have been meant for the tunnel.
    if (this.#plane.isLeaving(leg.listener) || head.method === Method.CONNECT) return false;
    return head.versionMinor === 1 && persists(head) && leg.lastCounter < 0;
  }
}

/** What is sent behind the head; nothing to a HEAD. */
function bodyOf({ local, method }: Exchange): Uint8Array {
  return method === Method.HEAD ? NO_BYTES : local!.body;
}
