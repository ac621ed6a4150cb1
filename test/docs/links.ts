/** Links of Markdown documents to files of this repository. */
import path from "node:path";

export interface Link {
  /** From 1. */
  readonly line: number;
  /** Where it leads, relative to the root of the repository; above it, it begins with `..`. */
  readonly file: string;
  /** The heading that it leads to, as its address has it; "" for the whole file. */
  readonly heading: string;
}

/** Inline links and pictures, definitions of links, and addresses in HTML. */
const LINK = /\]\(([^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(\S+)|\b(?:href|src)="([^"]+)"/g;

/** Links in `text`, which is the document `document` (relative to the root); those to other places are left out. */
export function linksOf(document: string, text: string): Link[] {
  return proseLines(text).flatMap((prose, index) =>
    [...prose.matchAll(LINK)].flatMap((match): Link[] => {
      const written = match.slice(1).find((part) => part !== undefined)!;
      if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(written)) return [];
      const [name = "", heading = ""] = written.split("#");
      const folder = path.posix.dirname(document);
      const file = name === "" ? document : path.posix.join(folder, decodeURI(name)).replace(/\/$/, "");
      return [{ line: index + 1, file, heading }];
    }),
  );
}

/** The addresses of the headings in `text`, as repository hosts make them. */
export function headingsOf(text: string): Set<string> {
  const found = new Set<string>();
  for (const line of proseLines(text, false)) {
    const title = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (title === undefined) continue;
    const plain = title.replaceAll(/\]\([^)]*\)/g, "").toLowerCase();
    const address = plain.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
    let unique = address;
    for (let count = 1; found.has(unique); count++) unique = `${address}-${count}`;
    found.add(unique);
  }
  return found;
}

/** The lines; those of code are empty, and so is code within a line, unless it is wanted. */
function proseLines(text: string, withoutCode = true): string[] {
  let fence = "";
  return text.split("\n").map((line) => {
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1] ?? "";
    if (fence !== "") {
      if (mark.startsWith(fence)) fence = "";
      return "";
    }
    fence = mark;
    if (mark !== "") return "";
    return withoutCode ? line.replaceAll(/`[^`]*`/g, "") : line;
  });
}
