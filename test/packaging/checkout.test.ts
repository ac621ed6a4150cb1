/** The commands of a checkout run on the pinned Node, whichever `node` is first on PATH. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { folderOfOlderNode, pathWithoutPinned } from "./other-nodes.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const VERSION = (JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string })
  .version;

for (const command of ["hp-proxy", "hp-echo", "hp-bench"]) {
  test(`checkout: bin/${command} runs with the node that is first on PATH, without warnings`, () => {
    const { status, stdout, stderr } = spawnSync(path.join(ROOT, "bin", command), ["--version"], {
      encoding: "utf8",
      env: { ...process.env, PATH: pathWithoutPinned() },
    });
    assert.deepEqual([status, stdout, stderr], [0, `${command} ${VERSION}\n`, ""]);
  });
}

test("checkout: under an older Node the command is the very process that was started", async (t) => {
  const older = folderOfOlderNode(24);
  if (older === undefined) return t.skip("no Node older than 24 is on PATH");
  const child = spawn(path.join(older, "node"), [path.join(ROOT, "bin/hp-echo"), "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  assert.match(line.toString(), /^listening on /);
  if (process.platform === "linux") {
    const program = readFileSync(`/proc/${child.pid}/cmdline`, "utf8").split("\0")[0]!;
    assert.match(program, /node_modules/, "the pinned Node runs under the pid that was started");
  }
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
