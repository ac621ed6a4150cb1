/** How to start the program again that this process runs, as it is on disk now. */
import { accessSync, constants } from "node:fs";
import path from "node:path";

export interface OwnProgram {
  readonly file: string;
  readonly argv: readonly string[];
}

/**
 * Node is looked for where it was found at the start: `node` on PATH, as a script's first line has it, or the
 * same path, which a new package may have replaced. The script is found by the path that was given for it, so
 * that a link that points elsewhere by now leads there.
 */
export function ownProgram(environment: Readonly<Record<string, string | undefined>>): OwnProgram {
  const { argv0, execPath, execArgv, argv } = process;
  return { file: lookUp(argv0, environment.PATH ?? "") || execPath, argv: [...execArgv, ...argv.slice(1)] };
}

/** Full path of an executable; "" where there is none. */
function lookUp(name: string, searchPath: string): string {
  const places = name.includes("/")
    ? [path.resolve(name)]
    : searchPath.split(path.delimiter).map((folder) => path.join(folder, name));
  return places.find(isExecutable) ?? "";
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
