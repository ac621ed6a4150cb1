import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { INLINING_FLAGS } from "./inlining.ts";

const OPTIONS = { encoding: "utf8" } as const;

for (const flag of INLINING_FLAGS) {
  test(`V8 knows ${flag}, and takes it from a program that runs`, () => {
    const code = `require("node:v8").setFlagsFromString(${JSON.stringify(flag)})`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", code], OPTIONS);
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "", stderr: "" });
  });
}

test("V8 says so where it does not know a flag", () => {
  const code = `require("node:v8").setFlagsFromString("--no-flag-of-any-v8=1")`;
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", code], OPTIONS);
  assert.match(stdout + stderr, /unrecognized flag/);
});
