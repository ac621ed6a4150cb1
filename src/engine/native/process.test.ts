import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { allowedCpus, raiseFileLimit, setAffinity } from "./process.ts";
import { createSharedSegment, mapSharedSegment } from "./shared-memory.ts";
import { assertUnbound, listenerAddress, openListener } from "./sockets.ts";
import { loadSyscalls } from "./syscalls.ts";

const isNative = process.platform === "linux";
const options = isNative || process.env.CI ? {} : { skip: "not Linux" };

test("affinity: a thread runs where it was bound, and may be let loose again", options, () => {
  const before = allowedCpus();
  assert.ok(before.length >= 1 && before.length >= Math.min(1, availableParallelism()));
  try {
    setAffinity([before.at(-1)!]);
    assert.deepEqual(allowedCpus(), [before.at(-1)!]);
  } finally {
    setAffinity(before);
  }
  assert.deepEqual(allowedCpus(), before);
});

test("affinity: a processor that is not there is refused", options, () => {
  assert.throws(() => setAffinity([1023]), /sched_setaffinity to 1023/);
});

test("file limit: the soft limit becomes the hard one", options, () => {
  const limit = raiseFileLimit();
  assert.ok(limit >= 256);
  assert.equal(raiseFileLimit(), limit);
  const told = spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout.trim();
  assert.equal(told, String(limit));
});

test("shared segment: what one mapping writes, another reads", options, (t) => {
  const { fd, buffer } = createSharedSegment(10_000);
  t.after(() => loadSyscalls().close(fd));
  assert.equal(buffer.byteLength, 10_000);
  const other = mapSharedSegment(fd, 10_000);
  new Float64Array(buffer, 0, 1250)[1249] = 1.5;
  assert.equal(new Float64Array(other, 0, 1250)[1249], 1.5);
});

test("listener: port 0 is resolved, and an address in use is refused by name", options, (t) => {
  const fd = openListener({ host: "127.0.0.1", port: 0 }, { reusePort: false });
  t.after(() => loadSyscalls().close(fd));
  const address = listenerAddress(fd);
  const port = Number(address.split(":")[1]);
  assert.match(address, /^127\.0\.0\.1:[1-9][0-9]*$/);
  assert.throws(
    () => openListener({ host: "127.0.0.1", port }, { reusePort: false }),
    (error: NodeJS.ErrnoException) => error.code === "EADDRINUSE" && error.message.includes(address),
  );
});

test("listener: two share a port with reusePort", options, (t) => {
  const first = openListener({ host: "127.0.0.1", port: 0 }, { reusePort: true });
  t.after(() => loadSyscalls().close(first));
  const port = Number(listenerAddress(first).split(":")[1]);
  const second = openListener({ host: "127.0.0.1", port }, { reusePort: true });
  t.after(() => loadSyscalls().close(second));
  assert.equal(listenerAddress(second), listenerAddress(first));
});

test("listener: whoever listens is found, also who would share; a free address stays free", options, (t) => {
  for (const reusePort of [false, true]) {
    const fd = openListener({ host: "127.0.0.1", port: 0 }, { reusePort });
    t.after(() => loadSyscalls().close(fd));
    const port = Number(listenerAddress(fd).split(":")[1]);
    for (const host of ["127.0.0.1", "0.0.0.0", "::"]) {
      assert.throws(() => assertUnbound({ host, port }, false), { code: "EADDRINUSE" }, host);
    }
    assertUnbound({ host: "::", port }, true);
    assertUnbound({ host: "127.0.0.2", port }, false);
    const other = openListener({ host: "127.0.0.2", port }, { reusePort: false });
    t.after(() => loadSyscalls().close(other));
  }
});

test("listener: a name is not an address", options, () => {
  assert.throws(
    () => openListener({ host: "localhost", port: 0 }, { reusePort: false }),
    /not an IP address/,
  );
});
