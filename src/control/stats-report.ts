/** The figures of a running proxy as plain data: what the control socket answers and the table shows. */
import { histogramCount, histogramMean, histogramQuantile } from "../base/histogram.ts";
import { Counter, HistogramCell } from "../contract/counters.ts";

export interface StatsReport {
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly mode: string;
  readonly engine: string;
  readonly addresses: readonly string[];
  readonly draining: boolean;
  readonly restarts: number;
  readonly workers: readonly WorkerStats[];
  readonly total: WorkerStats;
  readonly endpoints: readonly EndpointStats[];
}

export interface EndpointStats {
  readonly cluster: string;
  readonly name: string;
  readonly address: string;
  readonly healthy: boolean;
}

export interface WorkerStats {
  /** Process number; 0 for a total, or while there is no process. */
  readonly pid: number;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly requests: number;
  readonly requestsInFlight: number;
  readonly responses: Readonly<Record<ResponseClass, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly errorsTotal: number;
  readonly retries: number;
  readonly clients: { readonly open: number; readonly accepted: number; readonly refused: number };
  readonly origins: {
    readonly open: number;
    readonly idle: number;
    readonly opened: number;
    /** Requests that found an open connection. */
    readonly reused: number;
  };
  readonly tunnels: { readonly open: number; readonly ever: number };
  readonly bytes: {
    readonly clientIn: number;
    readonly clientOut: number;
    readonly originIn: number;
    readonly originOut: number;
  };
  /** Over the last ten seconds; over everything while nothing came in that time. */
  readonly timesUs: {
    /** From the end of a request's head to the end of the response. */
    readonly request: Quantiles;
    /** From there to the head of the backend's response. */
    readonly origin: Quantiles;
    /** To open a backend connection. */
    readonly connect: Quantiles;
  };
}

export type ResponseClass = "1xx" | "2xx" | "3xx" | "4xx" | "5xx";

export interface Quantiles {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** `errorConnectRefused` → `connect_refused`: the words of the report. */
const ERRORS = Object.entries(Counter)
  .filter(([name]) => name.startsWith("error"))
  .map(([name, cell]) => ({ cell, word: snakeCase(name.slice("error".length)) }));

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter, at) => `${at === 0 ? "" : "_"}${letter.toLowerCase()}`);
}

/** Spans between the samples that a report is made of. */
export interface Samples {
  readonly now: Float64Array;
  /** About a second ago, and how long exactly. */
  readonly before: Float64Array;
  readonly beforeMs: number;
  /** About ten seconds ago. */
  readonly longBefore: Float64Array;
}

/** The figures of one block, or of the sum of several. */
export function workerStats(pid: number, { now, before, beforeMs, longBefore }: Samples): WorkerStats {
  const rate = (cell: Counter) => (beforeMs <= 0 ? 0 : ((now[cell]! - before[cell]!) / beforeMs) * 1000);
  const errors = Object.fromEntries(ERRORS.map(({ cell, word }) => [word, now[cell]!]));
  return {
    pid,
    requestsPerSecond: Math.round(rate(Counter.requests)),
    bytesPerSecond: Math.round(rate(Counter.clientBytesIn) + rate(Counter.clientBytesOut)),
    requests: now[Counter.requests]!,
    requestsInFlight: now[Counter.requestsInFlight]!,
    responses: {
      "1xx": now[Counter.responses1xx]!,
      "2xx": now[Counter.responses2xx]!,
      "3xx": now[Counter.responses3xx]!,
      "4xx": now[Counter.responses4xx]!,
      "5xx": now[Counter.responses5xx]!,
    },
    errors,
    errorsTotal: errorsTotal(now),
    retries: now[Counter.retries]!,
    clients: {
      open: now[Counter.clientsOpen]!,
      accepted: now[Counter.clientsAccepted]!,
      refused: now[Counter.clientsRefused]!,
    },
    origins: {
      open: now[Counter.originsOpen]!,
      idle: now[Counter.originsIdle]!,
      opened: now[Counter.originsOpened]!,
      reused: now[Counter.originsReused]!,
    },
    tunnels: { open: now[Counter.tunnelsOpen]!, ever: now[Counter.tunnels]! },
    bytes: {
      clientIn: now[Counter.clientBytesIn]!,
      clientOut: now[Counter.clientBytesOut]!,
      originIn: now[Counter.originBytesIn]!,
      originOut: now[Counter.originBytesOut]!,
    },
    timesUs: {
      request: quantiles(now, longBefore, HistogramCell.requestUs),
      origin: quantiles(now, longBefore, HistogramCell.originUs),
      connect: quantiles(now, longBefore, HistogramCell.connectUs),
    },
  };
}

/** All errors of all kinds in a block. */
export function errorsTotal(cells: Float64Array): number {
  let total = 0;
  for (const { cell } of ERRORS) total += cells[cell]!;
  return total;
}

function quantiles(now: Float64Array, longBefore: Float64Array, at: number): Quantiles {
  const recent = now.map((cell, index) => cell - longBefore[index]!);
  const cells = histogramCount(recent, at) > 0 ? recent : now;
  return {
    count: histogramCount(cells, at),
    mean: Math.round(histogramMean(cells, at)),
    p50: histogramQuantile(cells, at, 0.5),
    p99: histogramQuantile(cells, at, 0.99),
    p999: histogramQuantile(cells, at, 0.999),
  };
}
