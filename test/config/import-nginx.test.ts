/**
 * Every configuration of nginx in `nginx/` becomes exactly its `.yaml`, which is valid, with exactly the
 * warnings of its `.warnings`; or is refused with those.
 *
 *     REWRITE_EXPECTED=1 npm run tests -- config/import-nginx      writes those files anew: read the difference
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { checkDocument } from "../../src/config/check.ts";
import { readYaml } from "../../src/config/read-yaml.ts";
import { warningText } from "../../src/import/findings.ts";
import { importNginx } from "../../src/import/import-nginx.ts";

const FOLDER = path.join(import.meta.dirname, "nginx");
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith(".conf"));

test("there are enough of them", () => assert(FILES.length >= 20, `${FILES.length}`));

for (const file of FILES) {
  test(`import: ${file}`, () => {
    const result = importNginx(path.join(FOLDER, file));
    const lines = "errors" in result ? result.errors : result.warnings.map(warningText);
    const yaml = "errors" in result ? "" : result.yaml;
    assert.equal(yaml === "", file.startsWith("broken-"), "only the broken ones are refused");
    expected(`${file}.yaml`, yaml);
    expected(`${file}.warnings`, lines.map((line) => `${line}\n`).join(""));
    if (yaml === "") return;
    const { root, errors } = readYaml(yaml, file, {});
    assert.deepEqual(errors, []);
    assert("document" in checkDocument(root), "it is a valid configuration");
  });
}

/** "": there is no such file. */
function expected(name: string, text: string): void {
  const shown = text.replaceAll(`${FOLDER}${path.sep}`, "");
  const file = path.join(FOLDER, name);
  if (process.env.REWRITE_EXPECTED === "1" && text !== "") writeFileSync(file, shown);
  assert.equal(shown, existsSync(file) ? readFileSync(file, "utf8") : "");
}

test("no expected text without its configuration", () => {
  const names = readdirSync(FOLDER).filter((name) => /\.(?:yaml|warnings)$/.test(name));
  for (const name of names) assert(FILES.includes(name.replace(/\.(?:yaml|warnings)$/, "")), name);
});
