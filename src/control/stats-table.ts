/** A `StatsReport` as text for a terminal. */
import { durationText } from "./option-values.ts";
import type { Quantiles, StatsReport, WorkerStats } from "./stats-report.ts";

const COLUMNS = [
  "worker",
  "pid",
  "req/s",
  "requests",
  "in flight",
  "2xx",
  "3xx",
  "4xx",
  "5xx",
  "errors",
  "retries",
  "clients",
  "backends",
  "reuse",
  "tunnels",
  "in",
  "out",
  "p50",
  "p99",
  "p99.9",
];

/** The whole report: a head, a row for each worker and the total, times, errors by kind, backends. */
export function statsText(report: StatsReport): string {
  const { version, pid, mode, engine, addresses, uptimeSeconds, restarts, draining, workers, total } = report;
  const state = draining ? ", draining" : "";
  const head = [
    `hp-proxy ${version}, pid ${pid}, mode ${mode}, engine ${engine}${state}`,
    `listening on ${addresses.join(", ")}; up ${durationText(uptimeSeconds * 1000)}; workers replaced: ${restarts}`,
  ];
  const rows = workers.map((worker, index) => workerRow(`${index}`, worker));
  if (workers.length > 1) rows.push(workerRow("total", total));
  const sections = [
    head.join("\n"),
    table([COLUMNS, ...rows]),
    table([["time", "count", "mean", "p50", "p99", "p99.9"], ...timeRows(total)]),
    errorsText(total),
    table([["backend", "address", "health"], ...endpointRows(report)], 2),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function workerRow(name: string, stats: WorkerStats): string[] {
  const { responses, clients, origins, tunnels, bytes, timesUs } = stats;
  const asked = origins.reused + origins.opened;
  return [
    name,
    stats.pid === 0 ? "" : `${stats.pid}`,
    countText(stats.requestsPerSecond),
    countText(stats.requests),
    countText(stats.requestsInFlight),
    countText(responses["2xx"]),
    countText(responses["3xx"]),
    countText(responses["4xx"]),
    countText(responses["5xx"]),
    countText(stats.errorsTotal),
    countText(stats.retries),
    countText(clients.open),
    countText(origins.open),
    asked === 0 ? "" : `${((origins.reused / asked) * 100).toFixed(1)}%`,
    countText(tunnels.open),
    bytesShort(bytes.clientIn),
    bytesShort(bytes.clientOut),
    timeText(timesUs.request, "p50"),
    timeText(timesUs.request, "p99"),
    timeText(timesUs.request, "p999"),
  ];
}

function timeRows({ timesUs }: WorkerStats): string[][] {
  const named: [string, Quantiles][] = [
    ["request", timesUs.request],
    ["backend", timesUs.origin],
    ["connect", timesUs.connect],
  ];
  return named.map(([name, quantiles]) => [
    name,
    countText(quantiles.count),
    timeText(quantiles, "mean"),
    timeText(quantiles, "p50"),
    timeText(quantiles, "p99"),
    timeText(quantiles, "p999"),
  ]);
}

function errorsText({ errors, clients }: WorkerStats): string {
  const kinds = Object.entries(errors).filter(([, count]) => count > 0);
  if (clients.refused > 0) kinds.push(["client_refused", clients.refused]);
  if (kinds.length === 0) return "";
  return table([["error", "count"], ...kinds.map(([kind, count]) => [kind, countText(count)])]);
}

function endpointRows({ endpoints }: StatsReport): string[][] {
  return endpoints.map(({ name, address, healthy }) => [name, address, healthy ? "up" : "DOWN"]);
}

/** The first `leftColumns` columns are aligned to the left, the others to the right. */
function table(rows: readonly (readonly string[])[], leftColumns = 1): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column < leftColumns ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  );
  return lines.join("\n");
}

function countText(count: number): string {
  return Math.round(count).toLocaleString("en");
}

/** `0B`, `12.3MB`: decimal units, three figures. */
function bytesShort(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)}${units[unit]}`;
}

/** Microseconds for people: `85us`, `1.25ms`, `2.10s`; nothing where nothing was measured. */
function timeText(quantiles: Quantiles, key: "mean" | "p50" | "p99" | "p999"): string {
  if (quantiles.count === 0) return "";
  const us = quantiles[key];
  if (us < 1000) return `${us}us`;
  return us < 1_000_000 ? `${(us / 1000).toPrecision(3)}ms` : `${(us / 1_000_000).toPrecision(3)}s`;
}
