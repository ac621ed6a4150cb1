/**
 * A world of its own: a clock that moves only from event to event, and a wire between virtual hosts.
 * Everything that chance decides (how long a segment travels, where a stream is cut, who is served first)
 * comes from one seed, so the same seed and the same program give the same run, bit for bit.
 *
 * The wire behaves as TCP does where programs can see it: streams keep their order, both kernels buffer a
 * bounded number of bytes, FIN and RST travel behind what was sent before them. Nothing is lost on the way,
 * because TCP hides that.
 */
import { assert } from "../../base/assert.ts";
import { Prng } from "../../base/prng.ts";
import { WireEnd, type WireOwner } from "./wire.ts";

export interface WorldOptions {
  readonly seed: number;
  /** One way, for each segment. */
  readonly latencyMinMs?: number;
  readonly latencyMaxMs?: number;
  /** A stream is cut into segments of 1 byte up to this. */
  readonly segmentBytesMax?: number;
  /** What each kernel buffers for each direction of a connection. */
  readonly socketBytesMax?: number;
  /** Once in so many segments the way is blocked for up to `stallMaxMs`; 0: never. */
  readonly stallOneIn?: number;
  readonly stallMaxMs?: number;
  /** An RST takes along what its receiver has not read (RFC 9293 §3.10.7.4: segment queues are flushed). */
  readonly resetFlushes?: boolean;
}

/** Who is told that a connection waits in a listener's queue. */
export interface ListenerOwner {
  wireIncoming(): void;
}

/** A listening address. */
export interface WireListener {
  readonly address: string;
  /** Connections that stand and that nobody has taken yet, oldest first. */
  readonly queue: WireEnd[];
  readonly owner: ListenerOwner;
  /** Nothing answers there: who connects waits until it gives up. */
  isMute: boolean;
}

interface Task {
  readonly atMs: number;
  /** Tasks of one moment run in the order in which they were planned. */
  readonly order: number;
  readonly run: () => void;
}

const START_MS = 1000;
const FIRST_FREE_PORT = 20_000;

export class World {
  nowMs = START_MS;
  readonly prng: Prng;
  readonly latencyMinMs: number;
  readonly latencyMaxMs: number;
  readonly segmentBytesMax: number;
  readonly socketBytesMax: number;
  readonly resetFlushes: boolean;
  readonly #stallOneIn: number;
  readonly #stallMaxMs: number;
  readonly #listeners = new Map<string, WireListener>();
  /** A binary heap, earliest first. */
  readonly #tasks: Task[] = [];
  #order = 0;
  #port = FIRST_FREE_PORT;

  constructor(options: WorldOptions) {
    this.prng = new Prng(options.seed);
    this.latencyMinMs = options.latencyMinMs ?? 0.02;
    this.latencyMaxMs = options.latencyMaxMs ?? 0.5;
    this.segmentBytesMax = options.segmentBytesMax ?? 65_536;
    this.socketBytesMax = options.socketBytesMax ?? 262_144;
    this.resetFlushes = options.resetFlushes ?? false;
    this.#stallOneIn = options.stallOneIn ?? 0;
    this.#stallMaxMs = options.stallMaxMs ?? 0;
  }

  /** Plans `run` for `waitMs` from now. */
  after(waitMs: number, run: () => void): void {
    this.at(this.nowMs + waitMs, run);
  }

  /** Plans `run` for the moment `atMs`: what is planned for one moment keeps its order. */
  at(atMs: number, run: () => void): void {
    assert(atMs >= this.nowMs, "nothing is planned for the past");
    const task: Task = { atMs, order: this.#order++, run };
    const tasks = this.#tasks;
    let at = tasks.length;
    tasks.push(task);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isEarlier(task, tasks[parent]!)) break;
      tasks[at] = tasks[parent]!;
      at = parent;
    }
    tasks[at] = task;
  }

  /** Moves the clock to the next event and lets it happen. False when nothing is planned. */
  step(): boolean {
    const task = this.#takeFirst();
    if (task === null) return false;
    assert(task.atMs >= this.nowMs, "time does not go back");
    this.nowMs = task.atMs;
    task.run();
    return true;
  }

  /** Lets everything happen up to `untilMs`, and sets the clock to it. */
  run(untilMs: number): void {
    while (this.#tasks.length > 0 && this.#tasks[0]!.atMs <= untilMs) this.step();
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /** When the next event happens; Infinity where nothing is planned. */
  get nextMs(): number {
    return this.#tasks[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** How long the next segment travels. */
  latencyMs(): number {
    const spanMs = this.latencyMaxMs - this.latencyMinMs;
    const waitMs = this.latencyMinMs + (this.prng.below(1_000_000) / 1_000_000) * spanMs;
    if (this.#stallOneIn === 0 || !this.prng.oneIn(this.#stallOneIn)) return waitMs;
    return waitMs + this.prng.below(this.#stallMaxMs);
  }

  /**
   * Listens on `host:port`, `[host]:port` or `unix:/path`; port 0 stands for a free one. Null when the
   * address is taken.
   */
  listen(address: string, owner: ListenerOwner): WireListener | null {
    const bound = address.endsWith(":0") ? `${address.slice(0, -1)}${this.#port++}` : address;
    if (this.#listeners.has(bound)) return null;
    const listener: WireListener = { address: bound, queue: [], owner, isMute: false };
    this.#listeners.set(bound, listener);
    return listener;
  }

  /** From now on, connecting to `listener` is refused. What waits in its queue stays there. */
  refuse(listener: WireListener): void {
    if (this.#listeners.get(listener.address) === listener) this.#listeners.delete(listener.address);
  }

  /** Undoes `refuse`. */
  accept(listener: WireListener): void {
    assert(!this.#listeners.has(listener.address), "an address has one listener");
    this.#listeners.set(listener.address, listener);
  }

  /** Connects to `address` from the host `from` (`192.0.2.7`). The owner is told how it went, later. */
  dial(address: string, from: string, owner: WireOwner): WireEnd {
    const near = new WireEnd(this, address, owner);
    const hostEnd = address.lastIndexOf(":");
    const remote = address.startsWith("unix:") ? "unix:" : `${from}:${this.#port++}`;
    assert(hostEnd > 0, "an address has a port or a path");
    this.after(this.latencyMs(), () => {
      if (near.isClosed) return;
      const listener = this.#listeners.get(address);
      if (listener === undefined) {
        this.after(this.latencyMs(), () => near.refuse());
        return;
      }
      if (listener.isMute) return;
      const far = new WireEnd(this, remote, null);
      near.join(far);
      listener.queue.push(far);
      listener.owner.wireIncoming();
      this.after(this.latencyMs(), () => near.establish());
    });
    return near;
  }

  #takeFirst(): Task | null {
    const tasks = this.#tasks;
    const first = tasks[0];
    if (first === undefined) return null;
    const last = tasks.pop()!;
    const count = tasks.length;
    if (count === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && isEarlier(tasks[child + 1]!, tasks[child]!)) child++;
      if (!isEarlier(tasks[child]!, last)) break;
      tasks[at] = tasks[child]!;
      at = child;
    }
    tasks[at] = last;
    return first;
  }
}

function isEarlier(a: Task, b: Task): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
