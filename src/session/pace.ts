/**
 * Requests that come in many pieces stand back for others.
 *
 * Strategy: thousands of uploads whose next few bytes come in one moment are a lot of work, and none of it is
 * urgent: each has waited for its client before, and will again. Whoever begins a request, or whose backend
 * answers, has waited for nobody yet. So a client in the middle of a message is read behind the others
 * (`Port.setBackground`).
 *
 * @hot
 */
import type { Port } from "../contract/port.ts";
import { type ClientLeg, ClientState } from "./legs.ts";

const IDLE = ClientState.idle;
const HEAD = ClientState.head;
const BODY = ClientState.body;
const WAITING = ClientState.waiting;

/** A piece of input has been used: where its message goes on, `leg` stands back for others. */
export function standBack(port: Port, leg: ClientLeg): void {
  if (leg.state !== HEAD && leg.state !== BODY) comeForward(port, leg);
  else if (!leg.standsBack) {
    leg.standsBack = true;
    port.setBackground(leg.connection, true);
  }
}

/** Where its message has come to its end, `leg` stands back no more. */
export function comeForward(port: Port, leg: ClientLeg): void {
  if (leg.state !== IDLE && leg.state !== WAITING) return;
  leg.standsBack = false;
  port.setBackground(leg.connection, false);
}
