/**
 * The listeners of a running proxy: which there are, under which number, and what becomes of them when the
 * configuration changes. A listener is known by its configured address, so one that stays is not touched.
 */

import { closeSync } from "node:fs";
import { assert } from "../base/assert.ts";
import { listenText } from "../config/listen-overlap.ts";
import { LISTENERS_MAX, type ListenerSource } from "../contract/port.ts";
import type { Host } from "./host.ts";
import type { InheritedListener } from "./inheritance.ts";
import {
  adoptListener,
  assertApart,
  assertFree,
  bindAddress,
  boundAt,
  endSocket,
  extendListener,
  HANDSHAKE_MS,
  isInherited,
  type ListenAddress,
  ListenFailed,
  type OpenListener,
  openListener,
  ownSource,
} from "./listeners.ts";

/** What a new configuration means for the listeners; its new sockets are open, and nobody accepts there yet. */
export interface ListenerChange {
  /** In the order of the configuration. */
  readonly next: readonly OpenListener[];
  readonly added: readonly OpenListener[];
  readonly removed: readonly OpenListener[];
}

/** After its clients have been cut, a number may be given out again. */
const NUMBER_REST_MS = 1_000;

export class ListenerSet {
  readonly #host: Host | undefined;
  #open: readonly OpenListener[] = [];
  /** Numbers of listeners that were removed, until when they may still have clients (performance.now). */
  readonly #resting = new Map<number, number>();
  /** Until the first `prepare`. */
  #inherited: readonly InheritedListener[];

  /** `inherited`: sockets that the first `prepare` takes where they fit. They need a host. */
  constructor(host: Host | undefined, inherited: readonly InheritedListener[] = []) {
    this.#host = host;
    this.#inherited = inherited;
  }

  /** In the order of the configuration. */
  get all(): readonly OpenListener[] {
    return this.#open;
  }

  /** Bound addresses, in the order of the configuration. */
  get addresses(): readonly string[] {
    return this.#open.map(({ address }) => address);
  }

  /** Opens what `wanted` has and we have not, for the workers `indexes`. Rejects with `ListenFailed`. */
  async prepare(wanted: readonly ListenAddress[], indexes: readonly number[]): Promise<ListenerChange> {
    const rest = [...this.#open];
    const kept = wanted.map((each) => {
      const at = rest.findIndex(({ host, port }) => host === each.host && port === each.port);
      return at < 0 ? undefined : rest.splice(at, 1)[0];
    });
    const { adopted, left } = await this.#distribute(wanted);
    const passing = new Set([...rest, ...left].map(({ address }) => boundAt(address).port));
    const open = wanted.map((_, at) => kept[at] ?? adopted[at]);
    const bound = await boundFree(this.#host, wanted, open, passing);
    const added: OpenListener[] = [];
    const next: OpenListener[] = [];
    try {
      for (const [at, each] of wanted.entries()) {
        const { host } = bound[at]!;
        const listener = kept[at] ?? this.#openOne(each, host, [...next, ...added], indexes, adopted[at]);
        if (kept[at] === undefined) added.push(listener);
        next.push(listener);
      }
    } catch (error) {
      this.#endAll(added);
      throw error;
    }
    for (const fd of left.flatMap(({ fds }) => fds)) closeSync(fd);
    return { next, added, removed: rest };
  }

  /** What a process that takes over inherits. */
  get heritage(): readonly InheritedListener[] {
    return this.#open.map(({ host, port, address, isPassed, fds }) => {
      const inOrder = [...fds].sort(([one], [two]) => one - two).map(([, fd]) => fd);
      return { host, port, address, isPassed, fds: [...new Set(inOrder)], name: "" };
    });
  }

  /** Sockets that others accept from as well. */
  get shared(): readonly number[] {
    return this.#open.flatMap(({ shared }) => [...shared]);
  }

