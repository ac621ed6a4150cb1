/** Queues of ranges against arrays, many in one store. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RangeQueue, RangeStore } from "./range-queue.ts";

const QUEUES = 3;

test("range queue: first in, first out, across growth", () => {
  const store = new RangeStore(1);
  const queue = new RangeQueue();
  for (let i = 0; i < 100; i++) store.push(queue, i, i + 1);
  for (let i = 0; i < 100; i++) {
    assert.equal(store.firstStart(queue), i);
    assert.equal(store.firstEnd(queue), i + 1);
    store.shift(queue);
  }
  assert.ok(store.isEmpty(queue));
});

test("range queue: an empty one has no first range", () => {
  const store = new RangeStore(1);
  const queue = new RangeQueue();
  assert.throws(() => store.firstStart(queue), /broken invariant/);
  assert.throws(() => store.firstEnd(queue), /broken invariant/);
  assert.throws(() => store.shift(queue), /broken invariant/);
});

test("range queue: a range is used from its start to its end", () => {
  const store = new RangeStore(1);
  const queue = new RangeQueue();
  store.push(queue, 10, 20);
  store.advanceFirst(queue, 20);
  assert.equal(store.firstStart(queue), 20);
  assert.throws(() => store.advanceFirst(queue, 21), /broken invariant/);
});

test("range queue: any sequence on several queues, against arrays", () => {
  const step = fc.record({
    queue: fc.nat(QUEUES - 1),
    isPush: fc.boolean(),
    start: fc.nat(),
    bytes: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (sequence) => {
      const store = new RangeStore(2);
      const queues = Array.from({ length: QUEUES }, () => new RangeQueue());
      const models = Array.from({ length: QUEUES }, () => [] as { start: number; end: number }[]);
      for (const { queue: index, isPush, start, bytes } of sequence) {
        const queue = queues[index]!;
        const model = models[index]!;
        if (isPush) {
          store.push(queue, start, start + bytes);
          model.push({ start, end: start + bytes });
        } else if (model.length > 0) {
          store.shift(queue);
          model.shift();
        }
        assert.equal(store.isEmpty(queue), model.length === 0);
        if (model.length === 0) continue;
        assert.deepEqual({ start: store.firstStart(queue), end: store.firstEnd(queue) }, model[0]);
      }
    }),
  );
});
