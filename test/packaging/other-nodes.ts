/** Other Nodes than the one that runs the tests. */
import { execFileSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import path from "node:path";

/** Folders of PATH without those in which npm puts the pinned Node. */
export function pathWithoutPinned(): string {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return folders.filter((folder) => !folder.includes("node_modules")).join(path.delimiter);
}

/** A folder of PATH whose `node` is older than `majorMin`, or undefined. */
export function folderOfOlderNode(majorMin: number): string | undefined {
  return pathWithoutPinned()
    .split(path.delimiter)
    .find((folder) => {
      const file = path.join(folder, "node");
      if (!existsSync(file) || realpathSync(file) === realpathSync(process.execPath)) return false;
      const version = execFileSync(file, ["--version"], { encoding: "utf8" });
      return Number(/^v(\d+)\./.exec(version)?.[1]) < majorMin;
    });
}
