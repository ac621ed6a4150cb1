/**
 * What a program and all its descendants use, read from /proc (Linux).
 *
 * Strategy: a proxy may be one process, a master with workers or a runtime with threads, so everything is
 * summed over the tree under one process id. /proc/PID/stat counts all threads of a process, those that have
 * ended and those that the kernel runs for io_uring included; its children's fields count descendants that
 * have ended. So the difference of two sums is complete, whatever started or ended in between.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Resolution of the times in /proc, the same on every Linux (USER_HZ). */
const TICK_MS = 10;

/** CPU time since a program's start, in milliseconds, to 10 ms. */
export interface CpuTime {
  readonly userMs: number;
  readonly systemMs: number;
}

/** Memory in KiB: resident pages counted in each process that maps them, and shared out among those. */
export interface Memory {
  readonly rssKib: number;
  readonly pssKib: number;
  /**
   * As `pssKib`, without the pages of files: how many processes share those of a runtime depends on what else runs on
   * the machine.
   */
  readonly ownKib: number;
}

/** One line of /proc/PID/stat, as far as it matters here; times in ticks. */
export interface ProcessStat {
  readonly parent: number;
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly endedUserTicks: number;
  readonly endedSystemTicks: number;
}

/** Busy and total time of one core, in milliseconds since boot. */
export interface CoreTime {
  readonly busyMs: number;
  readonly totalMs: number;
}

/** Reads the text of /proc/PID/stat (proc_pid_stat(5)); the name in parentheses may hold anything. */
export function parseProcessStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const at = (index: number) => Number(fields[index]);
  return {
    parent: at(1),
    userTicks: at(11),
    systemTicks: at(12),
    endedUserTicks: at(13),
    endedSystemTicks: at(14),
  };
}

/** `root` and its living descendants, in no particular order; only `root` when it has ended. */
export function treePids(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readStat(entry);
    if (stat !== undefined) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(entry)]);
  }
  const pids = [root];
  for (let i = 0; i < pids.length; i++) pids.push(...(children.get(pids[i]!) ?? []));
  return pids;
}

/** CPU time that `root` and all its descendants, living and ended, have used so far. */
export function treeCpuTime(root: number): CpuTime {
  let userTicks = 0;
  let systemTicks = 0;
  for (const pid of treePids(root)) {
    const stat = readStat(String(pid));
    userTicks += (stat?.userTicks ?? 0) + (stat?.endedUserTicks ?? 0);
    systemTicks += (stat?.systemTicks ?? 0) + (stat?.endedSystemTicks ?? 0);
  }
  return { userMs: userTicks * TICK_MS, systemMs: systemTicks * TICK_MS };
}

/** CPU time of children of this process that have ended: its difference is what one program run took. */
export function endedChildrenCpuTime(): CpuTime {
  const stat = readStat("self")!;
  return { userMs: stat.endedUserTicks * TICK_MS, systemMs: stat.endedSystemTicks * TICK_MS };
}

/** Memory of `root` and its living descendants. */
export function treeMemory(root: number): Memory {
  let rssKib = 0;
  let pssKib = 0;
  let ownKib = 0;
  for (const pid of treePids(root)) {
    const text = readText(`/proc/${pid}/smaps_rollup`);
    const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
    rssKib += kib("Rss");
    pssKib += kib("Pss");
    ownKib += kib("Pss_Anon") + kib("Pss_Shmem");
  }
  return { rssKib, pssKib, ownKib };
}

/** Busy and total time of a core; steal counts as busy, because the core was not ours then. */
export function coreTime(core: number): CoreTime {
  return parseCoreTime(readText("/proc/stat"), core);
}

/** Reads the text of /proc/stat (proc_stat(5)). Throws when there is no such core. */
export function parseCoreTime(text: string, core: number): CoreTime {
  const line = new RegExp(`^cpu${core} (.*)$`, "m").exec(text);
  if (line === null) throw new Error(`core ${core}: this machine has no such core`);
  const [user, nice, system, idle, iowait, irq, softirq, steal] = line[1]!.split(" ").map(Number);
  const busy = user! + nice! + system! + irq! + softirq! + (steal ?? 0);
  return { busyMs: busy * TICK_MS, totalMs: (busy + idle! + iowait!) * TICK_MS };
}

/** Most descriptors that a process started from here may open. */
export function descriptorLimit(): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readText("/proc/self/limits"))?.[1];
  return hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard ?? 1024);
}

function readStat(pid: string): ProcessStat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text === "" ? undefined : parseProcessStat(text);
}

/** "" for a process that has ended meanwhile. */
function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
