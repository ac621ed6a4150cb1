/**
 * Who is told that something failed: the counters always, the control plane where it has room for one more
 * notice.
 */
import type { FailureNotice } from "../contract/notices.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import type { MessageHead } from "../http1/message-head.ts";
import { type Asked, askedIn } from "./asked.ts";
import type { ClientNames } from "./client-names.ts";
import { type Exchange, endpointOf, phaseOf } from "./exchange.ts";
import { type Failure, Failures, faultCounter, responseFaultText } from "./failure.ts";
import type { ClientLeg } from "./legs.ts";
import type { Plane } from "./plane.ts";
import type { ClientProtocol } from "./protocols.ts";

export class FailureReports {
  readonly #plane: Plane;
  readonly #names: ClientNames;
  #clients!: ClientProtocol;

  constructor(plane: Plane, names: ClientNames) {
    this.#plane = plane;
    this.#names = names;
  }

  /** Once, before the first event. */
  join(clients: ClientProtocol): void {
    this.#clients = clients;
  }

  /** An exchange has failed; its client is told `status`, or nothing: 0. */
  ofExchange(exchange: Exchange, failure: Failure, status: number): void {
    // What came of connecting to an endpoint was counted where it was seen, once per attempt.
    const isOfEndpoint = failure !== Failures.noEndpoint && failure !== Failures.noConnection;
    if (failure.phase !== "connect" || !isOfEndpoint) this.#plane.count(failure.counter, 1);
    const { by, reason } = failure;
    if (!this.#plane.notices.admits(reason)) return;
    const noted = exchange.intercepted?.failurePhase ?? "";
    const phase = failure.phase !== "" ? failure.phase : noted !== "" ? noted : phaseOf(exchange);
    const { request, requestId } = askedIn(this.#plane.memory, exchange);
    const leg = exchange.client!;
    // What ends it may be another thing: a client that leaves while a hook looks at the first.
    const isOfHead = failure === Failures.badResponse || failure === Failures.responseHeadTooLarge;
    const fault = isOfHead ? exchange.responseFault : 0;
    const text = fault === 0 ? failure.text : `${failure.text} ${responseFaultText(fault)}`;
    const word = fault === 0 ? "" : FAULTS[fault].name;
    this.#tell(by, phase, reason, status, leg, endpointOf(exchange), request, text, requestId, word);
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

  /** A request without an exchange failed, of which `head` was read. */
  ofRequest(failure: Failure, leg: ClientLeg, status: number, request: string, head: MessageHead): void {
    this.#plane.count(failure.counter, 1);
    if (!this.#plane.notices.admits(failure.reason)) return;
    this.#note(leg, head);
    const phase = failure.phase === "" ? "request-head" : failure.phase;
    this.#tell(failure.by, phase, failure.reason, status, leg, "", request, failure.text);
  }

  /** `head` was refused. */
  ofHead(fault: Fault, leg: ClientLeg, request: string, head: MessageHead): void {
    const { name, status, text } = FAULTS[fault];
    this.#plane.count(faultCounter(fault), 1);
    if (!this.#plane.notices.admits(name)) return;
    this.#note(leg, head);
    this.#tell("client", "request-head", name, status, leg, "", request, text);
  }

  #note(leg: ClientLeg, head: MessageHead): void {
    this.#clients.ensurePeer(leg);
    if (leg.trusted) this.#names.note(leg, head);
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
    fault = "",
  ): void {
    this.#clients.ensurePeer(leg);
    const client = this.#names.clientOf(leg);
    const peer = this.#names.peerOf(leg);
    this.#plane.notices.failure({
      ...{ by, phase, reason, status, client, ...(client === peer ? {} : { peer }) },
      ...{ endpoint, request, message, ...(fault === "" ? {} : { fault }) },
      ...(requestId === "" ? {} : { requestId }),
    });
  }
}
