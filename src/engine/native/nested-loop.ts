/**
 * Node's event loop, nested in ours.
 *
 * A native engine waits in the kernel for its own sockets, and that wait is this thread's only one. Node's
 * loop is a guest in it: its descriptor (libuv's epoll) is watched by the engine, its next timer bounds the
 * wait, and whenever it has work to do we return to it for one pass and have ourselves called back. Timers,
 * promises, node:http, fetch and child processes go on working.
 *
 * How to be called back matters. From `setImmediate` alone, libuv would never sleep: while an immediate is
 * pending, `uv_backend_timeout` is 0. From a `MessagePort` alone, up to 1,000 messages are handled before
 * libuv polls. An immediate that posts a message to ourselves gives libuv one full pass, and a truthful
 * timeout afterwards.
 *
 * Foreign code that runs inside a batch may queue microtasks and ticks; they run after each turn. What it
 * does to libuv (new descriptors, timers, immediates) shows in `uv_backend_timeout`, which is asked before
 * each wait.
 *
 * There is one such loop per process. With several engines the first waits, and watches the descriptors of
 * the others.
 *
 * @hot
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { loadSyscalls, type Syscalls } from "./syscalls.ts";
import { tickRunner } from "./tick-runner.ts";

/** An engine, as the loop sees it. */
export interface NestedSource {
  /** Polls readable when `turn(0)` would find something. */
  readonly fd: number;
  /**
   * Calls `NestedLoop.watchFired(token)`, from within a turn, when `fd` is readable; at least once per call
   * of `watch`.
   */
  watch(fd: number, token: number): void;
  /** Undoes `watch`. A last `watchFired` may still come. */
  unwatch(fd: number, token: number): void;
  /** Milliseconds until `turn` must run although nothing happens; 0: now, -1: never. */
  idleMs(nowMs: number): number;
  /**
   * Hands over what was asked of the engine, waits at most `waitMs` (-1: for ever), tells what came. Returns
   * the time.
   */
  turn(waitMs: number): number;
  /** Hands over what was asked of the engine. */
  submit(): void;
}

/** Bound once: the global is a getter. */
const clock = performance;
/** The token of Node's own descriptor; those of other engines follow. */
const NODE_TOKEN = 0;

export class NestedLoop {
  readonly #calls: Syscalls;
  readonly #loop: number;
  readonly #nodeFd: number;
  /** What to add to libuv's milliseconds to have `performance.now()`. */
  readonly #clockOffsetMs: number;
  readonly #runTicks: (() => void) | undefined;
  readonly #sources: NestedSource[] = [];
  /** By token: is it watched now? */
  readonly #watched: boolean[] = [];
  readonly #post = () => this.#postToSelf();
  #sender: MessagePort | undefined;
  #receiver: MessagePort | undefined;
  /** How far being called back has come. Never both, and never twice: with two calls under way, each would
   *  see the other's immediate and neither would ever wait. */
  #immediatePending = false;
  #messagePending = false;
  #nodeDue = false;
  /** What libuv said last of the time until Node's next timer, and when that is; -1: to be asked anew. */
  #timeoutMs = -1;
  #dueMs = 0;
  #turns = 0;

  constructor() {
    this.#calls = loadSyscalls();
    this.#loop = this.#calls.uv_default_loop();
    this.#nodeFd = this.#calls.uv_backend_fd(this.#loop);
    this.#clockOffsetMs = performance.now() - this.#calls.uv_hrtime() / 1e6;
    this.#runTicks = tickRunner();
  }

  /** Turns made so far: what an idle process must not have more of. */
  get turns(): number {
    return this.#turns;
  }

