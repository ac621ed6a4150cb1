/**
 * One io_uring: its two queues in shared memory and the one system call that serves both.
 *
 * Strategy: SINGLE_ISSUER and DEFER_TASKRUN (completions are made by this thread, inside its own wait, never
 * by interrupting it); SUBMIT_ALL (an entry that fails does not hold up those behind it); entries are written
 * in place and handed over, and the wait for completions done, by one `io_uring_enter`. liburing's names, raw
 * system calls.
 *
 * Ordering: what the kernel reads and writes in the queues it does on this thread, within our own calls
 * (SINGLE_ISSUER, DEFER_TASKRUN, no SQPOLL). So plain loads and stores do, as for anything a function reads; those of
 * `Atomics` are calls.
 *
 * @hot
 */
import { assert } from "../../base/assert.ts";
import { EngineUnavailable } from "../../contract/port.ts";
import { type Mapping, mapMemory } from "../native/memory.ts";
import { loadSyscalls, type Syscalls } from "../native/syscalls.ts";

const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;
const SYS_IO_URING_REGISTER = 427;

const SETUP_CQSIZE = 1 << 3;
const SETUP_SUBMIT_ALL = 1 << 7;
const SETUP_SINGLE_ISSUER = 1 << 12;
const SETUP_DEFER_TASKRUN = 1 << 13;
const SETUP_NO_SQARRAY = 1 << 16;
const SETUP = SETUP_CQSIZE | SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN;

const FEAT_SINGLE_MMAP = 1 << 0;
const FEAT_NODROP = 1 << 1;
const FEAT_SUBMIT_STABLE = 1 << 2;
const FEAT_EXT_ARG = 1 << 8;
const FEAT_CQE_SKIP = 1 << 11;
const FEAT_RECVSEND_BUNDLE = 1 << 14;
const FEAT_MIN_TIMEOUT = 1 << 15;
const FEATURES_NEEDED = FEAT_SINGLE_MMAP | FEAT_NODROP | FEAT_SUBMIT_STABLE | FEAT_EXT_ARG | FEAT_CQE_SKIP;

const CLOCK_THREAD_CPUTIME_ID = 3;
const ENTER_GETEVENTS = 1 << 0;
const ENTER_EXT_ARG = 1 << 3;
const ENTER_REGISTERED_RING = 1 << 4;
const REGISTER_RING_FDS = 20;

const OFF_SQES = 0x1000_0000;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;

const SQ_CQ_OVERFLOW = 1 << 1;

const SQ_ENTRIES = 1024;
/** Room for a burst; what is beyond it the kernel keeps and hands over later (FEAT_NODROP), at a price. */
const CQ_ENTRIES = 8192;
const SQE_WORDS = 16;

const EPERM = 1;
const ENOMEM = 12;
const EINVAL = 22;
const ENOSYS = 38;
const TWO_POW_32 = 0x1_0000_0000;

/** Words of a completion: user_data (index, kind), result, flags. */
export const CQE_WORDS = 4;
/** Bits of a completion's flags; the buffer's id lies above them. */
export const CqeFlag = { buffer: 1, more: 2 } as const;
export const CQE_BUFFER_SHIFT = 16;

/** Where things lie in one word-addressed page of arguments. */
const ARG_AT = 0;
const TIMESPEC_AT = 8;
const CPU_TIME_AT = 16;
const PARAMS_AT = 64;
const PARAMS_WORDS = 30;

export class Ring {
  readonly fd: number;
  /** Submission entries; see prep.ts. */
  readonly sqes: Int32Array;
  /** Completions, 4 words each: user_data (index, kind), result, flags. Read at `(head & cqMask) * 4`. */
  readonly cqes: Int32Array;
  readonly cqMask: number;
  /** The kernel can fill several buffers in one receive (6.10). */
  readonly hasBundles: boolean;
  /** The kernel can wait a little for company (6.12). */
  readonly hasMinWait: boolean;
  /** Next completion to read, counting modulo 2^32. Whoever reads counts it up, then calls `cqAdvance`. */
  cqHead: number;

  readonly #calls: Syscalls;
  readonly #arguments: Mapping;
  readonly #words: Int32Array;
  readonly #queues: { address: number; bytes: number };
  readonly #entries: { address: number; bytes: number };
  readonly #queueWords: Int32Array;
  readonly #sqTailAt: number;
  readonly #cqHeadAt: number;
  readonly #cqTailAt: number;
  readonly #sqFlagsAt: number;
  readonly #sqMask: number;
  readonly #enterFd: number;
  readonly #enterFlags: number;
  #sqTail = 0;
  #submitted = 0;
  #gatherCount = 1;
  #gatherUs = 0;

