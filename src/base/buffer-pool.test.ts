/** The buffer pool: slots do not overlap, references are counted, what comes home can be taken again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BufferPool, LARGE_SLOT_BYTES, SMALL_SLOT_BYTES } from "./buffer-pool.ts";

const SMALL = 5;
const LARGE = 3;

function pool(): BufferPool {
  return new BufferPool(new Uint8Array(BufferPool.regionBytes(SMALL, LARGE)), SMALL, LARGE);
}

test("buffer pool: every slot can be taken once, and none overlaps another", () => {
  const buffers = pool();
  const taken: { start: number; end: number }[] = [];
  for (let slot = buffers.acquireSmall(); slot >= 0; slot = buffers.acquireSmall()) {
    assert.equal(buffers.slotEnd(slot) - slot, SMALL_SLOT_BYTES);
    taken.push({ start: slot, end: buffers.slotEnd(slot) });
  }
  for (let slot = buffers.acquireLarge(); slot >= 0; slot = buffers.acquireLarge()) {
    assert.equal(buffers.slotEnd(slot) - slot, LARGE_SLOT_BYTES);
    taken.push({ start: slot, end: buffers.slotEnd(slot) });
  }
  assert.equal(taken.length, SMALL + LARGE);
  assert.equal(buffers.freeSmallCount + buffers.freeLargeCount, 0);
  taken.sort((a, b) => a.start - b.start);
  for (let i = 1; i < taken.length; i++) assert.ok(taken[i - 1]!.end <= taken[i]!.start, `slot ${i}`);
  assert.ok(taken.at(-1)!.end <= buffers.memory.length);
});

test("buffer pool: every position of a slot names it", () => {
  const buffers = pool();
  for (const slot of [
    buffers.acquireSmall(),
    buffers.acquireSmall(),
    buffers.acquireLarge(),
    buffers.acquireLarge(),
  ]) {
    const end = buffers.slotEnd(slot);
    for (const position of [slot, slot + 1, end - 1, end]) {
      assert.equal(buffers.slotStart(position), slot);
      assert.equal(buffers.slotEnd(position), end);
      assert.equal(buffers.referencesOf(position), 1);
    }
  }
});

test("buffer pool: the last release frees, one more is a mistake", () => {
  const buffers = pool();
  const slot = buffers.acquireLarge();
  buffers.retain(slot + 100);
  buffers.release(slot);
  assert.equal(buffers.freeLargeCount, LARGE - 1);
  buffers.release(slot + LARGE_SLOT_BYTES);
  assert.equal(buffers.freeLargeCount, LARGE);
  assert.throws(() => buffers.release(slot), /broken invariant/);
  assert.throws(() => pool().retain(0), /broken invariant/);
});

test("buffer pool: the slot that came home last is taken first", () => {
  const buffers = pool();
  const first = buffers.acquireSmall();
  buffers.acquireSmall();
  buffers.release(first);
  assert.equal(buffers.acquireSmall(), first);
});

test("buffer pool: any sequence keeps the counts", () => {
  const step = fc.record({
    kind: fc.constantFrom("small", "large", "retain", "release"),
    pick: fc.nat(),
    offset: fc.nat(SMALL_SLOT_BYTES),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (sequence) => {
      const buffers = pool();
      const held = new Map<number, number>();
      for (const { kind, pick, offset } of sequence) {
        const slots = [...held.keys()];
        const slot = slots[pick % slots.length];
        if (kind === "small" || kind === "large") {
          const taken = kind === "small" ? buffers.acquireSmall() : buffers.acquireLarge();
          if (taken < 0) continue;
          assert.ok(!held.has(taken), "a slot is taken once");
          held.set(taken, 1);
        } else if (slot !== undefined) {
          const references = held.get(slot)! + (kind === "retain" ? 1 : -1);
          if (kind === "retain") buffers.retain(slot + offset);
          else buffers.release(slot + offset);
          if (references === 0) held.delete(slot);
          else held.set(slot, references);
        }
        for (const [each, references] of held) assert.equal(buffers.referencesOf(each), references);
        assert.equal(buffers.freeSmallCount + buffers.freeLargeCount, SMALL + LARGE - held.size);
      }
    }),
  );
});
