/** Every benchmark still runs: each `*.bench.ts` exports `smoke()`, which does its work for a moment. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const ROOT = path.dirname(import.meta.dirname);

for (const file of globSync("{src,bench}/**/*.bench.ts", { cwd: ROOT }).sort()) {
  test(`bench: ${file} runs`, async () => {
    const bench = (await import(pathToFileURL(path.join(ROOT, file)).href)) as { smoke?: () => unknown };
    assert.equal(typeof bench.smoke, "function", "a bench exports smoke()");
    await bench.smoke!();
  });
}
