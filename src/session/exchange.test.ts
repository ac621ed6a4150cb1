/** What a notice says was going on when an exchange ended. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Exchange, phaseOf } from "./exchange.ts";
import { ClientLeg, ClientState, OriginLeg, OriginState } from "./legs.ts";

interface Situation {
  readonly name: string;
  readonly phase: string;
  readonly client: ClientState;
  readonly origin?: OriginState;
  readonly rendered?: false;
  readonly responseStarted?: true;
}

const SITUATIONS: readonly Situation[] = [
  { name: "no room for the head", phase: "request-head", client: ClientState.body, rendered: false },
  { name: "no connection yet", phase: "connect", client: ClientState.waiting },
  {
    name: "connecting",
    phase: "connect",
    client: ClientState.waiting,
    origin: OriginState.connecting,
  },
  {
    name: "connecting, a body waits",
    phase: "connect",
    client: ClientState.body,
    origin: OriginState.connecting,
  },
  { name: "a body on its way", phase: "request-body", client: ClientState.body, origin: OriginState.head },
  { name: "all is sent", phase: "response-head", client: ClientState.waiting, origin: OriginState.head },
  {
    name: "the response has begun",
    phase: "response-body",
    client: ClientState.waiting,
    origin: OriginState.body,
    responseStarted: true,
  },
  {
    name: "the response has overtaken the body",
    phase: "response-body",
    client: ClientState.body,
    origin: OriginState.body,
    responseStarted: true,
  },
];

for (const { name, phase, client, origin, rendered, responseStarted } of SITUATIONS) {
  test(`phase: ${name}: ${phase}`, () => {
    const exchange = new Exchange();
    exchange.client = new ClientLeg();
    exchange.client.state = client;
    if (origin !== undefined) {
      exchange.origin = new OriginLeg();
      exchange.origin.state = origin;
    }
    if (rendered !== false) exchange.requestStart = 0;
    exchange.responseStarted = responseStarted === true;
    assert.equal(phaseOf(exchange), phase);
  });
}
