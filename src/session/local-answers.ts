/**
 * Answers that the proxy gives without an exchange: to an OPTIONS that may go no further, and for routes that
 * forward to nobody.
 *
 * @hot
 */
import { Framing } from "../http1/framing.ts";
import { type MessageHead, Method, persists } from "../http1/message-head.ts";
import { askedBy } from "./asked.ts";
import type { FailureReports } from "./failure-reports.ts";
import { type ClientLeg, ClientState } from "./legs.ts";
import type { Plane } from "./plane.ts";
import type { ClientProtocol } from "./protocols.ts";
import type { ResponseWriter } from "./response-writer.ts";
import type { Router } from "./routing.ts";

const NONE = Framing.none;
const LENGTH = Framing.length;

export class LocalAnswers {
  readonly #plane: Plane;
  readonly #responses: ResponseWriter;
  readonly #reports: FailureReports;
  #clients!: ClientProtocol;

  constructor(plane: Plane, responses: ResponseWriter, reports: FailureReports) {
    this.#plane = plane;
    this.#responses = responses;
    this.#reports = reports;
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
      this.#reports.ofRequest(failure, leg, failure.status, askedBy(this.#plane.memory, head).request, head);
    }
    this.#clients.exchangeEnded(leg, keepAlive && isTold);
    if (!keepAlive) return end;
    return framing === LENGTH ? pos + head.contentLength : pos;
  }

  /** Whether the connection outlives an answer of ours to the request with `head`, whose body is here. */
  #goesOn(leg: ClientLeg, head: MessageHead): boolean {
    // As in `#open`: what follows a CONNECT may have been meant for the tunnel.
    if (this.#plane.isLeaving(leg.listener) || head.method === Method.CONNECT) return false;
    return head.versionMinor === 1 && persists(head) && leg.lastCounter < 0;
  }
}
