/**
 * Many reads and writes of sockets in one system call: Linux's old asynchronous I/O (io_submit(2), kernel 2.6).
 *
 * Strategy: on a non-blocking socket nothing of it is asynchronous. `io_submit` carries out one request after the
 * other before it returns; what would block ends with EAGAIN. The results lie in a ring that the kernel shares with
 * the process, in the order of the requests, and are taken from there without a further call. To the kernel a
 * request costs somewhat more than a call of its own. To us a call costs a passage through V8, Node.js and the FFI
 * library, whose code the kernel's has driven from the caches each time: so much more that a batch of
 * them saves a fourteenth of everything (docs/performance.md).
 *
 * There need not be any: containers and kernels without it exist, and all processes share `fs.aio-max-nr`.
 *
 * @hot
 */
import { assert } from "../../base/assert.ts";
import { type Mapping, mapMemory } from "../native/memory.ts";
import { loadSyscalls, type Syscalls } from "../native/syscalls.ts";

/** io_setup, io_destroy and io_submit. */
const [SYS_SETUP, SYS_DESTROY, SYS_SUBMIT] = process.arch === "arm64" ? [0, 1, 2] : [206, 207, 209];

/** The most requests of one batch. */
export const BATCH_MAX = 128;
/** Ranges that one request may write. */
export const VECTORS_MAX = 8;

/** `aio_lio_opcode` of `struct iocb` (linux/aio_abi.h). */
const PREAD = 0;
const PWRITE = 1;
const PWRITEV = 8;

/** In words: of `struct iocb`, of its fields (64 bits each but the first two), of `struct iovec`. */
const IOCB_WORDS = 16;
const OPCODE = 4;
const DESCRIPTOR = 5;
const ADDRESS = 6;
const BYTES = 8;
const VECTOR_WORDS = 4;

/** In words: the beginning of `struct aio_ring`, `struct io_event`, and where its result is. */
const RING_SIZE = 1;
const RING_HEAD = 2;
const RING_TAIL = 3;
const RING_MAGIC = 4;
const RING_INCOMPATIBLE = 6;
const AIO_RING_MAGIC = 0xa10a10a1 | 0;
const EVENTS_AT = 8;
const EVENT_WORDS = 8;
const EVENT_RESULT = 4;

/** Where things lie in the batch's memory, in words: pointers to the requests, the requests, their vectors. */
const POINTERS_AT = 0;
const IOCBS_AT = BATCH_MAX * 2;
const VECTORS_AT = IOCBS_AT + BATCH_MAX * IOCB_WORDS;
const WORDS = VECTORS_AT + BATCH_MAX * VECTORS_MAX * VECTOR_WORDS;
const TWO_POW_32 = 0x1_0000_0000;

export class SocketBatch {
  readonly #calls: Syscalls;
  readonly #memory: Mapping;
  readonly #words: Int32Array;
  /** What the kernel calls the context's number is the address of its ring. */
  readonly #context: number;
  readonly #ring: Int32Array;
  readonly #ringSize: number;
  #count = 0;
  /** Position in the ring of the first result of the last batch. */
  #resultsAt = 0;

  /**
   * A batch, or null where the system has none to give: `io_setup` fails, or its ring is not one that programs may
   * read. (gVisor's has no magic number, and is always empty; its requests are not over when `io_submit` returns.)
   * @cold
   */
  static open(): SocketBatch | null {
    const calls = loadSyscalls();
    const memory = mapMemory(WORDS * 4);
    if (calls.syscall(SYS_SETUP!, BATCH_MAX, memory.address, 0, 0, 0, 0) < 0) return null;
    const context = Number(new BigUint64Array(memory.buffer, 0, 1)[0]!);
    const ring = new Int32Array(calls.view(context, EVENTS_AT * 4));
    const isReadable = ring[RING_MAGIC] === AIO_RING_MAGIC && ring[RING_INCOMPATIBLE] === 0;
    if (isReadable && ring[RING_SIZE]! > BATCH_MAX) {
      return new SocketBatch(calls, memory, context, ring[RING_SIZE]!);
    }
    calls.syscall(SYS_DESTROY!, context, 0, 0, 0, 0, 0);
    return null;
  }

