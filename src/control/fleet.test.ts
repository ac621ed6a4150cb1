import assert from "node:assert/strict";
import { test } from "node:test";
import { BootFailed, Fleet } from "./fleet.ts";
import type { Log } from "./log.ts";

const quiet: Log = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, level: "silent" };

test("a worker that cannot begin at the first start is a reason, not a loop", {
  timeout: 30_000,
}, async () => {
  const gone: number[] = [];
  const fleet = new Fleet(
    {
      // No boot message: the worker refuses, and says why.
      plan: () => ({ descriptors: [], boot: { type: "drain" } }),
      ready: () => assert.fail("it cannot be ready"),
      message: () => {},
      gone: (index) => gone.push(index),
    },
    quiet,
    {},
  );
  await assert.rejects(fleet.add(0), (error) => {
    assert(error instanceof BootFailed);
    assert.equal(error.message, 'the first message is "boot", not "drain"');
    return true;
  });
  assert.deepEqual(gone, [0]);
  assert.equal(fleet.livingCount, 0);
  await fleet.stop();
});
