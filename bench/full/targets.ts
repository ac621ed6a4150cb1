/**
 * What this project has promised to show, each with the figure that says whether it does.
 *
 * A verdict comes from the rounds and not from their median alone: every round on the right side is "met",
 * none is "missed", and anything else, or one round only, is "cannot tell".
 */
import type { IdleRound } from "../idle-report.ts";
import type { Round, Series } from "../measure.ts";
import type { ScenarioResult } from "../report.ts";
import { pairedRatios, spread, writeSpread, writeTable } from "../statistics.ts";

export type Verdict = "met" | "missed" | "cannot tell" | "not measured";

export interface Outcome {
  readonly what: string;
  /** Where the figure is on the page: a scenario's name, or "idle". */
  readonly scenario: string;
  readonly goal: string;
  readonly measured: Measured;
  /** The same for the relay in C, which reads nothing; no rounds where that says nothing. */
  readonly floor: Measured;
  readonly verdict: Verdict;
}

interface Measured {
  /** One figure for each round that counts. */
  readonly perRound: readonly number[];
  /** Which of several it was compared with; "" where that is plain. */
  readonly against: string;
}

interface Figures {
  readonly results: readonly ScenarioResult[];
  readonly idle: readonly IdleRound[];
}

interface Target {
  readonly what: string;
  readonly scenario: string;
  readonly limit: number;
  /** True where the figure has to be at least `limit`; otherwise it has to be at most that. */
  readonly atLeast?: boolean;
  /** Whose figure it is. */
  readonly of: string;
  /** True where the relay in C is the floor. */
  readonly hasFloor?: boolean;
  readonly measure: (figures: Figures, of: string) => Measured;
}

type Pick = (round: Round) => number;

const NOTHING: Measured = { perRound: [], against: "" };
const FLOOR = "relay";
/** The proxies that others are measured by: the better one counts. */
const PEERS = ["nginx", "haproxy"];

const cpu: Pick = ({ cpuUs }) => cpuUs;
const userCpu: Pick = ({ userUs }) => userUs;
const p99: Pick = ({ p99Us }) => p99Us;
const rate: Pick = ({ perSecond }) => perSecond;
/** Without the generator's start, where it tells. */
const generatorCpu: Pick = ({ generatorRunUs, cpuUs }) => generatorRunUs ?? cpuUs;

/** CPU per request of the engine uring, in parts of that of the better peer. */
const CPU_LIMITS: readonly (readonly [scenario: string, limit: number])[] = [
  ["get-64", 0.72],
  ["get-256", 0.72],
  ["fields-16", 0.75],
  ["connect", 0.8],
  ["body-10k", 0.8],
  ["body-100k", 0.8],
  ["body-1m", 0.9],
  ["chunked", 0.75],
  ["upload", 0.75],
  ["pipeline", 0.4],
  ["get-1", 1],
];

/** 2 µs where the relay in C took 10.5: what that goal says on a machine of another speed. */
const USER_SHARE_OF_RELAY = 0.19;

const GET = { scenario: "get-64" };
const TARGETS: readonly Target[] = [
  ...CPU_LIMITS.map(([scenario, limit]): Target => {
    const measure = overBetterPeer(scenario, cpu);
    return { what: "CPU, uring", scenario, limit, of: "hp-uring", hasFloor: true, measure };
  }),
  {
    ...{ what: "p99, uring", scenario: "rate-20k", limit: 1, of: "hp-uring", hasFloor: true },
    measure: overBetterPeer("rate-20k", p99),
  },
  ...["httpxy", "http-proxy"].map(
    (peer): Target => ({
      ...{ what: "requests per CPU, net", ...GET, limit: 2, atLeast: true, of: "hp-net" },
      measure: over("get-64", peer, (round) => 1 / round.cpuUs),
    }),
  ),
  { what: "CPU, epoll", ...GET, limit: 1.15, of: "hp-epoll", measure: over("get-64", "hp-uring", cpu) },
  ...PEERS.map((peer): Target => {
    const measure = over("get-64", peer, cpu);
    return { what: "CPU, uring", ...GET, limit: 0.75, of: "hp-uring", hasFloor: true, measure };
  }),
  {
    what: "CPU in user space, uring, µs",
    ...GET,
    limit: 2,
    of: "hp-uring",
    measure: plain("get-64", userCpu),
  },
  {
    what: "the same, over all CPU of the relay",
    ...GET,
    limit: USER_SHARE_OF_RELAY,
    of: "hp-uring",
    measure: over("get-64", FLOOR, userCpu, cpu),
  },
  {
    ...{ what: "requests/s, uring", ...GET, limit: 0.6, atLeast: true, of: "hp-uring" },
    measure: over("get-64", FLOOR, rate),
  },
  { what: "CPU, epoll", ...GET, limit: 0.85, of: "hp-epoll", measure: over("get-64", "nginx", cpu) },
  { what: "CPU, net", ...GET, limit: 1.2, of: "hp-net", measure: over("get-64", "nginx", cpu) },
  {
    ...{ what: "CPU of hp-bench, uring", scenario: "generators", limit: 1, of: "hp-bench-uring" },
    measure: over("generators", "wrk", generatorCpu),
  },
  {
    ...{ what: "CPU of hp-echo, uring", scenario: "echo", limit: 1, of: "hp-echo-uring" },
    measure: over("echo", "nginx", cpu),
  },
  ...["hp-uring", "hp-epoll"].map(
    (of): Target => ({
      ...{ what: `bytes per idle connection, ${of.slice("hp-".length)}`, scenario: "idle", limit: 1024, of },
      measure: ({ idle }) => ({
        perRound: idle.filter(({ name }) => name === of).map((one) => one.bytesPerConnection),
        against: "",
      }),
    }),
  ),
];

