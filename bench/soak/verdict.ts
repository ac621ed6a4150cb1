/** What the samples of a soak say. */
import { writeTable } from "../statistics.ts";

const MIB = 1 << 20;
/** Samples of the first quarter are not judged: V8 finds its size there. */
const SETTLING_SHARE = 0.25;
/** What memory may grow by the trend over the judged time. */
const GROWTH_MIB_MAX = 6;

export interface Sample {
  /** Since the start. */
  readonly minute: number;
  /** RssAnon + RssShmem of supervisor and workers. */
  readonly ownBytes: number;
  readonly descriptors: number;
  readonly exchanges: number;
  readonly clientsOpen: number;
  readonly originsOpen: number;
  readonly requests: number;
  /** CPU time of the proxy's processes so far, and of the process that plays the clients. */
  readonly cpuMs: number;
  readonly ownCpuMs: number;
  /** Backends ended so far. */
  readonly restarts: number;
  readonly explained: number;
  readonly unexplained: number;
  readonly wrong: number;
}

export interface Losses {
  /** While a backend was away. */
  explained: number;
  unexplained: number;
  wrong: number;
}

export interface Verdict {
  readonly isGood: boolean;
  readonly text: string;
}

/** `before` and `after` are samples at rest. */
export function judge(of: {
  readonly samples: readonly Sample[];
  readonly before: Sample;
  readonly after: Sample;
  readonly losses: Losses;
  readonly workerRestarts: number;
}): Verdict[] {
  const { samples, before, after, losses, workerRestarts } = of;
  const judged = samples.slice(Math.floor(samples.length * SETTLING_SHARE));
  const minutes = judged.length < 2 ? 0 : judged.at(-1)!.minute - judged[0]!.minute;
  const slope = trend(judged.map(({ minute, ownBytes }) => [minute, ownBytes / MIB]));
  const growth = slope * minutes;
  const words =
    `memory follows ${(slope * 60).toFixed(2)} MiB an hour over ${minutes.toFixed(1)} minutes ` +
    `(${growth.toFixed(2)} MiB; at most ${GROWTH_MIB_MAX})`;
  return [
    { isGood: judged.length >= 3 && growth <= GROWTH_MIB_MAX, text: words },
    {
      isGood: after.descriptors <= before.descriptors,
      text: `descriptors at rest: ${before.descriptors} before, ${after.descriptors} after`,
    },
    {
      isGood: after.clientsOpen === 0 && after.originsOpen === 0,
      text: `connections at rest: ${after.clientsOpen} of clients, ${after.originsOpen} of backends`,
    },
    { isGood: losses.wrong === 0, text: `${losses.wrong} exchanges wrong` },
    {
      isGood: losses.unexplained === 0,
      text: `${losses.unexplained} exchanges lost with every backend there, ${losses.explained} with one away`,
    },
    { isGood: workerRestarts === 0, text: `${workerRestarts} workers died` },
  ];
}

/** Median of the slopes between all pairs (Theil and Sen): outliers do not move it. 0 for less than two. */
export function trend(points: readonly (readonly [number, number])[]): number {
  const slopes = points.flatMap(([x, y], i) => points.slice(i + 1).map(([x2, y2]) => (y2 - y) / (x2 - x)));
  const sorted = slopes.filter(Number.isFinite).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** A row for each; load is that since the row before. */
export function writeSamples(samples: readonly Sample[]): string {
  const header = ["minute", "memory MiB", "descriptors", "clients", "backends", "exchanges/s"];
  header.push("proxy CPU %", "clients' CPU %", "restarts", "lost", "unexplained", "wrong");
  const rows = samples.map((sample, i) => {
    const before = samples[i - 1];
    const ms = before === undefined ? Number.NaN : (sample.minute - before.minute) * 60_000;
    const share = (now: number, then: number | undefined) =>
      Number.isNaN(ms) ? "–" : (((now - then!) / ms) * 100).toFixed(1);
    return [
      sample.minute.toFixed(1),
      (sample.ownBytes / MIB).toFixed(1),
      `${sample.descriptors}`,
      `${sample.clientsOpen}`,
      `${sample.originsOpen}`,
      Number.isNaN(ms) ? "–" : `${Math.round(((sample.exchanges - before!.exchanges) / ms) * 1000)}`,
      share(sample.cpuMs, before?.cpuMs),
      share(sample.ownCpuMs, before?.ownCpuMs),
      `${sample.restarts}`,
      `${sample.explained}`,
      `${sample.unexplained}`,
      `${sample.wrong}`,
    ];
  });
  return writeTable(header, rows);
}
