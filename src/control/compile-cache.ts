/**
 * Compiled code that workers share: the first to start leaves it, its successors need not compile again, and a
 * dead worker is replaced in a third of the time.
 *
 * The folder is this process's own and goes with it. A shared one would let whoever can write to it put code into
 * a proxy that may run as root.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export interface CompileCache {
  /** What a worker's environment needs, beside what it has. */
  readonly environment: Readonly<Record<string, string>>;
  /** Removes the folder. Idempotent. */
  close(): void;
}

export const NO_COMPILE_CACHE: CompileCache = { environment: {}, close() {} };

/** Opens a new folder, unless the environment names one (`NODE_COMPILE_CACHE`); none where nothing can be written. */
export function openCompileCache(environment: Readonly<Record<string, string | undefined>>): CompileCache {
  if (environment.NODE_COMPILE_CACHE !== undefined) return NO_COMPILE_CACHE;
  let folder: string;
  try {
    // Mode 0700, and a name that nobody can have foreseen.
    folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-"));
  } catch {
    return NO_COMPILE_CACHE;
  }
  return {
    environment: { NODE_COMPILE_CACHE: folder },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
