/**
 * The figures in Prometheus' text form, version 0.0.4. Workers are summed: which of them took a request says
 * nothing about the service. docs/metrics.md has every name.
 */
import { histogramBelow, histogramCount, histogramSum } from "../base/histogram.ts";
import { Counter, HistogramCell } from "../contract/counters.ts";
import type { ReloadFigures } from "./reload.ts";
import { CLOSED, ERRORS, REFUSED, type StatsReport, type Word } from "./stats-report.ts";

export interface Metric {
  /** Without the prefix `hp_proxy_`. */
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge";
  /** One line each: a cell, and what tells it from the others of this name. */
  readonly lines: readonly { readonly cell: Counter; readonly label: string }[];
}

const PREFIX = "hp_proxy_";

function single(name: string, kind: Metric["kind"], cell: Counter, help: string): Metric {
  return { name, help, kind, lines: [{ cell, label: "" }] };
}

function labelled(name: string, label: string, words: readonly Word[], help: string): Metric {
  const lines = words.map(({ cell, word }) => ({ cell, label: `${label}="${word}"` }));
  return { name, help, kind: "counter", lines };
}

const CLASSES: readonly Word[] = [
  { cell: Counter.responses1xx, word: "1xx" },
  { cell: Counter.responses2xx, word: "2xx" },
  { cell: Counter.responses3xx, word: "3xx" },
  { cell: Counter.responses4xx, word: "4xx" },
  { cell: Counter.responses5xx, word: "5xx" },
];

const HOOK_FAILURES: readonly Word[] = [
  { cell: Counter.hooksThrown, word: "threw" },
  { cell: Counter.hooksLate, word: "late" },
  { cell: Counter.hooksOverBudget, word: "over_budget" },
];

const MIRRORS: readonly Word[] = [
  { cell: Counter.mirrorsSent, word: "sent" },
  { cell: Counter.mirrorsFailed, word: "failed" },
  { cell: Counter.mirrorsSkipped, word: "skipped" },
];

const SIZES: readonly Word[] = [
  { cell: Counter.largeSlotsUsed, word: "large" },
  { cell: Counter.smallSlotsUsed, word: "small" },
];

/** All that is counted, but for histograms. */
export const METRICS: readonly Metric[] = [
  single("requests_total", "counter", Counter.requests, "Requests whose head was read whole"),
  single("requests_in_flight", "gauge", Counter.requestsInFlight, "Requests on their way"),
  labelled("responses_total", "class", CLASSES, "Responses sent, by class of their status"),
  labelled("errors_total", "reason", ERRORS, "Requests that failed (mode tcp: connections), by reason"),
  single("retries_total", "counter", Counter.retries, "Requests sent to a backend again"),
  single(
    "rate_limit_keys_evicted_total",
    "counter",
    Counter.rateKeysEvicted,
    "Keys of rate limits forgotten while they counted",
  ),
  single("clients_accepted_total", "counter", Counter.clientsAccepted, "Client connections let in"),
  single("clients_open", "gauge", Counter.clientsOpen, "Client connections open"),
  labelled("clients_refused_total", "limit", REFUSED, "Client connections not let in, by the limit"),
  labelled("connections_closed_total", "reason", CLOSED, "Connections that a limit or a timeout ended"),
  single("client_received_bytes_total", "counter", Counter.clientBytesIn, "Bytes received from clients"),
  single("client_sent_bytes_total", "counter", Counter.clientBytesOut, "Bytes sent to clients"),
  single("backend_received_bytes_total", "counter", Counter.originBytesIn, "Bytes received from backends"),
  single("backend_sent_bytes_total", "counter", Counter.originBytesOut, "Bytes sent to backends"),
  single("backend_connections_total", "counter", Counter.originsOpened, "Backend connections made"),
  single("backend_connections_open", "gauge", Counter.originsOpen, "Backend connections open"),
  single("backend_connections_idle", "gauge", Counter.originsIdle, "Backend connections that wait for use"),
  single("backend_reuses_total", "counter", Counter.originsReused, "Requests that found an open connection"),
  single("tunnels_total", "counter", Counter.tunnels, "WebSockets, tunnels and relayed connections made"),
  single("tunnels_open", "gauge", Counter.tunnelsOpen, "WebSockets, tunnels and relayed connections open"),
  single("hook_calls_total", "counter", Counter.hookCalls, "Calls of hooks"),
  labelled("hook_failures_total", "reason", HOOK_FAILURES, "Hooks that did not do as they should"),
  single("compressed_responses_total", "counter", Counter.compressions, "Responses that were compressed"),
  single(
    "compressions_skipped_total",
    "counter",
    Counter.compressionsSkipped,
    "Responses not compressed because too many were",
  ),
  single("compressed_in_bytes_total", "counter", Counter.compressedBytesIn, "Bytes that were compressed"),
  single("compressed_out_bytes_total", "counter", Counter.compressedBytesOut, "Bytes that came of them"),
  labelled("mirrors_total", "result", MIRRORS, "Copies of requests, by what became of them"),
  single(
    "bodies_unbuffered_total",
    "counter",
    Counter.buffersShort,
    "Bodies without room among those that wait",
  ),
  { ...labelled("buffers_used", "size", SIZES, "Buffers in use"), kind: "gauge" },
];

