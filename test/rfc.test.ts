/**
 * docs/rfc.md keeps its word: every source file that it names exists, every row names a test, and that test
 * is there, by the words of its name. Options are those of the manual.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

const ROOT = path.join(import.meta.dirname, "..");
const PAGE = "docs/rfc.md";
const COLUMNS = ["§", "asked", "hp-proxy", "code", "test", "deviation"];

interface Row {
  /** From 1. */
  readonly line: number;
  /** By column. */
  readonly cells: readonly string[];
}

/** The text of a file of the checkout; undefined where there is none. */
type Read = (file: string) => string | undefined;

/** Rows of the tables whose head is `COLUMNS`. */
function requirementRows(page: string): Row[] {
  const rows: Row[] = [];
  let isTable = false;
  for (const [index, line] of page.split("\n").entries()) {
    const cells = line.startsWith("|") ? line.slice(1, line.lastIndexOf("|")).split("|") : [];
    const trimmed = cells.map((cell) => cell.trim());
    if (trimmed.length === 0) isTable = false;
    else if (trimmed.join() === COLUMNS.join()) isTable = true;
    else if (isTable && !trimmed[0]!.startsWith("---")) rows.push({ line: index + 1, cells: trimmed });
  }
  return rows;
}

/** Literals that name a test: the first argument of what registers one, and `name` and `why` of its rows. */
function testNames(source: string): string[] {
  const literal = /(?:\b(?:test|\w+EachEngine)\(\s*|\b(?:name|why):\s*)(["'`])((?:\\.|(?!\1)[^\\])*)\1/g;
  return [...source.matchAll(literal)].map((match) => match[2]!.replaceAll(/\\(.)/g, "$1"));
}

/** What is wrong with a row. */
function problems({ line, cells }: Row, read: Read): string[] {
  const found: string[] = [];
  const say = (what: string) => found.push(`${PAGE}:${line}: ${what}`);
  if (cells.length !== COLUMNS.length) say(`has ${cells.length} cells`);
  const [section = "", asked = "", , code = "", tests = ""] = cells;
  if (!/^§[\d.]+(?:, §[\d.]+)*$/.test(section)) say(`"${section}" is no section`);
  if (!/^(?:MUST|MUST NOT|SHOULD|SHOULD NOT|MAY|ought|defines): /.test(asked))
    say(`"${asked}" names no level`);
  const sources = [...code.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
  if (sources.length === 0) say("names no code");
  for (const file of sources) if (read(`src/${file}.ts`) === undefined) say(`src/${file}.ts does not exist`);
  const named = [...tests.matchAll(/`([^`]+)` ((?:"[^"]+"(?:, )?)+)/g)];
  if (named.length === 0) say("names no test");
  for (const [, file, words] of named) {
    const source = read(file!);
    if (source === undefined) {
      say(`${file} does not exist`);
      continue;
    }
    const names = testNames(source);
    for (const [, word] of words!.matchAll(/"([^"]+)"/g)) {
      if (!names.some((name) => name.includes(word!))) say(`${file} has no test "${word}"`);
    }
  }
  const rest = tests.replaceAll(/`[^`]+` (?:"[^"]+"(?:, )?)+/g, "").replaceAll(/[;\s]/g, "");
  if (rest !== "") say(`"${rest}" is no test`);
  return found;
}

const read: Read = (file) => {
  const full = path.join(ROOT, file);
  return existsSync(full) ? readFileSync(full, "utf8") : undefined;
};

test("docs/rfc.md: each row names code and tests that are there", () => {
  const rows = requirementRows(read(PAGE)!);
  assert.ok(rows.length >= 100, `${rows.length} rows`);
  assert.deepEqual(
    rows.flatMap((row) => problems(row, read)),
    [],
  );
});

test("docs/rfc.md: each option is one of docs/cli.md", () => {
  const known = read("docs/cli.md")!;
  const options = [...read(PAGE)!.matchAll(/`(--[a-z-]+)/g)].map((match) => match[1]!);
  assert.ok(options.length > 5);
  assert.deepEqual(
    options.filter((option) => !known.includes(`${option}\``) && !known.includes(`${option} `)),
    [],
  );
});

const FILES: Readonly<Record<string, string>> = {
  "src/a/b.ts": "",
  "a.test.ts":
    'test("one: two", () => {});\nonEachEngine(\n  `three`,\n);\nrow({ name: "it\'s \\"so\\"" });\n',
};

const SAMPLES: readonly { name: string; cells: readonly string[]; found?: RegExp }[] = [
  {
    name: "nothing",
    cells: ["§1", "MUST: x", "y", "`a/b`", '`a.test.ts` "two", "three"; `a.test.ts` "so"', ""],
  },
  { name: "a cell too few", cells: ["§1", "MUST: x", "y", "`a/b`", '`a.test.ts` "two"'], found: /5 cells/ },
  {
    name: "no section",
    cells: ["1", "MUST: x", "y", "`a/b`", '`a.test.ts` "two"', ""],
    found: /no section/,
  },
  { name: "no level", cells: ["§1", "x", "y", "`a/b`", '`a.test.ts` "two"', ""], found: /no level/ },
  { name: "no code", cells: ["§1", "MUST: x", "y", "", '`a.test.ts` "two"', ""], found: /no code/ },
  {
    name: "code that is gone",
    cells: ["§1", "MUST: x", "y", "`a/c`", '`a.test.ts` "two"', ""],
    found: /src\/a\/c\.ts does not/,
  },
  { name: "no test", cells: ["§1", "MUST: x", "y", "`a/b`", "", ""], found: /names no test/ },
  {
    name: "a test file that is gone",
    cells: ["§1", "MUST: x", "y", "`a/b`", '`b.test.ts` "two"', ""],
    found: /b\.test\.ts does not/,
  },
  {
    name: "a test that is gone",
    cells: ["§1", "MUST: x", "y", "`a/b`", '`a.test.ts` "two", "four"', ""],
    found: /no test "four"/,
  },
  {
    name: "words that name no test",
    cells: ["§1", "MUST: x", "y", "`a/b`", '`a.test.ts` "row"', ""],
    found: /no test "row"/,
  },
  {
    name: "a file without words",
    cells: ["§1", "MUST: x", "y", "`a/b`", '`a.test.ts` "two"; `a.test.ts`', ""],
    found: /is no test/,
  },
];

for (const { name, cells, found } of SAMPLES) {
  test(`docs/rfc.md: what is found in a row: ${name}`, () => {
    const lines = problems({ line: 1, cells }, (file) => FILES[file]);
    if (found === undefined) assert.deepEqual(lines, []);
    else assert.match(lines.join("\n"), found);
  });
}

test("docs/rfc.md: only tables of requirements are read", () => {
  const head = `| ${COLUMNS.join(" | ")} |\n|---|---|---|---|---|---|\n`;
  const page = `| a | b |\n|---|---|\n| c | d |\n\n${head}| 1 | 2 | 3 | 4 | 5 |  |\ntext\n| 6 |\n`;
  assert.deepEqual(requirementRows(page), [{ line: 7, cells: ["1", "2", "3", "4", "5", ""] }]);
});
