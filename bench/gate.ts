/**
 * Compares two commits and says whether the second is slower, and how sure that is.
 *
 *     npm run bench:gate -- BEFORE AFTER [options]
 *
 * Strategy: both run at the same time from checkouts of their own and are measured in turn, so that what
 * changes on the machine meets both. What cannot be told apart from noise is called so: more rounds, or a
 * quieter machine, make the interval narrower; nothing else does.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { runCommand, WrongArguments, wholeNumber } from "./command.ts";
import { hpProxy, type OwnSettings } from "./contenders/own.ts";
import { type Checkout, checkOut, layYardstick } from "./gate/checkouts.ts";
import { type Judgement, type JudgeOptions, judge, writeJudgement } from "./gate/judge.ts";
import { describeMachine, writeMachine } from "./machine.ts";
import type { Round, Series } from "./measure.ts";
import type { MicroFigures } from "./micro/micro.ts";
import { splitNames } from "./options.ts";
import { runToEnd, stopAll } from "./programs.ts";
import { chooseScenarios, type Scenario } from "./scenarios.ts";
import { progress, Stage } from "./stage.ts";
import { spread, writeNumber } from "./statistics.ts";

const HELP = `Compares two commits and says whether the second is slower.

  npm run bench:gate -- BEFORE AFTER [options]

BEFORE and AFTER are commits or branches; "." is this checkout with its changes.

  --scenario A,B       scenarios of the comparison (get-64); see npm run bench -- --help
  --engine NAME        uring (default), epoll or net
  --micro              the micro benchmarks instead: parser, framing, router, balancer, histogram, session
  --only TEXT          with --micro: those whose name contains TEXT
  --rounds N           pairs of rounds (12); fewer than 6 tell nothing
  --seconds N          length of a round (2)
  --tolerance PERCENT  what does not count as slower (3; 10 with --micro)
  --core N, --other-core N   cores of what is measured (0) and of everything else (1)
  --json FILE          raw data

Exit status: 0 not slower, 1 slower, 2 it cannot be told, nothing was measured or an argument is wrong.
`;

const ENGINES: readonly OwnSettings["engine"][] = ["uring", "epoll", "net"];
const STATUS_SLOWER = 1;
const STATUS_UNKNOWN = 2;
/** Rounds of the micro benchmarks within one process, and the length of each. */
const MICRO_ROUNDS = 10;
const MICRO_MS = 2;

interface GateOptions {
  readonly revisions: readonly [before: string, after: string];
  readonly scenarios: readonly Scenario[];
  readonly engine: OwnSettings["engine"];
  readonly isMicro: boolean;
  readonly microOnly: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly judge: JudgeOptions;
  readonly core: number;
  readonly otherCore: number;
  readonly jsonPath: string;
}

/** One thing that was measured on both sides. */
interface Outcome {
  readonly what: string;
  readonly judgement: Judgement;
  readonly raw: unknown;
}

/** Throws for a name without a proxy in front of a backend: there is nothing of the two commits to compare. */
function proxyScenarios(names: readonly string[]): readonly Scenario[] {
  const scenarios = chooseScenarios(names);
  const isAll = names.includes("all");
  const others = scenarios.filter(({ kind }) => kind !== "proxy").map(({ name }) => name);
  if (others.length > 0 && !isAll)
    throw new WrongArguments(
      `--scenario: ${others.join(", ")}: has no proxy in it; npm run bench measures that`,
    );
  return scenarios.filter(({ kind }) => kind === "proxy");
}

function parseOptions(argv: readonly string[]): GateOptions {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      scenario: { type: "string", multiple: true, default: ["get-64"] },
      engine: { type: "string", default: "uring" },
      micro: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      rounds: { type: "string", default: "12" },
      seconds: { type: "string", default: "2" },
      tolerance: { type: "string" },
      core: { type: "string", default: "0" },
      "other-core": { type: "string", default: "1" },
      json: { type: "string", default: "" },
    },
  });
  const [before, after, ...others] = positionals;
  if (before === undefined || after === undefined || others.length > 0)
    throw new WrongArguments("name two commits: npm run bench:gate -- BEFORE AFTER");
  const engine = ENGINES.find((name) => name === values.engine);
  if (engine === undefined)
    throw new WrongArguments(`--engine: "${values.engine}" is none; write ${ENGINES.join(", ")}`);
  const tolerance = wholeNumber("--tolerance", values.tolerance ?? (values.micro ? "10" : "3"), 0) / 100;
  return {
    revisions: [before, after],
    scenarios: proxyScenarios(splitNames(values.scenario)),
    engine,
    isMicro: values.micro,
    microOnly: values.only,
    rounds: wholeNumber("--rounds", values.rounds, 1),
    seconds: wholeNumber("--seconds", values.seconds, 1),
    // Of dozens of micro benchmarks some would look slower by chance at 95 %.
    judge: { confidence: values.micro ? 0.99 : 0.95, tolerance },
    core: wholeNumber("--core", values.core, 0),
    otherCore: wholeNumber("--other-core", values["other-core"], 0),
    jsonPath: values.json,
  };
}

