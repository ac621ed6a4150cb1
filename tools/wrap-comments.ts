/**
 * Breaks comment lines that are longer than the formatter's line width; the formatter leaves comments alone.
 *
 *     node tools/node.cjs tools/wrap-comments.ts [file…]
 *
 * What no longer fits on a line goes to the front of the next, if that continues the same paragraph, and
 * otherwise onto a line of its own. Shorter lines are never joined.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { blankText } from "./source-text.ts";
import { checkoutFiles } from "./tidy.ts";

/** The longest line (`LINE_LENGTH_MAX` in tidy.ts): comments may be as long, code wraps earlier (biome.json). */
const WIDTH = 120;
const COMMENT = /^(\s*(?:\/\/|\/\*\*|\*)\s+)(\S.*)$/;

/** `text` with its overlong comment lines broken. */
export function wrapComments(text: string): string {
  const blank = blankText(text).split("\n");
  const lines = text.split("\n");
  const isCode = lines.map((_, index) => blank[index]!.trim() !== "");
  for (let at = 0; at < lines.length; at++) {
    if (isCode[at] || lines[at]!.length <= WIDTH) continue;
    const match = COMMENT.exec(lines[at]!);
    if (match === null) continue;
    const closes = match[2]!.endsWith("*/") && match[1]!.includes("/**");
    const broken = closes ? oneLiner(match[1]!, match[2]!) : split(match[1]!, match[2]!);
    if (broken === undefined) continue;
    lines.splice(at, 1, ...broken);
    isCode.splice(at, 1, ...broken.map(() => false));
    if (!closes) join(lines, isCode, at + 1);
    else at--;
  }
  return lines.join("\n");
}

/** A `/** … *\/` on one line as a block. */
function oneLiner(prefix: string, words: string): string[] {
  const indent = prefix.slice(0, prefix.indexOf("/"));
  return [`${indent}/**`, `${indent} * ${words.slice(0, -2).trimEnd()}`, `${indent} */`];
}

/** The line in two, the second with the indentation of list items and continued `/**` lines. */
function split(prefix: string, words: string): [string, string] | undefined {
  const at = words.lastIndexOf(" ", WIDTH - prefix.length);
  if (at <= 0) return undefined;
  const hang = /^- /.test(words) ? "  " : "";
  return [
    prefix + words.slice(0, at),
    prefix.replace("/**", " *").replace(/\s+$/, " ") + hang + words.slice(at + 1),
  ];
}

/** Moves the words of line `at` to the front of the next line, where that continues the paragraph. */
function join(lines: string[], isCode: boolean[], at: number): void {
  const moved = COMMENT.exec(lines[at]!);
  const next = lines[at + 1] === undefined || isCode[at + 1] ? null : COMMENT.exec(lines[at + 1]!);
  if (moved === null || next === null || /^(?:[-@|*/]|\d+\.)/.test(next[2]!)) return;
  if (moved[1]!.trim() !== next[1]!.trim()) return;
  lines.splice(at, 2, `${next[1]!}${moved[2]} ${next[2]}`);
  isCode.splice(at, 1);
}

if (import.meta.main) {
  const root = path.dirname(import.meta.dirname);
  const named = process.argv.slice(2).map((file) => path.relative(root, path.resolve(file)));
  for (const file of checkoutFiles(root)) {
    if (!/\.(?:ts|js)$/.test(file.path) || (named.length > 0 && !named.includes(file.path))) continue;
    const wrapped = wrapComments(readFileSync(path.join(root, file.path), "utf8"));
    if (wrapped !== file.text) writeFileSync(path.join(root, file.path), wrapped);
  }
}
