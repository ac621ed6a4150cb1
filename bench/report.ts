/** A comparison as Markdown: one table of medians with their ranges for each scenario. */
import type { Missing, Round, Series } from "./measure.ts";
import type { Scenario } from "./scenarios.ts";
import { pairedRatio, spread, writeNumber, writeSpread, writeTable } from "./statistics.ts";

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly generator: string;
  readonly backend: string;
  readonly series: readonly Series[];
  readonly missing: readonly Missing[];
}

/** Contenders that every other one is compared with, by kind of scenario. */
const REFERENCES: Readonly<Record<Scenario["kind"], readonly string[]>> = {
  proxy: ["nginx", "haproxy", "relay"],
  server: ["nginx"],
  generator: ["wrk"],
};

/** Heading, table, and what was left out or does not count. Ends without a line break. */
export function writeScenario({ scenario, generator, backend, series, missing }: ScenarioResult): string {
  const references = REFERENCES[scenario.kind].flatMap((name) => {
    const found = series.find((one) => one.name === name);
    return found?.rounds.some(isValid) ? [found] : [];
  });
  const header = [
    "",
    "requests/s",
    "CPU µs/request",
    "user",
    "system",
    "p50 µs",
    "p99 µs",
    "RSS MiB",
    "busy",
    "other core",
    ...(scenario.kind === "generator" ? ["run only"] : []),
    ...references.map(({ name }) => `${scenario.kind === "generator" ? "run only" : "CPU"} × ${name}`),
    ...references.filter(({ name }) => name === "relay").map(() => "req/s × relay"),
  ];
  const lines = [
    `### ${scenario.name}: ${scenario.title}`,
    "",
    ...sources(generator, backend),
    writeTable(
      header,
      series.map((one) => row(one, references, scenario.kind === "generator")),
    ),
    ...remarks(series, missing),
  ];
  return lines.join("\n");
}

function sources(...texts: readonly string[]): string[] {
  const line = texts.filter((text) => text !== "").join(", ");
  return line === "" ? [] : [line, ""];
}

function row(one: Series, references: readonly Series[], isGenerator: boolean): string[] {
  const valid = one.rounds.filter(isValid);
  const of = (pick: (round: Round) => number) => spread(valid.map(pick));
  const median = (pick: (round: Round) => number) => writeNumber(of(pick).median);
  const ratio = (reference: Series, pick: (round: Round) => number) =>
    writeSpread(pairedRatio(picked(one, pick), picked(reference, pick)));
  const cpu = (round: Round) => (isGenerator ? (round.generatorRunUs ?? round.cpuUs) : round.cpuUs);
  return [
    one.title,
    writeSpread(of((round) => round.perSecond)),
    writeSpread(of((round) => round.cpuUs)),
    median((round) => round.userUs),
    median((round) => round.systemUs),
    latency(of((round) => round.p50Us).median),
    latency(of((round) => round.p99Us).median),
    median((round) => (round.memory === undefined ? Number.NaN : round.memory.rssKib / 1024)),
    percent(of((round) => round.busyShare).median),
    percent(of((round) => round.otherCoreShare).median),
    ...(isGenerator ? [median(cpu)] : []),
    ...references.map((reference) => (reference === one ? "1" : ratio(reference, cpu))),
    ...references
      .filter(({ name }) => name === "relay")
      .map((reference) => (reference === one ? "1" : ratio(reference, (round) => round.perSecond))),
  ];
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : "–";
}

/** wrk gives 0 for latencies of pipelined requests that it could not tell apart. */
function latency(us: number): string {
  return us === 0 ? "–" : writeNumber(us);
}

function picked(series: Series, pick: (round: Round) => number): (number | undefined)[] {
  return series.rounds.map((round) => (isValid(round) ? pick(round) : undefined));
}

function isValid(round: Round): boolean {
  return round.invalid === "";
}

function remarks(series: readonly Series[], missing: readonly Missing[]): string[] {
  const lines = missing.map(({ name, reason }) => `- ${name} is left out: ${reason}`);
  for (const { name, rounds } of series)
    for (const { round, invalid } of rounds)
      if (invalid !== "") lines.push(`- ${name}, round ${round + 1} does not count: ${invalid}`);
  const foreign = spread(series.flatMap(({ rounds }) => rounds.map((round) => round.foreignShare)));
  if (foreign.max >= 0.05)
    lines.push(
      `- Others used up to ${Math.round(foreign.max * 100)} % of the measured core (median ` +
        `${Math.round(foreign.median * 100)} %).`,
    );
  return lines.length === 0 ? [] : ["", ...lines];
}