  /** Throws `EngineUnavailable` with the reason where the kernel refuses. */
  constructor() {
    this.#calls = loadSyscalls();
    this.#arguments = mapMemory(4096);
    this.#words = new Int32Array(this.#arguments.buffer);
    this.fd = this.#setup();
    const words = this.#words;
    const features = words[PARAMS_AT + 5]!;
    this.hasBundles = (features & FEAT_RECVSEND_BUNDLE) !== 0;
    this.hasMinWait = (features & FEAT_MIN_TIMEOUT) !== 0;
    if ((features & FEATURES_NEEDED) !== FEATURES_NEEDED) {
      this.#calls.close(this.fd);
      throw new EngineUnavailable(`io_uring lacks features of kernel 6.1 (has 0x${features.toString(16)})`);
    }
    // struct io_sqring_offsets from word 10, struct io_cqring_offsets from word 20.
    const sq = PARAMS_AT + 10;
    const cq = PARAMS_AT + 20;
    const sqEntries = words[PARAMS_AT]!;
    const cqEntries = words[PARAMS_AT + 1]!;
    const arrayBytes = words[sq + 6]! + sqEntries * 4;
    const queueBytes = Math.max(arrayBytes, words[cq + 5]! + cqEntries * CQE_WORDS * 4);
    this.#queues = this.#map(0, queueBytes);
    this.#entries = this.#map(OFF_SQES, sqEntries * SQE_WORDS * 4);
    const queueBuffer = this.#calls.view(this.#queues.address, this.#queues.bytes);
    this.#queueWords = new Int32Array(queueBuffer, 0, this.#queues.bytes >> 2);
    this.sqes = new Int32Array(this.#calls.view(this.#entries.address, this.#entries.bytes));
    this.cqes = new Int32Array(queueBuffer, words[cq + 5]!, cqEntries * CQE_WORDS);
    this.#sqTailAt = words[sq + 1]! >> 2;
    this.#cqHeadAt = words[cq]! >> 2;
    this.#cqTailAt = words[cq + 1]! >> 2;
    this.#sqFlagsAt = words[sq + 4]! >> 2;
    this.#sqMask = sqEntries - 1;
    this.cqMask = cqEntries - 1;
    this.cqHead = this.#queueWords[this.#cqHeadAt]!;
    if ((words[PARAMS_AT + 2]! & SETUP_NO_SQARRAY) === 0) {
      const arrayAt = words[sq + 6]! >> 2;
      for (let i = 0; i < sqEntries; i++) this.#queueWords[arrayAt + i] = i;
    }
    this.#prepareArguments();
    const registered = this.#registerSelf();
    this.#enterFd = registered < 0 ? this.fd : registered;
    this.#enterFlags = ENTER_GETEVENTS | ENTER_EXT_ARG | (registered < 0 ? 0 : ENTER_REGISTERED_RING);
  }

  /** First word of a fresh entry in `sqes`. A full queue is handed over first. */
  nextSqe(): number {
    if (this.pending > this.#sqMask) {
      this.submit();
      assert(this.pending <= this.#sqMask, "the kernel takes entries");
    }
    const at = (this.#sqTail & this.#sqMask) * SQE_WORDS;
    this.#sqTail = (this.#sqTail + 1) | 0;
    return at;
  }

  /** Entries written but not handed over. */
  get pending(): number {
    return (this.#sqTail - this.#submitted) | 0;
  }

  /** Hands over; makes no completions beyond those that come at once. */
  submit(): void {
    if (this.#sqTail === this.#submitted) return;
    this.#enter(0, 0, this.#enterFlags & ~(ENTER_GETEVENTS | ENTER_EXT_ARG));
  }

  /** Hands over, then waits at most `waitMs` (-1: for ever) for a completion. Returns how many there are. */
  submitAndWait(waitMs: number): number {
    if (waitMs === 0 || this.cqReady() > 0) {
      this.#enter(0, 0, this.#enterFlags & ~ENTER_EXT_ARG);
      return this.cqReady();
    }
    const words = this.#words;
    if (waitMs < 0) {
      words[ARG_AT + 4] = 0;
      words[ARG_AT + 5] = 0;
    } else {
      const address = this.#arguments.address + TIMESPEC_AT * 4;
      words[ARG_AT + 4] = address | 0;
      words[ARG_AT + 5] = (address / TWO_POW_32) | 0;
      const seconds = Math.floor(waitMs / 1000);
      words[TIMESPEC_AT] = seconds;
      words[TIMESPEC_AT + 2] = Math.ceil((waitMs - seconds * 1000) * 1e6) % 1e9;
    }
    // The kernel looks at the time limit behind the time for company only; a limit that comes first bounds both.
    words[ARG_AT + 3] = waitMs >= 0 && waitMs * 1000 <= this.#gatherUs ? 0 : this.#gatherUs;
    this.#enter(this.#gatherCount, this.#arguments.address, this.#enterFlags);
    return this.cqReady();
  }

  /**
   * From now on a wait that has its first completion goes on until there are `count`, or `us` have
   * passed since it began (6.12). (1, 0): it returns at once.
   */
  gather(count: number, us: number): void {
    this.#gatherCount = count;
    this.#gatherUs = us;
  }

  /** CPU time that this thread has used, in milliseconds since it began; -1 where nobody tells. */
  threadCpuMs(): number {
    const address = this.#arguments.address + CPU_TIME_AT * 4;
    if (this.#calls.clock_gettime(CLOCK_THREAD_CPUTIME_ID, address) !== 0) return -1;
    return this.#words[CPU_TIME_AT]! * 1000 + this.#words[CPU_TIME_AT + 2]! / 1e6;
  }

  /** Completions not read yet. */
  cqReady(): number {
    return (this.#queueWords[this.#cqTailAt]! - this.cqHead) | 0;
  }

  /**
   * The kernel keeps completions that found no room. They come later; until then nothing can be concluded from
   * a completion that is not there.
   */
  hasOverflowed(): boolean {
    return (this.#queueWords[this.#sqFlagsAt]! & SQ_CQ_OVERFLOW) !== 0;
  }

  /** Gives the entries of read completions back to the kernel. */
  cqAdvance(): void {
    this.#queueWords[this.#cqHeadAt] = this.cqHead;
  }

  /** `io_uring_register`. Returns its result or a negative errno. */
  register(operation: number, address: number, count: number): number {
    const result = this.#calls.syscall(SYS_IO_URING_REGISTER, this.fd, operation, address, count, 0, 0);
    return result < 0 ? -this.#calls.errno() : result;
  }

  /** Ends the ring. None of its arrays may be touched afterwards. */
  close(): void {
    this.#calls.munmap(this.#entries.address, this.#entries.bytes);
    this.#calls.munmap(this.#queues.address, this.#queues.bytes);
    this.#calls.close(this.fd);
  }

  #enter(waitCount: number, argument: number, flags: number): void {
    this.#queueWords[this.#sqTailAt] = this.#sqTail;
    const count = this.pending;
    const taken = this.#calls.syscall(
      SYS_IO_URING_ENTER,
      this.#enterFd,
      count,
      waitCount,
      flags,
      argument,
      argument === 0 ? 0 : 24,
    );
    // A failure (EINTR, ETIME, EBUSY, EAGAIN) has taken nothing; the next call tries again.
    if (taken > 0) this.#submitted = (this.#submitted + taken) | 0;
  }

  #setup(): number {
    let refusal = this.#trySetup(SETUP | SETUP_NO_SQARRAY);
    // NO_SQARRAY came with 6.6; what is older does not know the bit.
    if (refusal === -EINVAL) refusal = this.#trySetup(SETUP);
    if (refusal >= 0) return refusal;
    if (refusal === -EPERM) {
      throw new EngineUnavailable(
        "io_uring_setup: EPERM (forbidden by seccomp, as in Docker, or by kernel.io_uring_disabled)",
      );
    }
    if (refusal === -ENOSYS) throw new EngineUnavailable("io_uring_setup: ENOSYS (kernel without io_uring)");
    if (refusal === -EINVAL) {
      throw new EngineUnavailable("io_uring_setup: EINVAL (DEFER_TASKRUN needs kernel 6.1)");
    }
    if (refusal === -ENOMEM) {
      throw new EngineUnavailable("io_uring_setup: ENOMEM (too little locked memory allowed: ulimit -l)");
    }
    throw new EngineUnavailable(`io_uring_setup: errno ${-refusal}`);
  }

  /** A descriptor or a negative errno. `struct io_uring_params` is left filled. */
  #trySetup(flags: number): number {
    const words = this.#words;
    words.fill(0, PARAMS_AT, PARAMS_AT + PARAMS_WORDS);
    words[PARAMS_AT + 1] = CQ_ENTRIES;
    words[PARAMS_AT + 2] = flags;
    const address = this.#arguments.address + PARAMS_AT * 4;
    const fd = this.#calls.syscall(SYS_IO_URING_SETUP, SQ_ENTRIES, address, 0, 0, 0, 0);
    return fd < 0 ? -this.#calls.errno() : fd;
  }

  #map(offset: number, bytes: number): { address: number; bytes: number } {
    const whole = Math.ceil(bytes / 4096) * 4096;
    const address = this.#calls.mmap(0, whole, PROT_READ_WRITE, MAP_SHARED_POPULATE, this.fd, offset);
    if (address === -1) throw new EngineUnavailable(`io_uring mmap: errno ${this.#calls.errno()}`);
    return { address, bytes: whole };
  }

  #prepareArguments(): void {
    // struct io_uring_getevents_arg: signal mask (none) and its size, min_wait_usec, address of the time
    // limit.
    this.#words.fill(0, 0, PARAMS_AT);
    this.#words[ARG_AT + 2] = 8;
  }

  /**
   * Registers the ring's own descriptor, which saves a look-up per call (5.18). Returns its number, or a
   * negative errno.
   */
  #registerSelf(): number {
    // struct io_uring_rsrc_update: offset (-1: any), reserved, descriptor.
    const at = PARAMS_AT;
    this.#words.fill(0, at, at + 4);
    this.#words[at] = -1;
    this.#words[at + 2] = this.fd;
    const result = this.register(REGISTER_RING_FDS, this.#arguments.address + at * 4, 1);
    return result < 1 ? -EINVAL : this.#words[at]!;
  }
}
