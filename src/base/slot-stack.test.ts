/** Free slots: last in, first out; and which of them have been idle. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SlotStack } from "./slot-stack.ts";

function idleOf(stack: SlotStack, room = 100): number[] {
  const into = new Int32Array(room);
  return [...into.subarray(0, stack.takeIdle(into))];
}

function take(stack: SlotStack, count: number): number[] {
  return Array.from({ length: count }, () => stack.take());
}

test("slot stack: the lowest slot first, then the last one given back", () => {
  const stack = new SlotStack(10, 3);
  assert.deepEqual(take(stack, 4), [10, 11, 12, -1]);
  stack.give(12);
  stack.give(10);
  assert.equal(stack.count, 2);
  assert.deepEqual(take(stack, 2), [10, 12]);
});

test("slot stack: what was never used is not idle", () => {
  const stack = new SlotStack(0, 5);
  assert.deepEqual(idleOf(stack), []);
  assert.equal(stack.mayHaveIdle, false);
});

test("slot stack: what was used is idle once it is free from one call to the next", () => {
  const stack = new SlotStack(0, 8);
  const held = take(stack, 6);
  for (const slot of held.slice(2)) stack.give(slot);
  assert.deepEqual(idleOf(stack), [], "they were in use within the first span");
  assert.equal(stack.mayHaveIdle, true);
  assert.deepEqual(idleOf(stack), [2, 3, 4, 5]);
  assert.deepEqual(idleOf(stack), [], "each is told once");
  assert.equal(stack.mayHaveIdle, false, "two are in use, nothing else is");
  for (const slot of held.slice(0, 2)) stack.give(slot);
  idleOf(stack);
  assert.deepEqual(idleOf(stack), [0, 1]);
});

test("slot stack: those on top that come and go stay warm", () => {
  const stack = new SlotStack(0, 8);
  for (const slot of take(stack, 6)) stack.give(slot);
  idleOf(stack);
  stack.give(stack.take());
  assert.deepEqual(idleOf(stack).length, 5);
  stack.give(stack.take());
  assert.deepEqual(idleOf(stack), []);
});

test("slot stack: more than there is room for is told in turns", () => {
  const stack = new SlotStack(0, 8);
  for (const slot of take(stack, 7)) stack.give(slot);
  idleOf(stack, 3);
  const told = [idleOf(stack, 3), idleOf(stack, 3), idleOf(stack, 3)];
  assert.deepEqual(
    told.map(({ length }) => length),
    [3, 3, 1],
  );
  assert.deepEqual(told.flat().sort(), [0, 1, 2, 3, 4, 5, 6]);
});

test("slot stack: an idle slot is free, and was so all the time since the last call", () => {
  const step = fc.constantFrom("take", "give", "ask" as const);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const stack = new SlotStack(0, 6);
      const held: number[] = [];
      const used = new Set<number>();
      const usedOfLate = new Set<number>();
      for (const each of steps) {
        if (each === "take") {
          const slot = stack.take();
          if (slot < 0) continue;
          held.push(slot);
          used.add(slot);
          usedOfLate.add(slot);
        } else if (each === "give") {
          if (held.length > 0) stack.give(held.shift()!);
        } else {
          for (const slot of idleOf(stack, 2)) {
            assert.ok(used.delete(slot), `${slot} was used before`);
            assert.ok(!held.includes(slot), `${slot} is free`);
            assert.ok(!usedOfLate.has(slot), `${slot} was free all the time`);
          }
          usedOfLate.clear();
          for (const slot of held) usedOfLate.add(slot);
        }
      }
    }),
  );
});
