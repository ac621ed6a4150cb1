/** The figures of bench/idle.ts as a table. */
import type { Missing } from "./measure.ts";
import { spread, writeNumber, writeSpread, writeTable } from "./statistics.ts";

/** One proxy in one round. Loads are CPU µs and requests per second: before idle connections, beside and after them. */
export interface IdleRound {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly round: number;
  readonly connections: number;
  readonly pssKib: number;
  /**
   * Without pages of files, before the connections and with them; undefined in rounds of runs that weighed the whole.
   */
  readonly ownKibBefore?: number;
  readonly ownKib?: number;
  /** Whether memory stood still before both readings; undefined in rounds of runs that did not look. */
  readonly isFlat?: boolean;
  /** Negative where the proxy gave back more than the connections took: that says nothing about them. */
  readonly bytesPerConnection: number;
  readonly cpuUsBefore: number;
  /** When they have gone; undefined in rounds of runs that did not look. */
  readonly cpuUsAfter?: number;
  readonly cpuUs: number;
  readonly perSecondBefore: number;
  readonly perSecond: number;
  readonly p99Us: number;
  readonly lost: number;
  readonly errors: number;
}

/** CPU per request beside the connections, in parts of what it is without them. */
export function loadRatio(round: IdleRound): number {
  return round.cpuUs / cpuUsAlone(round);
}

function cpuUsAlone({ cpuUsBefore, cpuUsAfter }: IdleRound): number {
  return cpuUsAfter === undefined ? cpuUsBefore : (cpuUsBefore + cpuUsAfter) / 2;
}

/** Medians by proxy, and below them what failed or was left out. */
export function writeIdle(rounds: readonly IdleRound[], missing: readonly Missing[]): string {
  const names = [...new Set(rounds.map(({ name }) => name))];
  const header = [
    "",
    "connections",
    "bytes/connection",
    "PSS MiB",
    "CPU µs/request alone",
    "beside them",
    "ratio",
  ];
  const rows = names.map((name) => {
    const own = rounds.filter((round) => round.name === name);
    const of = (pick: (round: IdleRound) => number) => spread(own.map(pick));
    return [
      own[0]!.title,
      writeNumber(of((round) => round.connections).median),
      writeSpread(of((round) => round.bytesPerConnection)),
      writeNumber(of((round) => round.pssKib / 1024).median),
      writeSpread(of(cpuUsAlone)),
      writeSpread(of((round) => round.cpuUs)),
      writeSpread(of(loadRatio)),
    ];
  });
  const remarks = [
    ...rounds.flatMap(({ name, round, lost, errors, isFlat }) => [
      ...(isFlat === false ? [`- ${name}, round ${round + 1}: memory never stood still`] : []),
      ...(lost > 0 ? [`- ${name}, round ${round + 1}: ${lost} idle connections failed or were closed`] : []),
      ...(errors > 0 ? [`- ${name}, round ${round + 1}: ${errors} errors in the load`] : []),
    ]),
    ...missing.map(({ name, reason }) => `- ${name} is left out: ${reason}`),
  ];
  return [writeTable(header, rows), ...(remarks.length > 0 ? ["", ...remarks] : [])].join("\n");
}
