/** A kernel that refuses a system call: a seccomp filter, as containers have one. */
import assert from "node:assert/strict";
import { mapMemory } from "../../src/engine/native/memory.ts";
import { loadSyscalls } from "../../src/engine/native/syscalls.ts";

const IS_ARM = process.arch === "arm64";
export const SYS_IO_SETUP = IS_ARM ? 0 : 206;
export const SYS_IO_SUBMIT = IS_ARM ? 2 : 209;
export const SYS_IO_URING_SETUP = 425;
const SYS_PRCTL = IS_ARM ? 167 : 157;
const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;

/** From now on the system call `number` fails with `errno` (positive) in this thread and in what it starts. */
export function refuseCall(number: number, errno: number): void {
  // struct sock_filter: code (16 bits), jump if true (8), jump if false (8), operand (32).
  const filter = [
    [0x20, 0, 0, 0], // load the system call's number
    [0x15, 0, 1, number], // equal?
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
