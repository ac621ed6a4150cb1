/**
 * The echo server: a `Handler` that answers HTTP/1.1 requests in order.
 *
 * Strategy: one request at a time per connection. What arrives behind a request that is not answered yet
 * waits in its buffers while the connection is paused. The plain request (`GET` without a body, under
 * `--body-bytes`) takes a path of its own on which nothing is allocated; every other request becomes an
 * `EchoRequest` in words.
 *
 * @hot
 */
import { assert } from "../base/assert.ts";
import type { Handler, Port } from "../contract/port.ts";
import { DEFAULT_LIMITS } from "../contract/snapshot.ts";
import { BodyMode } from "../http1/body.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import { Framing, requestFraming } from "../http1/framing.ts";
import { ConnectionOption, MessageHead, Method, NEED_MORE, TransferCoding } from "../http1/message-head.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";
import { parseRequestHead } from "../http1/request-head.ts";
import { type AnswerContext, beginAnswer } from "./answer.ts";
import { EchoConnection, Phase } from "./echo-connection.ts";
import { type EchoRequest, readEchoRequest } from "./echo-request.ts";
import { sendBytes } from "./output.ts";
import { patternBlock, patternBytes } from "./pattern-body.ts";
import { PlainAnswer } from "./plain-answer.ts";
import { ROUTE_INITIALS } from "./route.ts";
import type { SharedBytes } from "./shared-bytes.ts";
import { WebSocketEcho } from "./web-socket.ts";

export interface EchoBehaviour {
  /** Length of the fixed body; -1: tell what the request was. */
  readonly bodyBytes: number;
  /** Every answer waits this long. */
  readonly delayMs: number;
}

/** A reader that leaves more than this queued is not read from. */
const QUEUED_BYTES_MAX = 262_144;
const LINGER_MS = 2_000;
const LIMITS = DEFAULT_LIMITS;
const HEAD = Phase.head;
const BODY = Phase.body;
const ANSWER = Phase.answer;
const WEB_SOCKET = Phase.webSocket;
const LINGER = Phase.linger;
const CLOSED = Phase.closed;
const MORE = NEED_MORE;
const GET = Method.GET;
const NO_CODING = TransferCoding.none;
const SPECIAL_OPTIONS = ConnectionOption.close | ConnectionOption.upgrade;
const INITIALS = ROUTE_INITIALS;
const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n", "latin1");

export class EchoHandler implements Handler {
  readonly #port: Port;
  readonly #memory: Buffer;
  readonly #behaviour: EchoBehaviour;
  readonly #plain: PlainAnswer | null;
  readonly #pattern: SharedBytes;
  readonly #head = new MessageHead(LIMITS.fieldCountMax);
  readonly #connections: (EchoConnection | undefined)[];
  readonly #answerContext: AnswerContext;

