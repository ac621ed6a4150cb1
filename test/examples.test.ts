/**
 * Every example works: its `check.ts` and `*.test.ts` run in processes of their own, with `hp-proxy` on the path.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { cleanEnvironment } from "./e2e/proxy-process.ts";

const ROOT = path.join(import.meta.dirname, "..");
const EXAMPLES = path.join(ROOT, "examples");
const OWN_PACKAGE = pathToFileURL(path.join(import.meta.dirname, "harness/own-package.ts")).href;
const timeout = 60_000;

const find = (pattern: string) => globSync(pattern, { cwd: EXAMPLES }).sort();
const folders = new Set(find("*/").map((folder) => folder.split(path.sep)[0]!));

async function run(
  folder: string,
  ...args: readonly string[]
): Promise<{ status: number | null; output: string }> {
  const child = spawn(process.execPath, args, {
    cwd: path.join(EXAMPLES, folder),
    // Else node:test would take it for a part of this run.
    env: cleanEnvironment({
      NODE_TEST_CONTEXT: "",
      PATH: `${path.join(ROOT, "bin")}${path.delimiter}${process.env.PATH}`,
    }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { status, output };
}

describe("examples", { concurrency: 3 }, () => {
  for (const file of find("**/{check,*.test}.ts")) {
    test(file, { timeout }, async () => {
      const { status, output } = await run(path.dirname(file), "--import", OWN_PACKAGE, path.basename(file));
      assert.equal(status, 0, output);
      if (file.endsWith(".test.ts")) assert.match(output, /^(?:#|ℹ) pass [1-9]/m);
    });
  }
});

test("examples: each folder says what it is, and is tried", () => {
  const tried = new Set(find("**/{check,*.test}.ts").map((file) => file.split(path.sep)[0]));
  // Those of docs/hooks.md have tests of their own.
  for (const folder of folders) {
    if (folder === "hooks") continue;
    assert.ok(existsSync(path.join(EXAMPLES, folder, "README.md")), `${folder}/README.md`);
    assert.ok(tried.has(folder), `${folder} has a check.ts or a test`);
  }
});

test("examples: the first of the README is minimal", () => {
  const readme = readFileSync(path.join(ROOT, "README.md"), "utf8");
  const shown = [...readme.matchAll(/```(yaml|ts)\n# (examples\/\S+)\n([^`]*)```|```(?:yaml|ts)\n/g)];
  assert.equal(
    shown[0]?.[2],
    "examples/minimal/hp-proxy.config.yaml",
    "the first configuration or code there",
  );
  for (const [, , file, text] of shown)
    if (file !== undefined) assert.equal(text, readFileSync(path.join(ROOT, file), "utf8"), file);
});
