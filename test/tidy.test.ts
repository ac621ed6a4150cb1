/** The house rules hold in this checkout, and each rule catches a sample that breaks it. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { blankText } from "../tools/source-text.ts";
import { checkoutFiles, type SourceFile, tidy } from "../tools/tidy.ts";
import { wrapComments } from "../tools/wrap-comments.ts";

const HOT = "/**\n * @hot\n */\n";

/** Each text must give exactly one finding whose rule matches, or none where `rule` is undefined. */
const SAMPLES: { name: string; path: string; text: string; rule?: RegExp }[] = [
  {
    name: "core imports the edge",
    path: "src/http1/a.ts",
    text: 'import { x } from "../engine/b.ts";',
    rule: /may not/,
  },
  {
    name: "core imports node",
    path: "src/base/a.ts",
    text: 'import fs from "node:fs";',
    rule: /may not import node:fs/,
  },
  { name: "http1 imports base", path: "src/http1/a.ts", text: 'import { x } from "../base/b.ts";' },
  {
    name: "balance imports http1",
    path: "src/balance/a.ts",
    text: 'import { x } from "../http1/b.ts";',
    rule: /may not/,
  },
  {
    name: "somebody imports cli",
    path: "src/control/a.ts",
    text: 'import { x } from "../cli/b.ts";',
    rule: /may not/,
  },
  {
    name: "an import over several lines",
    path: "src/base/a.ts",
    text: 'import {\n  x,\n} from "zod";',
    rule: /zod/,
  },
  {
    name: "a late import",
    path: "src/worker/a.ts",
    text: 'await import("../control/b.ts");',
    rule: /may not/,
  },
  { name: "an import in a comment", path: "src/base/a.ts", text: '// import x from "zod";' },
  {
    name: "net imports native",
    path: "src/engine/net/a.ts",
    text: 'import { x } from "../native/b.ts";',
    rule: /portable/,
  },
  {
    name: "a product imports a test",
    path: "src/echo/a.ts",
    text: 'import { x } from "./b.test.ts";',
    rule: /b\.test/,
  },
  {
    name: "a second loader of the foreign calls",
    path: "src/engine/uring/a.ts",
    text: 'load("@koromix/koffi-linux-x64");',
    rule: /only/,
  },
  { name: "core reads a clock", path: "src/session/a.ts", text: "const now = Date.now();", rule: /clock/ },
  { name: "core reads chance", path: "src/base/a.ts", text: "const x = Math.random();", rule: /chance/ },
  { name: "a clock in a comment", path: "src/base/a.ts", text: "// not Date.now()" },
  { name: "the edge prints", path: "src/control/a.ts", text: 'console.log("x");', rule: /console/ },
  { name: "a default export", path: "src/control/a.ts", text: "export default 1;", rule: /default/ },
  {
    name: "a view in hot code",
    path: "src/base/a.ts",
    text: `${HOT}memory.subarray(0, 1);`,
    rule: /allocates/,
  },
  {
    name: "a view in a constructor of hot code",
    path: "src/base/a.ts",
    text: `${HOT}class A {\n  constructor(x: number) {\n    memory.subarray(0, 1);\n  }\n}`,
  },
  {
    name: "a view in a cold function of hot code",
    path: "src/base/a.ts",
    text: `${HOT}/** Once. @cold */\nfunction f() {\n  memory.subarray(0, 1);\n}`,
  },
  {
    name: "a view behind a cold function of hot code",
    path: "src/base/a.ts",
    text: `${HOT}/** Once. @cold */\nfunction f() {\n  g();\n}\nmemory.subarray(0, 1);`,
    rule: /allocates/,
  },
  {
    name: "a promise in hot code",
    path: "src/worker/a.ts",
    text: `${HOT}async function f() {}`,
    rule: /promise/,
  },
  { name: "a spread in hot code", path: "src/base/a.ts", text: `${HOT}f(a, ...b);`, rule: /spreads/ },
  { name: "a view in cold code", path: "src/base/a.ts", text: "memory.subarray(0, 1);" },
  { name: "a long line", path: "src/base/a.ts", text: `f(${"a".repeat(120)});`, rule: /columns/ },
  { name: "a long file", path: "src/base/a.ts", text: "f();\n".repeat(501), rule: /500 lines/ },
  {
    name: "a long function",
    path: "src/base/a.ts",
    text: `function f() {\n${"  g();\n".repeat(70)}}`,
    rule: /70 lines/,
  },
  {
    name: "a long method",
    path: "src/base/a.ts",
    text: `class A {\n  f(x: number): void {\n${"    g();\n".repeat(70)}  }\n}`,
    rule: /70 lines/,
  },
  {
    name: "a function that just fits",
    path: "src/base/a.ts",
    text: `function f() {\n${"  g();\n".repeat(68)}}`,
  },
  { name: "unfinished work", path: "docs/a.md", text: `${"TO"}${"DO"}: more`, rule: /unfinished/ },
  { name: "a machine path", path: "docs/a.md", text: `see ${"/home"}/somebody/file`, rule: /machine/ },
  { name: "a path within a path", path: "docs/a.md", text: "see src/worker/worker.ts" },
  { name: "a test named by number", path: "src/base/issue-12.test.ts", text: "f();", rule: /number/ },
  { name: "a folder that is no layer", path: "src/misc/a.ts", text: "f();", rule: /no layer/ },
  {
    name: "a lock without the packages of other platforms",
    path: "package-lock.json",
    text: '{ "packages": { "node_modules/a": { "optionalDependencies": { "a-mips": "1" } } } }',
    rule: /a-mips/,
  },
  {
    name: "an unexplained dependency",
    path: "package.json",
    text: '{ "dependencies": { "left-pad": "1" } }',
    rule: /left-pad/,
  },
];