  /** `serverName` is told in every echo: who of several backends answered. */
  constructor(port: Port, behaviour: EchoBehaviour, serverName: string) {
    const memory = port.buffers.memory;
    this.#port = port;
    this.#memory = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
    this.#behaviour = behaviour;
    this.#pattern = patternBlock(port.buffers);
    this.#connections = new Array(port.connectionsMax);
    const { bodyBytes, delayMs } = behaviour;
    const isPlain = bodyBytes >= 0 && delayMs === 0 && PlainAnswer.fits(bodyBytes);
    this.#plain = isPlain ? new PlainAnswer(port.buffers, patternBytes(bodyBytes)) : null;
    this.#answerContext = {
      port,
      bodyBytes,
      pattern: this.#pattern,
      serverName,
      finish: (connection) => this.#finishLater(connection),
      abort: (connection) => this.#abort(connection),
    };
  }

  /** Just before the engine stops: no timer of ours goes on, and every slot comes home. @cold */
  stop(): void {
    for (const connection of this.#connections) {
      if (connection === undefined) continue;
      this.#releaseWaiting(connection);
      connection.reset(CLOSED);
    }
    this.#plain?.stop();
    this.#pattern.release();
  }

  begin(nowMs: number): void {
    if (this.#plain !== null) this.#plain.refresh(nowMs);
  }

  end(): number {
    return -1;
  }

  accepted(number: number): void {
    let connection = this.#connections[number];
    if (connection === undefined) {
      connection = new EchoConnection(number);
      this.#connections[number] = connection;
    }
    assert(connection.phase === CLOSED, "a number is given out when it is free");
    connection.reset(HEAD);
  }

  connected(): void {
    assert(false, "an echo server connects to nobody");
  }

  received(number: number, start: number, end: number): void {
    const connection = this.#of(number);
    if (connection.phase === LINGER) {
      this.#port.buffers.release(start);
    } else if (connection.isBusy || connection.waiting.length > 0) {
      connection.waiting.push(start, end);
      this.#pause(connection);
    } else {
      this.#consume(connection, start, end);
    }
  }

  ended(number: number): void {
    const connection = this.#of(number);
    connection.hasEnded = true;
    const isStream = connection.request?.route.name === "events";
    if (connection.phase === LINGER || isStream) this.#close(connection);
    else if (!connection.isBusy && connection.waiting.length === 0) this.#afterEnd(connection);
  }

  drained(number: number): void {
    const connection = this.#of(number);
    if (connection.phase === LINGER) {
      if (connection.hasEnded) this.#close(connection);
      return;
    }
    connection.isCongested = false;
    if (connection.stream?.pump()) this.#finish(connection);
    this.#goOn(connection);
  }

  failed(number: number): void {
    this.#close(this.#of(number));
  }

  #of(number: number): EchoConnection {
    const connection = this.#connections[number];
    assert(connection !== undefined, "events name known connections");
    assert(connection.phase !== CLOSED, "events name open connections");
    return connection;
  }

  /** Takes over the reference to `[start, end)`. */
  #consume(connection: EchoConnection, start: number, end: number): void {
    const head = this.#head;
    const memory = this.#memory;
    let pos = start;
    let plainCount = 0;
    while (pos < end && !connection.isBusy && connection.phase !== LINGER && connection.phase !== CLOSED) {
      if (connection.phase === HEAD && connection.partial === null) {
        const next = parseRequestHead(memory, pos, end, head, LIMITS);
        if (next > 0 && this.#isPlain(memory, head)) {
          pos = next;
          plainCount++;
          if (plainCount === this.#plain!.copiesMax) plainCount = this.#answerPlain(connection, plainCount);
          continue;
        }
        if (plainCount > 0) plainCount = this.#answerPlain(connection, plainCount);
        if (connection.isBusy) break;
        pos = this.#takeHead(connection, memory, pos, end, next);
      } else if (connection.phase === HEAD) {
        pos = this.#continueHead(connection, pos, end);
      } else if (connection.phase === BODY) {
        pos = this.#takeBody(connection, pos, end);
      } else {
        assert(connection.phase === WEB_SOCKET, "only a WebSocket reads on");
        if (!connection.webSocket!.feed(pos, end)) this.#linger(connection);
        pos = end;
      }
    }
    if (plainCount > 0) this.#answerPlain(connection, plainCount);
    this.#afterConsuming(connection, pos, end);
  }

  /** `[pos, end)` is what was left. */
  #afterConsuming(connection: EchoConnection, pos: number, end: number): void {
    const isOpen = connection.phase !== LINGER && connection.phase !== CLOSED;
    if (pos < end && isOpen) {
      connection.waiting.unshift(pos, end);
      this.#pause(connection);
    } else {
      this.#port.buffers.release(pos < end ? pos : end - 1);
    }
    if (connection.phase === WEB_SOCKET) this.#checkCongestion(connection);
  }

  /** GET without body, options or a path of ours. */
  #isPlain(memory: Uint8Array, head: MessageHead): boolean {
    return (
      this.#plain !== null &&
      head.method === GET &&
      head.contentLength <= 0 &&
      head.transferCoding === NO_CODING &&
      head.framingFault === 0 &&
      head.versionMinor === 1 &&
      (head.connectionOptions & SPECIAL_OPTIONS) === 0 &&
      head.pathStart >= 0 &&
      INITIALS[memory[head.pathStart + 1]!] === 0
    );
  }

  /** Answers `count` requests at once. Returns 0. */
  #answerPlain(connection: EchoConnection, count: number): number {
    if (!this.#plain!.send(this.#port, connection.number, count)) this.#abort(connection);
    else this.#checkCongestion(connection);
    return 0;
  }

  #checkCongestion(connection: EchoConnection): void {
    if (connection.isCongested || this.#port.queuedBytes(connection.number) <= QUEUED_BYTES_MAX) return;
    connection.isCongested = true;
    this.#pause(connection);
    this.#port.wantDrained(connection.number);
  }

  /** What `parseRequestHead` said of `bytes[pos, end)`. Returns the position behind what was taken. @cold */
  #takeHead(connection: EchoConnection, bytes: Buffer, pos: number, end: number, next: number): number {
    if (next === MORE) {
      connection.partial = Buffer.from(bytes.subarray(pos, end));
      return end;
    }
    if (next < 0) {
      this.#refuse(connection, next as Fault);
      return end;
    }
    const head = this.#head;
    const framing = requestFraming(head);
    if (framing < 0) {
      this.#refuse(connection, framing as Fault);
      return end;
    }
    const isUpgrade = (head.connectionOptions & ConnectionOption.upgrade) !== 0 && head.upgradeIndex >= 0;
    connection.request = readEchoRequest(bytes, head, isUpgrade);
    if (framing === Framing.none) {
      this.#respond(connection);
      return next;
    }
    if (head.expectContinue && head.versionMinor === 1 && next === end) this.#send(connection, CONTINUE);
    connection.reader.begin(framing, head.contentLength, BodyMode.payload);
    if (connection.phase === HEAD) connection.phase = BODY;
    return next;
  }

  /**
   * A head that began in an earlier buffer is parsed in a copy. Returns the position behind it, or `end`.
   * @cold
   */
  #continueHead(connection: EchoConnection, pos: number, end: number): number {
    const known = connection.partial!.length;
    const bytes = Buffer.concat([connection.partial!, this.#memory.subarray(pos, end)]);
    connection.partial = null;
    const next = parseRequestHead(bytes, 0, bytes.length, this.#head, LIMITS);
    const taken = this.#takeHead(connection, bytes, 0, bytes.length, next);
    assert(taken > known, "a head ends behind what was incomplete");
    return pos + taken - known;
  }

  /** Returns the position behind what was taken. @cold */
  #takeBody(connection: EchoConnection, pos: number, end: number): number {
    const { reader, request } = connection;
    const next = reader.feed(this.#memory, this.#port.buffers.view, pos, end);
    if (next < 0) {
      this.#refuse(connection, next as Fault);
      return end;
    }
    if (reader.outEnd > reader.outStart) request!.body.feed(this.#memory, reader.outStart, reader.outEnd);
    if (reader.done) this.#respond(connection);
    return next;
  }

  /** The request is complete. @cold */
  #respond(connection: EchoConnection): void {
    const route = connection.request!.route;
    const delayMs = this.#behaviour.delayMs + (route.name === "slow" ? route.delayMs : 0);
    connection.phase = ANSWER;
    if (delayMs === 0) {
      this.#answer(connection);
      return;
    }
    connection.timer = setTimeout(() => {
      this.#answer(connection);
      this.#goOn(connection);
    }, delayMs);
  }

  /** @cold */
  #answer(connection: EchoConnection): void {
    const verdict = beginAnswer(this.#answerContext, connection);
    if (connection.phase === CLOSED) return;
    if (verdict === "webSocket") {
      connection.webSocket = new WebSocketEcho(this.#port, connection.number, this.#memory);
      connection.dropRequest();
      connection.phase = WEB_SOCKET;
    } else if (verdict === "whole") this.#finish(connection);
  }

  /** The response is queued. @cold */
  #finish(connection: EchoConnection): void {
    const persists = (connection.request as EchoRequest).persists;
    connection.dropRequest();
    if (!persists) {
      this.#linger(connection);
      return;
    }
    connection.phase = HEAD;
    this.#checkCongestion(connection);
  }

  #finishLater(connection: EchoConnection): void {
    this.#finish(connection);
    this.#goOn(connection);
  }

  /** Something that was waited for has happened: takes up what came meanwhile. */
  #goOn(connection: EchoConnection): void {
    const waiting = connection.waiting;
    while (waiting.length > 0 && !connection.isBusy && connection.phase !== LINGER) {
      const start = waiting.shift()!;
      this.#consume(connection, start, waiting.shift()!);
      if (connection.phase === CLOSED) return;
    }
    if (connection.isBusy || connection.phase === CLOSED || connection.phase === LINGER) return;
    if (connection.isPaused) {
      connection.isPaused = false;
      this.#port.resume(connection.number);
    }
    if (connection.hasEnded) this.#afterEnd(connection);
  }

  #pause(connection: EchoConnection): void {
    if (connection.isPaused) return;
    connection.isPaused = true;
    this.#port.pause(connection.number);
  }

  /** Answers what cannot be read, and reads no more. @cold */
  #refuse(connection: EchoConnection, fault: Fault): void {
    const { status, text } = FAULTS[fault];
    const lines = [
      `HTTP/1.1 ${status} ${reasonPhrase(status)}`,
      `Date: ${new Date().toUTCString()}`,
      "Content-Type: text/plain; charset=utf-8",
      `Content-Length: ${text.length + 1}`,
      "Connection: close",
    ];
    this.#send(connection, Buffer.from(`${lines.join("\r\n")}\r\n\r\n${text}\n`, "latin1"));
    if (connection.phase !== CLOSED) this.#linger(connection);
  }

  #send(connection: EchoConnection, bytes: Buffer): void {
    if (!sendBytes(this.#port, connection.number, bytes)) this.#abort(connection);
  }

  /**
   * Nothing more is said: FIN behind what is queued, then waits for the peer's, so that it can read all of
   * it. @cold
   */
  #linger(connection: EchoConnection): void {
    if (connection.phase === CLOSED || connection.phase === LINGER) return;
    this.#releaseWaiting(connection);
    connection.dropRequest();
    connection.partial = null;
    connection.isCongested = false;
    connection.phase = LINGER;
    this.#port.shutdown(connection.number);
    if (connection.isPaused) this.#port.resume(connection.number);
    connection.isPaused = false;
    if (connection.hasEnded) this.#port.wantDrained(connection.number);
    connection.timer = setTimeout(() => this.#close(connection), LINGER_MS);
  }

  /** The peer has said its last byte, and it is read. */
  #afterEnd(connection: EchoConnection): void {
    if (connection.phase === BODY || this.#port.queuedBytes(connection.number) === 0) this.#close(connection);
    else this.#linger(connection);
  }

  #close(connection: EchoConnection): void {
    if (connection.phase === CLOSED) return;
    this.#releaseWaiting(connection);
    connection.reset(CLOSED);
    this.#port.close(connection.number);
  }

  /** Breaks off in the middle of an answer. @cold */
  #abort(connection: EchoConnection): void {
    if (connection.phase === CLOSED) return;
    this.#releaseWaiting(connection);
    connection.reset(CLOSED);
    this.#port.reset(connection.number);
  }

  #releaseWaiting(connection: EchoConnection): void {
    const waiting = connection.waiting;
    for (let i = 0; i < waiting.length; i += 2) this.#port.buffers.release(waiting[i]!);
    waiting.length = 0;
  }
}
