/**
 * Who is told that something failed: the counters always, the control plane where it has room for one more
 * notice.
 */
import { textOf } from "../base/bytes.ts";
import type { FailureNotice } from "../contract/notices.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import { type Asked, askedIn } from "./asked.ts";
import { type Exchange, endpointOf, phaseOf } from "./exchange.ts";
import { type Failure, Failures, faultCounter } from "./failure.ts";
import type { ClientLeg } from "./legs.ts";
import type { Plane } from "./plane.ts";
import type { ClientProtocol } from "./protocols.ts";

export class FailureReports {
  readonly #plane: Plane;
  #clients!: ClientProtocol;

  constructor(plane: Plane) {
    this.#plane = plane;
  }

  /** Once, before the first event. */
  join(clients: ClientProtocol): void {
    this.#clients = clients;
  }

  /** An exchange has failed; its client is told `status`, or nothing: 0. */
  ofExchange(exchange: Exchange, failure: Failure, status: number): void {
    // What came of connecting was counted where it was seen, once per attempt.
    if (failure.phase !== "connect" || failure === Failures.noEndpoint) this.#plane.count(failure.counter, 1);
    const { by, reason, text } = failure;
    if (!this.#plane.notices.admits(reason)) return;
    const noted = exchange.intercepted?.failurePhase ?? "";
    const phase = failure.phase !== "" ? failure.phase : noted !== "" ? noted : phaseOf(exchange);
    const { request, requestId } = askedIn(this.#plane.memory, exchange);
    const leg = exchange.client!;
    this.#tell(by, phase, reason, status, leg, endpointOf(exchange), request, text, requestId);
  }

  /** The body of a request cannot be understood; its client is told `status`, or nothing: 0. */
  ofBody(exchange: Exchange, fault: Fault, status: number, asked: Asked): void {
    const { name, text } = FAULTS[fault];
    this.#plane.count(faultCounter(fault), 1);
    if (!this.#plane.notices.admits(name)) return;
    const { request, requestId } = asked;
    const leg = exchange.client!;
    this.#tell("client", "request-body", name, status, leg, endpointOf(exchange), request, text, requestId);
  }

  /** A request without an exchange failed. */
  ofRequest(failure: Failure, leg: ClientLeg, status: number, request: string): void {
    this.#plane.count(failure.counter, 1);
    if (!this.#plane.notices.admits(failure.reason)) return;
    const phase = failure.phase === "" ? "request-head" : failure.phase;
    this.#tell(failure.by, phase, failure.reason, status, leg, "", request, failure.text);
  }

  /** A head was refused. */
  ofHead(fault: Fault, leg: ClientLeg, request: string): void {
    const { name, status, text } = FAULTS[fault];
    this.#plane.count(faultCounter(fault), 1);
    if (!this.#plane.notices.admits(name)) return;
    this.#tell("client", "request-head", name, status, leg, "", request, text);
  }

  #tell(
    by: FailureNotice["by"],
    phase: FailureNotice["phase"],
    reason: string,
    status: number,
    leg: ClientLeg,
    endpoint: string,
    request: string,
    message: string,
    requestId = "",
  ): void {
    this.#clients.ensurePeer(leg);
    const client = leg.peerStart < 0 ? "" : textOf(this.#plane.memory, leg.peerStart, leg.peerEnd);
    const notice = { by, phase, reason, status, client, endpoint, request, message };
    this.#plane.notices.failure(requestId === "" ? notice : { ...notice, requestId });
  }
}
