/** Tables of the documentation, for tests that hold them to the code. */
import { readFileSync } from "node:fs";
import path from "node:path";

/**
 * The rows of the table in `docs/FILE` whose head begins with these titles, as texts without backquotes.
 * Throws when there is no such table.
 */
export function documentedRows(file: string, titles: readonly string[]): string[][] {
  const text = readFileSync(path.join(import.meta.dirname, "..", "..", "docs", file), "utf8");
  const lines = text.split("\n");
  const first = lines.findIndex((line) => {
    const cells = cellsOf(line);
    return titles.every((title, column) => cells[column] === title);
  });
  if (first < 0) throw new Error(`docs/${file} has no table with ${titles.join(", ")}`);
  const rows: string[][] = [];
  for (let at = first + 2; lines[at]?.startsWith("|"); at++) rows.push(cellsOf(lines[at]!));
  return rows;
}

function cellsOf(line: string): string[] {
  if (!line.startsWith("|")) return [];
  const cells = line.slice(1, line.lastIndexOf("|")).split("|");
  return cells.map((cell) => cell.trim().replaceAll("`", ""));
}