  private constructor(calls: Syscalls, memory: Mapping, context: number, ringSize: number) {
    this.#calls = calls;
    this.#memory = memory;
    this.#words = new Int32Array(memory.buffer);
    this.#context = context;
    this.#ringSize = ringSize;
    this.#ring = new Int32Array(calls.view(context, (EVENTS_AT + ringSize * EVENT_WORDS) * 4));
    for (let i = 0; i < BATCH_MAX; i++) {
      this.#writeAddress(POINTERS_AT + i * 2, memory.address + (IOCBS_AT + i * IOCB_WORDS) * 4);
    }
  }

  /** Where the next `writeVectors` expects up to `VECTORS_MAX` of `struct iovec`. */
  get vectorWords(): Int32Array {
    return this.#words;
  }

  get vectorsAt(): number {
    return VECTORS_AT + this.#count * VECTORS_MAX * VECTOR_WORDS;
  }

  /** Requests since the last `submit`; `BATCH_MAX` is the most. */
  get count(): number {
    return this.#count;
  }

  /** Asks for one read of the socket `fd` to `address`. */
  read(fd: number, address: number, bytes: number): void {
    this.#add(PREAD, fd, address, bytes);
  }

  /** Asks for one write. No signal comes of a broken socket, because Node.js ignores SIGPIPE. */
  write(fd: number, address: number, bytes: number): void {
    this.#add(PWRITE, fd, address, bytes);
  }

  /** Asks for one write of `count` vectors, which stand in `vectorWords` from `vectorsAt` on. */
  writeVectors(fd: number, count: number): void {
    const address = this.#memory.address + this.vectorsAt * 4;
    this.#add(PWRITEV, fd, address, count);
  }

  /**
   * Has them carried out. Returns how many were, the first of those asked for; `result` tells their results until
   * the next `submit`. Of the others nothing was done.
   */
  submit(): number {
    const ring = this.#ring;
    const wanted = this.#count;
    this.#count = 0;
    this.#resultsAt = ring[RING_HEAD]!;
    const done = this.#calls.syscall(SYS_SUBMIT!, this.#context, wanted, this.#memory.address, 0, 0, 0);
    if (done <= 0) return 0;
    let end = this.#resultsAt + done;
    if (end >= this.#ringSize) end -= this.#ringSize;
    assert(ring[RING_TAIL] === end, "each request was carried out");
    ring[RING_HEAD] = end;
    return done;
  }

  /** Bytes moved by request `index` of the last batch (0: the end of what is read), or a negative errno. */
  result(index: number): number {
    let at = this.#resultsAt + index;
    if (at >= this.#ringSize) at -= this.#ringSize;
    return this.#ring[EVENTS_AT + at * EVENT_WORDS + EVENT_RESULT]!;
  }

  /** Ends it; nothing may be asked of it any more. @cold */
  close(): void {
    this.#calls.syscall(SYS_DESTROY!, this.#context, 0, 0, 0, 0, 0);
  }

  #add(opcode: number, fd: number, address: number, bytes: number): void {
    assert(this.#count < BATCH_MAX, "a batch has room for what is added");
    const words = this.#words;
    const at = IOCBS_AT + this.#count * IOCB_WORDS;
    words[at + OPCODE] = opcode;
    words[at + DESCRIPTOR] = fd;
    this.#writeAddress(at + ADDRESS, address);
    words[at + BYTES] = bytes;
    this.#count++;
  }

  #writeAddress(at: number, address: number): void {
    this.#words[at] = address | 0;
    this.#words[at + 1] = (address / TWO_POW_32) | 0;
  }
}
