import assert from "node:assert/strict";
import { test } from "node:test";
import { Standstill } from "./standstill.ts";

test("standstill: the one that entered first stands the longest", () => {
  const list = new Standstill(4);
  assert.equal(list.longest(), -1);
  list.enter(2, 10);
  list.enter(0, 20);
  list.enter(2, 30);
  assert.equal(list.longest(), 2);
  assert.equal(list.sinceMs(2), 10);
  list.leave(2);
  assert.equal(list.longest(), 0);
  list.leave(2);
  list.leave(0);
  assert.equal(list.longest(), -1);
});

test("standstill: leaving from the front, the middle and the end", () => {
  for (const gone of [0, 1, 2]) {
    const list = new Standstill(4);
    for (const each of [0, 1, 2]) list.enter(each, each);
    list.leave(gone);
    list.enter(gone, 9);
    const order: number[] = [];
    for (let each = list.longest(); each >= 0; each = list.longest()) {
      order.push(each);
      list.leave(each);
    }
    assert.deepEqual(order, [...[0, 1, 2].filter((each) => each !== gone), gone]);
  }
});
