import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "../contract/snapshot.ts";
import { capacityOf } from "./capacity.ts";
import { restartPauseMs } from "./fleet.ts";
import { TooManyWorkers, workerCount, workerCpus } from "./worker-count.ts";

test("auto is one worker for each CPU where they can share a port, else one", () => {
  assert.equal(workerCount("auto", 8, true, "linux"), 8);
  assert.equal(workerCount("auto", 8, false, "linux"), 8);
  assert.equal(workerCount("auto", 8, false, "darwin"), 1);
});

test("several workers are refused where they cannot share a port", () => {
  assert.equal(workerCount(3, 1, true, "darwin"), 3);
  assert.equal(workerCount(1, 8, false, "win32"), 1);
  assert.throws(() => workerCount(2, 8, false, "darwin"), TooManyWorkers);
});

test("workers are bound to CPUs when each has its own", () => {
  assert.deepEqual(workerCpus("auto", 2, [1, 3]), [1, 3]);
  assert.deepEqual(workerCpus("auto", 2, [1, 3, 5]), [1, 3]);
  assert.deepEqual(workerCpus("auto", 3, [1, 3]), [-1, -1, -1]);
  assert.deepEqual(workerCpus("auto", 1, [1, 3]), [-1]);
  assert.deepEqual(workerCpus("off", 2, [1, 3]), [-1, -1]);
});

test("room for clients and as many backend connections, within the descriptor limit", () => {
  const full = capacityOf(DEFAULT_LIMITS, -1, "http");
  assert.equal(full.limits.clientsMax, DEFAULT_LIMITS.clientsMax);
  assert(full.engine.connectionsMax >= 2 * DEFAULT_LIMITS.clientsMax, "a backend connection for each client");
  const relayed = capacityOf(DEFAULT_LIMITS, 1024, "tcp");
  assert(relayed.limits.clientsMax <= relayed.engine.connectionsMax / 2, "relayed clients get half");
  const tight = capacityOf(DEFAULT_LIMITS, 1024, "http");
  assert(tight.engine.connectionsMax < 1024, "below the limit");
  assert(tight.limits.clientsMax <= tight.engine.connectionsMax * 0.75, "backends get a quarter");
  const none = capacityOf(DEFAULT_LIMITS, 10, "http");
  assert(none.limits.clientsMax >= 1, "one client at least");
});

test("a worker is replaced at once, then with growing pauses, 5 s at most", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 20].map(restartPauseMs), [0, 0, 100, 200, 400, 5_000]);
});
