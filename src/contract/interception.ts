/**
 * Where foreign code meets the data plane: what a session tells whoever runs hooks, and what that may do to an
 * exchange meanwhile.
 *
 * Strategy: the session knows moments, bytes and verdicts. Functions, promises, strings and streams belong to
 * the edge (`src/hooks`), which puts them behind these interfaces; built-in policies that need Node (hashes,
 * compression, another server's word) are links of the same chain. At each moment the session calls the chain
 * of the exchange's route once. The chain edits what it likes and returns, and the exchange goes on; or it
 * calls `hold`, and the exchange stands still until `proceed`, `answer` or `fail`.
 *
 * All of it is called on the engine's thread. What a chain calls from outside of a batch (a promise that was
 * settled) takes effect with the next batch, which the session asks for (`Interception.wake`). Nothing here
 * throws; what is asked of an exchange that has ended (`isLive`) does nothing. While an exchange is held, `error`
 * or `log` may come all the same (its time is over, its client has left, the proxy ends): that moment takes the
 * place of the one that was held, and what is said of it afterwards would be taken for the new one's.
 */
import type { FailureNotice } from "./notices.ts";

/** Bits: at which moments a chain wants to be called. */
export const Moment = {
  /** The request is rendered as it would go to a backend; none is chosen yet, and none may be meant. */
  request: 1,
  /** An endpoint is chosen for the next attempt; nothing of this attempt is sent. */
  upstream: 2,
  /** The final response head is rendered as it would go to the client; nothing of it is sent. */
  response: 4,
  /** The exchange has failed before anything was said to the client: an answer of our own is due. */
  error: 8,
  /** The exchange is over, well or not. Nothing can be changed or held any more. */
  log: 16,
} as const;
export type Moment = (typeof Moment)[keyof typeof Moment];

/** The hooks of one route, in order, ready to run. Calls must not throw. */
export interface Chain {
  /** Bits of `Moment`; constant. */
  readonly moments: number;
  request(exchange: Intercepted): void;
  upstream(exchange: Intercepted): void;
  response(exchange: Intercepted): void;
  error(exchange: Intercepted): void;
  log(exchange: Intercepted): void;
}

/** What a session is given where there are hooks. */
export interface Interception {
  /** Chains of the snapshot, in the order of `Hooking.chains`. */
  readonly chains: readonly Chain[];
  /** Asks the engine for a batch (`Engine.wake`). */
  wake(): void;
}

/** What a chain keeps of one exchange. */
export interface Edge {
  /**
   * Called once when the exchange is over, after `log`. `true`: the chain keeps nothing of the `Intercepted` from now
   * on, so that it may become another exchange's.
   */
  ended(): boolean;
}

/** One exchange as its chain sees it: one object for all of its moments. */
export interface Intercepted {
  /** The chain's own; null at first. Where it stays null, or does not let go, the object is not used again. */
  edge: Edge | null;
  /** `false` once the exchange is over (after `log`). */
  readonly isLive: boolean;
  /** Of the worker: heads are ranges in it. */
  readonly memory: Uint8Array;
  /** Name of the route; "" without routes. */
  readonly routeName: string;
  /** Clock of the batch, and when the request head was complete. */
  readonly nowMs: number;
  readonly startMs: number;
  /** `Method` of http1; what is not known is `Method.other`. */
  readonly method: number;
  /** Minor version of the client's HTTP/1. */
  readonly clientMinor: number;
  /** The request asks for another protocol or is a CONNECT: its bodies cannot be transformed. */
  readonly mayTunnel: boolean;
  /** The request has a body, or may have one. */
  readonly hasRequestBody: boolean;
  /** The response has a body, or may have one; meaningful from `response` on. */
  readonly hasResponseBody: boolean;
  /** The response is an event stream: its pieces must not wait for each other. */
  readonly isEventStream: boolean;
  /** Of the response: 0 before there is one. In `error`: the status that we would answer. */
  readonly status: number;
  /** Endpoint of the attempt: "" before `upstream`. */
  readonly endpoint: string;
  /** Which answers, as chosen by the route or by `routeTo`. */
  readonly cluster: string;
  /** From 1 with the first `upstream`. */
  readonly attempts: number;
  /** Why it failed, as `FailureNotice` has it; "" where it did not. */
  readonly failureBy: FailureNotice["by"] | "";
  readonly failureReason: string;
  readonly failureText: string;
  /** Payload bytes so far, without framing. */
  readonly requestBodyBytes: number;
  readonly responseBodyBytes: number;
  /** The client's address as text (where it is believed, that of the first client not trusted). */
  clientAddress(): string;

