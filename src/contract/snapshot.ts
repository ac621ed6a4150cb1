/**
 * What the control plane tells the data plane: one immutable value, replaced whole, never edited. It is plain
 * data, so that it can cross a process boundary as JSON. Names are resolved and checked before they get here:
 * the data plane trusts it.
 */

export interface Snapshot {
  /** Grows by one with each replacement. */
  readonly version: number;
  readonly mode: "http" | "tcp";
  readonly clusters: readonly Cluster[];
  /** For each of the engine's listeners, in the engine's order. */
  readonly listeners: readonly Listener[];
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  /** Pseudonym in `Via` (RFC 9110 §7.6.3). */
  readonly viaName: string;
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

export interface Limits {
  /** Request or response head, in bytes; a larger request head is answered 431. At most `RECEIVE_BYTES`. */
  readonly headBytesMax: number;
  /** Request target, in bytes; a longer one is answered 414. */
  readonly targetBytesMax: number;
  readonly fieldCountMax: number;
  /** Client connections of one worker. */
  readonly clientsMax: number;
  /** Idle backend connections kept per endpoint and worker. */
  readonly poolSizePerEndpoint: number;
  /** Bytes queued towards a slow reader before the other side is paused. */
  readonly queuedBytesMax: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = {
  requestHeadMs: 15_000,
  requestBodyIdleMs: 60_000,
  connectMs: 3_000,
  responseHeadMs: 60_000,
  responseBodyIdleMs: 60_000,
  clientSendIdleMs: 60_000,
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
  clientsMax: 60_000,
  poolSizePerEndpoint: 256,
  queuedBytesMax: 131_072,
};
