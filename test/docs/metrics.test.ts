/** docs/metrics.md names every counter, and the place where `hp-proxy stats --json` has it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCK_BYTES, Counter } from "../../src/contract/counters.ts";
import { workerStats } from "../../src/control/stats-report.ts";
import { documentedRows } from "./tables.ts";

const ROWS = documentedRows("metrics.md", ["counter", "in --json", "kind", "meaning"]);
const CELLS = BLOCK_BYTES / 8;
const MARK = 4711;

test("docs/metrics.md has every counter, and no other", () => {
  const documented = ROWS.map(([counter]) => counter!);
  assert.deepEqual(new Set(documented), new Set(Object.keys(Counter)));
  assert.equal(documented.length, Object.keys(Counter).length, "each once");
});

for (const [counter, place, kind, meaning] of ROWS) {
  test(`docs/metrics.md: ${counter} is ${place}`, () => {
    assert.match(kind!, /^(counter|gauge|number)$/);
    assert.match(meaning!, /^[A-Z].+/);
    const now = new Float64Array(CELLS);
    now[Counter[counter as keyof typeof Counter]] = MARK;
    const none = new Float64Array(CELLS);
    const stats = workerStats(now[Counter.workerPid]!, { now, before: none, beforeMs: 0, longBefore: none });
    const value = place!.split(".").reduce((at: unknown, key) => (at as Record<string, unknown>)[key], stats);
    assert.equal(value, MARK);
  });
}
