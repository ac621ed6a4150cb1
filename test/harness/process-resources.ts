/** What a process and its descendants hold, read from /proc (Linux). */
import { readdirSync, readFileSync } from "node:fs";
import { treePids } from "../../bench/process-tree.ts";

export interface Resources {
  /**
   * Memory of its own: anonymous pages and shared ones (RssAnon + RssShmem), each counted in every process
   * that maps it. Pages of programs are left out: what they count for (Pss) depends on who else runs Node
   * just then.
   */
  readonly ownBytes: number;
  readonly descriptors: number;
}

/** Sums over the tree under `pid`. */
export function treeResources(pid: number): Resources {
  let ownBytes = 0;
  let descriptors = 0;
  for (const each of treePids(pid)) {
    const status = readFileSync(`/proc/${each}/status`, "utf8");
    ownBytes += bytesOf(status, "RssAnon") + bytesOf(status, "RssShmem");
    descriptors += readdirSync(`/proc/${each}/fd`).length;
  }
  return { ownBytes, descriptors };
}

/** What a line of /proc/PID/status says, which is in kB of 1,024 bytes. */
function bytesOf(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
}
