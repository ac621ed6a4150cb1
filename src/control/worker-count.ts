/** How many workers run, and on which CPU each. */
import { canSharePorts } from "./listeners.ts";

/**
 * More workers than this platform can spread connections over. `message` is a sentence for people, with a
 * remedy.
 */
export class TooManyWorkers extends Error {
  override readonly name = "TooManyWorkers";
}

/**
 * Workers to start. `inherited`: listening sockets are handed down, so any number can share a port; otherwise
 * several need a platform that spreads connections over sockets of the same port.
 */
export function workerCount(
  wanted: number | "auto",
  cpuCount: number,
  inherited: boolean,
  platform: string,
): number {
  const shared = inherited || canSharePorts(platform);
  if (wanted === "auto") return shared ? cpuCount : 1;
  if (wanted > 1 && !shared) {
    const remedy = "write --workers 1, or run it on Linux";
    throw new TooManyWorkers(
      `--workers ${wanted}: on ${platform} several processes cannot share a port; ${remedy}`,
    );
  }
  return wanted;
}

/**
 * The CPU for each worker, or -1. Workers are bound when each can have a CPU of its own; a single one is left
 * to the kernel, which can move it out of the way of others.
 */
export function workerCpus(affinity: "auto" | "off", workers: number, allowed: readonly number[]): number[] {
  const bound = affinity === "auto" && workers > 1 && workers <= allowed.length;
  return Array.from({ length: workers }, (_, index) => (bound ? allowed[index]! : -1));
}
