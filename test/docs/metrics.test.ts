/**
 * docs/metrics.md names every counter, the place where `hp-proxy stats --json` has it, and all that `/metrics` tells.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCK_BYTES, Counter } from "../../src/contract/counters.ts";
import { metricsText } from "../../src/control/metrics.ts";
import { type StatsReport, workerStats } from "../../src/control/stats-report.ts";
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

test("docs/metrics.md has every metric with its kind, its labels and its help", () => {
  const none = new Float64Array(CELLS);
  const total = workerStats(0, { now: none, before: none, beforeMs: 0, longBefore: none });
  const endpoints = [{ cluster: "main", name: "app", address: "192.0.2.1:80", healthy: true }];
  const about = { version: "1", pid: 1, uptimeSeconds: 1, mode: "http", engine: "net" };
  const state = { addresses: [], draining: false, restarts: 0, stalls: 0, workers: [], total, endpoints };
  const report: StatsReport = { ...about, ...state };
  const lines = metricsText(report, none, { done: 0, failed: 0, lastDoneS: 0 }).split("\n");
  const told = lines.flatMap((line, at) => {
    const help = /^# HELP hp_proxy_(\S+) (.*)$/.exec(line);
    if (help === null) return [];
    const kind = lines[at + 1]!.split(" ").at(-1)!;
    const labels = [...lines[at + 2]!.matchAll(/([a-z_]+)="/g)].map(([, label]) => label);
    const isPlain = kind === "histogram" || labels.length === 0;
    return [[help[1]! + (isPlain ? "" : `{${labels.join(",")}}`), kind, help[2]!]];
  });
  assert.deepEqual(documentedRows("metrics.md", ["name", "kind", "meaning"]), told);
});
