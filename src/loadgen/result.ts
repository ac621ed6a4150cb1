/**
 * The result of a run as plain data: what `--json` writes, and what the report and the plot are drawn from.
 */
import {
  FINE_SUB_BITS,
  histogramCells,
  histogramCount,
  histogramDeviation,
  histogramMean,
  histogramQuantile,
  histogramUpperEdge,
} from "../base/histogram.ts";
import { errnoName } from "../contract/errno.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import { Reading } from "./response-reader.ts";
import { ErrorKind, type Tally } from "./tally.ts";

/** Latency figures in microseconds; percentiles to three significant digits, from above. */
export interface LatencyFigures {
  readonly count: number;
  readonly mean: number;
  readonly deviation: number;
  readonly p50: number;
  readonly p75: number;
  readonly p90: number;
  readonly p99: number;
  readonly p99_9: number;
  readonly p99_99: number;
  readonly max: number;
}

/** `[upper edge in microseconds, responses]` of every cell that is not empty, in rising order. */
export type CellList = readonly (readonly [upperUs: number, count: number])[];

export interface SecondFigures {
  /** Length of this entry: 1000, less for the last one. */
  readonly lengthMs: number;
  readonly responses: number;
  readonly errors: number;
  readonly bytesIn: number;
  readonly p99Us: number;
}

export interface ErrorFigures {
  readonly count: number;
  /** The last cause in words; "" when there is nothing to add to the kind. */
  readonly reason: string;
}

export type ErrorName = keyof typeof ErrorKind;

/** What is known before anything is counted. */
export interface RunDescription {
  readonly tool: { readonly name: "hp-bench"; readonly version: string };
  /** ISO 8601. */
  readonly startedAt: string;
  readonly platform: {
    readonly node: string;
    readonly system: string;
    readonly arch: string;
    readonly cpu: string;
    readonly cpuCount: number;
  };
  readonly configuration: {
    readonly target: string;
    readonly address: string;
    readonly loop: "closed" | "open";
    readonly connections: number;
    readonly pipeline: number;
    readonly ratePerSecond: number;
    readonly durationMs: number;
    readonly warmupMs: number;
    readonly timeoutMs: number;
    readonly method: string;
    readonly fields: readonly (readonly [string, string])[];
    readonly bodyBytes: number;
    readonly requestBytes: number;
  };
  readonly engine: {
    readonly name: string;
    readonly passedOver: readonly { readonly name: string; readonly reason: string }[];
  };
}

export interface Result extends RunDescription {
  readonly elapsedMs: number;
  /** CPU time that hp-bench itself used after the warm-up. */
  readonly cpuMs: { readonly user: number; readonly system: number };
  /** Complete final responses of any status. */
  readonly responses: number;
  readonly responsesPerSecond: number;
  /** 2xx and 3xx. */
  readonly successful: number;
  readonly classes: Readonly<Record<"1xx" | "2xx" | "3xx" | "4xx" | "5xx" | "other", number>>;
  readonly statuses: Readonly<Record<string, number>>;
  readonly errorCount: number;
  readonly errors: Readonly<Record<ErrorName, ErrorFigures>>;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly connectionsOpenPeak: number;
  readonly reconnects: number;
  readonly unsent: number;
  /** From the moment a request was due to the end of its response. */
  readonly latencyUs: LatencyFigures;
  /** From the moment it was sent; null in a closed loop, where both are the same. */
  readonly serviceUs: LatencyFigures | null;
  readonly seconds: readonly SecondFigures[];
  readonly cells: { readonly subBits: number; readonly latency: CellList; readonly service: CellList };
}

const ERROR_NAMES = Object.keys(ErrorKind) as ErrorName[];

/** Turns a finished tally into a result. */
export function summarize(run: RunDescription, tally: Tally, cpuMs: Result["cpuMs"]): Result {
  const classes = { "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, other: 0 };
  const statuses: Record<string, number> = {};
  let responses = 0;
  tally.statuses.forEach((count, status) => {
    if (count === 0) return;
    statuses[status] = count;
    responses += count;
    const name = `${Math.floor(status / 100)}xx`;
    classes[name in classes ? (name as keyof typeof classes) : "other"] += count;
  });
  const errors = Object.fromEntries(
    ERROR_NAMES.map((name) => {
      const count = tally.errors[ErrorKind[name]]!;
      return [
        name,
        { count, reason: count === 0 ? "" : reasonText(name, tally.errorReasons[ErrorKind[name]]!) },
      ];
    }),
  ) as Record<ErrorName, ErrorFigures>;
  const isOpenLoop = run.configuration.loop === "open";
  return {
    ...run,
    elapsedMs: tally.elapsedMs,
    cpuMs,
    responses,
    responsesPerSecond: tally.elapsedMs > 0 ? (responses * 1000) / tally.elapsedMs : 0,
    successful: classes["2xx"] + classes["3xx"],
    classes,
    statuses,
    errorCount: tally.errors.reduce((sum, count) => sum + count, 0),
    errors,
    bytesIn: tally.bytesIn,
    bytesOut: tally.bytesOut,
    connectionsOpenPeak: tally.openPeak,
    reconnects: tally.reconnects,
    unsent: tally.unsent,
    latencyUs: figuresOf(tally.latencyCells, tally.latencyUsMax),
    serviceUs: isOpenLoop ? figuresOf(tally.serviceCells, tally.serviceUsMax) : null,
    seconds: secondsOf(tally),
    cells: {
      subBits: FINE_SUB_BITS,
      latency: cellList(tally.latencyCells),
      service: isOpenLoop ? cellList(tally.serviceCells) : [],
    },
  };
}

function figuresOf(cells: Float64Array, max: number): LatencyFigures {
  const at = (fraction: number) => Math.min(max, histogramQuantile(cells, 0, fraction, FINE_SUB_BITS));
  return {
    count: histogramCount(cells, 0, FINE_SUB_BITS),
    mean: histogramMean(cells, 0, FINE_SUB_BITS),
    deviation: histogramDeviation(cells, 0, FINE_SUB_BITS),
    p50: at(0.5),
    p75: at(0.75),
    p90: at(0.9),
    p99: at(0.99),
    p99_9: at(0.999),
    p99_99: at(0.9999),
    max,
  };
}

function cellList(cells: Float64Array): CellList {
  const list: [number, number][] = [];
  for (let cell = 0; cell < histogramCells(FINE_SUB_BITS) - 1; cell++) {
    if (cells[cell]! > 0) list.push([histogramUpperEdge(cell, FINE_SUB_BITS), cells[cell]!]);
  }
  return list;
}

function secondsOf(tally: Tally): SecondFigures[] {
  return Array.from({ length: tally.secondCount }, (_, second) => ({
    lengthMs: second === tally.secondCount - 1 ? tally.elapsedMs - 1000 * second : 1000,
    responses: tally.secondResponses[second]!,
    errors: tally.secondErrors[second]!,
    bytesIn: tally.secondBytesIn[second]!,
    p99Us: tally.secondP99Us[second]!,
  }));
}

function reasonText(kind: ErrorName, reason: number): string {
  if (kind === "timeout" || kind === "closedEarly") return "";
  if (kind !== "badResponse") return errnoName(reason);
  if (reason === Reading.unasked) return "bytes_without_request";
  if (reason === Reading.switched) return "unexpected_101";
  return FAULTS[reason as Fault]?.name ?? `fault ${reason}`;
}