  /**
   * The request head as it goes to the backend, `[requestStart, requestHeadEnd)` of `memory`: request line,
   * field lines, empty line. -1 once it was given back, which is not before `log` where the chain asks for
   * `response`, `error` or `log`. Offsets move with every edit.
   */
  readonly requestStart: number;
  readonly requestHeadEnd: number;
  /** The response head as it goes to the client; -1 but in `response` and while that is held. */
  readonly responseStart: number;
  readonly responseHeadEnd: number;

  /**
   * Field edits of the request (in `request`, `upstream`) or response head (in `response`). `name` is in lower
   * case and a token, `value` without CR, LF and NUL: that is checked, and `false` is returned where it does
   * not hold, the name is one on which framing depends, or there is no room. `name` is written as given, and
   * its bytes must never change: what was found of it is remembered. Of `value` the first `valueBytes` count, all of it
   * where that is left out; it is copied.
   */
  setField(which: HeadOf, name: Uint8Array, value: Uint8Array, valueBytes?: number): boolean;
  addField(which: HeadOf, name: Uint8Array, value: Uint8Array, valueBytes?: number): boolean;
  /** `false`: the name cannot be removed. */
  removeField(which: HeadOf, name: Uint8Array): boolean;
  /** Replaces the request target (`request`, `upstream`), which is checked as in `http1/request-head.ts`. */
  setTarget(target: Uint8Array): boolean;
  /** Replaces the status of the response (`response`), 200 to 599; not to or from one without a body, nor to 205. */
  setStatus(status: number): boolean;
  /** In `request`: another cluster, by index in `Snapshot.clusters`, answers. */
  routeTo(cluster: number): boolean;

  /** The exchange stands still until `proceed`, `answer` or `fail`; not in `log`. */
  hold(): void;
  proceed(): void;
  /**
   * Answers in place of a backend (in `request`, `upstream`, `response`, `error`); a response that a backend
   * has begun is thrown away. `lines` are complete field lines, checked by whoever wrote them, without
   * Content-Length, Transfer-Encoding, Connection and Date. `bodyBytes`: length of the body, -1: not known.
   * The body is written to what this returns; one that must not be (HEAD, 204, 205, 304) is thrown away there.
   */
  answer(status: number, lines: Uint8Array, bodyBytes: number): BodySink;
  /** The chain has failed and its policy is to fail closed: answered 500 (or 408) where nothing was said. */
  fail(reason: HookFailureReason): void;

  /**
   * The body goes through `stage` from here on: of the request (in `request`), of the response (in
   * `response`). At most one each; several stages are one behind the other at the edge. `keepsLength`: as many
   * bytes come out as go in. Null: it cannot be transformed (`mayTunnel`, no body, too late).
   */
  transform(which: HeadOf, stage: BodyStage, keepsLength: boolean): BodySink | null;
}

export const HeadOf = { request: 0, response: 1 } as const;
export type HeadOf = (typeof HeadOf)[keyof typeof HeadOf];

/**
 * `hook_threw`: an error; `hook_late`: over its time; `hook_stalled`: a body that does not come; `body_late`: the
 * chain's time is over, and it was the client's body that it waited for (408).
 */
export type HookFailureReason = "hook_threw" | "hook_late" | "hook_stalled" | "body_late";

/** What a body passes through, at the edge. Called in order; nothing after `end` or `abort`. */
export interface BodyStage {
  /**
   * The next piece of the body, `[start, end)` of the worker's memory, borrowed: what is kept must be copied
   * within the call (`memory` may be a Buffer, whose `slice` is no copy). `false`: enough for now; the source
   * stands still until `BodySink.more`.
   */
  feed(memory: Uint8Array, start: number, end: number): boolean;
  /** The body is complete. */
  end(): void;
  /**
   * Nothing more is taken or given: the exchange is over, or has become another's before the stage had said all.
   * Behind `BodySink.fail` as well; not behind `BodySink.end`.
   */
  abort(): void;
  /** `BodySink.write` had said "enough": there is room again. */
  drained(): void;
}

/** Where a stage, or an answer, writes its body to. */
export interface BodySink {
  /**
   * Takes the bytes over: they must not change any more. `false`: enough for now, until `BodyStage.drained`
   * (for an answer: until `onDrained` is called).
   */
  write(bytes: Uint8Array): boolean;
  /** The body is complete. */
  end(): void;
  /** It never will be: the client (or backend) must see that it was cut. */
  fail(reason: HookFailureReason): void;
  /** `feed` had said "enough": go on. */
  more(): void;
  /**
   * Of an answer: called when `write` may go on; and when nothing more is taken before `end`: the client has gone,
   * or gets no body.
   */
  onDrained: (() => void) | null;
  onAborted: (() => void) | null;
}
