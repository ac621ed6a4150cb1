/**
 * Whose mistake an error is that nobody caught. One of ours means that what we know is not so any more, and the worker
 * must end; one of somebody's hook is only theirs.
 */
import { fileURLToPath } from "node:url";

/** All of our code lies below it, when run from source and when compiled. */
const OWN_FOLDER = fileURLToPath(new URL("../", import.meta.url));
/** What calls foreign code, and is in its traces. */
const HOOKS_FOLDER = `${OWN_FOLDER}hooks/`;

/** By the first place of its trace that is a file; what has none was thrown by Node for them, or is no error. */
export function isForeign(error: unknown): boolean {
  try {
    return !(error instanceof Error) || !isOwn(error);
  } catch {
    // One that cannot be looked at is none of ours.
    return true;
  }
}

function isOwn(error: Error): boolean {
  const places = String(error.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => /[\s(](?:file:\/\/)?(\/[^()]*?):\d+(?::\d+)?\)?$/.exec(line)?.[1])
    .filter((file) => file !== undefined && !file.startsWith(HOOKS_FOLDER));
  return places[0]?.startsWith(OWN_FOLDER) === true;
}
