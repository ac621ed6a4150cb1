/**
 * System calls and libuv entry points of the running process, called through an FFI library.
 *
 * Strategy: this is the only file that knows the FFI library. Everything it hands out takes and returns plain
 * numbers: addresses are numbers (user space ends below 2^47, a double is exact to 2^53), structures are
 * written into mapped memory by whoever needs them, and nothing that V8 owns is ever given to the kernel,
 * because the collector may move it. Arguments that travel on the stack (the seventh and later) are declared
 * 64 bits wide: a narrower type leaves garbage in the upper half of the word.
 */
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { EngineUnavailable } from "../../contract/port.ts";

/** What is used of the FFI library (koffi 3). */
interface ForeignLibrary {
  load(path: null): {
    func(name: string, result: string, parameters: readonly string[]): (...values: number[]) => number;
  };
  view(address: number, bytes: number): ArrayBuffer;
  address(buffer: ArrayBuffer): bigint;
  errno(): number;
}

type Call1 = (a: number) => number;
type Call2 = (a: number, b: number) => number;
type Call3 = (a: number, b: number, c: number) => number;
type Call4 = (a: number, b: number, c: number, d: number) => number;
type Call5 = (a: number, b: number, c: number, d: number, e: number) => number;
type Call6 = (a: number, b: number, c: number, d: number, e: number, f: number) => number;
type Call7 = (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => number;

/** The C functions, by their C names and with C's results: -1 and `errno()` on failure. */
export interface Syscalls {
  /** `syscall(number, …)`: for what libc does not wrap. */
  readonly syscall: Call7;
  readonly mmap: Call6;
  readonly munmap: Call2;
  readonly madvise: Call3;
  readonly socket: Call3;
  readonly bind: Call3;
  readonly listen: Call2;
  readonly connect: Call3;
  readonly accept4: Call4;
  readonly getsockname: Call3;
  readonly getpeername: Call3;
  readonly setsockopt: Call5;
  readonly getsockopt: Call5;
  readonly shutdown: Call2;
  readonly close: Call1;
  readonly fcntl: Call3;
  readonly recv: Call4;
  readonly send: Call4;
  readonly sendmsg: Call3;
  readonly recvmsg: Call3;
  readonly socketpair: Call4;
  readonly epoll_create1: Call1;
  readonly epoll_ctl: Call4;
  readonly epoll_wait: Call4;
  readonly memfd_create: Call2;
  readonly ftruncate: Call2;
  readonly clock_gettime: Call2;
  readonly prlimit: Call4;
  readonly sched_setaffinity: Call3;
  readonly sched_getaffinity: Call3;
  readonly uv_default_loop: () => number;
  readonly uv_backend_fd: Call1;
  readonly uv_backend_timeout: Call1;
  readonly uv_now: Call1;
  readonly uv_hrtime: () => number;
  /** Error number (positive) of the last call that failed. Read it at once. */
  readonly errno: () => number;
  /**
   * The `bytes` at `address` as a buffer. Costs microseconds: make views once. Must not be used after the
   * memory is unmapped.
   */
  readonly view: (address: number, bytes: number) => ArrayBuffer;
  /** Where a buffer lies that V8 does not move: one of `WebAssembly.Memory`. Costs as much. */
  readonly addressOf: (buffer: ArrayBuffer) => number;
}

const POINTER = "intptr_t";
const SIZE = "int64_t";
const INT = "int";

/** Name, result and parameters of each function above. `fcntl` and `syscall` are variadic in C, which on
 *  Linux's 64-bit ABIs makes no difference for integers. */
const SIGNATURES: readonly (readonly [string, string, readonly string[]])[] = [
  ["syscall", SIZE, [SIZE, SIZE, SIZE, SIZE, SIZE, SIZE, SIZE]],
  ["mmap", POINTER, [POINTER, SIZE, INT, INT, INT, SIZE]],
  ["munmap", INT, [POINTER, SIZE]],
  ["madvise", INT, [POINTER, SIZE, INT]],
  ["socket", INT, [INT, INT, INT]],
  ["bind", INT, [INT, POINTER, INT]],
  ["listen", INT, [INT, INT]],
  ["connect", INT, [INT, POINTER, INT]],
  ["accept4", INT, [INT, POINTER, POINTER, INT]],
  ["getsockname", INT, [INT, POINTER, POINTER]],
  ["getpeername", INT, [INT, POINTER, POINTER]],
  ["setsockopt", INT, [INT, INT, INT, POINTER, INT]],
  ["getsockopt", INT, [INT, INT, INT, POINTER, POINTER]],
  ["shutdown", INT, [INT, INT]],
  ["close", INT, [INT]],
  ["fcntl", INT, [INT, INT, SIZE]],
  ["recv", SIZE, [INT, POINTER, SIZE, INT]],
  ["send", SIZE, [INT, POINTER, SIZE, INT]],
  ["sendmsg", SIZE, [INT, POINTER, INT]],
  ["recvmsg", SIZE, [INT, POINTER, INT]],
  ["socketpair", INT, [INT, INT, INT, POINTER]],
  ["epoll_create1", INT, [INT]],
  ["epoll_ctl", INT, [INT, INT, INT, POINTER]],
  ["epoll_wait", INT, [INT, POINTER, INT, INT]],
  ["memfd_create", INT, [POINTER, INT]],
  ["ftruncate", INT, [INT, SIZE]],
  ["clock_gettime", INT, [INT, POINTER]],
  ["prlimit", INT, [INT, INT, POINTER, POINTER]],
  ["sched_setaffinity", INT, [INT, SIZE, POINTER]],
  ["sched_getaffinity", INT, [INT, SIZE, POINTER]],
  ["uv_default_loop", POINTER, []],
  ["uv_backend_fd", INT, [POINTER]],
  ["uv_backend_timeout", INT, [POINTER]],
  ["uv_now", SIZE, [POINTER]],
  ["uv_hrtime", SIZE, []],
];

let loaded: Syscalls | undefined;

/** The calls, loaded once. Throws `EngineUnavailable` with the reason where this process cannot have them. */
export function loadSyscalls(): Syscalls {
  loaded ??= bindSyscalls(loadLibrary());
  return loaded;
}

/** Throws `EngineUnavailable` in a worker thread: libuv's default loop belongs to the main thread. */
export function requireMainThread(): void {
  if (!isMainThread) throw new EngineUnavailable("native engines run on the main thread only");
}

function loadLibrary(): ForeignLibrary {
  if (process.platform !== "linux") throw new EngineUnavailable(`not Linux (${process.platform})`);
  if (process.arch !== "x64" && process.arch !== "arm64") {
    throw new EngineUnavailable(`no FFI library for this processor (${process.arch})`);
  }
  const name = `@koromix/koffi-linux-${process.arch}`;
  try {
    return createRequire(import.meta.url)(name) as ForeignLibrary;
  } catch (error) {
    throw new EngineUnavailable(`the FFI library cannot be loaded: ${firstLine(error)}`);
  }
}

function bindSyscalls(library: ForeignLibrary): Syscalls {
  const calls: Record<string, unknown> = {};
  try {
    const symbols = library.load(null);
    for (const [name, result, parameters] of SIGNATURES) calls[name] = symbols.func(name, result, parameters);
  } catch (error) {
    throw new EngineUnavailable(`this Node.js lacks a needed symbol: ${firstLine(error)}`);
  }
  calls.errno = () => library.errno();
  calls.view = (address: number, bytes: number) => library.view(address, bytes);
  calls.addressOf = (buffer: ArrayBuffer) => Number(library.address(buffer));
  // A copy has the layout of a class; what was filled name by name is a table that each use is looked up in.
  return { ...calls } as unknown as Syscalls;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0]!;
}
