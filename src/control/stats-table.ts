/** A `StatsReport` as text for a terminal. */
import { durationText } from "../config/values.ts";
import type { Quantiles, StatsReport, WorkerStats } from "./stats-report.ts";

interface Column {
  readonly title: string;
  readonly cell: (stats: WorkerStats) => string;
}

const REQUEST_COLUMNS: readonly Column[] = [
  { title: "req/s", cell: (stats) => countText(stats.requestsPerSecond) },
  { title: "requests", cell: (stats) => countText(stats.requests) },
  { title: "in flight", cell: (stats) => countText(stats.requestsInFlight) },
  { title: "2xx", cell: ({ responses }) => countText(responses["2xx"]) },
  { title: "3xx", cell: ({ responses }) => countText(responses["3xx"]) },
  { title: "4xx", cell: ({ responses }) => countText(responses["4xx"]) },
  { title: "5xx", cell: ({ responses }) => countText(responses["5xx"]) },
  { title: "errors", cell: (stats) => countText(stats.errorsTotal) },
  { title: "retries", cell: (stats) => countText(stats.retries) },
  { title: "clients", cell: ({ clients }) => countText(clients.open) },
  { title: "backends", cell: ({ origins }) => countText(origins.open) },
  { title: "reuse", cell: reuseText },
  { title: "tunnels", cell: ({ tunnels }) => countText(tunnels.open) },
  { title: "in", cell: ({ bytes }) => bytesShort(bytes.clientIn) },
  { title: "out", cell: ({ bytes }) => bytesShort(bytes.clientOut) },
  { title: "p50", cell: ({ timesUs }) => timeText(timesUs.request, "p50") },
  { title: "p99", cell: ({ timesUs }) => timeText(timesUs.request, "p99") },
  { title: "p99.9", cell: ({ timesUs }) => timeText(timesUs.request, "p999") },
];

/** In mode tcp there are no requests: connections are what is counted. */
const CONNECTION_COLUMNS: readonly Column[] = [
  { title: "conn/s", cell: (stats) => countText(stats.connectionsPerSecond) },
  { title: "connections", cell: ({ clients }) => countText(clients.accepted) },
  { title: "errors", cell: (stats) => countText(stats.errorsTotal) },
  { title: "clients", cell: ({ clients }) => countText(clients.open) },
  { title: "backends", cell: ({ origins }) => countText(origins.open) },
  { title: "in", cell: ({ bytes }) => bytesShort(bytes.clientIn) },
  { title: "out", cell: ({ bytes }) => bytesShort(bytes.clientOut) },
];

/** The whole report: a head, a row for each worker and the total, times, what went wrong by word, backends. */
export function statsText(report: StatsReport): string {
  const { version, pid, mode, engine, addresses, uptimeSeconds, restarts, draining, workers, total } = report;
  const state = draining ? ", draining" : "";
  const head = [
    `hp-proxy ${version}, pid ${pid}, mode ${mode}, engine ${engine}${state}`,
    `listening on ${addresses.join(", ")}; up ${durationText(uptimeSeconds * 1000)}; workers replaced: ${restarts}`,
  ];
  const columns = mode === "tcp" ? CONNECTION_COLUMNS : REQUEST_COLUMNS;
  const row = (name: string, stats: WorkerStats) => [
    name,
    stats.pid === 0 ? "" : `${stats.pid}`,
    ...columns.map(({ cell }) => cell(stats)),
  ];
  const rows = workers.map((worker, index) => row(`${index}`, worker));
  if (workers.length > 1) rows.push(row("total", total));
  const sections = [
    head.join("\n"),
    table([["worker", "pid", ...columns.map(({ title }) => title)], ...rows]),
    table([["time", "count", "mean", "p50", "p99", "p99.9"], ...timeRows(total, mode)]),
    wordsText("error", total.errors),
    wordsText("closed by", total.closed),
    wordsText("refused by", total.refused),
    `buffers in use: ${countText(total.slots.large)} large, ${countText(total.slots.small)} small`,
    table([["backend", "address", "health"], ...endpointRows(report)], 2),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function reuseText({ origins }: WorkerStats): string {
  const asked = origins.reused + origins.opened;
  return asked === 0 ? "" : `${((origins.reused / asked) * 100).toFixed(1)}%`;
}

function timeRows({ timesUs }: WorkerStats, mode: string): string[][] {
  const connect: [string, Quantiles] = ["connect", timesUs.connect];
  const named: [string, Quantiles][] =
    mode === "tcp" ? [connect] : [["request", timesUs.request], ["backend", timesUs.origin], connect];
  return named.map(([name, quantiles]) => [
    name,
    countText(quantiles.count),
    timeText(quantiles, "mean"),
    timeText(quantiles, "p50"),
    timeText(quantiles, "p99"),
    timeText(quantiles, "p999"),
  ]);
}

/** What has been counted at all, by word; "" where nothing has. */
function wordsText(title: string, counts: Readonly<Record<string, number>>): string {
  const counted = Object.entries(counts).filter(([, count]) => count > 0);
  if (counted.length === 0) return "";
  return table([[title, "count"], ...counted.map(([word, count]) => [word, countText(count)])]);
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
