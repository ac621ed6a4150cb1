/**
 * What the control plane tells the data plane: one immutable value, replaced whole, never edited. It is plain
 * data, so that it can cross a process boundary as JSON. Names are resolved and checked before they get here:
 * the data plane trusts it.
 */
import type { Network } from "../base/ip-address.ts";
import type { Hooking } from "./hooking.ts";
import type { ErrorPage, Routing } from "./routing.ts";

export interface Snapshot {
  /** Grows by one with each replacement. */
  readonly version: number;
  readonly mode: "http" | "tcp";
  readonly clusters: readonly Cluster[];
  /** For each of the engine's listeners, in the engine's order. */
  readonly listeners: readonly Listener[];
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  readonly policy: Policy;
  /** Pseudonym in `Via` (RFC 9110 §7.6.3). */
  readonly viaName: string;
  /** Which request goes where; where there is none, all go to their listener's cluster. */
  readonly routing?: Routing;
  /** Contents of the answers that the proxy gives itself, where the route has none for that status. */
  readonly errorPages?: readonly ErrorPage[];
  readonly hooking?: Hooking;
  /** Number of the chain of requests where there are no routes; absent: none. */
  readonly chain?: number;
}

export interface Listener {
  /** Index into `clusters`. */
  readonly cluster: number;
}

/** Backends that can answer the same requests. */
export interface Cluster {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
}

/** One backend address. A name that resolves to several addresses gives several endpoints. */
export interface Endpoint {
  /** As configured, for people: `localhost:3001`. */
  readonly name: string;
  /** As `Port.connect` takes it: `127.0.0.1:3001`. Identity of the endpoint across snapshots. */
  readonly address: string;
  /** What active health checks say. `true` before the first check has ended. */
  readonly healthy: boolean;
}

/** All in milliseconds. */
export interface Timeouts {
  /**
   * From the first byte of a request to the end of its head; for an accepted connection without a byte:
   * `clientIdleMs`.
   */
  readonly requestHeadMs: number;
  /** Longest silence inside a request body. */
  readonly requestBodyIdleMs: number;
  /** Until a backend connection stands. */
  readonly connectMs: number;
  /** From the end of the request to the end of the response head. */
  readonly responseHeadMs: number;
  /** Longest silence inside a response body; not applied to `text/event-stream`. */
  readonly responseBodyIdleMs: number;
  /** A client that takes none of what is queued for it. */
  readonly clientSendIdleMs: number;
  /** From the end of the request head to the end of the response; not applied to tunnels. 0: no limit. */
  readonly requestMs: number;
  /** Between requests of a client connection. */
  readonly clientIdleMs: number;
  /** An unused backend connection in the pool. */
  readonly originIdleMs: number;
  /** Age at which a backend connection is not reused. */
  readonly originAgeMs: number;
  /** Silence in both directions of a tunnel (Upgrade, mode tcp). */
  readonly tunnelIdleMs: number;
  /** After our last byte: wait this long for the peer's FIN, so that it can read our answer. */
  readonly lingerMs: number;
}

/** What `Limits.fieldCountMax` may be at most; what reads heads is built for so many. */
export const FIELD_COUNT_MAX = 1000;

export interface Limits {
  /** Request or response head, in bytes; a larger request head is answered 431. At most `RECEIVE_BYTES`. */
  readonly headBytesMax: number;
  /** Request target, in bytes; a longer one is answered 414. */
  readonly targetBytesMax: number;
  /** Fields of a request or a response, 1 to `FIELD_COUNT_MAX`; a request with more is answered 431. */
  readonly fieldCountMax: number;
  /** Request body, in bytes without its chunk framing; a larger one is answered 413. 0: no limit. */
  readonly requestBodyBytesMax: number;
  /** Client connections of one worker. */
  readonly clientsMax: number;
  /** Of these from one address (IPv6: one /64). 0: no limit. */
  readonly clientsPerAddressMax: number;
  /** Requests after which a client connection is closed, with notice. 0: no limit. */
  readonly requestsPerClientMax: number;
  /** Exchanges of one worker at a time; what is beyond is answered 503. 0: no limit. */
  readonly requestsInFlightMax: number;
  /**
   * Requests in a row that a client sends before the answer to the one in front; the connection is closed,
   * with notice, behind the answer to the last of them. 0: no limit.
   */
  readonly pipelinedRequestsMax: number;
  /** Idle backend connections kept per endpoint and worker. */
  readonly poolSizePerEndpoint: number;
  /** Bytes queued towards a slow reader before the other side is paused. */
  readonly queuedBytesMax: number;
}

