/** Who is chosen: everybody in turn, but not the down, not the tried, and the suspect only at need. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EndpointState } from "./endpoint.ts";
import { RoundRobin } from "./round-robin.ts";

function cluster(count: number, cursor = 0): RoundRobin {
  const endpoints = Array.from({ length: count }, (_, i) => new EndpointState(`a:${i}`, `a${i}`, true, 4));
  return new RoundRobin(endpoints, cursor);
}

function picks(balancer: RoundRobin, count: number, tried = 0, nowS = 100): number[] {
  return Array.from({ length: count }, () => balancer.next(nowS, tried));
}

test("round robin: each in turn, from the cursor", () => {
  assert.deepEqual(picks(cluster(3), 6), [0, 1, 2, 0, 1, 2]);
  assert.deepEqual(picks(cluster(3, 5), 3), [2, 0, 1]);
  assert.deepEqual(picks(cluster(1), 3), [0, 0, 0]);
});

test("round robin: nobody to choose", () => {
  assert.deepEqual(picks(cluster(0), 2), [-1, -1]);
  const balancer = cluster(2);
  for (const endpoint of balancer.endpoints) endpoint.healthy = false;
  assert.deepEqual(picks(balancer, 2), [-1, -1]);
});

test("round robin: the down are left out, the rest share evenly", () => {
  const balancer = cluster(3);
  balancer.endpoints[0]!.healthy = false;
  assert.deepEqual(picks(balancer, 4), [1, 2, 1, 2]);
});

test("round robin: the tried are left out, also the last ones that can be remembered", () => {
  const balancer = cluster(3);
  const tried = RoundRobin.markTried(RoundRobin.markTried(0, 0), 2);
  assert.deepEqual(picks(balancer, 2, tried), [1, 1]);
  assert.equal(balancer.next(100, RoundRobin.markTried(tried, 1)), -1);
  const large = cluster(40, 30);
  assert.equal(large.next(100, RoundRobin.markTried(0, 30)), 31);
  assert.equal(RoundRobin.markTried(0, 31), 0, "beyond 31 nothing is remembered");
});

test("round robin: the suspect are chosen when nobody else is left, and again when time has passed", () => {
  const balancer = cluster(2);
  const [first] = balancer.endpoints;
  assert.equal(first!.suspect(100), true);
  assert.equal(first!.suspect(100), false, "it is news once");
  assert.deepEqual(picks(balancer, 3), [1, 1, 1]);
  assert.equal(balancer.next(100, RoundRobin.markTried(0, 1)), 0);
  const later = picks(balancer, 2, 0, 102).sort();
  assert.deepEqual(later, [0, 1]);
  assert.equal(first!.trust(), true);
  assert.equal(first!.trust(), false);
});

test("endpoint: idle connections: the last used first, a bound, and any of them may leave", () => {
  const endpoint = new EndpointState("a:1", "a", true, 3);
  assert.equal(endpoint.takeIdle(), -1);
  assert.deepEqual(
    [10, 11, 12, 13].map((connection) => endpoint.park(connection)),
    [true, true, true, false],
  );
  endpoint.removeIdle(11);
  assert.equal(endpoint.idleCount, 2);
  assert.throws(() => endpoint.removeIdle(11), /broken invariant/);
  assert.equal(endpoint.takeIdle(), 12);
  assert.equal(endpoint.takeIdle(), 10);
  assert.equal(endpoint.takeIdle(), -1);
  assert.equal(new EndpointState("a:1", "a", true, 0).park(1), false);
});