/** CPU time per request of both in every scenario. */
async function comparePlane(checkouts: readonly Checkout[], options: GateOptions): Promise<Outcome[]> {
  const names = ["before", "after"];
  const contenders = checkouts.map(({ root, title }, i) =>
    hpProxy(names[i]!, `${names[i]}: ${title}`, { engine: options.engine, usual: true, root }),
  );
  const settings = { ...options, warmupSeconds: 3, only: [], load: "wrk", backend: "nginx" };
  const stage = new Stage(settings, contenders);
  const outcomes: Outcome[] = [];
  for (const scenario of options.scenarios) {
    const { series, missing } = await stage.run(scenario);
    if (missing.length > 0) throw new Error(`${missing[0]!.name}: ${missing[0]!.reason}`);
    const [before, after] = series as [Series, Series];
    const judgement = judge(costs(before), costs(after), options.judge);
    outcomes.push({ what: `${scenario.name}, CPU per request`, judgement, raw: series });
    write(`${writeJudgement(outcomes.at(-1)!.what, judgement, options.judge)}\n${besides(before, after)}`);
  }
  return outcomes;
}

/** What does not decide, but should be seen. */
function besides(before: Series, after: Series): string {
  const median = (series: Series, pick: (round: Round) => number) =>
    writeNumber(spread(series.rounds.filter(({ invalid }) => invalid === "").map(pick)).median);
  const pair = (pick: (round: Round) => number) => `${median(before, pick)} → ${median(after, pick)}`;
  const invalid = [before, after].flatMap(({ name, rounds }) =>
    rounds.flatMap((round) => (round.invalid === "" ? [] : [`  ${name} does not count: ${round.invalid}\n`])),
  );
  const foreign = spread([...before.rounds, ...after.rounds].map(({ foreignShare }) => foreignShare));
  return (
    `  CPU µs ${pair(({ cpuUs }) => cpuUs)}, requests/s ${pair(({ perSecond }) => perSecond)}, ` +
    `p99 µs ${pair(({ p99Us }) => p99Us)}; others used ${Math.round(foreign.median * 100)} % of the core\n` +
    invalid.join("")
  );
}

function costs({ rounds }: Series): (number | undefined)[] {
  return rounds.map(({ invalid, cpuUs }) => (invalid === "" ? cpuUs : undefined));
}

/** Nanoseconds of every micro benchmark that both can run; a process of its own for each round. */
async function compareMicros(checkouts: readonly Checkout[], options: GateOptions): Promise<Outcome[]> {
  const rounds: MicroFigures[][][] = checkouts.map(() => []);
  for (const checkout of checkouts) layYardstick(checkout);
  for (let round = 0; round < options.rounds; round++)
    for (let turn = 0; turn < checkouts.length; turn++) {
      const side = (turn + round) % checkouts.length;
      progress(`round ${round + 1} of ${options.rounds}, ${checkouts[side]!.title}`);
      rounds[side]!.push(await runMicros(checkouts[side]!, options));
    }
  progress("");
  const [before, after] = rounds as [MicroFigures[][], MicroFigures[][]];
  const names = before[0]!.map(({ name }) => name).filter((name) => find(after[0]!, name) !== undefined);
  const outcomes = names.map((name): Outcome => {
    const of = (side: MicroFigures[][]) => side.map((figures) => find(figures, name)?.ns);
    const raw = { before: of(before), after: of(after) };
    return { what: name, judgement: judge(raw.before, raw.after, options.judge), raw };
  });
  for (const { what, judgement } of outcomes) write(writeJudgement(what, judgement, options.judge));
  const left = [...before[0]!, ...after[0]!].map(({ name }) => name).filter((name) => !names.includes(name));
  if (left.length > 0) write(`Only one of both can run: ${left.join("; ")}`);
  return outcomes;
}

function find(figures: readonly MicroFigures[], name: string): MicroFigures | undefined {
  return figures.find((one) => one.name === name);
}

async function runMicros({ root }: Checkout, { core, microOnly }: GateOptions): Promise<MicroFigures[]> {
  const script = path.join(root, "bench", "micro", "run.ts");
  const args = ["--json", "--rounds", String(MICRO_ROUNDS), "--ms", String(MICRO_MS), "--only", microOnly];
  return JSON.parse(await runToEnd([process.execPath, script, ...args], { core })) as MicroFigures[];
}

function write(text: string): void {
  progress("");
  process.stdout.write(`${text}\n`);
}

function statusOf(outcomes: readonly Outcome[]): number {
  const verdicts = outcomes.map(({ judgement }) => judgement.verdict);
  if (verdicts.length === 0) return STATUS_UNKNOWN;
  if (verdicts.includes("slower")) return STATUS_SLOWER;
  return verdicts.includes("cannot tell") ? STATUS_UNKNOWN : 0;
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  const checkouts = options.revisions.map(checkOut);
  const machine = describeMachine();
  write(`${writeMachine(machine)}\nbefore: ${checkouts[0]!.title}, after: ${checkouts[1]!.title}\n`);
  if (!options.isMicro && options.scenarios.length === 0) throw new WrongArguments("--scenario: names none");
  const compare = options.isMicro ? compareMicros : comparePlane;
  const outcomes = await compare(checkouts, options);
  if (options.jsonPath !== "")
    writeFileSync(options.jsonPath, `${JSON.stringify({ machine, options, outcomes }, undefined, 1)}\n`);
  return statusOf(outcomes);
}

if (import.meta.main) {
  try {
    await runCommand("bench", HELP, main, STATUS_UNKNOWN);
  } finally {
    await stopAll();
  }
}
