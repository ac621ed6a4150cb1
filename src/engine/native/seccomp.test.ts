/**
 * Where a seccomp filter forbids io_uring, as Docker's default profile does: uring says so in words, epoll
 * runs.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createEpollEngine } from "../epoll/epoll-engine.ts";
import { createUringEngine } from "../uring/uring-engine.ts";
import { mapMemory } from "./memory.ts";
import { loadSyscalls } from "./syscalls.ts";

const CHILD = "HP_PROXY_SECCOMP_CHILD";
const OPTIONS = { listeners: [], connectionsMax: 4, smallSlots: 4, largeSlots: 4 };

const EPERM = 1;
const ENOSYS = 38;
const SYS_IO_URING_SETUP = 425;
const SYS_PRCTL = process.arch === "arm64" ? 167 : 157;
const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;

/** From now on this thread's io_uring_setup fails with `errno`. */
function forbidUring(errno: number): void {
  // struct sock_filter: code (16 bits), jump if true (8), jump if false (8), operand (32).
  const filter = [
    [0x20, 0, 0, 0], // load the system call's number
    [0x15, 0, 1, SYS_IO_URING_SETUP], // equal?
    [0x06, 0, 0, 0x0005_0000 | errno], // SECCOMP_RET_ERRNO
    [0x06, 0, 0, 0x7fff_0000], // SECCOMP_RET_ALLOW
  ];
  const { address, buffer } = mapMemory(4096);
  const view = new DataView(buffer);
  // struct sock_fprog: count, padding, address of the filter.
  view.setUint16(0, filter.length, true);
  view.setBigUint64(8, BigInt(address + 64), true);
  for (const [i, [code, onTrue, onFalse, operand]] of filter.entries()) {
    view.setUint16(64 + i * 8, code!, true);
    view.setUint8(64 + i * 8 + 2, onTrue!);
    view.setUint8(64 + i * 8 + 3, onFalse!);
    view.setUint32(64 + i * 8 + 4, operand! >>> 0, true);
  }
  const calls = loadSyscalls();
  assert.equal(calls.syscall(SYS_PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0), 0);
  assert.equal(calls.syscall(SYS_PRCTL, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address, 0, 0, 0), 0);
}

if (process.env[CHILD] !== undefined) {
  forbidUring(Number(process.env[CHILD]));
  try {
    await createUringEngine(OPTIONS).stop();
    console.log("uring: runs");
  } catch (error) {
    console.log(`uring: ${(error as Error).name}: ${(error as Error).message}`);
  }
  const engine = createEpollEngine(OPTIONS);
  console.log(`epoll: ${engine.name}`);
  await engine.stop();
} else {
  const isLinux = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  const options = isLinux || process.env.CI ? {} : { skip: "not Linux" };
  const cases = [
    {
      name: "EPERM",
      errno: EPERM,
      reason: /EngineUnavailable: io_uring_setup: EPERM \(forbidden by seccomp/,
    },
    { name: "ENOSYS", errno: ENOSYS, reason: /EngineUnavailable: io_uring_setup: ENOSYS/ },
  ];
  for (const { name, errno, reason } of cases) {
    test(`seccomp answers io_uring_setup with ${name}: a reason in words, and epoll runs`, options, () => {
      const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], {
        encoding: "utf8",
        env: { ...process.env, [CHILD]: String(errno), NODE_TEST_CONTEXT: "" },
      });
      assert.match(child.stdout, reason, child.stderr);
      assert.match(child.stdout, /^epoll: epoll$/m);
    });
  }
}
