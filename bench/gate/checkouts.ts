/**
 * Commits laid out side by side: each in a worktree of git in a temporary folder, removed with this process.
 * They share this checkout's node_modules, so both run on the same packages, whatever their locks say.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ROOT } from "../contenders/contender.ts";

export interface Checkout {
  readonly root: string;
  /** As it was named, and its short commit. */
  readonly title: string;
}

/** This checkout, with its changes. */
const HERE = ".";
const worktrees: string[] = [];

/**
 * Lays out `revision`, anything that git resolves to a commit, or "." for this checkout as it is. Throws with
 * what git says.
 */
export function checkOut(revision: string): Checkout {
  if (revision === HERE) return { root: ROOT, title: "this checkout as it is" };
  const found = spawnSync("git", ["rev-parse", "--verify", "--quiet", "--short", `${revision}^{commit}`], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (found.status !== 0) throw new Error(`"${revision}" is no commit here; write a commit, a branch or "."`);
  const commit = found.stdout.trim();
  if (worktrees.length === 0) process.on("exit", removeWorktrees);
  const root = path.join(mkdtempSync(path.join(os.tmpdir(), "hp-proxy-gate-")), "checkout");
  execFileSync("git", ["worktree", "add", "--quiet", "--detach", root, commit], { cwd: ROOT });
  worktrees.push(root);
  symlinkSync(path.join(ROOT, "node_modules"), path.join(root, "node_modules"));
  return { root, title: revision.startsWith(commit) ? commit : `${revision} (${commit})` };
}

/** Files of this checkout that measure, which replace those of `checkout`: one yardstick for both. */
const YARDSTICK = ["bench", "test/route/asking.ts", "test/differential/llhttp.ts"];

export function layYardstick({ root }: Checkout): void {
  if (root === ROOT) return;
  for (const file of YARDSTICK) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    cpSync(path.join(ROOT, file), path.join(root, file), { recursive: true, force: true });
  }
}

function removeWorktrees(): void {
  for (const root of worktrees.splice(0)) {
    spawnSync("git", ["worktree", "remove", "--force", root], { cwd: ROOT });
    rmSync(path.dirname(root), { recursive: true, force: true });
  }
}
