import assert from "node:assert/strict";
import { test } from "node:test";
import { EndpointState } from "./endpoint.ts";

function poolOf(size: number, connections: readonly number[]): EndpointState {
  const endpoint = new EndpointState("192.0.2.1:80", "a", true, size);
  for (const connection of connections) assert.equal(endpoint.park(connection), true);
  return endpoint;
}

function surplusOf(endpoint: EndpointState, size: number): number[] {
  const count = Math.max(0, endpoint.idleCount - size);
  const surplus = Array.from({ length: count }, (_, i) => endpoint.idleAt(i));
  endpoint.dropOldest(count);
  return surplus;
}

const SIZES: readonly { name: string; size: number; surplus: number[]; idle: number[]; room: boolean }[] = [
  { name: "as large as before", size: 3, surplus: [], idle: [7, 6, 5], room: false },
  { name: "larger", size: 4, surplus: [], idle: [7, 6, 5], room: true },
  { name: "smaller", size: 1, surplus: [5, 6], idle: [7], room: false },
  { name: "gone", size: 0, surplus: [5, 6, 7], idle: [], room: false },
];
for (const { name, size, surplus, idle, room } of SIZES) {
  test(`endpoint: a pool that becomes ${name} keeps what was used last`, () => {
    const endpoint = poolOf(3, [5, 6, 7]);
    endpoint.limitPool(size);
    assert.deepEqual(surplusOf(endpoint, size), surplus);
    assert.equal(endpoint.park(8), room);
    if (room) assert.equal(endpoint.takeIdle(), 8);
    assert.deepEqual(
      idle.map(() => endpoint.takeIdle()),
      idle,
    );
    assert.equal(endpoint.takeIdle(), -1);
  });
}

test("endpoint: a pool holds as many as it may, in the order of their use", () => {
  const all = Array.from({ length: 100 }, (_, i) => i);
  const endpoint = poolOf(100, all);
  assert.equal(endpoint.park(100), false);
  assert.deepEqual(
    all.map(() => endpoint.takeIdle()),
    all.toReversed(),
  );
  assert.equal(endpoint.takeIdle(), -1);
});

test("endpoint: an idle connection leaves from anywhere in its pool", () => {
  const endpoint = poolOf(3, [5, 6, 7]);
  endpoint.removeIdle(6);
  assert.equal(endpoint.takeIdle(), 7);
  assert.equal(endpoint.takeIdle(), 5);
  assert.equal(endpoint.idleCount, 0);
});
