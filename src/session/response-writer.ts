/**
 * Everything that is sent to an HTTP/1.1 client: heads, bodies, local answers.
 *
 * Strategy: a response begins in a slot that takes the head and what small pieces of body fit behind it, so
 * that a small response leaves in one piece and its receive buffer is free at once; larger pieces leave from
 * where they arrived. What is in the slot is sent when something must follow that does not fit, and at the
 * end of each piece of input: nothing waits.
 *
 * @hot
 */
import { assert } from "../base/assert.ts";
import { LARGE_SLOT_BYTES, SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { asciiBytes, copy, writeBytes } from "../base/bytes.ts";
import { Counter } from "../contract/counters.ts";
import { BodyMode } from "../http1/body.ts";
import { LAST_CHUNK, prefixChunk, writeLastChunk } from "../http1/chunk-writer.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import { Framing } from "../http1/framing.ts";
import { NO_ROOM, ResponseFraming, ResponsePolicy, writeResponseHead } from "../http1/head-writer.ts";
import { type MessageHead, Method, upgrades } from "../http1/message-head.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";
import { CORS_EDITS } from "../route/cors.ts";
import { FieldEdits } from "../route/field-edits.ts";
import type { ReadyPages, RoutePlan } from "../route/route-plan.ts";
import type { TemplateSource } from "../route/template.ts";
import { AnswerLines } from "./answer-lines.ts";
import { type Answer, Answers } from "./answers.ts";
import type { Asked } from "./asked.ts";
import { DateLine } from "./date-line.ts";
import { type Exchange, Outgoing } from "./exchange.ts";
import type { Failure } from "./failure.ts";
import { type ClientLeg, ClientState } from "./legs.ts";
import { type LocalAnswer, writeLocation } from "./local-answer.ts";
import { COPIED_BYTES_MAX, type Plane } from "./plane.ts";
import { editResponse } from "./routing.ts";
import { chunkedMode, slotWithEnd } from "./trailers.ts";

const { plain, rechunked, chunked, untilClose } = Outgoing;
const COPIED_MAX = COPIED_BYTES_MAX;
const NOTHING = new Uint8Array(0);
/** Of foreign code that answers; the route says these itself, and browsers take two for none. */
const CORS_FIELDS = new FieldEdits(CORS_EDITS, new Map(), 0);
const CONTINUE = asciiBytes("HTTP/1.1 100 Continue\r\n\r\n");
const CRLF = Uint8Array.of(0x0d, 0x0a);
const CLOSE_LINE = asciiBytes("Connection: close\r\n");
const CHUNKED_LINE = asciiBytes("Transfer-Encoding: chunked\r\n");
/** What is written around the lines of an answer of foreign code. */
const ANSWER_FRAME_BYTES_MAX = 128;
/** Date, Connection and the empty line of an answer of our own. */
const ANSWER_OWN_BYTES_MAX = 64;

/** @cold */
function policyNamed(viaName: string, { scanner }: Plane): ResponsePolicy {
  return new ResponsePolicy(asciiBytes(`Via: 1.1 ${viaName}\r\n`), scanner);
}

export class ResponseWriter {
  /** What the next answer of our own says beside. */
  readonly lines = new AnswerLines();
  readonly #plane: Plane;
  #viaName: string;
  #answers: Answers;
  #policy: ResponsePolicy;
  readonly #date = new DateLine();
  /** Error pages of what has no route. */
  #pages: ReadyPages = new Map();

  constructor(plane: Plane) {
    const { viaName } = plane.snapshot;
    this.#plane = plane;
    this.#viaName = viaName;
    this.#policy = policyNamed(viaName, this.#plane);
    this.#answers = new Answers(viaName);
  }

  /** Heads and answers from now on say `viaName`. @cold */
  useName(viaName: string): void {
    if (viaName === this.#viaName) return;
    this.#viaName = viaName;
    this.#policy = policyNamed(viaName, this.#plane);
    this.#answers = new Answers(viaName);
  }

  /** Passes an interim response on (RFC 9110 §15.2); 101 too, when `upgrade`. `false`: out of slots. */
  interim(exchange: Exchange, head: MessageHead, upgrade: boolean): boolean {
    // RFC 9110 §15.2: an HTTP/1.0 client gets no interim response.
    if (exchange.clientMinor === 0) return true;
    const policy = this.#policy;
    policy.framing = ResponseFraming.keep;
    policy.date = NOTHING;
    policy.close = false;
    policy.keepAliveHint = false;
    policy.upgrade = upgrade;
    policy.trailers = false;
    if (!this.#writeHead(exchange, head)) return false;
    this.#countResponse(upgrade ? 101 : 100);
    this.flush(exchange);
    this.#plane.countPiece(exchange.client!.connection);
    return true;
  }

  /** Tells the client to send its body; nothing where slots are out. */
  goOn({ client }: Exchange): void {
    const { buffers, memory } = this.#plane;
    const slot = buffers.acquireSmall();
    if (slot < 0) return;
    this.#send(client!, slot, writeBytes(memory, slot, CONTINUE));
    this.#countResponse(100);
    this.#plane.countPiece(client!.connection);
  }

  /** Passes on the 2xx to a CONNECT, whose framing fields mean nothing. `false`: out of slots. */
  tunnelOpened(exchange: Exchange, head: MessageHead): boolean {
    const { nowMs, epochOffsetMs } = this.#plane;
    const policy = this.#policy;
    policy.framing = ResponseFraming.close;
    policy.date = head.dateIndex < 0 ? this.#date.at(nowMs + epochOffsetMs) : NOTHING;
    policy.close = false;
    policy.keepAliveHint = false;
    policy.upgrade = false;
    policy.trailers = false;
    if (!this.#writeHead(exchange, head)) return false;
    this.#countResponse(head.status);
    this.flush(exchange);
    return true;
  }

  /**
   * Writes the final head. Decides how the body leaves and whether the connection goes on. `false`: out of
   * slots.
   */
  begin(exchange: Exchange, head: MessageHead, framing: number): boolean {
    const plane = this.#plane;
    const client = exchange.client!;
    const modern = exchange.clientMinor === 1;
    exchange.bodyMode = BodyMode.payload;
    if (framing === Framing.chunked) {
      exchange.outgoing = modern ? rechunked : untilClose;
      if (modern) exchange.bodyMode = chunkedMode(plane, head, exchange.trailers);
    } else if (framing === Framing.untilClose) exchange.outgoing = modern ? chunked : untilClose;
    else exchange.outgoing = plain;
    // An answer that overtakes its request's body ends the connection: the rest of the body is not worth
    // reading (RFC 9112 §9.6).
    if (
      exchange.outgoing === untilClose ||
      client.state === ClientState.body ||
      plane.isLeaving(client.listener)
    ) {
      exchange.keepAlive = false;
    }
    const policy = this.#policy;
    policy.framing =
      exchange.outgoing === untilClose
        ? ResponseFraming.close
        : exchange.outgoing === plain
          ? ResponseFraming.keep
          : ResponseFraming.chunked;
    policy.date = head.dateIndex < 0 ? this.#date.at(plane.nowMs + plane.epochOffsetMs) : NOTHING;
    policy.trailers = exchange.bodyMode === BodyMode.wireWithTrailers;
    policy.close = !exchange.keepAlive;
    policy.keepAliveHint = exchange.keepAlive && !modern;
    // RFC 9110 §15.5.22: a 426 says to which protocol.
    policy.upgrade = head.status === 426 && upgrades(head);
    plane.beginMessage(client.connection);
    if (!this.#writeHead(exchange, head)) return false;
    if (exchange.plan !== null && !editResponse(plane, exchange)) return false;
    exchange.responseStarted = true;
    exchange.status = head.status;
    if (exchange.intercepted === null) this.#countResponse(head.status);
    return true;
  }

  /** The response whose head was begun is the one that the client gets: the chain of the exchange has seen it. */
  commit(exchange: Exchange): void {
    exchange.responseStarted = true;
    this.#countResponse(exchange.status);
  }

  /**
   * Writes the head of an answer that foreign code gives: `lines` are its own field lines, `bodyBytes` the length
   * of its body, -1: not known. `hasNoBody`: none follows, whatever that says. `false`: out of slots.
   */
  beginAnswer(
    exchange: Exchange,
    status: number,
    lines: Uint8Array,
    bodyBytes: number,
    hasNoBody: boolean,
  ): boolean {
    const { memory, view } = this.#plane;
    const { plan } = exchange;
    const statusLine = asciiBytes(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`);
    this.#plane.beginMessage(exchange.client!.connection);
    this.keepLines(exchange);
    const slot = this.#acquire(statusLine.length + lines.length + ANSWER_FRAME_BYTES_MAX);
    if (slot < 0) return false;
    const modern = exchange.clientMinor === 1;
    exchange.outgoing = bodyBytes >= 0 || hasNoBody ? plain : modern ? chunked : untilClose;
    let at = writeBytes(memory, slot, statusLine);
    at = writeBytes(memory, at, lines);
    if (plan !== null && plan.cors !== null) at = CORS_FIELDS.remove(memory, view, slot, at);
    if (exchange.outgoing === chunked) at = writeBytes(memory, at, CHUNKED_LINE);
    else if (hasLength(exchange, status, bodyBytes)) {
      at = writeBytes(memory, at, asciiBytes(`Content-Length: ${bodyBytes}\r\n`));
    }
    this.#endHead(exchange, slot, at, status);
    this.commit(exchange);
    return true;
  }

  /**
   * Writes the head of what a route answers itself: it can be changed until `commit`, and its body follows that.
   * `false`: out of slots.
   */
  beginLocal(exchange: Exchange, { status, lines }: LocalAnswer): boolean {
    this.keepLines(exchange);
    const slot = this.#acquire(lines.length + ANSWER_OWN_BYTES_MAX);
    if (slot < 0) return false;
    exchange.outgoing = plain;
    this.#endHead(exchange, slot, writeBytes(this.#plane.memory, slot, lines), status);
    return true;
  }

  /** Ends the head `[slot, end)` of an answer to `exchange` that no backend gave. */
  #endHead(exchange: Exchange, slot: number, end: number, status: number): void {
    const { memory, buffers, nowMs, epochOffsetMs } = this.#plane;
    const client = exchange.client!;
    exchange.firstChunk = true;
    exchange.eventStream = false;
    // As in `begin`: what is left of the request is not worth reading.
    const isCut = client.state === ClientState.body || this.#plane.isLeaving(client.listener);
    if (isCut || exchange.clientMinor === 0) exchange.keepAlive = false;
    let at = end;
    if (!exchange.keepAlive) at = writeBytes(memory, at, CLOSE_LINE);
    at = this.lines.write(memory, at);
    at = writeBytes(memory, at, this.#date.at(nowMs + epochOffsetMs));
    at = writeBytes(memory, at, CRLF);
    exchange.slotStart = slot;
    exchange.slotAt = at;
    exchange.slotLimit = buffers.slotEnd(slot);
    exchange.responseBody.begin(Framing.none, 0, BodyMode.payload);
    exchange.status = status;
  }

  /**
   * Sends `[start, end)` of the body, framed as `outgoing` says. Borrows the range: what must stay takes its
   * own reference.
   */
  body(exchange: Exchange, start: number, end: number): void {
    if (start === end) return;
    let from = start;
    if (exchange.outgoing === chunked) {
      from = prefixChunk(this.#plane.memory, start, end - start, exchange.firstChunk);
      exchange.firstChunk = false;
    }
    const bytes = end - from;
    if (bytes <= COPIED_MAX) {
      if (exchange.slotStart >= 0 && exchange.slotAt + bytes > exchange.slotLimit) this.flush(exchange);
      if (exchange.slotStart >= 0 || this.#openSlot(exchange)) {
        copy(this.#plane.view, this.#plane.memory, from, end, exchange.slotAt);
        exchange.slotAt += bytes;
        return;
      }
    }
    this.flush(exchange);
    this.#plane.buffers.retain(from);
    this.#send(exchange.client!, from, end);
  }

  /** The body is complete: the last chunk where there is one, and everything out. `false`: out of slots. */
  end(exchange: Exchange): boolean {
    if (exchange.outgoing === chunked) {
      if (exchange.slotStart < 0 && !this.#openSlot(exchange)) return false;
      if (exchange.slotAt + LAST_CHUNK.length + 2 > exchange.slotLimit) {
        this.flush(exchange);
        if (!this.#openSlot(exchange)) return false;
      }
      exchange.slotAt = writeLastChunk(this.#plane.memory, exchange.slotAt, exchange.firstChunk);
    }
    this.flush(exchange);
    const { endBytes } = exchange.responseBody;
    if (endBytes > 0) {
      const start = slotWithEnd(this.#plane, exchange.responseBody);
      if (start < 0) return false;
      this.#send(exchange.client!, start, start + endBytes);
    }
    return true;
  }

  /** Sends what is in the slot. */
  flush(exchange: Exchange): void {
    if (exchange.slotStart < 0) return;
    this.#send(exchange.client!, exchange.slotStart, exchange.slotAt);
    exchange.slotStart = -1;
  }

  /** Gives the slot back unsent: the client is gone. */
  drop(exchange: Exchange): void {
    if (exchange.slotStart < 0) return;
    this.#plane.buffers.release(exchange.slotStart);
    exchange.slotStart = -1;
  }

  /** The answer of our own that ends `exchange` has the lines that its route gives to all. */
  keepLines({ linesStart, ownLinesEnd }: Exchange): void {
    if (ownLinesEnd >= 0) this.lines.addRange(this.#plane.memory, linesStart, ownLinesEnd);
  }

  /** Sends `answer`, which has no content. `false`: as `answerFailure`. */
  answerReady(leg: ClientLeg, answer: Answer, close: boolean): boolean {
    const start = this.#acquire(answer.lines.length + ANSWER_OWN_BYTES_MAX);
    if (start < 0) return false;
    let end = writeBytes(this.#plane.memory, start, answer.lines);
    if (close) end = writeBytes(this.#plane.memory, end, CLOSE_LINE);
    this.#finish(leg, start, end, NOTHING, answer.status);
    return true;
  }

  /** Answers of our own have these for content from now on. @cold */
  usePages(pages: ReadyPages): void {
    this.#pages = pages;
  }

  /**
   * Sends the local answer to `failure`, with the content that `pages` have for it. `false`: out of slots. Then
   * the connection must end, for what is answered next would be taken for the answer to this.
   */
  answerFailure(
    leg: ClientLeg,
    failure: Failure,
    asked: Asked,
    close: boolean,
    pages = this.#pages,
  ): boolean {
    const page = pages.get(failure.status);
    return this.#answer(leg, this.#answers.ofFailure(failure, asked.json, close, page), asked.headOnly);
  }

  /** Sends the local answer to a message that could not be read. */
  answerFault(leg: ClientLeg, fault: Fault, asked: Asked): void {
    const page = this.#pages.get(FAULTS[fault].status);
    this.#answer(leg, this.#answers.ofFault(fault, asked.json, page), asked.headOnly);
  }

  /** Sends the answer to an OPTIONS whose final recipient we are. `false`: as `answerFailure`. */
  answerOptions(leg: ClientLeg, close: boolean): boolean {
    return this.#answer(leg, this.#answers.toOptions(close), false);
  }

  /** Sends what `plan`, which forwards to nobody, answers to the request in `source`. `false`: as above. */
  answerRoute(
    leg: ClientLeg,
    plan: RoutePlan,
    source: TemplateSource,
    headOnly: boolean,
    close: boolean,
  ): boolean {
    const { memory, view } = this.#plane;
    const { redirect, answer } = plan;
    const lines = redirect === null ? answer!.lines : redirect.lines;
    const body = headOnly || answer === null ? NOTHING : answer.body;
    const locationBytes = redirect === null ? 0 : redirect.location.length(source);
    const start = this.#acquire(lines.length + locationBytes + ANSWER_OWN_BYTES_MAX + body.length);
    if (start < 0) return false;
    let end = writeBytes(memory, start, lines);
    if (redirect !== null) end = writeLocation(memory, view, end, redirect, source);
    if (close) end = writeBytes(memory, end, CLOSE_LINE);
    this.#finish(leg, start, end, body, redirect === null ? answer!.status : redirect.status);
    return true;
  }

  #answer(leg: ClientLeg, answer: Answer, headOnly: boolean): boolean {
    const body = headOnly ? NOTHING : answer.body;
    const start = this.#acquire(answer.lines.length + ANSWER_OWN_BYTES_MAX + body.length);
    // Without a slot the client learns it from the end of the connection.
    if (start < 0) return false;
    const end = writeBytes(this.#plane.memory, start, answer.lines);
    this.#finish(leg, start, end, body, answer.status);
    return true;
  }

  /** A slot with room for `bytes`, or -1. */
  #acquire(bytes: number): number {
    const { buffers } = this.#plane;
    const allBytes = bytes + this.lines.end;
    let start = -1;
    if (allBytes <= SMALL_SLOT_BYTES) start = buffers.acquireSmall();
    else if (allBytes <= LARGE_SLOT_BYTES) start = buffers.acquireLarge();
    if (start < 0) this.lines.end = 0;
    return start;
  }

  /** Ends the answer whose field lines are `[start, end)`, and sends it. */
  #finish(leg: ClientLeg, start: number, end: number, body: Uint8Array, status: number): void {
    const { memory, nowMs, epochOffsetMs } = this.#plane;
    // RFC 9110 §6.6.1: here we are the origin.
    let at = writeBytes(memory, end, this.#date.at(nowMs + epochOffsetMs));
    if (this.lines.end > 0) at = this.lines.write(memory, at);
    at = writeBytes(memory, at, CRLF);
    if (body.length > 0) at = writeBytes(memory, at, body);
    this.#countResponse(status);
    this.#send(leg, start, at);
  }

  #writeHead(exchange: Exchange, head: MessageHead): boolean {
    assert(exchange.slotStart < 0, "a head begins a slot");
    const { buffers, memory, view } = this.#plane;
    let slot = buffers.acquireSmall();
    let end = NO_ROOM;
    if (slot >= 0) end = writeResponseHead(memory, view, slot, buffers.slotEnd(slot), head, this.#policy);
    if (end === NO_ROOM) {
      if (slot >= 0) buffers.release(slot);
      slot = buffers.acquireLarge();
      if (slot < 0) return false;
      end = writeResponseHead(memory, view, slot, buffers.slotEnd(slot), head, this.#policy);
      if (end === NO_ROOM) {
        buffers.release(slot);
        return false;
      }
    }
    exchange.slotStart = slot;
    exchange.slotAt = end;
    exchange.slotLimit = buffers.slotEnd(slot);
    return true;
  }

  #openSlot(exchange: Exchange): boolean {
    const { buffers } = this.#plane;
    const slot = buffers.acquireSmall();
    if (slot < 0) return false;
    exchange.slotStart = slot;
    exchange.slotAt = slot;
    exchange.slotLimit = buffers.slotEnd(slot);
    return true;
  }

  #send(leg: ClientLeg, start: number, end: number): void {
    const { counters, port } = this.#plane;
    counters[Counter.clientBytesOut] = counters[Counter.clientBytesOut]! + (end - start);
    port.send(leg.connection, start, end);
  }

  #countResponse(status: number): void {
    const { counters } = this.#plane;
    // RFC 9110 §15: a class that is not known is taken for 5xx.
    const cell = Math.min(Counter.responses1xx + ((status / 100) | 0) - 1, Counter.responses5xx);
    counters[cell] = counters[cell]! + 1;
  }
}

/** RFC 9110 §8.6: no Content-Length in a 204, nor in a 2xx to CONNECT; in a 304 it would be another's. */
function hasLength({ method }: Exchange, status: number, bodyBytes: number): boolean {
  if (bodyBytes < 0 || status === 204 || status === 304) return false;
  return method !== Method.CONNECT || status >= 300;
}
