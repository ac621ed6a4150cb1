/**
 * Watches the files of a configuration. What is watched are their folders, since editors and deployments replace
 * files instead of writing them; what counts is whether a file that could belong to it is another one then.
 */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import path from "node:path";
import { CONFIG_ENDINGS } from "../config/config-files.ts";
import type { Log } from "./log.ts";

/** Several changes so close are one: an editor writes, renames and sets the mode. */
const QUIET_MS = 200;

/**
 * Calls `changed` soon, and after each change from then on; it resolves with the files to watch next. Paths are
 * relative to the working directory. Returns what ends it.
 */
export function watchFiles(
  files: readonly string[],
  changed: () => Promise<readonly string[]>,
  log: Log,
): () => void {
  let watchers: readonly FSWatcher[] = [];
  let folders: readonly string[] = [];
  /** The state that `changed` was last called for; taken before, so that nothing falls in between. */
  let seen = "";
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const close = () => {
    for (const watcher of watchers) watcher.close();
    watchers = [];
  };
  const later = () => {
    clearTimeout(timer);
    if (!isOver) timer = setTimeout(() => void look(), QUIET_MS);
  };
  const open = (next: readonly string[]) => {
    const wanted = foldersOf(next);
    if (wanted.join("\n") === folders.join("\n")) return;
    close();
    folders = wanted;
    seen = "";
    watchers = folders.flatMap((folder) => watchFolder(folder, later, log));
  };
  const look = async () => {
    const now = signatureOf(folders);
    if (now === seen) return;
    seen = now;
    const next = await changed();
    if (isOver) return;
    open(next);
    later();
  };
  open(files);
  later();
  return () => {
    isOver = true;
    clearTimeout(timer);
    close();
  };
}

function foldersOf(files: readonly string[]): string[] {
  return [...new Set(files.map((file) => path.dirname(path.resolve(file))))];
}

function watchFolder(folder: string, changed: () => void, log: Log): FSWatcher[] {
  const failed = (error: Error) => log.warn(`cannot watch ${folder}: ${error.message}`);
  try {
    const watcher = watch(folder, { persistent: false }, changed);
    watcher.on("error", failed);
    return [watcher];
  } catch (error) {
    failed(error as Error);
    return [];
  }
}

/** Tells two states of the files in `folders` apart. */
function signatureOf(folders: readonly string[]): string {
  return folders.map(folderSignature).join("\n");
}

function folderSignature(folder: string): string {
  let names: string[] = [];
  try {
    names = readdirSync(folder).filter((name) => CONFIG_ENDINGS.includes(path.extname(name)));
  } catch {
    // It may come back.
  }
  return `${folder}\n${names.map((name) => fileSignature(path.join(folder, name))).join("\n")}`;
}

/** Of what a link leads to. */
function fileSignature(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? file : `${file} ${found.ino} ${found.size} ${found.mtimeNs}`;
}
