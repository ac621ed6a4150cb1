/**
 * The two sides of an exchange as HTTP/1.1 connections: a record each, made once and used again.
 *
 * @hot
 */
import type { EndpointState } from "../balance/endpoint.ts";
import { NONE, RangeQueue } from "../base/range-queue.ts";
import { Counter } from "../contract/counters.ts";
import type { Limits } from "../contract/snapshot.ts";
import type { Exchange } from "./exchange.ts";

/** Where a client connection is in its current request. */
export const ClientState = {
  /** Not in use. */
  closed: 0,
  /** Between requests: not a byte of the next one has come. */
  idle: 1,
  /** A head has begun. */
  head: 2,
  /** The head is read, the body is not, or not all of it. */
  body: 3,
  /** The request is read whole; its response is not sent whole. */
  waiting: 4,
  /** The last response is queued: close once it has left. */
  flushing: 5,
  /**
   * FIN is sent, or will be behind the last response; what still comes is thrown away until the peer's FIN.
   */
  lingering: 6,
} as const;
export type ClientState = (typeof ClientState)[keyof typeof ClientState];

/** What a client may have queued behind its response without being watched: the kernel takes it at once. */
export const HELD_BYTES_MAX = 16_384;
const HELD_ANSWERS_MAX = 32;

/** A head that came in pieces, being put together in a slot of its own, which begins at `start`. */
export class PartialHead {
  start: number;
  end: number;
  /** Up to here no end of the head was found. */
  scanned: number;
  /**
   * Bytes at which it is parsed again although incomplete: refuses garbage early, and looks at no byte more
   * than a few times.
   */
  parseAgainBytes = 0;

  constructor(start: number) {
    this.start = start;
    this.end = start;
    this.scanned = start;
  }
}

/** A leg, as far as heads in pieces go; most come whole, so that there is nothing (null). */
export interface CollectingLeg {
  partial: PartialHead | null;
}

const NOT_NAMED = new Uint8Array(0);

export class ClientLeg {
  connection = -1;
  listener = 0;
  state: ClientState = ClientState.closed;
  /** Input has to wait: the backend connection for the body is not there yet or its queue is long, or
   *  (between requests) the client has not taken the answers it asked for. */
  blocked = false;
  /** We asked the engine not to read. */
  paused = false;
  /** What it sends is thrown away: slots were short. Its connection ends with the response under way. */
  deaf = false;
  /** It has sent FIN, and is served all the same. */
  ended = false;
  /** Counter of the limit that makes the request under way its last one; -1: none does. */
  lastCounter = -1;
  /** Requests that have begun, counted only while a limit asks for it. */
  requestCount = 0;
  /** Of these, how many in a row lay here before the answer to the one in front. */
  pipelinedCount = 0;
  /** `received` is on the stack: who finishes an exchange leaves the rest of the input to it. */
  consuming = false;
  /** Text of the peer's address in memory; -1 until it is needed. */
  peerStart = -1;
  peerEnd = -1;
  /** What it says of those before it is believed (`Policy.trustedProxies`); decided with `peerStart`. */
  trusted = false;
  /** Text of the client's address as a peer that is trusted names it. */
  named = NOT_NAMED;
  /** Its length; 0: it is the peer's; -1: not known. */
  namedLength = -1;
  /** The peer's address as 16 bytes, none where it has none; null until a route asks for it. */
  address: Uint8Array | null = null;
  /** What was queued for it when its patience was last extended; -1: not yet. */
  queuedBytes = -1;
  /** Answers that may wait for it together, and the batch of the newest. */
  heldCount = 0;
  answeredBatch = 0;
  /** In the middle of a message: what it sends waits for what others send. */
  standsBack = false;
  exchange: Exchange | null = null;
  partial: PartialHead | null = null;
  /** Bytes that came too early: the next requests, or a body that has nowhere to go yet. */
  readonly pending = new RangeQueue();
  /** Pieces put there since it was last empty. */
  pendingCount = 0;

  /** Becomes the leg of a new connection, between requests. */
  open(connection: number, listener: number): void {
    this.connection = connection;
    this.listener = listener;
    this.state = ClientState.idle;
  }

  /** As made; partial head and pending input are given back before. */
  clear(): void {
    this.connection = -1;
    this.listener = 0;
    this.state = ClientState.closed;
    this.blocked = false;
    this.paused = false;
    this.deaf = false;
    this.ended = false;
    this.lastCounter = -1;
    this.requestCount = 0;
    this.pipelinedCount = 0;
    this.pendingCount = 0;
    this.consuming = false;
    this.peerStart = -1;
    this.peerEnd = -1;
    this.trusted = false;
    this.namedLength = -1;
    this.address = null;
    this.queuedBytes = -1;
    this.heldCount = 0;
    this.standsBack = false;
    this.exchange = null;
  }

  /**
   * An answer was queued in `batch`, and `queuedBytes` wait now. Returns true when they may be so many answers,
   * each with a slot of its own, that the next request has to wait: thousands of small requests come in one piece.
   */
  holdsMany(batch: number, queuedBytes: number): boolean {
    const mayBeAlone = this.answeredBatch !== batch && queuedBytes <= HELD_BYTES_MAX;
    this.answeredBatch = batch;
    this.heldCount = mayBeAlone ? 1 : this.heldCount + 1;
    return this.heldCount > HELD_ANSWERS_MAX;
  }

  /** A head begins. It is the client's last one where a limit says so. */
  countRequest(limits: Limits): void {
    this.requestCount++;
    this.pipelinedCount++;
    if (limits.requestsPerClientMax > 0 && this.requestCount >= limits.requestsPerClientMax) {
      this.lastCounter = Counter.closedRequestsPerClient;
    } else if (limits.pipelinedRequestsMax > 0 && this.pipelinedCount >= limits.pipelinedRequestsMax) {
      this.lastCounter = Counter.closedPipelining;
    }
  }
}

export const OriginState = {
  closed: 0,
  connecting: 1,
  /** In its endpoint's pool. */
  idle: 2,
  /** The request is being sent or has been; no response head yet. */
  head: 3,
  /** Reading the response body. */
  body: 4,
} as const;
export type OriginState = (typeof OriginState)[keyof typeof OriginState];

export class OriginLeg {
  connection = -1;
  state: OriginState = OriginState.closed;
  /** It has served an exchange before this one: it may have died while it was idle. */
  reused = false;
  paused = false;
  /** `Plane.batch` in which the request was given to the engine: until its end nothing of it has left. */
  sentBatch = 0;
  /** When connecting began. */
  bornMs = 0;
  endpoint: EndpointState | null = null;
  exchange: Exchange | null = null;
  partial: PartialHead | null = null;
  /** Its response waits for foreign code: not read, and what had come by then is in `held`. */
  isHeld = false;
  readonly held = new RangeQueue();
  /** What happened to the connection meanwhile. */
  whileHeld: WhileHeld = WhileHeld.nothing;

  /** More came, or happened, while it was held, which only foreign code does. */
  get hasLeftovers(): boolean {
    return this.held.first !== NONE || this.whileHeld !== WhileHeld.nothing;
  }

  /** It is not read: its client is slow, or foreign code is. */
  get isStill(): boolean {
    return this.paused || this.isHeld;
  }
}

/** What came behind the input of a backend connection that is held. */
export const WhileHeld = { nothing: 0, ended: 1, failed: 2 } as const;
export type WhileHeld = (typeof WhileHeld)[keyof typeof WhileHeld];
