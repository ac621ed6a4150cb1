/**
 * Every configuration in `broken/` is refused with exactly the message of its `.expected` file.
 *
 *     REWRITE_EXPECTED=1 npm run tests -- config/broken      writes those files anew: read the difference
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { errorsText } from "../../src/config/config-error.ts";
import { readArguments } from "../../src/control/arguments.ts";
import { loadConfiguration } from "../../src/control/load-configuration.ts";
import { PROXY_FLAGS } from "../../src/control/read-configuration.ts";

const FOLDER = path.join(import.meta.dirname, "broken");
const ENVIRONMENT = { SET: "3001" };
const FILES = readdirSync(FOLDER).filter((name) => /\.(?:yaml|json|ts)$/.test(name));

test("there are enough of them", () => assert(FILES.length >= 30, `${FILES.length}`));

for (const file of FILES) {
  test(`broken: ${file}`, async () => {
    const given = readArguments(["--config", file], PROXY_FLAGS);
    const result = await loadConfiguration(FOLDER, given, ENVIRONMENT);
    assert("errors" in result, "it is refused");
    const text = errorsText("hp-proxy", result.errors).replaceAll(FOLDER, "FOLDER");
    const expected = path.join(FOLDER, `${file}.expected`);
    if (process.env.REWRITE_EXPECTED === "1") writeFileSync(expected, text);
    assert(existsSync(expected), "it has its expected message");
    assert.equal(text, readFileSync(expected, "utf8"));
  });
}

test("no expected message without its configuration", () => {
  const expected = readdirSync(FOLDER).filter((name) => name.endsWith(".expected"));
  assert.deepEqual(expected.map((name) => name.replace(/\.expected$/, "")).sort(), [...FILES].sort());
});
