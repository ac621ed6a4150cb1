import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hooking } from "../contract/hooking.ts";
import { Moment } from "../contract/interception.ts";
import { hookNumber } from "../contract/liveness.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import { HookNames } from "./hook-names.ts";
import { stallText } from "./stall-text.ts";

const common = { kind: "code", moments: 1, budgetMs: 1, timeoutMs: 1, onFailure: "closed" } as const;
const FILE = { ...common, source: { file: "/etc/hooks/auth.hooks.ts", path: ["a", 0] } } as const;
const GIVEN = { ...common, source: { given: 0 } } as const;
const AUTH = { kind: "basicAuth", realm: "", users: [], forwards: false, userField: "" } as const;

function snapshotOf(
  version: number,
  chains: Hooking["chains"],
  routes: readonly (readonly [string, number])[],
) {
  const routing = { routes: routes.map(([name, chain]) => ({ name, chain })) };
  return { hooking: { version, chains }, routing } as unknown as Snapshot;
}

const CHAINS = [[AUTH, FILE], [GIVEN]];
const ROUTES = [
  ["shop", 0],
  ["a", 1],
  ["b", 1],
  ["c", 1],
  ["d", 1],
] as const;

/** What is noted, and what is said of it. */
const CASES: readonly [name: string, cell: number, text: string][] = [
  ["nothing noted", 0, "in no known hook"],
  ["a call", hookNumber(2, 0, 1) + Moment.request, "in hook onRequest of auth.hooks.ts#a.0 (route shop)"],
  [
    "a call that is over",
    -(hookNumber(2, 0, 0) + Moment.log),
    "in no call of a hook; the last was onLog of basicAuth (route shop)",
  ],
  [
    "a chain of many routes",
    hookNumber(2, 1, 0) + Moment.upstream,
    "in hook onUpstream of createProxy (routes a, b, c and 1 more)",
  ],
  ["hooks that are forgotten", hookNumber(1, 0, 0) + Moment.request, "in no known hook"],
  ["a link that is not there", hookNumber(2, 7, 0) + Moment.request, "in no known hook"],
];

for (const [name, cell, text] of CASES) {
  test(`stalls: ${name}`, () => {
    const names = new HookNames();
    names.know(snapshotOf(2, CHAINS, ROUTES));
    names.know({} as Snapshot);
    const told = stallText(1, 10_000, names.find(cell));
    assert.equal(told, `worker 1 has not turned for 10 s, ${text}: it is killed`);
  });
}

test("stalls: the file of a hook is told, and its version counts", () => {
  const names = new HookNames();
  names.know(snapshotOf(2, [[FILE]], [["old", 0]]));
  names.know(snapshotOf(3, [[FILE]], [["new", 0]]));
  const call = (version: number) => names.find(hookNumber(version, 0, 0) + Moment.error);
  assert.equal(call(2)?.file, "/etc/hooks/auth.hooks.ts");
  assert.deepEqual([call(2)?.routes, call(3)?.routes], [["old"], ["new"]]);
  for (let version = 4; version < 20; version++) names.know(snapshotOf(version, [], []));
  assert.equal(call(2), undefined, "old ones are forgotten");
});
