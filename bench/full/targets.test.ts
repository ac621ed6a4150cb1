/** Verdicts on targets, from rounds that are known; and what a run can be told to do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { flatMemory } from "../idle.ts";
import type { IdleRound } from "../idle-report.ts";
import type { Round } from "../measure.ts";
import { SCENARIOS } from "../scenarios.ts";
import { result, round, series } from "./figures.ts";
import { changePreset, FULL, QUICK } from "./presets.ts";
import { judgeTargets, TARGET_SCENARIOS, type Verdict, writeTargets } from "./targets.ts";

const rounds = (...cpuUs: readonly number[]): Round[] => cpuUs.map((each) => round(each));
const ofCpu = (scenario: string, own: readonly Round[], nginx: readonly Round[], haproxy: readonly Round[]) =>
  result(
    scenario,
    series("hp-uring", ...own),
    series("nginx", ...nginx),
    series("haproxy", ...haproxy),
    series("relay", ...rounds(5, 5)),
  );
const first = (...results: Parameters<typeof judgeTargets>[0]) =>
  judgeTargets(results, []).find(({ verdict }) => verdict !== "not measured")!;

const CASES: readonly (readonly [name: string, own: readonly Round[], verdict: Verdict])[] = [
  ["in every round", rounds(6, 7), "met"],
  ["at the limit", rounds(7.2, 7.2), "met"],
  ["in one of two rounds", rounds(7, 8), "cannot tell"],
  ["in none", rounds(8, 9), "missed"],
  ["in the only round", rounds(1), "cannot tell"],
  ["in none of those that count", [...rounds(8, 9), round(1, { invalid: "3 errors" })], "missed"],
  ["in no round that counts", [round(1, { invalid: "3 errors" })], "not measured"],
];
for (const [name, own, verdict] of CASES)
  test(`verdict: ${name}`, () => {
    const outcomes = judgeTargets([ofCpu("get-256", own, rounds(10, 10, 10), rounds(20, 20, 20))], []);
    assert.equal(outcomes.find(({ scenario }) => scenario === "get-256")!.verdict, verdict);
  });

test("the better of two is the one with the lower median, in every round", () => {
  const { measured, floor } = first(ofCpu("chunked", rounds(10, 10), rounds(40, 10), rounds(20, 20)));
  assert.deepEqual(measured, { perRound: [0.5, 0.5], against: "<haproxy>" });
  assert.deepEqual(floor.perRound, [0.25, 0.25]);
});

test("where one of two is not there, the other one counts", () => {
  const { measured } = first(ofCpu("chunked", rounds(10, 10), rounds(40, 20), []));
  assert.deepEqual(measured, { perRound: [0.25, 0.5], against: "<nginx>" });
});

test("per core: how many times the requests of the peer for the same CPU time", () => {
  const all = result("get-64", series("hp-net", ...rounds(10, 10)), series("httpxy", ...rounds(25, 15)));
  const { measured, verdict, goal } = first(all);
  assert.deepEqual(
    measured.perRound.map((value) => Math.round(value * 10) / 10),
    [2.5, 1.5],
  );
  assert.deepEqual([goal, verdict], ["≥ 2", "cannot tell"]);
});

test("idle connections: bytes of each round", () => {
  const idle = [100, 2000].map((bytes) => ({ name: "hp-epoll", bytesPerConnection: bytes }) as IdleRound);
  const outcomes = judgeTargets([], idle).filter(({ verdict }) => verdict !== "not measured");
  assert.deepEqual(
    outcomes.map(({ measured, verdict }) => [measured.perRound, verdict]),
    [[[100, 2000], "cannot tell"]],
  );
});

test("idle connections: below nothing says nothing, even in every round", () => {
  const idle = [-422, -277].map((bytes) => ({ name: "hp-uring", bytesPerConnection: bytes }) as IdleRound);
  const outcomes = judgeTargets([], idle).filter(({ verdict }) => verdict !== "not measured");
  assert.deepEqual(
    outcomes.map(({ verdict }) => verdict),
    ["cannot tell"],
  );
});

test("idle connections: memory is read when it stands still, or said never to", async () => {
  const read = async (readings: readonly number[]) => {
    let next = 0;
    const { ownKib, isFlat } = await flatMemory(
      () => readings[Math.min(next++, readings.length - 1)]!,
      async () => {},
    );
    return [ownKib, isFlat, next];
  };
  assert.deepEqual(await read([1000, 1063]), [1063, true, 2]);
  assert.deepEqual(await read([9000, 5000, 4900, 4836, 4800]), [4800, true, 5]);
  const falling = Array.from({ length: 100 }, (_, index) => 100_000 - index * 64);
  assert.deepEqual(await read(falling), [100_000 - 29 * 64, false, 30]);
});

test("the table counts verdicts, and those missed lead to the profile", () => {
  const text = writeTargets(judgeTargets([ofCpu("upload", rounds(9, 9), rounds(10, 10), [])], []), "../p.md");
  assert.match(text, /^missed: 1, not measured: \d+\.\n/);
  assert.match(
    text,
    /\| CPU, uring +\| +upload \| +≤ 0\.75 × <nginx> \| +0\.90 \| +0\.50 \| +\[missed\]\(\.\.\/p\.md\) \|/,
  );
});

test("presets: every scenario is in the full run once, and every target has its scenario there", () => {
  const names = FULL.parts.flatMap(({ scenarios }) => scenarios);
  assert.deepEqual(names.toSorted(), SCENARIOS.map(({ name }) => name).toSorted());
  for (const name of TARGET_SCENARIOS) assert.ok(name === "idle" || names.includes(name), name);
});

test("presets: a part of a run, with other rounds", () => {
  const changes = { rounds: 1, seconds: undefined, warmupSeconds: 0 };
  const { parts, idle } = changePreset(FULL, { ...changes, scenarios: ["echo", "get-64"] });
  assert.deepEqual(
    parts.map(({ scenarios, rounds: count, seconds, warmupSeconds }) => [
      scenarios,
      count,
      seconds,
      warmupSeconds,
    ]),
    [
      [["get-64"], 1, 2, 0],
      [["echo"], 1, 2, 0],
    ],
  );
  assert.deepEqual(idle, []);
  const onlyIdle = changePreset(FULL, { ...changes, scenarios: ["idle"] });
  assert.deepEqual([onlyIdle.parts, onlyIdle.idle.map((part) => part.rounds)], [[], [1, 1]]);
  assert.throws(() => changePreset(QUICK, { ...changes, scenarios: ["idle"] }), /"idle": unknown.*get-64/);
});
