/**
 * Where a module, or one that it imports, is no JavaScript or TypeScript.
 *
 * Node tells the file and line of TypeScript at the head of the error's trace, but nothing of JavaScript: there the
 * trace begins in Node itself. So each file that was imported is put before Node's own check of syntax, and the one
 * that fails with the same words is it.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { filePlace, type Place } from "./located.ts";

/** So many files are looked at; each takes a process of some 40 ms. */
const FILES_MAX = 32;
const CHECK_MS_MAX = 5_000;

/** Other kinds are told of by Node. */
const JAVASCRIPT = [".js", ".mjs"];

/**
 * The place of a syntax error, with the whole name of its file; undefined for any other error, and where it cannot
 * be found. `files`: what was imported.
 */
export function syntaxPlace(error: unknown, files: readonly string[]): Place | undefined {
  if (!(error instanceof SyntaxError)) return undefined;
  const told = headPlace(error.stack ?? "");
  if (told !== undefined) return told;
  for (const file of files.slice(0, FILES_MAX)) {
    const line = failingLine(file, error.message);
    if (line > 0) return filePlace(file, line, 0);
  }
  return undefined;
}

/** `file:///a/b.ts:3` at the head of a trace, the line of code below it and a ^ where it is wrong. */
function headPlace(stack: string): Place | undefined {
  const match = /^(file:[^\n]+|\/[^\n]+):(\d+)\n/.exec(stack);
  if (match === null) return undefined;
  const [, name = "", line] = match;
  const file = name.startsWith("file:") ? fileURLToPath(name) : name;
  const mark = stack.split("\n").find((each) => /^\s*\^+\s*$/.test(each)) ?? "";
  return filePlace(file, Number(line), mark.indexOf("^") + 1);
}

/** From 1; 0 where it is right, or wrong in another way. */
function failingLine(file: string, message: string): number {
  if (!JAVASCRIPT.includes(path.extname(file))) return 0;
  try {
    const { stderr } = spawnSync(process.execPath, ["--check", "--input-type=module", "-"], {
      input: readFileSync(file),
      encoding: "utf8",
      timeout: CHECK_MS_MAX,
    });
    if (!stderr.includes(`SyntaxError: ${message}`)) return 0;
    return Number(/^\[stdin\]:(\d+)$/m.exec(stderr)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
