import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "./prng.ts";

test("the same seed gives the same numbers, another seed gives others", () => {
  const draw = (seed: number) =>
    Array.from(
      { length: 8 },
      (
        (prng) => () =>
          prng.next()
      )(new Prng(seed)),
    );
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
});

test("numbers lie in their range and reach both ends of it", () => {
  const prng = new Prng(1);
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i++) seen.add(prng.between(3, 6));
  assert.deepEqual([...seen].sort(), [3, 4, 5, 6]);
  for (let i = 0; i < 1000; i++) assert.equal(prng.below(1), 0);
});

test("every value of a byte comes about equally often", () => {
  const prng = new Prng(42);
  const counts = new Array<number>(256).fill(0);
  for (let i = 0; i < 256_000; i++) counts[prng.below(256)]!++;
  for (const count of counts) assert.ok(count > 850 && count < 1150, `${count} of 1000`);
});