for (const sample of SAMPLES) {
  test(`tidy: ${sample.name} is ${sample.rule === undefined ? "allowed" : "found"}`, () => {
    const file: SourceFile = { path: sample.path, text: sample.text };
    const rules = tidy([file]).map((finding) => finding.rule);
    if (sample.rule === undefined) assert.deepEqual(rules, []);
    else {
      assert.equal(rules.length, 1, rules.join("; "));
      assert.match(rules[0]!, sample.rule);
    }
  });
}

test("tidy: this checkout keeps every rule", () => {
  const findings = tidy(checkoutFiles(path.dirname(import.meta.dirname)));
  const lines = findings.map(({ file, line, rule }) => `${file}:${line} ${rule}\n`);
  assert.ok(
    lines.length === 0,
    `${lines.length} findings (npm run format breaks long comments):\n${lines.join("")}`,
  );
});

test("source text: comments and strings become blanks, lines and columns stay", () => {
  const text = 'a("x // y"); // z\n/* b\nc */ d(`e\nf`, /"[/"]/g);';
  assert.equal(blankText(text), 'a("      ");     \n    \n     d(` \n `,        g);');
});

test("wrap comments: what does not fit goes to the next line of the same paragraph", () => {
  const long = "word ".repeat(24).trim();
  const cut = "word ".repeat(23).trim();
  assert.equal(wrapComments(`/**\n * ${long}\n * end.\n */`), `/**\n * ${cut}\n * word end.\n */`);
  assert.equal(
    wrapComments(`/**\n * ${long}\n *\n * end.\n */`),
    `/**\n * ${cut}\n * word\n *\n * end.\n */`,
  );
  assert.equal(
    wrapComments(`  /** ${long} */\nf();`),
    `  /**\n   * ${"word ".repeat(23).trim()}\n   * word\n   */\nf();`,
  );
  assert.equal(wrapComments(`f("${long} ${long}");`), `f("${long} ${long}");`);
});
