/** Every link between documents leads to something that is there, also where only the package is. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { headingsOf, linksOf } from "./links.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const LISTED = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: ROOT,
});
const DOCUMENTS = LISTED.toString()
  .split("\0")
  .filter((file) => file !== "" && existsSync(path.join(ROOT, file)));
const PACKED = (JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { files: string[] })
  .files;

function isPacked(file: string): boolean {
  return PACKED.some((each) => file === each || file.startsWith(`${each}/`));
}

/** Why nobody gets there; "" where one does. */
function whyDead(document: string, file: string, heading: string): string {
  const real = path.join(ROOT, file);
  if (!existsSync(real)) return "is not there";
  if (isPacked(document) && !isPacked(file)) return "is not in the package, where this document is";
  if (heading === "" || statSync(real).isDirectory() || !file.endsWith(".md")) return "";
  return headingsOf(readFileSync(real, "utf8")).has(heading) ? "" : `has no heading #${heading}`;
}

test("there are enough documents", () => assert.ok(DOCUMENTS.length >= 30, `${DOCUMENTS.length}`));

for (const document of DOCUMENTS) {
  test(`links of ${document} lead somewhere`, () => {
    const links = linksOf(document, readFileSync(path.join(ROOT, document), "utf8"));
    const dead = links.flatMap(({ line, file, heading }) => {
      const why = whyDead(document, file, heading);
      return why === "" ? [] : [`${document}:${line} ${file} ${why}`];
    });
    assert.deepEqual(dead, []);
  });
}

const SAMPLES: readonly (readonly [text: string, ...links: string[]])[] = [
  ["[a](b.md) ![c](d/e.svg) [f](../g#h-i)", "docs/b.md", "docs/d/e.svg", "g #h-i"],
  ["[`code`](a.md), and `[none](b.md)`", "docs/a.md"],
  ["[x](#here) [y](https://example.com/a.md) [z](mailto:a@example.com)", "docs/x.md #here"],
  ['```\n[none](a.md)\n```\n[a]: b.md\n<img src="c.png">', "docs/b.md", "docs/c.png"],
  ['[out](../../a.md) [folder](b/) [titled](c.md "text")', "../a.md", "docs/b", "docs/c.md"],
];

for (const [text, ...expected] of SAMPLES) {
  test(`links in ${JSON.stringify(text)}`, () => {
    const found = linksOf("docs/x.md", text).map(({ file, heading }) =>
      heading === "" ? file : `${file} #${heading}`,
    );
    assert.deepEqual(found, expected);
  });
}

test("headings have the addresses that links use", () => {
  const text = "# One `--two`, three\n## Same\n## Same\n```\n# code\n```\n### [Text](a.md) §4";
  assert.deepEqual([...headingsOf(text)], ["one---two-three", "same", "same-1", "text-4"]);
});
