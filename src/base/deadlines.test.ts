/** Deadlines against a plain list: what is due is told once, never early, and at most a tick late. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Deadlines, NEVER_MS } from "./deadlines.ts";

const OWNERS = 8;
/** A deadline fires up to one tick late. */
const TICK_MS = 16;

function takeAll(deadlines: Deadlines): number[] {
  const due: number[] = [];
  for (let owner = deadlines.takeDue(); owner >= 0; owner = deadlines.takeDue()) due.push(owner);
  return due.sort((a, b) => a - b);
}

function at(nowMs: number): Deadlines {
  const deadlines = new Deadlines(OWNERS);
  deadlines.advance(nowMs);
  return deadlines;
}

test("deadlines: none is never due", () => {
  const deadlines = at(1_000);
  assert.equal(deadlines.takeDue(), -1);
  assert.equal(deadlines.waitMs(), -1);
  assert.equal(deadlines.atMs(3), NEVER_MS);
});

test("deadlines: a short one set behind a long one is due first", () => {
  const deadlines = at(1_000);
  deadlines.set(0, 75_000);
  assert.deepEqual(takeAll(deadlines), []);
  deadlines.advance(1_010);
  deadlines.set(1, 40);
  assert.ok(deadlines.waitMs() <= 40 + TICK_MS, `waits ${deadlines.waitMs()} ms`);
  deadlines.advance(1_010 + 40 + TICK_MS);
  assert.deepEqual(takeAll(deadlines), [1]);
});

test("deadlines: one that is moved later, moved earlier, cleared", () => {
  const deadlines = at(0);
  for (let owner = 0; owner < 3; owner++) deadlines.set(owner, 100);
  deadlines.set(0, 500);
  deadlines.set(1, 20);
  deadlines.clear(2);
  deadlines.advance(20 + TICK_MS);
  assert.deepEqual(takeAll(deadlines), [1]);
  deadlines.advance(300);
  assert.deepEqual(takeAll(deadlines), []);
  deadlines.advance(500 + TICK_MS);
  assert.deepEqual(takeAll(deadlines), [0]);
  assert.equal(deadlines.waitMs(), -1);
});

test("deadlines: far beyond the horizon of the wheel", () => {
  const deadlines = at(0);
  deadlines.set(0, 3_600_000);
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 10_000) {
    deadlines.advance(nowMs);
    assert.deepEqual(takeAll(deadlines), []);
    assert.ok(deadlines.waitMs() <= 3_600_000 - nowMs + TICK_MS);
  }
  deadlines.advance(3_600_000 + TICK_MS);
  assert.deepEqual(takeAll(deadlines), [0]);
});

test("deadlines: one that is set while others are taken", () => {
  const deadlines = at(0);
  deadlines.set(0, 10);
  deadlines.set(1, 10);
  deadlines.advance(10 + TICK_MS);
  assert.ok(deadlines.takeDue() >= 0);
  deadlines.set(2, 0);
  deadlines.clear(0);
  deadlines.clear(1);
  assert.equal(deadlines.takeDue(), -1);
  deadlines.advance(10 + 3 * TICK_MS);
  assert.deepEqual(takeAll(deadlines), [2]);
});

type Step =
  | { readonly kind: "set"; readonly owner: number; readonly spanMs: number }
  | { readonly kind: "clear"; readonly owner: number }
  | { readonly kind: "pass"; readonly spanMs: number };

const spans = fc.oneof(fc.nat(50), fc.nat(2_000), fc.nat(100_000));
const owners = fc.nat(OWNERS - 1);
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), owner: owners, spanMs: spans }),
  fc.record({ kind: fc.constant("clear" as const), owner: owners }),
  fc.record({ kind: fc.constant("pass" as const), spanMs: spans }),
);

test("deadlines: any sequence, against a list", () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.array(steps, { maxLength: 60 }), (beginMs, sequence) => {
      const deadlines = at(beginMs);
      const model = new Map<number, number>();
      let nowMs = beginMs;
      for (const step of sequence) {
        if (step.kind === "set") {
          deadlines.set(step.owner, step.spanMs);
          model.set(step.owner, nowMs + step.spanMs);
        } else if (step.kind === "clear") {
          deadlines.clear(step.owner);
          model.delete(step.owner);
        } else {
          nowMs += step.spanMs;
          deadlines.advance(nowMs);
          for (const owner of takeAll(deadlines)) {
            const dueMs = model.get(owner);
            assert.ok(dueMs !== undefined && dueMs <= nowMs, "what is taken is due");
            model.delete(owner);
          }
          for (const [owner, dueMs] of model) {
            assert.ok(dueMs > nowMs - TICK_MS, `owner ${owner}, due at ${dueMs}, is taken by ${nowMs}`);
            const waitMs = deadlines.waitMs();
            assert.ok(
              waitMs >= 0 && nowMs + waitMs <= Math.max(dueMs, nowMs) + TICK_MS,
              "and the wait ends in time",
            );
          }
        }
        for (let owner = 0; owner < OWNERS; owner++) {
          assert.equal(deadlines.atMs(owner), model.get(owner) ?? NEVER_MS);
        }
      }
    }),
    { numRuns: 500 },
  );
});
