/** The gate never passes without having measured something. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";

const GATE = path.join(import.meta.dirname, "..", "gate.ts");

const CASES: readonly (readonly [argv: readonly string[], says: RegExp])[] = [
  [["--scenario", "echo"], /--scenario: echo: has no proxy in it/],
  [["--scenario", "get-64,generators"], /--scenario: generators: has no proxy in it/],
  [["--scenario", ""], /--scenario: names none/],
  [["--core", "4095"], /--core: core 4095: this machine has no such core/],
  [["--other-core", "4095"], /--other-core: core 4095/],
];
for (const [argv, says] of CASES)
  test(`gate: ${argv.join(" ")} is an argument that is wrong`, { skip: process.platform !== "linux" }, () => {
    const { status, stderr } = spawnSync(process.execPath, [GATE, ".", ".", ...argv], { encoding: "utf8" });
    assert.match(stderr, says);
    assert.equal(status, 2);
  });

test("gate: micro benchmarks of a name that none has are no pass", () => {
  const argv = [GATE, ".", ".", "--micro", "--only", "no such thing", "--rounds", "1"];
  const { status } = spawnSync(process.execPath, argv, { encoding: "utf8" });
  assert.equal(status, 2);
});
