import assert from "node:assert/strict";
import { test } from "node:test";
import { Gathering } from "./gathering.ts";

/** Each case: `connections` speak once in each of three windows of `spanMs`; what the last judgement says. */
const CASES: readonly {
  name: string;
  connections: number;
  repeats: number;
  spanMs: number;
  verdict: number;
}[] = [
  { name: "many connections", connections: 64, repeats: 1, spanMs: 2, verdict: 1 },
  { name: "few connections that speak often", connections: 8, repeats: 50, spanMs: 2, verdict: 0 },
  { name: "many connections, but over a long time", connections: 64, repeats: 1, spanMs: 20, verdict: 0 },
  { name: "within a window nothing changes", connections: 64, repeats: 1, spanMs: 0.5, verdict: -1 },
  { name: "silence", connections: 0, repeats: 0, spanMs: 1000, verdict: 0 },
];

for (const { name, connections, repeats, spanMs, verdict } of CASES) {
  test(`gathering: ${name}`, () => {
    const gathering = new Gathering(128);
    let nowMs = 1000;
    gathering.judge(nowMs);
    let last = -1;
    for (let window = 0; window < 3; window++) {
      for (let repeat = 0; repeat < repeats; repeat++) {
        for (let i = 0; i < connections; i++) gathering.spoke(i);
      }
      nowMs += spanMs;
      last = gathering.judge(nowMs);
      if (last === -1) break;
    }
    assert.equal(last, verdict);
  });
}
