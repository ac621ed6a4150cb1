/**
 * What surrounds an engine under test: peers on the other end of its connections, and time. One form over
 * real sockets and the real clock, one over a simulated wire and clock, so that the cases need not know which
 * they run on.
 */
import type { Engine, EngineOptions } from "../../src/contract/port.ts";

/** The other end of one connection. It reads unless it is paused, and counts what it read. */
export interface Peer {
  /** Queues bytes; the peer keeps a copy. */
  write(bytes: Uint8Array): void;
  /** Bytes given to `write` that its kernel has not taken. */
  unsentBytes(): number;
  /** Sends FIN behind what is queued. */
  end(): void;
  /** Sends RST. */
  reset(): void;
  pause(): void;
  resume(): void;
  /** Called with every chunk, in order. */
  onBytes: (bytes: Uint8Array) => void;
  receivedBytes: number;
  isConnected: boolean;
  /** FIN was read. */
  hasEnded: boolean;
  /** "" or what broke it: `ECONNRESET`, `ECONNREFUSED`, … */
  failure: string;
  /** Its socket is closed, whoever did it. */
  isGone: boolean;
}

/** A place that an engine may connect to. */
export interface Harbour {
  readonly address: string;
  /** Those that came, oldest first. */
  readonly peers: Peer[];
  close(): Promise<void>;
}

export type HarbourKind = "ipv4" | "ipv6" | "unix";

export interface Arena {
  readonly engine: Engine;
  /** Listens for the engine; null where this machine has none of that kind. */
  listen(kind: HarbourKind): Promise<Harbour | null>;
  /** Connects to the engine's listener, by the address it gave. */
  dial(address: string): Peer;
  /** Waits until `condition` holds; throws, naming `what`, when it never does. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** Lets `ms` pass, for what must *not* happen, and for deadlines. */
  pass(ms: number): Promise<void>;
  nowMs(): number;
  /** To be called whenever a condition may have changed. */
  changed(): void;
  /** Ends peers and beaches. */
  close(): Promise<void>;
}

export type OpenEngine = (options: EngineOptions) => Promise<Engine>;
export type OpenArena = (options: EngineOptions) => Promise<Arena>;
