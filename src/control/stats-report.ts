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
  /** Workers that died and were replaced. */
  readonly restarts: number;
  /** Workers that stood still and were killed, those that were to end among them. */
  readonly stalls: number;
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
  /** Client connections accepted. */
  readonly connectionsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly requests: number;
  readonly requestsInFlight: number;
  readonly responses: Readonly<Record<ResponseClass, number>>;
  /** Requests that failed (mode tcp: connections), by reason. */
  readonly errors: Readonly<Record<string, number>>;
  readonly errorsTotal: number;
  /** Connections that a limit or a timeout ended between requests, by which. */
  readonly closed: Readonly<Record<string, number>>;
  /** Connections not let in, by which limit. */
  readonly refused: Readonly<Record<string, number>>;
  readonly retries: number;
  /** Keys of rate limits that were forgotten while they counted. */
  readonly rateKeysEvicted: number;
  readonly clients: { readonly open: number; readonly accepted: number; readonly refused: number };
  readonly origins: {
    readonly open: number;
    readonly idle: number;
    readonly opened: number;
    /** Requests that found an open connection. */
    readonly reused: number;
  };
  readonly tunnels: { readonly open: number; readonly ever: number };
  /** Calls of hooks, and those that threw, were late, or held the worker for too long. */
  readonly hooks: {
    readonly calls: number;
    readonly threw: number;
    readonly late: number;
    readonly overBudget: number;
  };
  /** Responses that were compressed, or stayed as they were because of too many; bytes of their bodies. */
  readonly compression: {
    readonly responses: number;
    readonly skipped: number;
    readonly bytesIn: number;
    readonly bytesOut: number;
  };
  /** Copies of requests: answered, not answered, not made. */
  readonly mirrors: { readonly sent: number; readonly failed: number; readonly skipped: number };
  /** Bodies that did not fit among all that wait. */
  readonly buffersShort: number;
  /** Buffers in use. */
  readonly slots: { readonly large: number; readonly small: number };
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

/** A counter, and its word in reports and metrics. */
export interface Word {
  readonly cell: Counter;
  readonly word: string;
}

export const ERRORS = wordsOf("error");
export const CLOSED = wordsOf("closed");
export const REFUSED = wordsOf("refused");

/** The counters of one kind: `errorConnectRefused` → `connect_refused`. */
function wordsOf(prefix: string): readonly Word[] {
  return Object.entries(Counter)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, cell]) => ({ cell, word: snakeCase(name.slice(prefix.length)) }));
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter, at) => `${at === 0 ? "" : "_"}${letter.toLowerCase()}`);
}

function byWord(words: readonly Word[], cells: Float64Array): Record<string, number> {
  return Object.fromEntries(words.map(({ cell, word }) => [word, cells[cell]!]));
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
  return {
    pid,
    requestsPerSecond: Math.round(rate(Counter.requests)),
    connectionsPerSecond: Math.round(rate(Counter.clientsAccepted)),
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
    errors: byWord(ERRORS, now),
    errorsTotal: errorsTotal(now),
    closed: byWord(CLOSED, now),
    refused: byWord(REFUSED, now),
    retries: now[Counter.retries]!,
    rateKeysEvicted: now[Counter.rateKeysEvicted]!,
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
    hooks: {
      calls: now[Counter.hookCalls]!,
      threw: now[Counter.hooksThrown]!,
      late: now[Counter.hooksLate]!,
      overBudget: now[Counter.hooksOverBudget]!,
    },
    compression: {
      responses: now[Counter.compressions]!,
      skipped: now[Counter.compressionsSkipped]!,
      bytesIn: now[Counter.compressedBytesIn]!,
      bytesOut: now[Counter.compressedBytesOut]!,
    },
    mirrors: {
      sent: now[Counter.mirrorsSent]!,
      failed: now[Counter.mirrorsFailed]!,
      skipped: now[Counter.mirrorsSkipped]!,
    },
    buffersShort: now[Counter.buffersShort]!,
    slots: { large: now[Counter.largeSlotsUsed]!, small: now[Counter.smallSlotsUsed]! },
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
