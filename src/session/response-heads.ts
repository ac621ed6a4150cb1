/**
 * Reads the heads of responses, whole or in pieces: interim ones go on to the client, what opens a tunnel opens
 * it, and the final one is for `origin-side.ts` to begin.
 *
 * @hot
 */
import { FIELD_COUNT_MAX } from "../contract/snapshot.ts";
import type { Fault } from "../http1/fault.ts";
import { responseFraming } from "../http1/framing.ts";
import { MessageHead, Method, NEED_MORE, upgrades } from "../http1/message-head.ts";
import { parseResponseHead } from "../http1/response-head.ts";
import type { Exchange } from "./exchange.ts";
import type { Exchanges } from "./exchanges.ts";
import { Failures, responseHeadFailure } from "./failure.ts";
import type { CollectingLeg, OriginLeg } from "./legs.ts";
import { dropPartial, growPartial, isTooEarlyToParse, NO_SLOT, parseLater } from "./partial-head.ts";
import type { Plane } from "./plane.ts";
import type { ResponseWriter } from "./response-writer.ts";

/** Interim responses in one piece of input. Each takes a slot, and nobody has use for so many at once. */
const INTERIMS_AT_ONCE_MAX = 64;
const MORE = NEED_MORE;
/** Returned by `readResponseHead` beside `NEED_MORE` and faults: no fault has it. */
const OUT_OF_SLOTS = -1000;

export class ResponseHeads {
  /** The head that was read last. */
  readonly head: MessageHead;
  /** After `read`: how the body of the final response is delimited. */
  framing = 0;
  readonly #plane: Plane;
  readonly #exchanges: Exchanges;
  readonly #responses: ResponseWriter;

  constructor(plane: Plane, exchanges: Exchanges, responses: ResponseWriter) {
    this.head = new MessageHead(FIELD_COUNT_MAX, plane.scanner);
    this.#plane = plane;
    this.#exchanges = exchanges;
    this.#responses = responses;
  }

  /**
   * Reads interim heads and the final one, which is in `head` then. Returns where its body begins, or -1:
   * nothing more to do with this input.
   */
  read(leg: OriginLeg, exchange: Exchange, start: number, end: number): number {
    let pos = start;
    for (let heads = 0; pos < end; heads++) {
      const after = readResponseHead(this.#plane, leg, this.head, pos, end);
      if (after === MORE) return -1;
      if (after === OUT_OF_SLOTS) {
        this.#exchanges.fail(exchange, Failures.overload);
        return -1;
      }
      if (after < 0) return this.#refuse(exchange, after as Fault);
      if (heads > INTERIMS_AT_ONCE_MAX) {
        this.#exchanges.fail(exchange, Failures.badResponse);
        return -1;
      }
      pos = after;
      const { status } = this.head;
      if (status < 200 || exchange.method === Method.CONNECT) {
        if (this.#opens(exchange, status, pos, end)) return -1;
      }
      this.framing = responseFraming(this.head, exchange.method);
      if (this.framing < 0) return this.#refuse(exchange, this.framing as Fault);
      if (status >= 200) return pos;
      if (!this.#responses.interim(exchange, this.head, false)) {
        this.#exchanges.fail(exchange, Failures.overload);
        return -1;
      }
      dropPartial(this.#plane, leg);
    }
    return -1;
  }

  /** Ends the exchange for what is wrong with the head. Returns -1. */
  #refuse(exchange: Exchange, fault: Fault): number {
    exchange.responseFault = fault;
    this.#exchanges.fail(exchange, responseHeadFailure(fault));
    return -1;
  }

  /** `true`: the head ends the exchange in a tunnel, or should have; `[pos, end)` follows it. */
  #opens(exchange: Exchange, status: number, pos: number, end: number): boolean {
    if (status === 101) {
      if (!exchange.upgrade || !upgrades(this.head)) {
        this.#exchanges.fail(exchange, Failures.badResponse);
      } else if (this.#responses.interim(exchange, this.head, true)) {
        this.#exchanges.tunnel(exchange, status, pos, end);
      } else this.#exchanges.fail(exchange, Failures.overload);
      return true;
    }
    if (status < 200 || status >= 300) return false;
    // RFC 9110 §9.3.6: whatever its fields say, this response has no body.
    if (this.#responses.tunnelOpened(exchange, this.head)) {
      this.#exchanges.tunnel(exchange, status, pos, end);
    } else this.#exchanges.fail(exchange, Failures.overload);
    return true;
  }
}

/**
 * Reads the head that begins, or goes on, with `[pos, end)`; what is not whole is kept. Returns
 * the offset just past it, `NEED_MORE`, `OUT_OF_SLOTS` or a `Fault`.
 */
function readResponseHead(
  plane: Plane,
  leg: CollectingLeg,
  head: MessageHead,
  pos: number,
  end: number,
): number {
  const { memory, snapshot } = plane;
  const { headBytesMax } = snapshot.limits;
  if (leg.partial === null) {
    const result = parseResponseHead(memory, pos, end, head, snapshot.limits);
    if (result !== MORE) return result;
    if (growPartial(plane, leg, pos, end, headBytesMax) === NO_SLOT) return OUT_OF_SLOTS;
    parseLater(leg.partial!, headBytesMax);
    return MORE;
  }
  const { partial } = leg;
  const after = growPartial(plane, leg, pos, end, headBytesMax);
  if (after === NO_SLOT) return OUT_OF_SLOTS;
  if (isTooEarlyToParse(partial)) return MORE;
  const result = parseResponseHead(memory, partial.start, partial.end, head, snapshot.limits);
  if (result >= 0) return after;
  if (result !== MORE) return result;
  parseLater(partial, headBytesMax);
  return MORE;
}
