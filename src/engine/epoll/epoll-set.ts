/**
 * The epoll set: which descriptors the kernel reports on, and what it said last (epoll(7)).
 *
 * An event names what it is about in two words: a kind, and an index among those of that kind.
 *
 * @hot
 */
import { EngineUnavailable } from "../../contract/port.ts";
import { type Mapping, mapMemory } from "../native/memory.ts";
import { loadSyscalls, type Syscalls } from "../native/syscalls.ts";

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EVENTS_MAX = 512;
/** `struct epoll_event` is packed on x86 only. */
const IS_PACKED = process.arch === "x64";
const EVENT_WORDS = IS_PACKED ? 3 : 4;
const INDEX_WORD = IS_PACKED ? 1 : 2;
const KIND_WORD = INDEX_WORD + 1;
/** Behind the events of a wait: the one that `add` speaks of. */
const CONTROL_AT = EVENTS_MAX * EVENT_WORDS;

/** Bits of an event. */
export const Events = {
  readable: 0x1,
  writable: 0x4,
  error: 0x8,
  hangUp: 0x10,
  peerEnded: 0x2000,
  edgeTriggered: 1 << 31,
} as const;

/** What an event is about. */
export const Kind = {
  connection: 0,
  listener: 1,
  /** A descriptor that the nested loop watches; the index is its token. */
  watch: 2,
} as const;

export class EpollSet {
  /** Polls readable when `wait` would find something. */
  readonly fd: number;
  readonly #calls: Syscalls = loadSyscalls();
  readonly #memory: Mapping;
  readonly #words: Int32Array;

  /** An empty set. Throws `EngineUnavailable` where the system refuses. @cold */
  constructor() {
    this.fd = this.#calls.epoll_create1(EPOLL_CLOEXEC);
    if (this.fd < 0) throw new EngineUnavailable(`epoll_create1: errno ${this.#calls.errno()}`);
    this.#memory = mapMemory((CONTROL_AT + EVENT_WORDS) * 4);
    this.#words = new Int32Array(this.#memory.buffer);
  }

  /** From now on `events` of `fd` are reported, as `index` of `kind`. */
  add(fd: number, events: number, kind: number, index: number): void {
    this.#words[CONTROL_AT] = events;
    this.#words[CONTROL_AT + INDEX_WORD] = index;
    this.#words[CONTROL_AT + KIND_WORD] = kind;
    this.#calls.epoll_ctl(this.fd, EPOLL_CTL_ADD, fd, this.#memory.address + CONTROL_AT * 4);
  }

  remove(fd: number): void {
    this.#calls.epoll_ctl(this.fd, EPOLL_CTL_DEL, fd, this.#memory.address + CONTROL_AT * 4);
  }

  /** Waits at most `limitMs` (whole; -1: for ever). Returns how many events there are. */
  wait(limitMs: number): number {
    return Math.max(this.#calls.epoll_wait(this.fd, this.#memory.address, EVENTS_MAX, limitMs), 0);
  }

  /** What has happened in event `number` of the last wait. */
  eventsOf(number: number): number {
    return this.#words[number * EVENT_WORDS]!;
  }

  indexOf(number: number): number {
    return this.#words[number * EVENT_WORDS + INDEX_WORD]!;
  }

  kindOf(number: number): number {
    return this.#words[number * EVENT_WORDS + KIND_WORD]!;
  }

  close(): void {
    this.#calls.close(this.fd);
  }
}
