/** Latency by percentile, where it means something: on a fixed schedule, to a first event, and at full speed. */
import type { Round, Series } from "../measure.ts";
import type { ScenarioResult } from "../report.ts";
import { spread, writeNumber, writeTable } from "../statistics.ts";

const PERCENTILES: readonly (readonly [title: string, pick: (round: Round) => number])[] = [
  ["p50 µs", ({ p50Us }) => p50Us],
  ["p90 µs", ({ p90Us }) => p90Us],
  ["p99 µs", ({ p99Us }) => p99Us],
  ["p99.9 µs", ({ p999Us }) => p999Us],
  ["max µs", ({ maxUs }) => maxUs],
  ["p99, lowest to highest round", ({ p99Us }) => p99Us],
];
const OPEN_LOOP = "On a schedule, counted from when a request was due: what users would see.";
const CLOSED_LOOP = "Each connection asks again when it has its answer, so this is full load for everybody.";
/** Each scenario with what its latencies say. */
const SHOWN: readonly (readonly [scenario: string, meaning: string])[] = [
  ["rate-5k", OPEN_LOOP],
  ["rate-20k", OPEN_LOOP],
  ["events", "From request to first event, which the backend sends at once."],
  ["web-socket", "From a message to its echo."],
  ["get-64", CLOSED_LOOP],
  ["get-1024", CLOSED_LOOP],
];

/** A table for each scenario that was measured: medians of the rounds. */
export function writeLatencies(results: readonly ScenarioResult[]): string {
  const tables = SHOWN.flatMap(([name, meaning]) => {
    const result = results.find(({ scenario }) => scenario.name === name);
    const rows = result?.series.flatMap(rowOf) ?? [];
    if (result === undefined || rows.length === 0) return [];
    const header = ["", ...PERCENTILES.map(([title]) => title)];
    return [`### Latency, ${result.scenario.title}\n\n${meaning}\n\n${writeTable(header, rows)}`];
  });
  return tables.length === 0 ? "Not part of this run." : tables.join("\n\n");
}

function rowOf({ title, rounds }: Series): string[][] {
  const valid = rounds.filter(({ invalid, p99Us }) => invalid === "" && p99Us > 0);
  if (valid.length === 0) return [];
  const cells = PERCENTILES.map(([, pick], index) => {
    const { median, min, max } = spread(valid.map(pick));
    return index < PERCENTILES.length - 1 ? writeNumber(median) : `${writeNumber(min)}–${writeNumber(max)}`;
  });
  return [[title, ...cells]];
}
