/**
 * Routes in the data plane: which plan a request has, what the plan writes into its head and, later, into that of
 * its response. Exists only where the snapshot has routes.
 *
 * @hot
 */
import { equalsIgnoreCase } from "../base/ascii.ts";
import { LARGE_SLOT_BYTES, SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { asciiBytes, copy, textOf, writeBytes } from "../base/bytes.ts";
import { parseIp } from "../base/ip-address.ts";
import { type Chain, Moment } from "../contract/interception.ts";
import { RETRIES, type Routing } from "../contract/routing.ts";
import { type MessageHead, Method } from "../http1/message-head.ts";
import { ClientAddress } from "../route/client-address.ts";
import { isInAny } from "../route/conditions.ts";
import type { ReadyCors } from "../route/cors.ts";
import type { FieldEdits } from "../route/field-edits.ts";
import { ReadyRateLimit } from "../route/rate-limit.ts";
import type { Rewriting } from "../route/rewriting.ts";
import { chainOf, type ReadyPages, type ReadyRedirect, RoutePlan } from "../route/route-plan.ts";
import { NO_ROUTE, RouteTable } from "../route/route-table.ts";
import { TemplateSource } from "../route/template.ts";
import { askedBy } from "./asked.ts";
import type { Exchange } from "./exchange.ts";
import { type Failure, Failures, rateLimitedWith } from "./failure.ts";
import type { ClientLeg } from "./legs.ts";
import { type LocalAnswer, NO_BYTES, writeLocation } from "./local-answer.ts";
import type { Plane } from "./plane.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import type { ResponseWriter } from "./response-writer.ts";

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const COLON = 0x3a;
const NO_ROOM = -1;
/** A redirect lies in one slot, with its other lines. */
const LOCATION_BYTES_MAX = LARGE_SLOT_BYTES - 1024;
const REQUEST_ID = asciiBytes("x-request-id");
const ATTEMPTS_MAX = 1 + RETRIES;
/** Of a request that a route answers itself, and of one that is refused before its hooks have a say. */
const LOCAL_MOMENTS = Moment.request | Moment.response | Moment.error | Moment.log;
const DECIDED_MOMENTS = Moment.error | Moment.log;
/** Of a peer that has none, as a unix socket. */
const NO_ADDRESS = new Uint8Array(0);

export class Router {
  /** After `find`: the route of the request, if one matches. */
  plan: RoutePlan | null = null;
  /**
   * After `find`, `answer` and `edit`: why the request goes nowhere; null where it does, where its route answers
   * it, and where slots are out.
   */
  failure: Failure | null = null;
  /** Where the values of the request lie that `find` was last called for. */
  readonly source = new TemplateSource();
  readonly #plane: Plane;
  readonly #table: RouteTable;
  readonly #plans: readonly RoutePlan[];
  readonly #asksAddress: boolean;
  /** Null where there are no rate limits. */
  readonly #rates: RateLimiter | null;
  /** Of requests that no route matches. */
  readonly #unroutedLimit: ReadyRateLimit | null;
  /** Hooks of requests that no route matches. */
  readonly #unroutedChain: Chain | null;
  /** How long a request that was refused for its rate has to wait. */
  #waitMs = 0;
  /** Whose request it is; found only where `#asksAddress`. */
  readonly #client = new ClientAddress();

  /**
   * `pages` are those of every route; `seed` is a number that no other worker has; `chains` are what
   * `Route.chain` counts; `rates` is there where `routing` has rate limits.
   */
  constructor(
    plane: Plane,
    { routes, rateLimits = [], unroutedRateLimit = -1, unroutedChain }: Routing,
    pages: ReadyPages,
    seed: number,
    chains: readonly Chain[] = [],
    rates: RateLimiter | null = null,
  ) {
    this.#plane = plane;
    this.#table = new RouteTable(routes, seed);
    this.#plans = routes.map((route) => new RoutePlan(route, pages, seed, chains, rateLimits));
    const unrouted = rateLimits[unroutedRateLimit];
    this.#rates = rates;
    this.#unroutedChain = chainOf(chains, unroutedChain);
    this.#unroutedLimit = unrouted === undefined ? null : new ReadyRateLimit(unrouted);
    this.#asksAddress =
      this.#plans.some(({ asksAddress }) => asksAddress) || this.#unroutedLimit?.asksAddress === true;
  }

  /**
   * Finds the route of the request with `head` from `leg`, whose peer is in memory. `true`: it is forwarded as
   * `plan` says. `false`: it is answered here, with `failure` or as `plan` says.
   */
  find(leg: ClientLeg, head: MessageHead): boolean {
    const { memory, snapshot } = this.#plane;
    const address = this.#asksAddress ? this.#findClient(leg, head) : null;
    const index = this.#table.match(memory, head, address);
    this.failure = null;
    this.plan = null;
    if (index === NO_ROUTE) {
      this.#read(null, head);
      const limit = this.#unroutedLimit;
      if (limit === null || !this.#isTooFast(limit, head, address)) this.failure = Failures.noRoute;
      return false;
    }
    const plan = this.#plans[index]!;
    this.plan = plan;
    this.#read(plan, head);
    const { cors } = plan;
    if (cors !== null) cors.read(memory, head);
    if (plan.isGuarded && isRefused(plan, address)) {
      this.failure = Failures.clientDenied;
      return false;
    }
    if (cors?.isPreflight === true) {
      if (!cors.isAllowed) this.failure = Failures.originDenied;
      return false;
    }
    if (plan.rateLimit !== null && this.#isTooFast(plan.rateLimit, head, address)) return false;
    if (plan.targets === null) return false;
    if (plan.requestsInFlightMax > 0 && plan.requestsInFlight >= plan.requestsInFlightMax) {
      this.failure = Failures.routeTooManyInFlight;
      return false;
    }
    const bodyBytesMax = bodyBytesMaxOf(plan, snapshot.limits.requestBodyBytesMax);
    if (bodyBytesMax > 0 && head.contentLength > bodyBytesMax) {
      this.failure = Failures.bodyTooLarge;
      return false;
    }
    return true;
  }

  /**
   * What the request that `find` was just called for, and that is forwarded to nobody, is answered once its hooks
   * have had their say; null: there is none to be asked or told. @cold
   */
  local(): LocalAnswer | null {
    const { plan } = this;
    const chain = plan === null ? this.#unroutedChain : plan.chain;
    if (chain === null) return null;
    const preflight = this.failure === null && plan!.cors?.isPreflight === true ? plan!.cors.preflight : null;
    const isDecided = preflight !== null || (this.failure !== null && this.failure !== Failures.noRoute);
    if ((chain.moments & (isDecided ? DECIDED_MOMENTS : LOCAL_MOMENTS)) === 0) return null;
    const redirect = this.failure === null && preflight === null ? plan!.redirect : null;
    const redirectLines = redirect === null ? NO_BYTES : this.#redirectLines(redirect);
    const { failure } = this;
    if (failure !== null) {
      const isTooFast = failure.counter === Failures.rateLimited.counter;
      const retryAfterS = isTooFast ? this.#retryAfterS() : 0;
      const { status } = failure;
      return { chain, failure, retryAfterS, isDecided, status, lines: NO_BYTES, body: NO_BYTES };
    }
    const { status, lines, body } =
      redirect === null
        ? (preflight ?? plan!.answer!)
        : { status: redirect.status, lines: redirectLines, body: NO_BYTES };
    return { chain, failure, retryAfterS: 0, isDecided, status, lines, body };
  }

  /**
   * Answers the request that `find` was just called for and that is forwarded to nobody. `false`: out of slots;
   * then the connection must end.
   */
  answer(responses: ResponseWriter, leg: ClientLeg, head: MessageHead, close: boolean): boolean {
    const { plan } = this;
    const cors = plan === null ? null : plan.cors;
    if (cors !== null) {
      responses.lines.end = cors.writeLines(responses.lines.bytes, 0);
      if (cors.isPreflight && this.failure === null) return responses.answerReady(leg, cors.preflight, close);
    }
    const location = this.failure === null ? plan!.redirect?.location : undefined;
    if (location !== undefined && location.length(this.source) > LOCATION_BYTES_MAX) {
      this.failure = Failures.locationTooLong;
    }
    const { failure } = this;
    if (failure === null) {
      return responses.answerRoute(leg, plan!, this.source, head.method === Method.HEAD, close);
    }
    if (failure.counter === Failures.rateLimited.counter) {
      responses.lines.addRetryAfter(this.#retryAfterS());
    }
    return responses.answerFailure(leg, failure, askedBy(this.#plane.memory, head), close, plan?.pages);
  }

  /**
   * Does to the rendered request of `exchange` what its plan says, and writes the lines that its response gets.
   * `find` was called for it just now. `false`: with `failure`, or out of slots.
   */
  edit(exchange: Exchange): boolean {
    const { buffers } = this.#plane;
    const { rewriting, requestEdits, responseEdits, usesRequestId, cors } = exchange.plan!;
    let idSlot = -1;
    if (usesRequestId) {
      // The lines are about to move.
      idSlot = buffers.acquireSmall();
      if (idSlot < 0) return false;
      this.#keepRequestId(exchange, idSlot);
    }
    let isDone = requestEdits === null || this.#apply(exchange, requestEdits);
    if (isDone && rewriting !== null) isDone = this.#apply(exchange, rewriting);
    if (isDone && responseEdits !== null && (!responseEdits.isConstant || cors !== null)) {
      isDone = this.#writeLines(exchange, responseEdits, cors);
    }
    if (idSlot >= 0) buffers.release(idSlot);
    return isDone;
  }

  /** Does `edit` to the rendered request, in a large slot if it must be. `false`: as `edit`. */
  #apply(exchange: Exchange, edit: FieldEdits | Rewriting): boolean {
    const { buffers, memory, view } = this.#plane;
    for (;;) {
      const { requestStart, requestEnd } = exchange;
      const limit = buffers.slotEnd(requestStart);
      const end = edit.apply(memory, view, requestStart, requestEnd, limit, this.source);
      if (end !== NO_ROOM) {
        exchange.requestEnd = end;
        return true;
      }
      if (!this.#enlarge(exchange)) return false;
    }
  }

  #retryAfterS(): number {
    return Math.max(1, Math.ceil(this.#waitMs / 1000));
  }

  /**
   * All lines of `redirect`, Location included; none, with `failure`, where they are too long or slots are out.
   * @cold
   */
  #redirectLines(redirect: ReadyRedirect): Uint8Array {
    const { buffers, memory, view } = this.#plane;
    if (redirect.location.length(this.source) > LOCATION_BYTES_MAX) {
      this.failure = Failures.locationTooLong;
      return NO_BYTES;
    }
    const slot = buffers.acquireLarge();
    if (slot < 0) {
      this.failure = Failures.overload;
      return NO_BYTES;
    }
    const start = writeBytes(memory, slot, redirect.lines);
    const end = writeLocation(memory, view, start, redirect, this.source);
    const lines = new Uint8Array(memory.subarray(slot, end));
    buffers.release(slot);
    return lines;
  }

  /** Counts the request against `limit`. `true`: it is beyond, with `failure`. */
  #isTooFast(limit: ReadyRateLimit, head: MessageHead, address: Uint8Array | null): boolean {
    this.#waitMs = this.#rates!.take(limit, head, this.source, address);
    if (this.#waitMs === 0) return false;
    const { rateLimited } = Failures;
    this.failure = limit.status === rateLimited.status ? rateLimited : rateLimitedWith(limit.status);
    return true;
  }

  /** Where the values of the request lie. */
  #read(plan: RoutePlan | null, head: MessageHead): void {
    const source = this.source;
    source.view = this.#table.view;
    source.head = head;
    source.clientStart = this.#client.start;
    source.clientEnd = this.#client.end;
    const captures = plan === null ? null : plan.captures;
    source.captures = captures;
    source.requestIdStart = 0;
    source.requestIdEnd = 0;
    const { pathStart, pathEnd } = source.view;
    if (captures !== null && pathStart >= 0) captures.locate(this.#plane.memory, pathStart, pathEnd);
  }

  /** Copies the value of X-Request-Id as it is sent, up to what fits, to `slot`. */
  #keepRequestId(exchange: Exchange, slot: number): void {
    const { memory, view } = this.#plane;
    const source = this.source;
    let line = exchange.requestStart;
    while (line < exchange.requestEnd && memory[line] !== CR) {
      let lineEnd = line;
      while (memory[lineEnd] !== LF) lineEnd++;
      const nameEnd = line + REQUEST_ID.length;
      if (
        nameEnd < lineEnd &&
        equalsIgnoreCase(memory, line, nameEnd, REQUEST_ID) &&
        memory[nameEnd] === COLON
      ) {
        let start = nameEnd + 1;
        while (memory[start] === SP) start++;
        const end = Math.min(lineEnd - 1, start + SMALL_SLOT_BYTES);
        source.requestIdStart = slot;
        source.requestIdEnd = copy(view, memory, start, Math.max(start, end), slot);
        return;
      }
      line = lineEnd + 1;
    }
  }

  /** Moves the rendered request to a large slot. `false`: it lies in one, with `failure`, or there is none. */
  #enlarge(exchange: Exchange): boolean {
    const { buffers, memory, view } = this.#plane;
    const { requestStart, requestEnd } = exchange;
    if (buffers.slotEnd(requestStart) - requestStart > SMALL_SLOT_BYTES) return this.#refuse();
    const slot = buffers.acquireLarge();
    if (slot < 0) return false;
    exchange.requestEnd = copy(view, memory, requestStart, requestEnd, slot);
    exchange.requestStart = slot;
    buffers.release(requestStart);
    return true;
  }

  #refuse(): false {
    this.failure = Failures.editedHeadTooLarge;
    return false;
  }

  #writeLines(exchange: Exchange, edits: FieldEdits, cors: ReadyCors | null): boolean {
    const { buffers, memory, view } = this.#plane;
    const bytes = edits.addedLength(this.source) + (cors === null ? 0 : cors.linesBytesMax);
    if (bytes > LARGE_SLOT_BYTES) return this.#refuse();
    const slot = bytes <= SMALL_SLOT_BYTES ? buffers.acquireSmall() : buffers.acquireLarge();
    if (slot < 0) return false;
    exchange.linesStart = slot;
    if (cors !== null) exchange.ownLinesEnd = cors.writeLines(memory, slot);
    const at = cors === null ? slot : exchange.ownLinesEnd;
    exchange.linesEnd = edits.writeAdded(memory, view, at, this.source);
    return true;
  }

  /** The 16 bytes of the client's address, or null: the peer, or whom a peer that is trusted names. */
  #findClient(leg: ClientLeg, head: MessageHead): Uint8Array | null {
    const { memory, snapshot } = this.#plane;
    const client = this.#client;
    if (leg.address === null) leg.address = addressIn(this.#plane, leg);
    client.usePeer(leg.peerStart, leg.peerEnd, leg.address.length === 0 ? null : leg.address);
    if (leg.trusted) {
      const { trustedProxies, forwarded } = snapshot.policy;
      client.follow(memory, head, trustedProxies, forwarded);
    }
    return client.bytes;
  }
}

/** Backends, or connections, that one request may meet. */
export function attemptsMaxOf(plan: RoutePlan | null): number {
  return plan === null ? ATTEMPTS_MAX : plan.attemptsMax;
}

/** The limit of a request body, in bytes; 0: none. */
export function bodyBytesMaxOf(plan: RoutePlan | null, otherwise: number): number {
  return plan === null || plan.requestBodyBytesMax < 0 ? otherwise : plan.requestBodyBytesMax;
}

/**
 * Does to the response head in the slot of `exchange` what its plan says. `false`: out of slots.
 */
export function editResponse({ buffers, memory, view }: Plane, exchange: Exchange): boolean {
  const edits = exchange.plan!.responseEdits;
  if (edits === null) return true;
  const isConstant = exchange.linesStart < 0;
  const bytes = addedBytes(edits, exchange);
  const start = exchange.slotStart;
  if (exchange.slotAt + bytes > exchange.slotLimit) {
    const slot = buffers.acquireLarge();
    if (slot < 0 || slot + exchange.slotAt - start + bytes > buffers.slotEnd(slot)) {
      if (slot >= 0) buffers.release(slot);
      return false;
    }
    exchange.slotAt = copy(view, memory, start, exchange.slotAt, slot);
    exchange.slotStart = slot;
    exchange.slotLimit = buffers.slotEnd(slot);
    buffers.release(start);
  }
  let at = edits.remove(memory, view, exchange.slotStart, exchange.slotAt) - 2;
  if (isConstant) at = edits.writeAdded(memory, view, at, NO_SOURCE);
  else at = copy(view, memory, exchange.linesStart, exchange.linesEnd, at);
  memory[at] = CR;
  memory[at + 1] = LF;
  exchange.slotAt = at + 2;
  return true;
}

/** What ends `exchange` when its response head could not be begun. */
export function unbegunFailure(exchange: Exchange): Failure {
  const { plan, slotStart, slotAt } = exchange;
  const edits = plan?.responseEdits ?? null;
  // A head without a slot has met nothing but the lack of one.
  if (edits === null || slotStart < 0) return Failures.overload;
  const isTooLarge = slotAt - slotStart + addedBytes(edits, exchange) > LARGE_SLOT_BYTES;
  return isTooLarge ? Failures.editedResponseTooLarge : Failures.overload;
}

function addedBytes(edits: FieldEdits, { linesStart, linesEnd }: Exchange): number {
  return linesStart < 0 ? edits.addedLength(NO_SOURCE) : linesEnd - linesStart;
}

const NO_SOURCE = new TemplateSource();

function isRefused({ allow, deny }: RoutePlan, address: Uint8Array | null): boolean {
  if (isInAny(deny, address)) return true;
  return allow.length > 0 && !isInAny(allow, address);
}

/** @cold */
function addressIn({ memory }: Plane, { peerStart, peerEnd }: ClientLeg): Uint8Array {
  const text = textOf(memory, peerStart, peerEnd);
  const zone = text.indexOf("%");
  return parseIp(zone < 0 ? text : text.slice(0, zone)) ?? NO_ADDRESS;
}