/** Scenarios that a target asks for. */
export const TARGET_SCENARIOS: ReadonlySet<string> = new Set(TARGETS.map(({ scenario }) => scenario));

export function judgeTargets(results: readonly ScenarioResult[], idle: readonly IdleRound[]): Outcome[] {
  return TARGETS.map(({ what, scenario, limit, atLeast = false, of, hasFloor = false, measure }) => {
    const measured = measure({ results, idle }, of);
    const floor = hasFloor ? measure({ results, idle }, FLOOR) : NOTHING;
    const goal = `${atLeast ? "≥" : "≤"} ${limit}`;
    return { what, scenario, goal, measured, floor, verdict: judge(measured.perRound, limit, atLeast) };
  });
}

/** `profile`: where the page on where the time goes is, from the one that this is part of. */
export function writeTargets(outcomes: readonly Outcome[], profile: string): string {
  const rows = outcomes.map(({ what, scenario, goal, measured, floor, verdict }) => [
    what,
    scenario,
    `${goal}${measured.against === "" ? "" : ` × ${measured.against}`}`,
    writeSpread(spread(measured.perRound)),
    floor.perRound.length === 0 ? "" : writeSpread(spread(floor.perRound)),
    verdict === "missed" ? `[missed](${profile})` : verdict,
  ]);
  const counts = (["met", "missed", "cannot tell", "not measured"] as const).flatMap((verdict) => {
    const count = outcomes.filter((one) => one.verdict === verdict).length;
    return count === 0 ? [] : [`${verdict}: ${count}`];
  });
  return [
    `${counts.join(", ")}.`,
    "",
    writeTable(["", "scenario", "goal", "measured", "relay in C", ""], rows),
    "",
    "*CPU* is CPU time per request. Goals with a name are ratios, made within each round; where the better of",
    "nginx and HAProxy is the measure, it is the one with the lower median here. Measured: the median of the",
    "rounds, with the lowest and the highest. *Met*: in every round; *missed*: in none; *cannot tell*: in some, or",
    "there was only one, or a figure is negative. *relay in C* is the same ratio for a program that passes bytes",
    "on and reads none, which is the floor where connections stay open. Why a target is missed, what was tried and",
    `what it would need: [performance.md](${profile}).`,
  ].join("\n");
}

function judge(perRound: readonly number[], limit: number, atLeast: boolean): Verdict {
  if (perRound.length === 0) return "not measured";
  const kept = perRound.filter((value) => (atLeast ? value >= limit : value <= limit)).length;
  // No cost is below nothing: what was weighed is not what was asked for.
  if (perRound.some((value) => value < 0)) return "cannot tell";
  if (perRound.length === 1 || (kept > 0 && kept < perRound.length)) return "cannot tell";
  return kept === 0 ? "missed" : "met";
}

function plain(scenario: string, pick: Pick): Target["measure"] {
  return ({ results }, of) => ({
    perRound: picked(seriesOf(results, scenario, of), pick).filter((value) => value !== undefined),
    against: "",
  });
}

/** `pick` of its own over `underPick` of `under`. */
function over(scenario: string, under: string, pick: Pick, underPick = pick): Target["measure"] {
  return ({ results }, of) => {
    const other = seriesOf(results, scenario, under);
    const perRound = pairedRatios(picked(seriesOf(results, scenario, of), pick), picked(other, underPick));
    return { perRound, against: other?.title ?? under };
  };
}

/** Over the peer with the lower median of `pick`. */
function overBetterPeer(scenario: string, pick: Pick): Target["measure"] {
  return (figures, of) => {
    const medians = PEERS.map((peer) => {
      const values = picked(seriesOf(figures.results, scenario, peer), pick);
      return { peer, median: spread(values.filter((value) => value !== undefined)).median };
    }).filter(({ median }) => Number.isFinite(median));
    const [better] = medians.toSorted((a, b) => a.median - b.median);
    return better === undefined ? NOTHING : over(scenario, better.peer, pick)(figures, of);
  };
}

function seriesOf(results: readonly ScenarioResult[], scenario: string, name: string): Series | undefined {
  return results
    .find((result) => result.scenario.name === scenario)
    ?.series.find((series) => series.name === name);
}

/** By round; undefined for one that does not count. */
function picked(series: Series | undefined, pick: Pick): (number | undefined)[] {
  return series?.rounds.map((round) => (round.invalid === "" ? pick(round) : undefined)) ?? [];
}
