/**
 * A kernel that refuses io_uring: a seccomp filter, as containers have one. Called, or loaded with `--import` into a
 * process (and, with its environment, into those that it starts) with the errno in `HP_TEST_REFUSE_URING_ERRNO`.
 */
import assert from "node:assert/strict";
import { mapMemory } from "../../src/engine/native/memory.ts";
import { loadSyscalls } from "../../src/engine/native/syscalls.ts";

const SYS_IO_URING_SETUP = 425;
const SYS_PRCTL = process.arch === "arm64" ? 167 : 157;
const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;

/** The variable that holds the errno, a positive number. */
export const REFUSE_URING_ERRNO = "HP_TEST_REFUSE_URING_ERRNO";

/** From now on io_uring_setup fails with `errno` in this thread and in what it starts. */
export function refuseUring(errno: number): void {
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

const errno = process.env[REFUSE_URING_ERRNO];
if (errno !== undefined) refuseUring(Number(errno));
