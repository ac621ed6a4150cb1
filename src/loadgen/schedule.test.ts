import assert from "node:assert/strict";
import { test } from "node:test";
import { FreeRing } from "./free-ring.ts";
import { Schedule } from "./schedule.ts";

const SPANS = [
  { name: "whole intervals", ratePerSecond: 200, spanMs: 250, count: 50 },
  { name: "an interval begun", ratePerSecond: 200, spanMs: 251, count: 51 },
  { name: "an interval that is no binary fraction", ratePerSecond: 3000, spanMs: 100, count: 300 },
  { name: "one request", ratePerSecond: 1, spanMs: 1, count: 1 },
];

for (const { name, ratePerSecond, spanMs, count } of SPANS) {
  test(`a schedule of ${name} has ${count} requests`, () => {
    for (const startMs of [0, 123.456789, 1e9 + 1 / 3]) {
      const schedule = new Schedule(ratePerSecond, 1);
      schedule.start(startMs, spanMs);
      let taken = 0;
      for (; schedule.nextMs() < Number.POSITIVE_INFINITY; taken++) {
        assert.ok(Math.abs(schedule.nextMs() - (startMs + (taken * 1000) / ratePerSecond)) < 1e-6);
        schedule.take();
      }
      assert.equal(taken, count);
    }
  });
}

test("what comes back is due as before, and first", () => {
  const schedule = new Schedule(1000, 2);
  schedule.start(100, 10);
  for (let i = 0; i < 5; i++) schedule.take();
  schedule.giveBack(103);
  schedule.giveBack(104);
  assert.equal(schedule.leftCount(107.5), 5, "two came back, three fell due");
  const due = [];
  for (let i = 0; i < 3; i++) {
    due.push(schedule.nextMs());
    schedule.take();
  }
  assert.deepEqual(due, [103, 104, 105]);
  assert.throws(() => {
    for (let i = 0; i < 3; i++) schedule.giveBack(1);
  }, /broken invariant/);
});

test("connections leave the free ring in the order they came, each once", () => {
  const ring = new FreeRing(3);
  assert.equal(ring.take(), -1);
  for (const connection of [2, 0, 2, 1, 0]) ring.add(connection);
  assert.equal(ring.count, 3);
  assert.equal(ring.take(), 2);
  ring.add(2);
  assert.deepEqual([ring.take(), ring.take(), ring.take(), ring.take()], [0, 1, 2, -1]);
});
