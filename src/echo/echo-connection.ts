/** What the echo server remembers of one connection. Records are made once per number and used again. */
import { BodyReader } from "../http1/body.ts";
import type { EchoRequest } from "./echo-request.ts";
import type { WebSocketEcho } from "./web-socket.ts";

/** What the next byte of a connection is for. */
export const Phase = {
  /** Nothing: the number is not in use. */
  closed: 0,
  head: 1,
  body: 2,
  /** Waits: the response to the current request is not all queued yet. */
  answer: 3,
  webSocket: 4,
  /** Nothing: our last byte is queued, and the peer's FIN is awaited. */
  linger: 5,
} as const;

/** A response body that is made while it is sent. */
export interface ResponseStream {
  /** The queue is empty: sends more. Returns true when all is queued. */
  pump(): boolean;
  stop(): void;
}

export class EchoConnection {
  readonly number: number;
  /** A `Phase`. */
  phase = 0;
  /** Received ranges that wait for their turn: start, end, start, end. Each holds a reference. */
  readonly waiting: number[] = [];
  isPaused = false;
  /** Too much is queued: nothing is read until it has left. */
  isCongested = false;
  /** The peer has sent FIN. */
  hasEnded = false;
  /** The beginning of a head whose end has not come. */
  partial: Buffer | null = null;
  readonly reader = new BodyReader();
  request: EchoRequest | null = null;
  stream: ResponseStream | null = null;
  webSocket: WebSocketEcho | null = null;
  timer: NodeJS.Timeout | undefined = undefined;

  constructor(number: number) {
    this.number = number;
  }

  /** Whether received bytes must wait. */
  get isBusy(): boolean {
    return this.phase === Phase.answer || this.isCongested;
  }

  /** Forgets the current request and stops what was under way for it. */
  dropRequest(): void {
    this.request = null;
    this.stream?.stop();
    this.stream = null;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** As new, in `phase`. `waiting` must be empty. */
  reset(phase: number): void {
    this.dropRequest();
    this.phase = phase;
    this.isPaused = false;
    this.isCongested = false;
    this.hasEnded = false;
    this.partial = null;
    this.webSocket = null;
  }
}
