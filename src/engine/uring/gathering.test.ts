import assert from "node:assert/strict";
import { test } from "node:test";
import { Gathering } from "./gathering.ts";

const WINDOWS = 64;

/** Each case: `connections` speak `repeats` times in each of many windows of `spanMs`, of which `load` is used. */
const CASES: readonly {
  name: string;
  connections: number;
  repeats: number;
  spanMs: number;
  load: number;
  count: number;
}[] = [
  { name: "many connections", connections: 64, repeats: 1, spanMs: 2, load: 0.9, count: 3 },
  {
    name: "many, on a core with time left",
    connections: 64,
    repeats: 1,
    spanMs: 2,
    load: 0.5,
    count: 1,
  },
  { name: "many that speak often", connections: 64, repeats: 10, spanMs: 2, load: 0.9, count: 16 },
  { name: "few that speak often", connections: 8, repeats: 50, spanMs: 2, load: 0.9, count: 1 },
  { name: "many, but over a long time", connections: 64, repeats: 1, spanMs: 20, load: 0.9, count: 1 },
  { name: "silence", connections: 0, repeats: 0, spanMs: 1000, load: 0, count: 1 },
];

/** Plays windows from `atMs` on, in which `load` of the time is used. Returns the last judgement. */
function play(
  gathering: Gathering,
  at: { nowMs: number; cpuMs: number },
  { connections, repeats, spanMs, load }: Omit<(typeof CASES)[number], "name" | "count">,
  windows = WINDOWS,
): number {
  let last = 0;
  for (let window = 0; window < windows; window++) {
    for (let repeat = 0; repeat < repeats; repeat++) for (let i = 0; i < connections; i++) gathering.spoke(i);
    at.nowMs += spanMs;
    at.cpuMs += spanMs * load;
    last = gathering.judge(at.nowMs, at.cpuMs);
  }
  return last;
}

for (const { name, count, ...traffic } of CASES) {
  test(`gathering: ${name}`, () => {
    assert.equal(play(new Gathering(128), { nowMs: 1000, cpuMs: 500 }, traffic), count);
  });
}

test("gathering: within a window nothing is judged", () => {
  const gathering = new Gathering(128);
  gathering.judge(1000, 0);
  assert.equal(gathering.isDue(1000.5), false);
  assert.equal(gathering.isDue(1002), true);
});

test("gathering: a core that is nearly as busy as before goes on gathering, and one that rests stops", () => {
  const gathering = new Gathering(128);
  const at = { nowMs: 1000, cpuMs: 500 };
  const many = { connections: 64, repeats: 1, spanMs: 2 };
  assert.equal(play(gathering, at, { ...many, load: 0.65 }), 1, "not busy enough to begin");
  assert.equal(play(gathering, at, { ...many, load: 0.9 }), 3);
  assert.equal(play(gathering, at, { ...many, load: 0.65 }), 3, "busy enough to go on");
  assert.equal(play(gathering, at, { ...many, load: 0.4 }), 1);
});

test("gathering: what was before a long silence is forgotten", () => {
  const gathering = new Gathering(128);
  const at = { nowMs: 1000, cpuMs: 500 };
  const many = { connections: 64, repeats: 1, spanMs: 2 };
  assert.equal(play(gathering, at, { ...many, load: 0.9 }), 3);
  play(gathering, at, { connections: 0, repeats: 0, spanMs: 1000, load: 0 }, 1);
  assert.equal(play(gathering, at, { ...many, load: 0.9 }, 1), 1);
});