/** What is done about messages that are valid and yet dangerous, or that speak on their own authority. */
export interface Policy {
  /** Field names with `_`, which CGI and its heirs cannot tell from `-`. `reject`: 400. */
  readonly underscoreNames: "drop" | "reject" | "pass";
  /** Refuses (400) a path with `%2F` or `%5C` in any case, or a backslash. */
  readonly rejectEncodedSlashes: boolean;
  /** Refuses (400) a path with a segment `.` or `..`, dots encoded or not. */
  readonly rejectDotSegments: boolean;
  /** Refuses (400) a path with `%00`. */
  readonly rejectEncodedNul: boolean;
  /** `reject`: 405 (RFC 9110 §9.3.8: a TRACE may show fields that the client cannot see). */
  readonly traceMethod: "reject" | "pass";
  /** `reject`: 405. `pass`: sent to a backend in authority-form, and a tunnel after its 2xx. */
  readonly connectMethod: "reject" | "pass";
  /** Peers whose X-Forwarded-*, Forwarded and request id are believed. */
  readonly trustedProxies: readonly Network[];
  /**
   * `X-Request-Id`: `generate` gives every request one; `keep` keeps one of a trusted peer and generates
   * otherwise; `off` passes on whatever comes.
   */
  readonly requestId: "off" | "keep" | "generate";
  /** Writes `Forwarded` (RFC 7239) beside `X-Forwarded-*`. */
  readonly forwarded: boolean;
  /** `pass`: trailer fields go on where the recipient asked for them (`TE: trailers`) and their names allow it. */
  readonly trailers: "drop" | "pass";
  /**
   * A client's FIN before its response is complete. `abort`: it has left, the exchange ends. `serve`: it still
   * reads, and gets the rest.
   */
  readonly halfClosedClients: "abort" | "serve";
}

export const DEFAULT_TIMEOUTS: Timeouts = {
  requestHeadMs: 15_000,
  requestBodyIdleMs: 60_000,
  connectMs: 3_000,
  responseHeadMs: 60_000,
  responseBodyIdleMs: 60_000,
  clientSendIdleMs: 60_000,
  requestMs: 0,
  clientIdleMs: 75_000,
  // Below the 5 s after which Node's own server closes an idle connection.
  originIdleMs: 4_000,
  originAgeMs: 3_600_000,
  tunnelIdleMs: 3_600_000,
  lingerMs: 2_000,
};

export const DEFAULT_LIMITS: Limits = {
  headBytesMax: 32_768,
  targetBytesMax: 8_192,
  fieldCountMax: 128,
  requestBodyBytesMax: 0,
  clientsMax: 60_000,
  clientsPerAddressMax: 0,
  requestsPerClientMax: 0,
  requestsInFlightMax: 0,
  pipelinedRequestsMax: 0,
  poolSizePerEndpoint: 1024,
  queuedBytesMax: 131_072,
};

export const DEFAULT_POLICY: Policy = {
  underscoreNames: "drop",
  rejectEncodedSlashes: false,
  rejectDotSegments: false,
  rejectEncodedNul: false,
  traceMethod: "reject",
  connectMethod: "reject",
  trustedProxies: [],
  requestId: "off",
  forwarded: false,
  trailers: "drop",
  halfClosedClients: "abort",
};
