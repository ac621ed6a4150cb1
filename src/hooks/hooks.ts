/**
 * What people write: functions that are called while a request passes, and what these are given.
 *
 * Strategy: types only. The views behind them (`request-view.ts`, `header-fields.ts`) decode nothing until
 * they are asked; who calls what when, and what becomes of an answer, an error or a promise, is
 * `code-chain.ts`.
 */

/** `"5ms"`, `"1.5s"`, `"2m"`, `"1h"`. */
export type HookDuration = `${number}${"ms" | "s" | "m" | "h"}`;

/** Functions of somebody's own, called while a request passes. All may be left out. */
export interface Hooks {
  /**
   * The request is complete up to its body, and no backend is chosen. May change it, choose another cluster,
   * or answer by what it returns.
   */
  readonly onRequest?: (request: HookRequest, context: HookContext) => HookOutcome | Promise<HookOutcome>;
  /** A backend is chosen, for this attempt; a request that is sent again comes here again. */
  readonly onUpstream?: (
    request: HookRequest,
    upstream: HookUpstream,
    context: HookContext,
  ) => HookOutcome | Promise<HookOutcome>;
  /**
   * A backend's final response is complete up to its body, and nothing of it was sent. May change or replace
   * it.
   */
  readonly onResponse?: (
    response: HookResponse,
    request: HookRequest,
    context: HookContext,
  ) => HookOutcome | Promise<HookOutcome>;
  /** The proxy is about to answer with an error of its own, and may be given another answer. */
  readonly onError?: (
    error: HookFailure,
    request: HookRequest,
    context: HookContext,
  ) => HookOutcome | Promise<HookOutcome>;
  /** It is over, well or not. Nothing waits for what this returns. */
  readonly onLog?: (record: HookRecord, context: HookContext) => unknown;
  /** A call that holds the thread for longer is counted and logged ("5ms"). */
  readonly budget?: HookDuration;
  /** A promise that takes longer has failed ("1s"). */
  readonly timeout?: HookDuration;
  /**
   * After an error, or a promise that is late: `open`, the request goes on; `closed`, it is answered 500
   * ("closed").
   */
  readonly onFailure?: "open" | "closed";
}

/** Nothing, and it goes on; or an answer. */
// biome-ignore lint/suspicious/noConfusingVoidType: functions that return nothing are the usual ones.
export type HookOutcome = HookResult | undefined | void;

/** An answer in place of a backend's. */
export type HookResult = HookAnswer | Response;

export interface HookAnswer {
  /** 200 to 599. */
  readonly status: number;
  /** Without Content-Length, Transfer-Encoding, Connection and Date, which are the proxy's to write. */
  readonly headers?: HookHeadersInput;
  /** Texts are sent as UTF-8, and bytes must not be changed afterwards. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array | string> | null;
}

export type HookHeadersInput =
  | Readonly<Record<string, string | readonly string[]>>
  | Iterable<readonly [name: string, value: string]>;

/**
 * The fields of a head. Names are compared without case and written in lower case. Values are bytes, and one
 * character of a string is one of them (RFC 9110 §5.5: ISO-8859-1 with what else is opaque): a string with
 * characters above U+00FF, CR, LF or NUL is refused by a TypeError, as is a name that is no token.
 */
export interface HookHeaders extends Iterable<[name: string, value: string]> {
  /**
   * All values of `name` with ", " between them, as lists are joined (RFC 9110 §5.3); null: there is none.
   */
  get(name: string): string | null;
  /** Each line's value by itself; Set-Cookie cannot be read otherwise. */
  getAll(name: string): string[];
  has(name: string): boolean;
  /** Instead of all lines of this name. */
  set(name: string, value: string): void;
  /** One line more. */
  append(name: string, value: string): void;
  delete(name: string): void;
  /** Every line in order, names in lower case. */
  entries(): IterableIterator<[name: string, value: string]>;
}

/** Something for hooks of one exchange to share; it is not sent anywhere. */
export interface HookContext {
  /** Empty at first. */
  readonly state: Record<string, unknown>;
  /** Aborted when the exchange is over: the client has gone, or has its answer. */
  readonly signal: AbortSignal;
}

/** A request as a backend will get it. Reading decodes what is read, and nothing else. */
export interface HookRequest {
  readonly method: string;
  /** As it is sent: path and query. */
  target: string;
  /** Up to its `?`, as it is sent: nothing is decoded. Setting it keeps the query. */
  path: string;
  /** Of the target as it is when asked; changing it changes nothing. */
  readonly query: URLSearchParams;
  readonly headers: HookHeaders;
  /** Value of Host. */
  readonly host: string;
  /** The client's address; where X-Forwarded-For is believed, that of the first client not trusted. */
  readonly client: string;
  /** X-Request-Id, where policy.requestId gives one; "" otherwise. */
  readonly id: string;
  /** Name of the route; "" where there are no routes. */
  readonly route: string;
  /** Which cluster answers. Set it in `onRequest`; a name that there is not throws. */
  cluster: string;
  /** As `HookContext.state` and `signal`. */
  readonly state: Record<string, unknown>;
  readonly signal: AbortSignal;
  /** Puts the body through a stream on its way to the backend (in `onRequest`). */
  transformBody(transform: BodyTransform): void;
  /**
   * The whole body, which is sent on unchanged afterwards (in `onRequest`). What is longer than `maxBytes` (1
   * MiB) rejects with an error that, not caught, answers 413.
   */
  text(options?: { readonly maxBytes?: number }): Promise<string>;
  bytes(options?: { readonly maxBytes?: number }): Promise<Uint8Array>;
}

/** A pair of streams, or what makes the stream that comes out of the one that goes in. */
export type BodyTransform =
  | TransformStream<Uint8Array, Uint8Array | string>
  | ((body: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array | string>);

/** Where an attempt goes. */
export interface HookUpstream {
  /** As configured: `localhost:3001`. */
  readonly endpoint: string;
  readonly cluster: string;
  /** From 1. */
  readonly attempt: number;
}

/** A final response as the client will get it. */
export interface HookResponse {
  /** 200 to 599; may be set, but not to or from one that has no body. */
  status: number;
  readonly headers: HookHeaders;
  /** As configured. */
  readonly endpoint: string;
  readonly cluster: string;
  /** Puts the body through a stream on its way to the client. */
  transformBody(transform: BodyTransform): void;
}

/** Why the proxy answers itself. */
export interface HookFailure {
  /** The word in log and docs/errors.md: `connect_refused`. */
  readonly reason: string;
  /** One sentence. */
  readonly message: string;
  /** That we would answer. */
  readonly status: number;
  /** Who ended it. */
  readonly by: "client" | "origin" | "proxy" | "";
}

/** One exchange, after its end. Plain data, and the hook's to keep. */
export interface HookRecord {
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly route: string;
  readonly client: string;
  /** That the client got; 0: none. */
  readonly status: number;
  /** From the end of the request head to the end of the exchange. */
  readonly durationMs: number;
  /** Of bodies, without framing. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly cluster: string;
  /** The last that was tried; "": none. */
  readonly endpoint: string;
  readonly attempts: number;
  /** As in docs/errors.md; "": nothing failed. */
  readonly failure: string;
}