const HISTOGRAMS = [
  {
    name: "request_seconds",
    at: HistogramCell.requestUs,
    help: "From a request's head to the end of its response",
  },
  {
    name: "backend_seconds",
    at: HistogramCell.originUs,
    help: "From a request's head to its response's head",
  },
  { name: "connect_seconds", at: HistogramCell.connectUs, help: "To open a backend connection" },
] as const;

/** Bounds of the buckets: powers of two, in microseconds, which the histograms know exactly. */
const BUCKET_FIRST = 6;
const BUCKET_LAST = 26;

/** Everything; `cells` is the sum of all blocks. */
export function metricsText(report: StatsReport, cells: Float64Array, reloads: ReloadFigures): string {
  const lines: string[] = [];
  const add = (name: string, kind: string, help: string, values: readonly (readonly [string, number])[]) => {
    lines.push(`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${kind}`);
    for (const [labels, value] of values) lines.push(`${PREFIX}${name}${braced(labels)} ${value}`);
  };
  add("info", "gauge", "This proxy", [
    [`version="${report.version}",engine="${report.engine}",mode="${report.mode}"`, 1],
  ]);
  add("uptime_seconds", "gauge", "Since its start", [["", report.uptimeSeconds]]);
  add("workers", "gauge", "Worker processes", [["", report.workers.length]]);
  add("workers_replaced_total", "counter", "Workers that died", [["", report.restarts]]);
  const stalled = "Workers killed because they stood still";
  add("workers_stalled_total", "counter", stalled, [["", report.stalls]]);
  add("reloads_total", "counter", "Times that the configuration was read again", [
    [`result="done"`, reloads.done],
    [`result="failed"`, reloads.failed],
  ]);
  const since = "Unix time since when the configuration is in force";
  add("configuration_since_seconds", "gauge", since, [["", reloads.lastDoneS]]);
  const health = report.endpoints.map(({ cluster, name, address, healthy }) => {
    const labels = { cluster, backend: name, address };
    const text = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
    return [text.join(","), healthy ? 1 : 0] as const;
  });
  add("backend_up", "gauge", "Whether health checks say that a backend is up", health);
  for (const { name, kind, help, lines: cellsOf } of METRICS) {
    add(
      name,
      kind,
      help,
      cellsOf.map(({ cell, label }) => [label, cells[cell]!] as const),
    );
  }
  for (const { name, at, help } of HISTOGRAMS) {
    lines.push(`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} histogram`);
    lines.push(...histogramLines(`${PREFIX}${name}`, cells, at));
  }
  return `${lines.join("\n")}\n`;
}

function histogramLines(name: string, cells: Float64Array, at: number): string[] {
  const lines: string[] = [];
  for (let power = BUCKET_FIRST; power <= BUCKET_LAST; power++) {
    const bound = 2 ** power / 1e6;
    lines.push(`${name}_bucket{le="${bound}"} ${histogramBelow(cells, at, power)}`);
  }
  const count = histogramCount(cells, at);
  lines.push(`${name}_bucket{le="+Inf"} ${count}`);
  lines.push(`${name}_sum ${histogramSum(cells, at) / 1e6}`, `${name}_count ${count}`);
  return lines;
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
