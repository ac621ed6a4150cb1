/** The types of the test kit. No code, and nothing but types of our own and of the web. */
import type { ConfigSource } from "../config/define-config.ts";
import type { Duration } from "../config/kinds.ts";
import type { WorkerStats } from "../control/stats-report.ts";
import type { LogRecord } from "../library/proxy.ts";

export interface SimulationOptions {
  /**
   * What backends answer: by backend as configured (`localhost:3001`), or by the name of a cluster for all of its
   * backends. One that is not named answers 200 with its own name. By `host:port`, what a server answers that
   * `forwardAuth` asks; that must be named.
   */
  readonly upstreams?: Readonly<Record<string, UpstreamHandler>>;
  /** What chance decides comes from it: the same seed, the same run. Default 1. */
  readonly seed?: number;
  /** Unix time at the beginning, in milliseconds. Default: 2026-01-01T00:00:00Z. */
  readonly startMs?: number;
  /** A message takes between nothing and this long on each way. Default `1ms`. */
  readonly latency?: Duration;
  /** Streams arrive in pieces of 1 byte up to this. Default 1460. */
  readonly segmentBytesMax?: number;
  /** Called whenever the clock has moved, with by how much: for mocked timers, `(ms) => mock.timers.tick(ms)`. */
  readonly onTick?: (ms: number) => void;
}

/** Answers one request. A promise takes no time on the virtual clock: that stands still meanwhile. */
export type UpstreamHandler = (request: UpstreamRequest) => UpstreamAnswer | Promise<UpstreamAnswer>;

/**
 * An answer, or none: `hang` never answers, `reset` breaks the connection (RST), `close` ends it in good order.
 */
export type UpstreamAnswer = UpstreamResponse | Response | "hang" | "reset" | "close";

export interface UpstreamResponse {
  /** Default 200. After 101 the upstream sends back whatever it receives. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** A list is sent in chunks, one for each item. */
  readonly body?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** Before the head is sent. Default 0. */
  readonly delay?: Duration;
  /** Between two items of a body that is a list. Default 0. */
  readonly pause?: Duration;
  /** The connection breaks (RST) when so many bytes of the body, as it is framed, have been sent. */
  readonly resetAfter?: number;
}

/** A request as a backend got it, whole. */
export interface UpstreamRequest {
  readonly method: string;
  /** As sent: `/a?b=c`. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** The body as UTF-8. */
  text(): string;
  /** Moment of the virtual clock, as `Simulation.nowMs`. */
  readonly atMs: number;
  /** Of the backend, as configured. */
  readonly upstream: string;
  /** From 1, over all requests to this backend. */
  readonly number: number;
}

/** A backend of the simulated world. */
export interface Upstream {
  /** As configured. */
  readonly name: string;
  readonly requests: readonly UpstreamRequest[];
  /** Connections that are open to it now, and that ever were. */
  readonly connectionsOpen: number;
  readonly connectionsEver: number;
  /** Answers by `handler` from the next request on. */
  answer(handler: UpstreamHandler): void;
  /** Connecting is refused from now on, and open connections break. Health checks find out in their time. */
  down(): void;
  /** Whoever connects hears nothing from now on; open connections stay. */
  mute(): void;
  /** Undoes `down` and `mute`. */
  up(): void;
}

export interface FetchInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Address that the client has. Default 192.0.2.1. */
  readonly from?: string;
  /** Number of the listener in the configuration. Default 0. */
  readonly listener?: number;
  /** The response must be whole within this time of the virtual clock. Default `1h`. */
  readonly within?: Duration;
}

export interface ConnectInit {
  readonly from?: string;
  readonly listener?: number;
}

/** A client's connection, byte by byte. */
export interface SimulatedClient {
  /** All bytes so far, each as one character. */
  readonly received: string;
  /** `ended`: the proxy has sent FIN; `reset`: RST; `refused`: nobody listens. */
  readonly state: "connecting" | "open" | "ended" | "reset" | "refused" | "closed";
  /** Text is sent as UTF-8. */
  send(bytes: string | Uint8Array): void;
  /** FIN: nothing more is sent. */
  end(): void;
  /** RST: the client is gone. */
  reset(): void;
  /**
   * Runs the world until `fits` says so of `received`, or until the other side has ended. Rejects when neither is so
   * after `within` (default `1h`).
   */
  until(fits: (received: string) => boolean, within?: Duration): Promise<string>;
}

/** One's own configuration in a world of its own, with a clock that moves only when it is asked to. */
export interface Simulation {
  /** Milliseconds since the beginning. */
  readonly nowMs: number;
  /** By the proxy: failures, hooks that threw, backends that are up or down. `atMs` is Unix time. */
  readonly log: readonly LogRecord[];
  /** What happened, one line each. The same seed gives the same lines. */
  readonly trace: readonly string[];
  /** Sends a request on a connection of its own and runs the world until its response is whole. */
  fetch(url: string | URL, init?: FetchInit): Promise<Response>;
  /** Opens a connection. */
  connect(init?: ConnectInit): SimulatedClient;
  /** By its name as configured. Throws where there is none. */
  upstream(name: string): Upstream;
  /** Lets this much time pass. */
  advance(time: Duration): Promise<void>;
  /** For upstreams and hooks: resolves when so much virtual time has passed, while something else runs the world. */
  sleep(time: Duration): Promise<void>;
  /** As `EmbeddedProxy.reload`; listeners must stay as they are. */
  reload(source: ConfigSource): Promise<void>;
  /** Finishes what is in flight, accepts nothing new; resolves when no client is left, or after `drainTimeout`. */
  drain(): Promise<void>;
  stats(): WorkerStats;
  /** Backends, and whether they are up, as health checks say. */
  readonly endpoints: readonly { readonly cluster: string; readonly name: string; readonly up: boolean }[];
}
