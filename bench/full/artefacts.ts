/** How large things are: what has to be shipped, and how much source it is made of. */
import { execFileSync } from "node:child_process";
import { globSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { blankText } from "../../tools/source-text.ts";
import { ROOT } from "../contenders/contender.ts";

export interface Artefacts {
  /** Lines of src/ that are neither blank nor comment, tests and benches not counted. */
  readonly sourceLines: number;
  /** The same of what a worker needs: base, contract, http1, balance, route, session, engine, worker. */
  readonly dataPlaneLines: number;
  /** JavaScript that is shipped, without maps and declarations; 0 where dist/ has not been built. */
  readonly scriptBytes: number;
  /** The library for foreign calls, for this platform; 0 where it is not installed. */
  readonly addonBytes: number;
  /** The Node.js that runs it. */
  readonly runtimeBytes: number;
  /** The programs that others start, by name. Shared libraries are not in it. */
  readonly programBytes: Readonly<Record<string, number>>;
}

const DATA_PLANE = ["base", "contract", "http1", "balance", "route", "session", "engine", "worker"];

const PLATFORM = `${process.platform}-${process.arch}`;
const ADDON = path.join(
  ...[ROOT, "node_modules", "@koromix", `koffi-${PLATFORM}`, PLATFORM.replace("-", "_"), "koffi.node"],
);

/** `programBytes` as `weighPrograms` found them while they were there. */
export function weighArtefacts(programBytes: Artefacts["programBytes"]): Artefacts {
  const sources = globSync("src/**/*.ts", { cwd: ROOT }).filter(
    (file) => !/\.(?:test|fuzz|bench)\.ts$/.test(file),
  );
  const isDataPlane = (file: string) => DATA_PLANE.includes(file.split(path.sep)[1]!);
  const scripts = globSync("dist/**/*.js", { cwd: ROOT });
  return {
    sourceLines: sumOf(sources, sourceLines),
    dataPlaneLines: sumOf(sources.filter(isDataPlane), sourceLines),
    scriptBytes: sumOf(scripts, (file) => statSync(path.join(ROOT, file)).size),
    addonBytes: fileBytes(ADDON),
    runtimeBytes: statSync(process.execPath).size,
    programBytes,
  };
}

/**
 * Sizes of the executables of `commands`, the first words of commands by name; what is not there is left out.
 */
export function weighPrograms(commands: Readonly<Record<string, string>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(commands).flatMap(([name, command]) => {
      const bytes = programBytes(command);
      return bytes === undefined ? [] : [[name, bytes]];
    }),
  );
}

function fileBytes(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function sumOf(files: readonly string[], measure: (file: string) => number): number {
  return files.reduce((sum, file) => sum + measure(file), 0);
}

function sourceLines(file: string): number {
  const text = readFileSync(path.join(ROOT, file), "utf8");
  // Strings become blanks as well; a line of nothing but a string still has its quotes.
  return blankText(text)
    .split("\n")
    .filter((line) => line.trim() !== "").length;
}

/** Size of the executable, found as a shell finds it; undefined when it is not there any more. */
function programBytes(command: string): number | undefined {
  try {
    const file = command.includes("/")
      ? command
      : execFileSync("sh", ["-c", 'command -v "$1"', "sh", command], { encoding: "utf8" }).trim();
    return statSync(file).size;
  } catch {
    return undefined;
  }
}
