/**
 * Watches the files of a configuration. What is watched are their folders, since editors and deployments replace
 * files instead of writing them; what counts is whether a file that could belong to it is another one then.
 */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import path from "node:path";
import { CONFIG_ENDINGS } from "../config/load-config.ts";
import type { Log } from "./log.ts";

/** Several changes so close are one: an editor writes, renames and sets the mode. */
const QUIET_MS = 200;

/**
 * Calls `changed` after each change; it resolves with the files to watch from then on. Paths are relative to the
 * working directory. Returns what ends it.
 */
export function watchFiles(
  files: readonly string[],
  changed: () => Promise<readonly string[]>,
  log: Log,
): () => void {
  let watchers: FSWatcher[] = [];
  let folders: string[] = [];
  let seen = "";
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const end = () => {
    for (const watcher of watchers) watcher.close();
    watchers = [];
  };
  const begin = (next: readonly string[]) => {
    end();
    folders = [...new Set(next.map((file) => path.dirname(path.resolve(file))))];
    seen = signatureOf(folders);
    for (const folder of folders) {
      try {
        const watcher = watch(folder, { persistent: false }, later);
        watcher.on("error", (error) => log.warn(`cannot watch ${folder}: ${error.message}`));
        watchers.push(watcher);
      } catch (error) {
        log.warn(`cannot watch ${folder}: ${(error as Error).message}`);
      }
    }
  };
  const look = async () => {
    if (isOver || signatureOf(folders) === seen) return;
    seen = signatureOf(folders);
    const next = await changed();
    if (isOver) return;
    const before = seen;
    begin(next);
    // Something may have changed while the last change was read.
    if (before !== seen) later();
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void look(), QUIET_MS);
  };
  begin(files);
  return () => {
    isOver = true;
    clearTimeout(timer);
    end();
  };
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
  return names.map((name) => fileSignature(path.join(folder, name))).join("\n");
}

/** Of what a link leads to. */
function fileSignature(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? file : `${file} ${found.ino} ${found.size} ${found.mtimeNs}`;
}
