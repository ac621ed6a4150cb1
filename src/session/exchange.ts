/**
 * One request and its response: a client stream joined to an origin stream. The unit of proxying: what is
 * forwarded, retried, timed and counted is an exchange, whatever the protocol on either side.
 *
 * @hot
 */
import type { RoundRobin } from "../balance/round-robin.ts";
import type { Chain } from "../contract/interception.ts";
import type { FailureNotice } from "../contract/notices.ts";
import { DEFAULT_TIMEOUTS, type Timeouts } from "../contract/snapshot.ts";
import { BodyMode, BodyReader } from "../http1/body.ts";
import type { Fault } from "../http1/fault.ts";
import type { RoutePlan } from "../route/route-plan.ts";
import type { Waiter } from "./attempts.ts";
import type { InterceptedExchange } from "./intercepted.ts";
import { type ClientLeg, ClientState, type OriginLeg, OriginState } from "./legs.ts";
import type { LocalAnswer } from "./local-answer.ts";

/** How a response body leaves towards the client. */
export const Outgoing = {
  /** As it is: a length, or nothing. */
  plain: 0,
  /** Chunked in, chunked out. */
  rechunked: 1,
  /** Until-close in, chunked out: we write the chunk lines. */
  chunked: 2,
  /** The end of the connection ends the body (an HTTP/1.0 client). */
  untilClose: 3,
} as const;
export type Outgoing = (typeof Outgoing)[keyof typeof Outgoing];

export class Exchange {
  client: ClientLeg | null = null;
  origin: OriginLeg | null = null;
  /** Null where it goes to no backend. */
  cluster: RoundRobin | null = null;
  /** What its route says; null where there are no routes. */
  plan: RoutePlan | null = null;
  /** The hooks of its route; null: none. */
  chain: Chain | null = null;
  /** What its chain sees; made at its first moment. */
  intercepted: InterceptedExchange | null = null;
  /** What it is answered unless its hooks say otherwise; null: a backend answers. */
  local: LocalAnswer | null = null;
  /** Its route's, or the snapshot's, as of its beginning. */
  timeouts: Timeouts = DEFAULT_TIMEOUTS;
  /** Index in `cluster.endpoints` of the endpoint in use. */
  endpointIndex = -1;
  /** Endpoints that failed it, as `RoundRobin.next` takes them. */
  tried = 0;
  attempts = 0;
  /** An idle connection has failed it: only a new one will do. */
  freshOnly = false;
  /** Its place among those who wait for a connection that the worker does not have. */
  waiter: Waiter | null = null;
  /** Until when it may wait there; -1: it never had to. */
  shortUntilMs = -1;

  method = 0;
  /**
   * The rewritten request as it is sent: the head, and the body too if `wholeInSlot`. One reference. -1:
   * given back.
   */
  requestStart = -1;
  requestEnd = -1;
  /** End of its head, kept only where there is a chain. */
  requestHeadEnd = -1;
  wholeInSlot = false;
  /** Every byte of the request has been given to the origin connection. */
  requestSent = false;
  /** Bytes of the body that are not in the slot have been given to an origin connection. */
  bodySent = false;
  /** It asked for another protocol, and passes on what asks for it. */
  upgrade = false;
  /** What the client sends behind it may belong to a tunnel: an upgrade, or CONNECT. */
  mayTunnel = false;
  readonly requestBody = new BodyReader();

  /** The client connection goes on after this exchange. */
  keepAlive = false;
  /** Minor version of the client's HTTP/1. */
  clientMinor = 1;
  /** The final response head has been sent. Nothing can be retried or answered by us any more. */
  responseStarted = false;
  outgoing: Outgoing = Outgoing.plain;
  /** The client takes trailer fields (RFC 9110 §6.5.1). */
  trailers = false;
  /** How the response body is read for what it becomes. */
  bodyMode: BodyMode = BodyMode.payload;
  /** The origin connection may be used again. */
  originKeepAlive = false;
  /** No chunk line has been written yet. */
  firstChunk = true;
  /** No limit on silence: an event stream. */
  eventStream = false;
  status = 0;
  readonly responseBody = new BodyReader();
  /** A slot that is still being filled with what goes to the client next; -1: none. */
  slotStart = -1;
  slotAt = -1;
  slotLimit = -1;
  /** Field lines that its response gets from its route, with one reference; -1: none. */
  linesStart = -1;
  linesEnd = -1;
  /** Of these, the first go to answers of our own as well. */
  ownLinesEnd = -1;

  /** What is wrong with the head of a backend's response; 0: nothing. */
  responseFault: Fault | 0 = 0;

  /** When the request head was complete. */
  startMs = 0;

  /** As made, but for the two readers, which are begun anew for each body. */
  clear(): void {
    this.client = null;
    this.origin = null;
    this.cluster = null;
    this.plan = null;
    this.chain = null;
    this.intercepted = null;
    this.local = null;
    this.timeouts = DEFAULT_TIMEOUTS;
    this.endpointIndex = -1;
    this.tried = 0;
    this.attempts = 0;
    this.freshOnly = false;
    this.waiter = null;
    this.shortUntilMs = -1;
    this.method = 0;
    this.requestStart = -1;
    this.requestEnd = -1;
    this.requestHeadEnd = -1;
    this.wholeInSlot = false;
    this.requestSent = false;
    this.bodySent = false;
    this.upgrade = false;
    this.mayTunnel = false;
    this.keepAlive = false;
    this.clientMinor = 1;
    this.responseStarted = false;
    this.outgoing = Outgoing.plain;
    this.trailers = false;
    this.bodyMode = BodyMode.payload;
    this.originKeepAlive = false;
    this.firstChunk = true;
    this.eventStream = false;
    this.status = 0;
    this.slotStart = -1;
    this.slotAt = -1;
    this.slotLimit = -1;
    this.linesStart = -1;
    this.linesEnd = -1;
    this.ownLinesEnd = -1;
    this.responseFault = 0;
    this.startMs = 0;
  }
}

/** Its response's body goes through foreign code. */
export function isStaged({ intercepted }: Exchange): boolean {
  return intercepted !== null && intercepted.responseSender !== null;
}

/** Name of the endpoint in use, or "". */
export function endpointOf({ cluster, endpointIndex }: Exchange): string {
  return endpointIndex < 0 ? "" : cluster!.endpoints[endpointIndex]!.name;
}

/** The client is told `status`, for those who log it. */
export function noteTold(exchange: Exchange, status: number): void {
  exchange.status = status;
  if (exchange.intercepted !== null) exchange.intercepted.isTold = true;
}

/** What is going on in an exchange that has not ended. */
export function phaseOf(exchange: Exchange): FailureNotice["phase"] {
  if (exchange.responseStarted) return "response-body";
  const isLocal = exchange.local !== null && exchange.cluster === null;
  if (exchange.requestStart < 0 || isLocal) return "request-head";
  const { origin } = exchange;
  if (origin === null || origin.state === OriginState.connecting) return "connect";
  return exchange.client!.state === ClientState.body ? "request-body" : "response-head";
}
