/** A result as people read it on a terminal. */
import { writeBytes, writeCount, writeDuration, writeMicroseconds } from "./quantities.ts";
import type { ErrorName, LatencyFigures, Result } from "./result.ts";

/** Marks text that must not be overlooked; the identity where there are no colours. */
export type Emphasis = (text: string) => string;

const ERROR_TEXTS: Record<ErrorName, string> = {
  connect: "could not connect",
  read: "connection broke while reading",
  write: "connection broke while writing",
  timeout: "timed out",
  badResponse: "bad response",
  closedEarly: "connection closed before the response was complete",
};

/** Share of one core above which the generator itself may be what limits the throughput. */
const BUSY_SHARE = 0.95;

/** The line above a run. */
export function announceRun(run: Result | Pick<Result, "configuration" | "engine">): string {
  const { configuration, engine } = run;
  const loop =
    configuration.loop === "open"
      ? `open loop at ${writeCount(configuration.ratePerSecond)}/s`
      : "closed loop";
  const parts = [
    `${configuration.method} ${configuration.target}`,
    `${writeCount(configuration.connections)} connection${configuration.connections === 1 ? "" : "s"}`,
    ...(configuration.pipeline > 1 ? [`${configuration.pipeline} requests in flight on each`] : []),
    ...(configuration.warmupMs > 0 ? [`${writeDuration(configuration.warmupMs)} warm-up`] : []),
    writeDuration(configuration.durationMs),
    loop,
    `engine ${engine.name}`,
  ];
  return [parts.join(", "), ...engine.passedOver.map(({ name, reason }) => `  not ${name}: ${reason}`)].join(
    "\n",
  );
}

/** The report below a run. */
export function writeReport(result: Result, loud: Emphasis): string {
  const seconds = result.elapsedMs / 1000;
  const perSecond = (bytes: number) => `${writeBytes(seconds > 0 ? bytes / seconds : 0)}/s`;
  const lines = [
    row("responses", `${writeCount(result.responses)} in ${seconds.toFixed(2)} s`, statusText(result)),
    row("rate", `${writeCount(result.responsesPerSecond)}/s`, ""),
    row("received", writeBytes(result.bytesIn), perSecond(result.bytesIn)),
    row("sent", writeBytes(result.bytesOut), perSecond(result.bytesOut)),
    row(
      "connections",
      `${writeCount(result.connectionsOpenPeak)} open`,
      result.reconnects > 0 ? `${writeCount(result.reconnects)} reconnects` : "",
    ),
    row("own CPU", cpuText(result), ""),
    ...(result.responses > 0 ? ["", ...latencyTable(result)] : []),
  ];
  const troubles = troubleLines(result);
  if (troubles.length > 0) lines.push("", ...troubles.map(loud));
  return lines.join("\n");
}

/** One line for the second that has just ended. */
export function progressLine(
  elapsedMs: number,
  durationMs: number,
  responses: number,
  errors: number,
  p99Us: number,
): string {
  const clock = `${Math.round(elapsedMs / 1000)} of ${writeDuration(durationMs)}`;
  return `${clock}   ${writeCount(responses)}/s   ${writeCount(errors)} errors   p99 ${writeMicroseconds(p99Us)}`;
}

function row(name: string, value: string, more: string): string {
  return `  ${name.padEnd(12)}${value.padEnd(24)}${more}`.trimEnd();
}

function statusText(result: Result): string {
  return Object.entries(result.statuses)
    .map(([status, count]) => `${status} × ${writeCount(count)}`)
    .join("  ");
}

function cpuText(result: Result): string {
  const cpuMs = result.cpuMs.user + result.cpuMs.system;
  const each =
    result.responses > 0 ? `, ${((cpuMs * 1000) / result.responses).toFixed(2)} µs a response` : "";
  return `${Math.round(busyShare(result) * 100)} % of a core${each}`;
}

function busyShare(result: Result): number {
  return result.elapsedMs > 0 ? (result.cpuMs.user + result.cpuMs.system) / result.elapsedMs : 0;
}

function latencyTable(result: Result): string[] {
  const columns: [string, LatencyFigures][] =
    result.serviceUs === null
      ? [["latency", result.latencyUs]]
      : [
          ["since due", result.latencyUs],
          ["since sent", result.serviceUs],
        ];
  const rows: [string, keyof LatencyFigures][] = [
    ["p50", "p50"],
    ["p75", "p75"],
    ["p90", "p90"],
    ["p99", "p99"],
    ["p99.9", "p99_9"],
    ["p99.99", "p99_99"],
    ["max", "max"],
    ["mean", "mean"],
    ["stdev", "deviation"],
  ];
  const cell = (text: string) => text.padStart(14);
  return [
    `  ${" ".repeat(8)}${columns.map(([name]) => cell(name)).join("")}`,
    ...rows.map(
      ([name, key]) =>
        `  ${name.padEnd(8)}${columns.map(([, figures]) => cell(writeMicroseconds(figures[key]))).join("")}`,
    ),
  ];
}

function troubleLines(result: Result): string[] {
  const lines: string[] = [];
  const failed = result.responses - result.successful;
  if (failed > 0) {
    const codes = Object.keys(result.statuses).filter((status) => !/^[23]/.test(status));
    lines.push(`! ${writeCount(failed)} responses were neither 2xx nor 3xx: ${codes.join(", ")}`);
  }
  for (const [name, { count, reason }] of Object.entries(result.errors) as [
    ErrorName,
    Result["errors"]["read"],
  ][]) {
    if (count === 0) continue;
    lines.push(`! ${writeCount(count)} × ${ERROR_TEXTS[name]}${reason === "" ? "" : ` (${reason})`}`);
  }
  if (result.unsent > 0) {
    lines.push(
      `! ${writeCount(result.unsent)} requests of the schedule were never sent: this rate is too high here`,
    );
  }
  if (result.connectionsOpenPeak < result.configuration.connections) {
    lines.push(
      `! only ${writeCount(result.connectionsOpenPeak)} of ` +
        `${writeCount(result.configuration.connections)} connections were open at one time`,
    );
  }
  if (result.responses === 0) lines.push("! no response at all");
  else if (result.successful === 0) lines.push("! no successful response");
  if (busyShare(result) >= BUSY_SHARE) {
    lines.push("! hp-bench itself was busy all the time: it may be the limit, not the server");
  }
  return lines;
}
