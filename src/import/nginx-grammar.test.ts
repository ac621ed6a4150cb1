/** Words as nginx sees them, lines, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NginxError, parseNginx } from "./nginx-grammar.ts";

const BRACED = `$${"{b}"}`;

const WORDS: readonly { name: string; text: string; words: readonly string[] }[] = [
  { name: "bare words", text: "a b  c\t;", words: ["b", "c"] },
  { name: "over several lines, with a comment between", text: "a b # x; y\n c;", words: ["b", "c"] },
  { name: "quotes of both kinds", text: `a "b c" 'd "e"';`, words: ["b c", 'd "e"'] },
  { name: "an escaped quote", text: `a "b\\"c" b\\"c;`, words: ['b"c', 'b"c'] },
  { name: "t, r, n and the backslash", text: `a "x\\ty\\n\\\\";`, words: ["x\ty\n\\"] },
  { name: "a backslash before any other letter stays", text: "a \\.php$ \\d;", words: ["\\.php$", "\\d"] },
  { name: "an escaped blank stays within its word", text: "a b\\ c;", words: ["b\\ c"] },
  { name: "a hash within a word is no comment", text: "a b#c;", words: ["b#c"] },
  { name: "a variable in braces", text: `a x${BRACED}y;`, words: [`x${BRACED}y`] },
  { name: "an empty word", text: 'a "";', words: [""] },
  { name: "a quote within a bare word is a letter", text: `a b"c;`, words: ['b"c'] },
];

for (const { name, text, words } of WORDS) {
  test(`words: ${name}`, () => assert.deepEqual(parseNginx(text, "f")[0]?.words, words));
}

test("blocks, their lines, and a brace without a blank before it", () => {
  const [server] = parseNginx("\n server{\n listen 80;\n location /a{ return 200; } }", "f");
  assert.deepEqual([server?.name, server?.line, server?.block?.length], ["server", 2, 2]);
  const location = server?.block?.[1];
  assert.deepEqual([location?.line, location?.words, location?.block?.[0]?.words], [4, ["/a"], ["200"]]);
});

const REFUSED: readonly { name: string; text: string; line: number; reason: RegExp }[] = [
  { name: "no semicolon before a brace", text: "a {\n b\n}", line: 2, reason: /runs into the "}" of line 3/ },
  { name: "no semicolon at the end", text: "a;\nb c", line: 2, reason: /runs into the end/ },
  { name: "a block that is not closed", text: "\na {\n b;", line: 2, reason: /nothing closes/ },
  { name: "a brace too many", text: "a;\n}\n", line: 2, reason: /closes no block/ },
  { name: "an open quote", text: 'a;\nb "c;\n}', line: 2, reason: /quote that nothing closes/ },
  { name: "a letter behind a quote", text: 'a "b"c;', line: 1, reason: /right behind a closing quote/ },
  { name: "a semicolon alone", text: ";", line: 1, reason: /without a directive/ },
  { name: "Lua", text: "a {\n content_by_lua_block { x } }", line: 2, reason: /Lua/ },
  { name: "NUL", text: "a;\n\0", line: 2, reason: /NUL/ },
  { name: "blocks without end", text: "a { ".repeat(100), line: 1, reason: /deep/ },
  { name: "a word without end", text: `a ${"b".repeat(5000)};`, line: 1, reason: /4096 characters/ },
];

for (const { name, text, line, reason } of REFUSED) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => parseNginx(text, "f"),
      (error) => error instanceof NginxError && error.line === line && reason.test(error.reason),
    );
  });
}
