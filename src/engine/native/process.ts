/** What a process asks of the kernel about itself: descriptors it may open, processors it may run on. */
import { sharedScratch } from "./memory.ts";
import { loadSyscalls } from "./syscalls.ts";

const RLIMIT_NOFILE = 7;
/** Processors that a mask here can name. */
const CPU_COUNT_MAX = 1024;
const MASK_BYTES = CPU_COUNT_MAX / 8;

/** Raises the limit of open descriptors as far as the hard limit allows. Returns what holds afterwards. */
export function raiseFileLimit(): number {
  const calls = loadSyscalls();
  const { address, words } = sharedScratch();
  // struct rlimit: soft and hard limit, 64 bits each.
  if (calls.prlimit(0, RLIMIT_NOFILE, 0, address) < 0) throw new Error(`prlimit: errno ${calls.errno()}`);
  if (words[0] !== words[2] || words[1] !== words[3]) {
    words[0] = words[2]!;
    words[1] = words[3]!;
    if (calls.prlimit(0, RLIMIT_NOFILE, address, 0) < 0) throw new Error(`prlimit: errno ${calls.errno()}`);
  }
  return (words[1]! >>> 0) * 0x1_0000_0000 + (words[0]! >>> 0);
}

/** How many descriptors this process may have open. */
export function fileLimit(): number {
  const calls = loadSyscalls();
  const { address, words } = sharedScratch();
  if (calls.prlimit(0, RLIMIT_NOFILE, 0, address) < 0) throw new Error(`prlimit: errno ${calls.errno()}`);
  return (words[1]! >>> 0) * 0x1_0000_0000 + (words[0]! >>> 0);
}

/**
 * Binds the calling thread to these processors (numbered from 0, below 1024). Node's helper threads stay
 * where they are.
 */
export function setAffinity(cpus: readonly number[]): void {
  const calls = loadSyscalls();
  const { address, bytes } = sharedScratch();
  bytes.fill(0, 0, MASK_BYTES);
  for (const cpu of cpus) bytes[cpu >> 3]! |= 1 << (cpu & 7);
  if (calls.sched_setaffinity(0, MASK_BYTES, address) < 0) {
    throw new Error(`sched_setaffinity to ${cpus.join(",")}: errno ${calls.errno()}`);
  }
}

/** The processors that this thread may run on, ascending. */
export function allowedCpus(): number[] {
  const calls = loadSyscalls();
  const { address, bytes } = sharedScratch();
  bytes.fill(0, 0, MASK_BYTES);
  if (calls.sched_getaffinity(0, MASK_BYTES, address) < 0) {
    throw new Error(`sched_getaffinity: errno ${calls.errno()}`);
  }
  const cpus: number[] = [];
  for (let cpu = 0; cpu < CPU_COUNT_MAX; cpu++) if ((bytes[cpu >> 3]! >> (cpu & 7)) & 1) cpus.push(cpu);
  return cpus;
}
