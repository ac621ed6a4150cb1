/**
 * The listening sockets of a native engine, by number. Opening and ending them is here; how the kernel is asked
 * for connections is the engine's.
 */
import { assert } from "../../base/assert.ts";
import { LISTENERS_MAX, type ListenerSource } from "../../contract/port.ts";
import { listenerAddress, openListener, prepareListener, setBlocking } from "./sockets.ts";
import { loadSyscalls } from "./syscalls.ts";

const EINTR = 4;
const ECONNABORTED = 103;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;

/** A place where connections come in. */
export interface NativeListener {
  /** -1: a number that is not in use. */
  readonly fd: number;
  /** Opened here or given to us alone, so closed here. */
  readonly owned: boolean;
  /** The kernel accepts for us (uring) or tells of arrivals (epoll). */
  armed: boolean;
  /** uring: it was asked to stop. */
  cancelling: boolean;
  /** It is being removed: its queue is taken as soon as it is not armed. */
  leaving: boolean;
  /** Its queue was taken and nothing more comes; or a number that is not in use. */
  done: boolean;
}

export class ListenerTable {
  /** By number. */
  readonly list: NativeListener[] = [];
  readonly addresses: string[] = [];
  /** Listeners that are being removed. */
  leavingCount = 0;
  readonly #blocking: boolean;
  /** Who waits for the end of a listener, by its number. */
  readonly #waiting = new Map<number, () => void>();

  /** Opens all of `sources`, or none. `blocking`: how the engine wants accepted descriptors. */
  constructor(sources: readonly (ListenerSource | null)[], blocking: boolean) {
    this.#blocking = blocking;
    try {
      for (const source of sources) {
        if (source === null) this.#append();
        else this.add(this.list.length, source);
      }
    } catch (error) {
      // What was given is not taken over: another engine may be tried with it.
      for (const [number, { fd }] of this.list.entries())
        if (fd >= 0 && !("fd" in sources[number]!)) loadSyscalls().close(fd);
      throw error;
    }
  }

  /** Opens a listener with a number that is not in use. Returns its bound address. */
  add(number: number, source: ListenerSource): string {
    assert(number < LISTENERS_MAX, "listeners are numbered below their maximum");
    assert(this.list[number]?.done !== false, "a number has one listener");
    const inherited = "fd" in source;
    const owned = !inherited || source.owned === true;
    const fd = inherited ? source.fd : openListener(source, { reusePort: source.reusePort === true });
    prepareListener(fd);
    // Other processes may accept from it too, by whatever engine: none must ever wait in accept4. io_uring
    // waits for a connection all the same.
    setBlocking(fd, false);
    while (this.list.length <= number) this.#append();
    this.list[number] = { fd, owned, armed: false, cancelling: false, leaving: false, done: false };
    const address = listenerAddress(fd);
    this.addresses[number] = address;
    return address;
  }

  /** Resolves when `takeQueues` has ended that listener; at once where there is none. */
  remove(number: number): Promise<void> {
    const listener = this.list[number];
    if (listener === undefined || listener.done || listener.leaving) return Promise.resolve();
    listener.leaving = true;
    this.leavingCount++;
    this.addresses[number] = "";
    return new Promise((resolve) => this.#waiting.set(number, resolve));
  }

  /**
   * Those at rest that end give up what still waits in their queues: all when `all`, else those that are being
   * removed. `admit` takes each descriptor over.
   */
  takeQueues(all: boolean, admit: (fd: number, listener: number) => void): void {
    const calls = loadSyscalls();
    for (const [number, listener] of this.list.entries()) {
      if (listener.done || listener.armed || !(all || listener.leaving)) continue;
      listener.done = true;
      for (let fd = 0; fd !== -1; ) {
        fd = calls.accept4(listener.fd, 0, 0, SOCK_CLOEXEC | (this.#blocking ? 0 : SOCK_NONBLOCK));
        if (fd >= 0) admit(fd, number);
        else if (calls.errno() === EINTR || calls.errno() === ECONNABORTED) fd = 0;
      }
      if (listener.owned || listener.leaving) calls.close(listener.fd);
      if (listener.leaving) this.#left(number);
    }
  }

  /** The engine ends. */
  close(): void {
    for (const [number, listener] of this.list.entries()) {
      if (!listener.done && (listener.owned || listener.leaving)) loadSyscalls().close(listener.fd);
      if (!listener.done && listener.leaving) this.#left(number);
      listener.done = true;
    }
  }

  #append(): void {
    this.list.push({ fd: -1, owned: false, armed: false, cancelling: false, leaving: false, done: true });
    this.addresses.push("");
  }

  #left(number: number): void {
    this.leavingCount--;
    this.#waiting.get(number)?.();
    this.#waiting.delete(number);
  }
}