  /** `source` takes part from the next turn on. The process stays alive until it is removed. */
  add(source: NestedSource): void {
    assert(!this.#sources.includes(source), "an engine is started once");
    this.#unwatchAll();
    this.#sources.push(source);
    if (this.#receiver === undefined) this.#openChannel();
    this.#schedule();
  }

  /** `source` takes part no more, at once. */
  remove(source: NestedSource): void {
    const index = this.#sources.indexOf(source);
    if (index === -1) return;
    this.#unwatchAll();
    this.#sources.splice(index, 1);
    if (this.#sources.length > 0) return;
    this.#sender?.close();
    this.#receiver?.close();
    this.#sender = undefined;
    this.#receiver = undefined;
    this.#messagePending = false;
  }

  /** Node gets a pass after this turn. */
  yieldSoon(): void {
    this.#nodeDue = true;
  }

  watchFired(token: number): void {
    this.#watched[token] = false;
    if (token === NODE_TOKEN) this.#nodeDue = true;
  }

  #openChannel(): void {
    const { port1, port2 } = new MessageChannel();
    this.#sender = port1;
    this.#receiver = port2;
    port2.on("message", () => this.#run(port2));
    port1.unref();
  }

  #schedule(): void {
    if (this.#immediatePending || this.#messagePending || this.#receiver === undefined) return;
    this.#immediatePending = true;
    setImmediate(this.#post);
  }

  #postToSelf(): void {
    this.#immediatePending = false;
    if (this.#sender === undefined) return;
    this.#messagePending = true;
    this.#sender.postMessage(0);
  }

  /**
   * Between two passes of Node. An exception of a handler goes to Node as any other; the loop goes on if the
   * process does.
   * @cold
   */
  #run(receiver: MessagePort): void {
    if (receiver !== this.#receiver) return;
    this.#messagePending = false;
    this.#nodeDue = false;
    this.#timeoutMs = -1;
    try {
      let nowMs = clock.now();
      while (!this.#nodeDue && this.#sources.length > 0) nowMs = this.#turn(nowMs);
      for (const source of this.#sources) source.submit();
    } finally {
      this.#schedule();
    }
  }

  #turn(nowMs: number): number {
    this.#turns++;
    let waitMs = this.#nodeWaitMs(nowMs);
    if (waitMs === 0) this.#nodeDue = true;
    const sources = this.#sources;
    for (let i = 0; i < sources.length; i++) {
      const idleMs = sources[i]!.idleMs(nowMs);
      if (idleMs !== -1 && (waitMs === -1 || idleMs < waitMs)) waitMs = idleMs;
    }
    const first = sources[0]!;
    for (let i = 0; i < sources.length; i++) {
      if (this.#watched[i] === true) continue;
      this.#watched[i] = true;
      first.watch(i === NODE_TOKEN ? this.#nodeFd : sources[i]!.fd, i);
    }
    // A turn hands over first, so what others were asked meanwhile must be on its way before the wait.
    for (let i = 1; i < sources.length; i++) sources[i]!.submit();
    let afterMs = first.turn(waitMs);
    for (let i = 1; i < sources.length; i++) afterMs = sources[i]!.turn(0);
    if (this.#runTicks === undefined) this.#nodeDue = true;
    else this.#runTicks();
    return afterMs;
  }

  /** Until Node's next timer: 0 when it is due or Node has anything else to do, -1 when there is none. */
  #nodeWaitMs(nowMs: number): number {
    const timeoutMs = this.#calls.uv_backend_timeout(this.#loop);
    if (timeoutMs <= 0) return timeoutMs;
    // libuv counts from the time that it read last, which may be long ago. That time only grows, so as long as it
    // says the same, the timer is due then or later: at worst Node gets a pass too early, and is asked anew.
    if (timeoutMs !== this.#timeoutMs) {
      this.#timeoutMs = timeoutMs;
      this.#dueMs = this.#calls.uv_now(this.#loop) + timeoutMs + this.#clockOffsetMs;
    }
    return this.#dueMs > nowMs ? this.#dueMs - nowMs : 0;
  }

  #unwatchAll(): void {
    const first = this.#sources[0];
    for (let i = 0; i < this.#watched.length; i++) {
      if (this.#watched[i] === true) {
        first?.unwatch(i === NODE_TOKEN ? this.#nodeFd : this.#sources[i]!.fd, i);
      }
      this.#watched[i] = false;
    }
  }
}

let shared: NestedLoop | undefined;

/** This process's loop. Throws `EngineUnavailable` where native engines cannot run. */
export function nestedLoop(): NestedLoop {
  shared ??= new NestedLoop();
  return shared;
}
