/** Where a measurement was made: nothing here names the machine itself. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { cacheDirectory } from "./cache.ts";

const ROOT = path.dirname(import.meta.dirname);

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly virtual: boolean;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  /** Short commit of the checkout, "+" when it has changes; "" outside a checkout. */
  readonly commit: string;
  /** ISO 8601, to the minute, UTC. */
  readonly startedAt: string;
}

export function describeMachine(): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? "unknown",
    cores: cpus.length,
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(readText("/proc/cpuinfo")),
    memoryGib: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release().replace(/-.*/, ""),
    node: process.versions.node,
    commit: commit(),
    startedAt: `${new Date().toISOString().slice(0, 16)}Z`,
  };
}

export function writeMachine(machine: Machine): string {
  const kind = machine.virtual ? "virtual machine" : "machine";
  return (
    `${machine.cpu}, ${machine.cores} cores (${kind}), ${machine.memoryGib} GiB, Linux ${machine.kernel}, ` +
    `Node ${machine.node}, commit ${machine.commit || "unknown"}, ${machine.startedAt}`
  );
}

/** `text` with names instead of this machine's folders, so that it says the same everywhere. */
export function withoutPlaces(text: string): string {
  const places: readonly (readonly [place: string, name: string])[] = [
    [process.execPath, "node"],
    [cacheDirectory(), "CACHE"],
    [ROOT, "CHECKOUT"],
    [os.tmpdir(), "TEMPORARY"],
  ];
  return places.reduce((all, [place, name]) => all.replaceAll(place, name), text);
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
    const changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "bin") !== "";
    return git("rev-parse", "--short", "HEAD") + (changed ? "+" : "");
  } catch {
    return "";
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
