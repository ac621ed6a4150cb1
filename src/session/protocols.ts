/**
 * What exchanges ask of the two sides they join. HTTP/1.1 implements both (`client-side.ts`,
 * `origin-side.ts`); whatever else comes to speak for a client or an origin implements the same.
 */
import type { EndpointState } from "../balance/endpoint.ts";
import type { Fault } from "../http1/fault.ts";
import type { Exchange } from "./exchange.ts";
import type { Failure } from "./failure.ts";
import type { ClientLeg, OriginLeg } from "./legs.ts";

export interface ClientProtocol {
  /** Brings the text of the client's address into memory, if there is a slot for it. */
  ensurePeer(leg: ClientLeg): void;
  /** Answers the request whose head was just read and that has no exchange, and ends the connection. */
  refuse(leg: ClientLeg, failure: Failure): void;
  /** Answers a head that could not be read, and ends the connection. */
  refuseFault(leg: ClientLeg, fault: Fault): void;
  /** No more of the request body is taken until `unblock`. */
  block(leg: ClientLeg): void;
  unblock(leg: ClientLeg): void;
  /** The response is complete and queued. */
  exchangeEnded(leg: ClientLeg, keepAlive: boolean): void;
  /** The response cannot be completed: the client must see that it was cut. */
  cut(leg: ClientLeg): void;
  /** The connection becomes one half of a tunnel: the leg goes, the connection stays. */
  detach(leg: ClientLeg): void;
}

export interface OriginProtocol {
  /** Gives the exchange an idle connection to `endpoint`, where there is one that it may have. */
  reuse(exchange: Exchange, endpoint: EndpointState): boolean;
  /** Gives the exchange a connection: an idle one, or a new one that `Exchanges.originReady` announces.
   *  Returns 0, or a negative errno when connecting could not even begin. */
  open(exchange: Exchange, endpoint: EndpointState): number;
  /** Sends a piece of the request body, the last when `done`; borrows the range. */
  sendBody(exchange: Exchange, start: number, end: number, done: boolean): void;
  /** The client has room again. */
  resume(leg: OriginLeg): void;
  /** Foreign code lets a response go on that was held. */
  release(leg: OriginLeg): void;
  /** The exchange is over before its response is: the connection cannot be used again. */
  abort(leg: OriginLeg): void;
  /** The connection becomes one half of a tunnel: the leg goes, the connection stays. */
  detach(leg: OriginLeg): void;
}
