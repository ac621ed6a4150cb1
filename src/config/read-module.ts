/**
 * TypeScript and JavaScript files: Node imports them as they are, by type stripping, and their default export
 * is the configuration, or a function that gives it.
 */
import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { inTime, LATE_REMEDY, ModuleLate, type Modules } from "../hooks/import-module.ts";
import { filePlace, type Located, locate, type Path, type Place, placeText } from "./located.ts";
import { codeRemedy } from "./package-type.ts";
import type { ReadFile } from "./read-yaml.ts";
import { syntaxPlace } from "./syntax-place.ts";

/** `path` is absolute; `file` is its name in messages. */
export async function readModule(path: string, file: string, loader: Modules): Promise<ReadFile> {
  const empty: Located = { place: filePlace(file), content: new Map() };
  const failed = (place: Place, reason: string, remedy: string): ReadFile => {
    return { root: empty, errors: [{ source: placeText(place), path: "", reason, remedy }], isWhole: false };
  };
  const text = await readFile(path, "utf8");
  try {
    const module = await inTime(loader.load(path, 0));
    if (!("default" in module)) {
      const remedy = "write export default defineConfig({ … })";
      return failed(filePlace(file), "has no default export", remedy);
    }
    const exported = module.default;
    const value: unknown = typeof exported === "function" ? await inTime(exported()) : exported;
    const root = locate(value, (at) => placeInModule(text, file, at));
    return { root, errors: [], isWhole: true };
  } catch (error) {
    if (error instanceof ModuleLate) return failed(filePlace(file), error.message, LATE_REMEDY);
    const syntax = syntaxPlace(error, loader.filesOf(path));
    const remedy = codeRemedy(error, syntax?.source ?? path);
    return failed(placeOf(error, path, file, syntax), `cannot be run: ${messageOf(error)}`, remedy);
  }
}

/** Where `error` comes from: a file that the one at `path` imports, or a line of that itself. */
function placeOf(error: unknown, path: string, file: string, place: Place | undefined): Place {
  if (place === undefined || place.source === path) {
    const { line, column } = place ?? lineOf(error, path);
    return filePlace(file, line, column);
  }
  const name = join(dirname(file), relative(dirname(path), place.source));
  return { ...place, source: name };
}

/**
 * Code has no places for the values that it makes. Where a key is written once in the file, that is where its
 * value comes from; otherwise no line is told.
 */
function placeInModule(text: string, file: string, path: Path): Place {
  const key = path.findLast((step) => typeof step === "string");
  if (key === undefined || !/^\w+$/.test(key)) return filePlace(file);
  const found = [...text.matchAll(new RegExp(`(?<=^|[\\s{,])(?:"${key}"|'${key}'|${key})\\s*[:(]`, "g"))];
  if (found.length !== 1) return filePlace(file);
  const before = text.slice(0, found[0]!.index);
  return filePlace(file, before.split("\n").length, before.length - before.lastIndexOf("\n"));
}

/** The first line of the file that the error's trace names. */
function lineOf(error: unknown, path: string): { line: number; column: number } {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const name of [pathToFileURL(path).href, path]) {
    const at = stack.indexOf(`${name}:`);
    if (at < 0) continue;
    const match = /^(\d+)(?::(\d+))?/.exec(stack.slice(at + name.length + 1));
    if (match !== null) return { line: Number(match[1]), column: Number(match[2] ?? 1) };
  }
  return { line: 0, column: 0 };
}

/** One line. */
function messageOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return stripVTControlCharacters(text)
    .trim()
    .replaceAll(/\s*\n\s*/g, " ");
}
