/**
 * The seam between an engine (which owns sockets, clock and kernel) and a handler (which owns every
 * decision).
 *
 * Strategy: an engine gathers events, calls the handler for each, and carries out the commands that the
 * handler gave meanwhile in one go. Neither calls the other back from within: a `Port` method never calls a
 * `Handler` method before it returns, so the handler's state changes in one place at a time. Proxy, echo
 * server and load generator are three handlers; uring, epoll, net and sim are four engines; one conformance
 * suite binds them all.
 *
 * A *connection* is a small integer, `0 <= connection < connectionsMax`, given out by `Port.connect` or
 * `Handler.accepted`. It belongs to the handler until the handler calls `close` or `reset`; from that call on
 * no event carries it, until the engine gives it out anew. (Handlers may therefore index arrays with it, with
 * no generation.)
 *
 * A *range* is `[start, end)` in `Port.buffers.memory`; it lies in one slot and holds one reference to it.
 *
 * Results are 0 or a negative errno in Linux numbers (`contract/errno.ts`), on every engine and platform.
 */
import type { BufferPool } from "../base/buffer-pool.ts";

/**
 * What a handler may ask. Every method may be called at any time on the engine's thread, inside a batch or
 * outside.
 */
export interface Port {
  readonly buffers: BufferPool;
  /** Connections are numbered below this. */
  readonly connectionsMax: number;

  /**
   * Starts to connect. `address` is `"192.0.2.1:80"`, `"[2001:db8::1]:80"` or `"unix:/path"`; names are
   * resolved elsewhere. Equal strings are recognised cheaply: keep the string, do not build it per call.
   * Returns a connection, then `connected` or `failed` follows; or a negative errno when it could not even
   * begin (-EMFILE, -EINVAL for an address that cannot be read).
   */
  connect(address: string): number;

  /**
   * Queues `[start, end)` behind what is already queued, and takes over one reference to its slot (released
   * when the bytes have left or the connection is closed). Never partial, never refused: who sends too much
   * grows `queuedBytes`, and stopping in time is the handler's duty. Not before `connected`; not after
   * `shutdown`. An empty range is allowed and only gives back its reference.
   */
  send(connection: number, start: number, end: number): void;

  /** Bytes given to `send` that the kernel has not taken yet. */
  queuedBytes(connection: number): number;

  /**
   * Asks for one `drained` when `queuedBytes` is next 0. If it is 0 now, `drained` comes with the next batch.
   */
  wantDrained(connection: number): void;

  /**
   * Stops `received`, and `ended` with it. What the engine had already taken from the kernel may still come: at
   * most a few slots. `isWatched`: where the peer breaks the connection off (RST, also behind its FIN), `failed`
   * comes at once, although bytes that came before are lost with it; otherwise when it is next read or written.
   * `isEndWatched`, with it: the peer's FIN breaks the connection off as well (`failed` with ECONNRESET). Asked again
   * of a paused connection, it changes what is watched; what has come before then counts as well.
   * The engine on node:net cannot watch: libuv does not look at a descriptor from which nothing is wanted.
   */
  pause(connection: number, isWatched?: boolean, isEndWatched?: boolean): void;

  /** Undoes `pause`. Both are idempotent. */
  resume(connection: number): void;

  /**
   * What comes on a background connection waits for what comes on others: it is read behind them, and at most
   * `BACKGROUND_READS_MAX` such connections are read in one batch, in turn. For the middle of long messages: where
   * thousands of pieces come in one moment, nobody's next request stands behind all of them. What is sent on it is
   * sent as ever, and what was taken from the kernel before may still come at once. A connection begins in the
   * foreground. Idempotent.
   */
  setBackground(connection: number, isBackground: boolean): void;

  /** Sends FIN once everything queued has left. Reading goes on. Idempotent. */
  shutdown(connection: number): void;

  /**
   * Gives the connection up at once: what is queued is dropped, its references released; the peer sees FIN (or
   * RST where the kernel holds unread bytes). Of what was sent in the same batch not a byte has left. To lose
   * nothing: `shutdown`, wait for `ended` (with a deadline), then `close`.
   */
  close(connection: number): void;

  /** As `close`, but the peer sees RST (SO_LINGER 0): "this message was cut short". */
  reset(connection: number): void;

  /**
   * Writes the peer's address as text (`192.0.2.1`, `2001:db8::1`, or `unix:`) at `offset`; IPv4-mapped IPv6
   * is written as IPv4. At most `PEER_ADDRESS_BYTES`. Returns just past it. A system call: keep what it
   * wrote.
   */
  writePeerAddress(connection: number, offset: number): number;
}

