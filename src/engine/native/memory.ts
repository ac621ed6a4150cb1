/**
 * Memory outside V8's heap: what the kernel may read and write.
 *
 * Strategy: mappings are anonymous, so an untouched page costs nothing. A mapping lives as long as its buffer
 * is reachable from JavaScript; the collector's word that it is not is what unmaps it. A late reader of a
 * stopped engine's memory therefore reads zeros instead of crashing the process.
 */
import { type LinearMemory, linearMemory } from "../../base/linear-memory.ts";
import { loadSyscalls } from "./syscalls.ts";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MADV_DONTNEED = 4;
const PAGE_BYTES = 4096;

export interface Mapping {
  /** Where it begins in this process: a multiple of the page size. */
  readonly address: number;
  /** All of it, in whole pages; the only view that should be made of it by address. */
  readonly buffer: ArrayBuffer;
}

const forgotten = new FinalizationRegistry<{ address: number; bytes: number }>(({ address, bytes }) => {
  loadSyscalls().munmap(address, bytes);
});

/** Maps at least `bytes` of zeroed private memory. Throws where the system refuses. */
export function mapMemory(bytes: number): Mapping {
  return map(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

/**
 * As `mapMemory`, and where possible as memory that WebAssembly's code can work on too: `linear`, which keeps what
 * is behind `bytes` for itself.
 */
export function mapLinear(bytes: number): {
  readonly mapping: Mapping;
  readonly linear: LinearMemory | null;
} {
  const linear = linearMemory(bytes);
  if (linear === null) return { mapping: mapMemory(bytes), linear };
  return { mapping: { address: loadSyscalls().addressOf(linear.buffer), buffer: linear.buffer }, linear };
}

/** Maps `bytes` of the file `fd`, shared with every process that maps it. */
export function mapShared(fd: number, bytes: number): Mapping {
  return map(bytes, MAP_SHARED, fd);
}

/** Gives `bytes` of a mapping back, in whole pages from the beginning of one: they read as zeros from now on. */
export function discardRange(address: number, bytes: number): void {
  loadSyscalls().madvise(address, bytes, MADV_DONTNEED);
}

function map(bytes: number, flags: number, fd: number): Mapping {
  const calls = loadSyscalls();
  const whole = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  const address = calls.mmap(0, whole, PROT_READ_WRITE, flags, fd, 0);
  if (address === -1) throw new Error(`mmap of ${whole} bytes: errno ${calls.errno()}`);
  const buffer = calls.view(address, fd === -1 ? whole : bytes);
  forgotten.register(buffer, { address, bytes: whole });
  return { address, buffer };
}

/**
 * Words for short-lived arguments of synchronous calls: socket options, addresses, limits. Whoever writes it
 * calls at once.
 */
export interface Scratch {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

let scratch: Scratch | undefined;

/** One page, shared by everything on this thread. */
export function sharedScratch(): Scratch {
  if (scratch === undefined) {
    const { address, buffer } = mapMemory(PAGE_BYTES);
    scratch = { address, bytes: new Uint8Array(buffer), words: new Int32Array(buffer) };
  }
  return scratch;
}
