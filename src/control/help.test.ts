import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { generated } from "../../tools/generate.ts";
import { helpText } from "./help.ts";
import { flagOf, OPTIONS, variableOf } from "./options.ts";

test("the help names every flag once and fits its width", () => {
  const help = helpText(100);
  for (const { name } of OPTIONS) {
    assert.equal(help.match(new RegExp(`^ +${flagOf(name)} `, "gm"))?.length, 1, flagOf(name));
    assert.match(variableOf(name), /^HP_PROXY_[A-Z_]+$/);
  }
  for (const line of help.split("\n")) {
    assert(line.length <= 100, line);
    assert.equal(line, line.trimEnd());
  }
  assert.match(help, /^ {2}--port N {22}Listen on every address/m);
});

for (const { file, text } of await generated()) {
  test(`${file} says what the schema says (npm run generate writes it)`, () => {
    assert.equal(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"), text);
  });
}
