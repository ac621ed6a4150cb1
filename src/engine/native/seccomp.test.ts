/**
 * Where the kernel refuses io_uring, as with Docker's default profile: uring says why in words, and `auto` takes
 * epoll.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { REFUSE_URING_ERRNO } from "../../../test/harness/refuse-uring.ts";
import { chooseEngine } from "../choose.ts";

const CHILD = "HP_TEST_SECCOMP_CHILD";
const OPTIONS = { listeners: [], connectionsMax: 4, smallSlots: 4, largeSlots: 4 };

const CASES = [
  {
    name: "EPERM",
    errno: 1,
    reason: "EPERM (forbidden by seccomp, as in Docker, or by kernel.io_uring_disabled)",
  },
  { name: "ENOSYS", errno: 38, reason: "ENOSYS (kernel without io_uring)" },
  { name: "EINVAL", errno: 22, reason: "EINVAL (DEFER_TASKRUN needs kernel 6.1)" },
  { name: "ENOMEM", errno: 12, reason: "ENOMEM (too little locked memory allowed: ulimit -l)" },
  { name: "another errno", errno: 5, reason: "errno 5" },
];

if (process.env[CHILD] !== undefined) {
  // The filter is there since this file's first import.
  const { engine, passedOver } = await chooseEngine("auto", OPTIONS);
  await engine.stop();
  console.log(JSON.stringify([engine.name, passedOver]));
} else {
  const isLinux = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  const options = isLinux || process.env.CI ? {} : { skip: "not Linux" };
  for (const { name, errno, reason } of CASES) {
    test(`seccomp answers io_uring_setup with ${name}: a reason in words, and epoll runs`, options, () => {
      const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], {
        encoding: "utf8",
        env: { ...process.env, [CHILD]: "1", [REFUSE_URING_ERRNO]: String(errno), NODE_TEST_CONTEXT: "" },
      });
      const wanted = ["epoll", [{ name: "uring", reason: `io_uring_setup: ${reason}` }]];
      assert.equal(child.stdout, `${JSON.stringify(wanted)}\n`, child.stderr);
    });
  }
}
