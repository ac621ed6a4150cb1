import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeVariables, interpolate } from "./interpolate.ts";
import { Problem } from "./values.ts";

const ENVIRONMENT = { A: "one", EMPTY: "", B_2: "two" };
const VAR = "${";

const CASES: readonly [text: string, result: string][] = [
  ["plain", "plain"],
  [`${VAR}A}`, "one"],
  [`-${VAR}A}${VAR}B_2}-`, "-onetwo-"],
  [`${VAR}EMPTY}`, ""],
  [`${VAR}EMPTY:-x}`, "x"],
  [`${VAR}NONE:-a:b-c}`, "a:b-c"],
  [`${VAR}NONE:-}`, ""],
  [`${VAR}toString:-x}`, "x"],
  [`${VAR}A:-x}`, "one"],
  [`$${VAR}A}`, `${VAR}A}`],
  ["$A $ $$", "$A $ $$"],
];

for (const [text, result] of CASES)
  test(`variables in ${JSON.stringify(text)}`, () => assert.equal(interpolate(text, ENVIRONMENT), result));

for (const text of [
  `${VAR}NONE}`,
  `${VAR}}`,
  `${VAR}A`,
  `${VAR}A B}`,
  `${VAR}1A}`,
  `${VAR}A:x}`,
  `${VAR}constructor}`,
])
  test(`variables in ${JSON.stringify(text)}: refused`, () =>
    assert(interpolate(text, ENVIRONMENT) instanceof Problem));

test("a text that is escaped means itself", () => {
  for (const text of [`${VAR}A}`, `$${VAR}A}`, "$$", `${VAR}`, `$$${VAR}`])
    assert.equal(interpolate(escapeVariables(text), ENVIRONMENT), text);
});
