/** Reads and writes of a batch against what recv(2) and send(2) of the same sockets would do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mapMemory } from "../native/memory.ts";
import { loadSyscalls } from "../native/syscalls.ts";
import { BATCH_MAX, SocketBatch, VECTORS_MAX } from "./socket-batch.ts";

const AF_UNIX = 1;
const SOCK_STREAM_NONBLOCK = 0x801;
const EAGAIN = -11;
const EBADF = -9;
const EPIPE = -32;
const ROUNDS = 200;

function missing(): string | false {
  try {
    const batch = SocketBatch.open();
    batch?.close();
    return batch === null ? "io_setup is refused" : false;
  } catch (error) {
    return (error as Error).message;
  }
}

const options = { skip: missing() };

/** A batch, a page for bytes, and pairs of connected sockets; all closed behind the test. */
function stage(t: { after(done: () => void): void }) {
  const calls = loadSyscalls();
  const { address, buffer } = mapMemory(64 * 1024);
  const batch = SocketBatch.open()!;
  const open = new Set<number>();
  const close = (fd: number): void => {
    open.delete(fd);
    calls.close(fd);
  };
  t.after(() => {
    batch.close();
    for (const fd of open) close(fd);
  });
  const pair = (): [number, number] => {
    assert.equal(calls.socketpair(AF_UNIX, SOCK_STREAM_NONBLOCK, 0, address), 0);
    const [one, other] = new Int32Array(buffer, 0, 2);
    open.add(one!).add(other!);
    return [one!, other!];
  };
  return { batch, calls, address, bytes: Buffer.from(buffer), pair, close };
}

test("writes and reads are carried out in order, each with its own result", options, (t) => {
  const { batch, address, bytes, pair, close } = stage(t);
  const [a, b] = pair();
  const [c, d] = pair();
  const [empty] = pair();
  const [atEnd, gone] = pair();
  const [broken, peer] = pair();
  close(gone);
  close(peer);
  bytes.write("hello, world", 100);
  batch.write(a, address + 100, 5);
  batch.write(c, address + 105, 7);
  batch.write(broken, address + 100, 5);
  batch.read(b, address + 200, 100);
  batch.read(d, address + 300, 4);
  batch.read(d, address + 400, 100);
  batch.read(empty, address + 500, 100);
  batch.read(atEnd, address + 500, 100);
  assert.equal(batch.count, 8);
  assert.equal(batch.submit(), 8);
  assert.equal(batch.count, 0);
  const results = Array.from({ length: 8 }, (_, i) => batch.result(i));
  assert.deepEqual(results, [5, 7, EPIPE, 5, 4, 3, EAGAIN, 0]);
  assert.equal(bytes.toString("latin1", 200, 205), "hello");
  assert.equal(bytes.toString("latin1", 300, 304), ", wo");
  assert.equal(bytes.toString("latin1", 400, 403), "rld");
});

test("vectors leave as one", options, (t) => {
  const { batch, address, bytes, pair } = stage(t);
  const [a, b] = pair();
  bytes.write("0123456789abcdef", 1000);
  for (let i = 0; i < VECTORS_MAX; i++) {
    const at = batch.vectorsAt + i * 4;
    const from = BigInt(address + 1000 + (VECTORS_MAX - 1 - i) * 2);
    batch.vectorWords.set([Number(from & 0xffff_ffffn) | 0, Number(from >> 32n), 2, 0], at);
  }
  batch.writeVectors(a, VECTORS_MAX);
  batch.read(b, address + 2000, 100);
  assert.equal(batch.submit(), 2);
  assert.deepEqual([batch.result(0), batch.result(1)], [16, 16]);
  assert.equal(bytes.toString("latin1", 2000, 2016), "efcdab8967452301");
});

test("a socket that takes no more: what went is the result, then EAGAIN", options, (t) => {
  const { batch, address, pair } = stage(t);
  const [a] = pair();
  let sent = 0;
  for (let result = 0; result !== EAGAIN; sent += Math.max(result, 0)) {
    batch.write(a, address, 64 * 1024);
    assert.equal(batch.submit(), 1);
    result = batch.result(0);
    assert.ok(result > 0 || result === EAGAIN, `${result}`);
  }
  assert.ok(sent > 0);
});

test("a descriptor that is none ends the batch: those before it are done, the others not", options, (t) => {
  const { batch, address, bytes, pair } = stage(t);
  const [a, b] = pair();
  bytes.write("xy", 100);
  batch.write(a, address + 100, 1);
  batch.read(-1, address + 300, 1);
  batch.write(a, address + 101, 1);
  assert.equal(batch.submit(), 1);
  assert.equal(batch.result(0), 1);
  batch.read(-1, address, 1);
  assert.equal(batch.submit(), 0);
  assert.equal(loadSyscalls().errno(), -EBADF);
  batch.read(b, address + 400, 100);
  assert.equal(batch.submit(), 1);
  assert.equal(batch.result(0), 1, "the second write was not done");
  assert.equal(bytes.toString("latin1", 400, 401), "x");
});

test("batches of every size, more than the ring holds: every result is its own", options, (t) => {
  const { batch, address, bytes, pair } = stage(t);
  const [a, b] = pair();
  for (let round = 0; round < ROUNDS; round++) {
    const pairs = 1 + ((round * 37) % (BATCH_MAX / 2));
    for (let i = 0; i < pairs; i++) {
      bytes[8192 + i] = (round + i) & 255;
      batch.write(a, address + 8192 + i, 1);
    }
    for (let i = 0; i < pairs; i++) batch.read(b, address + 16_384 + i * 64, 1);
    assert.equal(batch.submit(), 2 * pairs);
    for (let i = 0; i < 2 * pairs; i++) assert.equal(batch.result(i), 1);
    for (let i = 0; i < pairs; i++) assert.equal(bytes[16_384 + i * 64], (round + i) & 255);
  }
});

/** gVisor's looks so: nothing can be read from it. */
test("a ring that programs may not read is no ring", options, (t) => {
  const calls = loadSyscalls() as { syscall: (number: number, ...rest: number[]) => number };
  const { syscall } = calls;
  const [setup, destroy] = process.arch === "arm64" ? [0, 1] : [206, 207];
  const { address } = mapMemory(4096);
  const destroyed: number[] = [];
  t.after(() => {
    calls.syscall = syscall;
  });
  calls.syscall = (number, ...rest) => {
    if (number === destroy) return destroyed.push(rest[0]!);
    if (number !== setup) return syscall(number, ...rest);
    new BigUint64Array(loadSyscalls().view(rest[1]!, 8))[0] = BigInt(address);
    return 0;
  };
  assert.equal(SocketBatch.open(), null);
  assert.deepEqual(destroyed, [address]);
});