/** Room that `writePeerAddress` needs. */
export const PEER_ADDRESS_BYTES = 46;

/** What an engine tells. Events of one connection keep their order; nothing here may throw. */
export interface Handler {
  /**
   * A batch of events begins. `nowMs`: milliseconds with fraction, monotonic, arbitrary origin; read once per
   * batch.
   */
  begin(nowMs: number): void;

  /** A client connected on the engine's listener number `listener`. It is being read from now on. */
  accepted(connection: number, listener: number): void;

  /**
   * `count` clients connected since this was last told, and were closed at once: no number was free, and no room to
   * wait for one. Comes from the engine on node:net alone, which cannot leave them in the kernel's queue.
   */
  turnedAway?(count: number): void;

  /** `connect` succeeded. It is being read from now on. */
  connected(connection: number): void;

  /**
   * Bytes came. The handler holds one reference and must pass it on (`send`) or give it back
   * (`buffers.release`). The range has its slot to itself: everything in the slot before `start` (at least
   * `HEADROOM_BYTES`) and after `end` may be overwritten. `start < end`.
   */
  received(connection: number, start: number, end: number): void;

  /**
   * The peer sent FIN: no `received` follows. Sending goes on working. The connection stays until `close`.
   */
  ended(connection: number): void;

  /** Answers `wantDrained`. */
  drained(connection: number): void;

  /**
   * The connection is broken: connecting, reading or writing failed with `errno` (negative). At most once,
   * and no other event follows; the handler must still call `close`. Bytes that arrived before come first
   * where the kernel still has them.
   */
  failed(connection: number, errno: number): void;

  /**
   * The batch is over. Returns how many milliseconds may pass at most until `begin`…`end` must run again
   * although nothing happened (the handler's next deadline): 0 means soon, -1 means never.
   */
  end(): number;
}

/** Background connections that are read in one batch: a millisecond's work, where each brings a little. */
export const BACKGROUND_READS_MAX = 32;

/** Listeners are numbered below this. */
export const LISTENERS_MAX = 256;

/**
 * Where an engine accepts connections: an inherited listening descriptor, or an address to open. One that is
 * `owned` has no other owner in this process: the engine closes it.
 */
export type ListenerSource =
  | { readonly fd: number; readonly owned?: boolean }
  | { readonly host: string; readonly port: number; readonly reusePort?: boolean };

export interface EngineOptions {
  /** By number; null: a number that is not in use. */
  readonly listeners: readonly (ListenerSource | null)[];
  readonly connectionsMax: number;
  /** Slots in the buffer pool; only touched ones cost memory. */
  readonly smallSlots: number;
  readonly largeSlots: number;
}

export type EngineName = "uring" | "epoll" | "net" | "sim";

/**
 * An engine with its listeners open and nothing running yet. Made by a factory that throws
 * `EngineUnavailable` with a reason in words.
 */
export interface Engine extends Port {
  readonly name: EngineName;
  /** Bound address of each listener, in the form `connect` takes (port 0 is resolved); "" where none is. */
  readonly listenerAddresses: readonly string[];

  /** Begins to deliver events to `handler`, from the event loop, never from within this call. Node's own
   *  timers, promises and sockets go on working in the same process. */
  start(handler: Handler): void;

  /**
   * Takes what waits in the accept queues, then accepts no more. Descriptors inherited as `fd` and not
   * `owned` are left open for their other owners. Idempotent.
   */
  stopAccepting(): void;

  /**
   * Accepts at `source` as well, as listener `number`, which is not in use and below `LISTENERS_MAX`. Resolves
   * with its bound address; rejects with an error that has a `code` (`EADDRINUSE`) where it cannot be opened.
   */
  addListener(number: number, source: ListenerSource): Promise<string>;

  /**
   * Takes what waits in that listener's queue, then accepts no more there and closes its descriptor, inherited
   * or not. Resolves when that is done: the number is free then. Its open connections stay.
   */
  removeListener(number: number): Promise<void>;

  /**
   * Runs `begin`…`end` soon although nothing happened; may be called from any Node callback of the same
   * thread.
   */
  wake(): void;

  /**
   * Closes every connection (no events follow), gives back memory and descriptors, lets the process exit.
   * Idempotent.
   */
  stop(): Promise<void>;
}

/**
 * Thrown by an engine's factory when it cannot run here. `message` is a reason for people: "io_uring_setup:
 * EPERM (forbidden by seccomp?)".
 */
export class EngineUnavailable extends Error {
  override readonly name = "EngineUnavailable";
}
