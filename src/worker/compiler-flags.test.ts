import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { compilerFlags } from "./compiler-flags.ts";

const OPTIONS = { encoding: "utf8" } as const;

for (const flag of compilerFlags(process.versions.v8)) {
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

const COUNTS: readonly (readonly [version: string, flags: number])[] = [
  ["13.6.233.17-node.41", 2],
  ["14.5.201.9", 2],
  ["14.6.202.33-node.20", 3],
  ["14.10.1", 3],
  ["15.0.245", 3],
];
for (const [version, flags] of COUNTS) {
  test(`V8 ${version} is given ${flags} flags`, () => assert.equal(compilerFlags(version).length, flags));
}