  /** Whoever we inherited from has let go: its sockets are ours alone, but for those that were passed. */
  own(): void {
    for (const { isPassed, shared } of this.#open) if (!isPassed) shared.clear();
  }

  /** Somebody else goes on with `fds`: our copies are closed. Workers have copies of their own. */
  release(fds: ReadonlySet<number>): void {
    const released = new Set<number>();
    for (const listener of this.#open)
      for (const [index, fd] of listener.fds) {
        if (!fds.has(fd)) continue;
        listener.fds.delete(index);
        listener.shared.delete(fd);
        released.add(fd);
      }
    for (const fd of released) closeSync(fd);
  }

  /** `change` is what counts; those removed go on until they are ended one by one. */
  commit(change: ListenerChange, drainTimeoutMs: number): void {
    this.#open = change.next;
    const restMs = performance.now() + drainTimeoutMs + NUMBER_REST_MS;
    for (const { number } of change.removed) this.#resting.set(number, restMs);
  }

  /** Closes what `prepare` opened. */
  discard(change: ListenerChange): void {
    this.#endAll(change.added);
  }

  /** Opens every listener for another worker. Throws `ListenFailed`, and has opened none then. */
  extend(index: number): void {
    if (this.#host === undefined) return;
    try {
      for (const listener of this.#open) extendListener(this.#host, listener, [index]);
    } catch (error) {
      this.endWorker(index);
      throw error;
    }
  }

  /** Descriptors that the worker at `index` inherits. */
  descriptors(index: number): readonly number[] {
    return this.#open.map(({ fds }) => fds.get(index)).filter((fd) => fd !== undefined);
  }

  /** Where that worker accepts, by number, when its first inherited descriptor is `firstFd`. */
  sources(index: number, firstFd: number): readonly (ListenerSource | null)[] {
    const sources: (ListenerSource | null)[] = [];
    let fd = firstFd;
    for (const listener of this.#open) {
      while (sources.length <= listener.number) sources.push(null);
      sources[listener.number] = listener.fds.has(index) ? { fd: fd++ } : ownSource(listener);
    }
    return sources;
  }

  /** Cluster by listener number, for the snapshot. Numbers not in use get cluster 0: nobody asks there. */
  clusters(clusterOf: (index: number) => number): { readonly cluster: number }[] {
    const clusters: { cluster: number }[] = [];
    for (const [index, { number }] of this.#open.entries()) {
      while (clusters.length <= number) clusters.push({ cluster: 0 });
      clusters[number] = { cluster: clusterOf(index) };
    }
    for (const number of this.#resting.keys())
      while (clusters.length <= number) clusters.push({ cluster: 0 });
    return clusters;
  }

  /** A worker has opened its own sockets, and tells where by number: others use the same ports. */
  learn(addresses: readonly string[]): void {
    if (this.#host !== undefined) return;
    for (const listener of this.#open) listener.address = addresses[listener.number] ?? listener.address;
  }

  /**
   * No new client gets through to `listeners` (of the worker at `index` only, or of all: -1), and none hears so:
   * they are about to end. Returns how long to wait until those who are just getting through have done so.
   */
  dropNewHandshakes(listeners: readonly OpenListener[], index = -1): number {
    let dropped = 0;
    for (const { fds, shared } of listeners)
      for (const [worker, fd] of fds) {
        if ((index >= 0 && worker !== index) || shared.has(fd)) continue;
        this.#host?.dropNewHandshakes(fd);
        dropped++;
      }
    return dropped === 0 ? 0 : HANDSHAKE_MS;
  }

  /** The worker at `index` has taken what waited at `listener`. Idempotent. */
  end(listener: OpenListener, index: number): void {
    if (this.#host !== undefined) endSocket(this.#host, listener, index);
  }

  /** The worker at `index` accepts nowhere any more. Idempotent. */
  endWorker(index: number): void {
    for (const listener of this.#open) this.end(listener, index);
  }

  endAll(): void {
    this.#endAll(this.#open);
  }

  #endAll(listeners: readonly OpenListener[]): void {
    for (const listener of listeners) for (const index of [...listener.fds.keys()]) this.end(listener, index);
  }

  /** Which inherited listener each of `wanted` takes, and those that none wants. */
  async #distribute(wanted: readonly ListenAddress[]) {
    const left = [...this.#inherited];
    this.#inherited = [];
    const adopted: (InheritedListener | undefined)[] = [];
    for (const each of wanted) {
      const fits = await Promise.all(left.map((found) => isInherited(found, each)));
      const at = fits.indexOf(true);
      adopted.push(at < 0 ? undefined : left.splice(at, 1)[0]);
    }
    // What a predecessor had and we do not want, it ends itself.
    const unwanted = left.filter(({ isPassed, port }) => isPassed && port < 0);
    if (unwanted.length > 0) throw new ListenFailed(unwanted.map(unwantedText).join("; "), "", 0);
    return { adopted, left };
  }

  #openOne(
    wanted: ListenAddress,
    address: string,
    others: readonly OpenListener[],
    indexes: readonly number[],
    found: InheritedListener | undefined,
  ): OpenListener {
    const nowMs = performance.now();
    for (const [number, untilMs] of this.#resting) if (untilMs <= nowMs) this.#resting.delete(number);
    const taken = new Set([...this.#open, ...others].map(({ number }) => number));
    let number = 0;
    while (taken.has(number) || this.#resting.has(number)) number++;
    if (number < LISTENERS_MAX) {
      if (found === undefined) return openListener(this.#host, number, wanted, address, indexes);
      assert(this.#host !== undefined, "inherited sockets come with a host");
      return adoptListener(this.#host, number, wanted, indexes, found);
    }
    const message = `${listenText(wanted)} is one listener too many: ${LISTENERS_MAX} can be open or draining`;
    throw new ListenFailed(message, "", wanted.port);
  }
}

/**
 * Where each of `wanted` is or will be bound, as an IP address. `open`: those that are open, for us alone; the others
 * are free, or `passing`: on ports that our own listeners are about to give up. Rejects with `ListenFailed`.
 *
 * Strategy: sockets of ours may share a port, for all have SO_REUSEPORT, and the system gives a connection to the
 * narrowest. So `[::]` is never bound to IPv6 alone: beside `0.0.0.0` it is left what is IPv6, and when a reload
 * takes that one away, or brings it, nothing has to be bound anew.
 */
async function boundFree(
  system: Host | undefined,
  wanted: readonly ListenAddress[],
  open: readonly ({ readonly address: string } | undefined)[],
  passing: ReadonlySet<number>,
): Promise<readonly ListenAddress[]> {
  const bound = await Promise.all(
    wanted.map(async (each, at) => {
      const address = open[at]?.address ?? "";
      return address === "" ? { host: await bindAddress(each), port: each.port } : boundAt(address);
    }),
  );
  assertApart(wanted, bound);
  const isOpen = (host: string, port: number) =>
    bound.some((other, at) => open[at] !== undefined && other.host === host && other.port === port);
  for (const [at, each] of wanted.entries()) {
    const { host, port } = bound[at]!;
    if (open[at] !== undefined || passing.has(port) || (host === "0.0.0.0" && isOpen("::", port))) continue;
    const isPair = host === "::" && bound.some((other) => other.host === "0.0.0.0" && other.port === port);
    await assertFree(system, each, host, isPair);
  }
  return bound;
}

function unwantedText({ address, fds, name }: InheritedListener): string {
  const what = name === "" || name === "unknown" ? `descriptor ${fds[0]}` : name;
  const remedy = "add it to listen, or take it out of the .socket unit";
  return `${address} was passed (${what}) and no listener is there; ${remedy}`;
}
