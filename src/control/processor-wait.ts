/** How long a process could have run and had no processor: time in which nobody can ask anything of it. */
import { readFileSync } from "node:fs";

/** Of the first thread of process `pid`, since it began, in milliseconds; 0 where nobody knows (Linux does). */
export function processorWaitMs(pid: number): number {
  try {
    const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ");
    return Number(waitedNs ?? 0) / 1e6;
  } catch {
    // Another system, a kernel that does not measure it, or a process that has just gone.
    return 0;
  }
}
