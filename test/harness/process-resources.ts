/** What a process and its descendants hold, read from /proc (Linux). */
import { readdirSync, readFileSync } from "node:fs";
import { treePids } from "../../bench/process-tree.ts";

export interface Resources {
  /**
   * Memory of its own: anonymous pages and shared ones (RssAnon + RssShmem), each counted in every process
   * that maps it.
   */
  readonly ownBytes: number;
  /**
   * All resident pages, those of programs and libraries too, shared out among the processes that map them
   * (Pss).
   */
  readonly pssBytes: number;
  readonly descriptors: number;
}

/** Sums over the tree under `pid`. */
export function treeResources(pid: number): Resources {
  let ownBytes = 0;
  let pssBytes = 0;
  let descriptors = 0;
  for (const each of treePids(pid)) {
    const status = readFileSync(`/proc/${each}/status`, "utf8");
    ownBytes += kib(status, "RssAnon") + kib(status, "RssShmem");
    pssBytes += kib(readFileSync(`/proc/${each}/smaps_rollup`, "utf8"), "Pss");
    descriptors += readdirSync(`/proc/${each}/fd`).length;
  }
  return { ownBytes, pssBytes, descriptors };
}

function kib(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
}
