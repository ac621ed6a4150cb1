/**
 * Hours of mixed traffic: every kind of exchange, clients that leave, stall and dawdle, backends that are
 * killed and come back. Nothing may be wrong, nothing may be left, nothing may grow.
 *
 *     npm run soak -- --minutes 60
 *
 * Strategy: every byte of every body is compared with what it must be. An exchange that is lost (502, 503,
 * 504, or a connection cut short) is accepted only when a backend was away meanwhile. Memory and descriptors
 * of the whole process tree are sampled under load; descriptors and buffers are judged at rest before and
 * after, where they must be equal, and memory by the trend of the samples behind the first quarter, in which
 * V8 finds its size. Exit status 0 when all verdicts are good.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Prng } from "../src/base/prng.ts";
import { readStats } from "../src/control/control-socket.ts";
import type { StatsReport } from "../src/control/stats-report.ts";
import { treeResources } from "../test/harness/process-resources.ts";
import { runCommand, WrongArguments, wholeNumber } from "./command.ts";
import { describeMachine, writeMachine } from "./machine.ts";
import { treeCpuTime } from "./process-tree.ts";
import { freePort, type Program, start, stopAll, temporaryDirectory, waitForPort } from "./programs.ts";
import { Backends } from "./soak/backends.ts";
import { judge, type Losses, type Sample, writeSamples } from "./soak/verdict.ts";
import { VISITS, type Visit } from "./soak/visits.ts";
import { Lost } from "./soak/wire.ts";

const HELP = `Mixed traffic for a long time: nothing may be wrong, nothing may be left, nothing may grow.

  npm run soak -- [options]

  --minutes N          length, also 0.5 (5)
  --engine NAME        auto (default), uring, epoll or net
  --workers N|auto     worker processes (1)
  --seed N             when backends are killed, and what clients do (1)
  --json FILE          raw data: samples, losses, verdicts

Exit status 0: all verdicts are good.
`;
const COMMAND = path.join(import.meta.dirname, "..", "bin", "hp-proxy");
const BACKENDS = 3;
const SAMPLES_MIN = 12;
const SAMPLE_MS_MAX = 60_000;
const WARM_UP_MS = 10_000;
const REST_MS_MAX = 60_000;
/** At rest a figure is looked at so often until it is as it was. */
const LOOKS = 50;
/** Descriptions of what was lost or wrong that are kept. */
const REMARKS_MAX = 20;
/** Short, so that each of them comes to pass all the time. */
const FLAGS = [
  ...["--request-head-timeout", "2s", "--request-idle-timeout", "3s", "--client-idle-timeout", "4s"],
  ...["--send-timeout", "4s", "--response-timeout", "10s", "--tunnel-timeout", "5s"],
  ...["--pool-idle-timeout", "2s", "--health-interval", "500ms", "--log-level", "error"],
];

interface Plan {
  readonly minutes: number;
  readonly engine: string;
  readonly workers: string;
  readonly seed: number;
  readonly jsonPath: string;
}

class Soak {
  readonly plan: Plan;
  readonly port: number;
  readonly proxy: Program;
  readonly backends: Backends;
  readonly samples: Sample[] = [];
  readonly losses: Losses = { explained: 0, unexplained: 0, wrong: 0 };
  readonly remarks: string[] = [];
  readonly exchanges = new Map<string, number>();
  /** Times that each kind of loss was explained. */
  readonly explained = new Map<string, number>();
  readonly #controlPath: string;
  readonly #startMs = performance.now();
  #stopping = false;

  constructor(plan: Plan, port: number, proxy: Program, backends: Backends, controlPath: string) {
    this.plan = plan;
    this.port = port;
    this.proxy = proxy;
    this.backends = backends;
    this.#controlPath = controlPath;
  }

  stats(): Promise<StatsReport> {
    return readStats(this.#controlPath);
  }

  /** The first figures: it accepts connections a moment before it answers questions. */
  async begun(): Promise<StatsReport> {
    for (;;) {
      const report = await this.stats().catch(() => undefined);
      if (report !== undefined) return report;
      if (this.proxy.ended()) throw new Error(this.proxy.output());
      await delay(20);
    }
  }

  get exchangesTotal(): number {
    return [...this.exchanges.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Visits all at once for `ms`; resolves when the last client has left. */
  async load(ms: number, salt: number): Promise<void> {
    this.#stopping = false;
    const clients = VISITS.flatMap((visit, i) =>
      Array.from({ length: visit.clients }, (_, j) =>
        this.#visitOften(visit, new Prng(this.plan.seed + salt * 10_000 + i * 100 + j)),
      ),
    );
    await delay(ms);
    this.#stopping = true;
    await Promise.all(clients);
  }

  async sample(): Promise<Sample> {
    const { total } = await this.stats();
    const { ownBytes, descriptors } = treeResources(this.proxy.pid);
    const cpu = treeCpuTime(this.proxy.pid);
    const own = process.cpuUsage();
    return {
      minute: (performance.now() - this.#startMs) / 60_000,
      ownBytes,
      descriptors,
      exchanges: this.exchangesTotal,
      clientsOpen: total.clients.open,
      originsOpen: total.origins.open,
      requests: total.requests,
      cpuMs: cpu.userMs + cpu.systemMs,
      ownCpuMs: (own.user + own.system) / 1000,
      restarts: this.backends.ends.SIGKILL + this.backends.ends.SIGTERM,
      explained: this.losses.explained,
      unexplained: this.losses.unexplained,
      wrong: this.losses.wrong,
    };
  }

  /** Waits until no connection is open, and `descriptorsMax` are not exceeded; then what is held. */
  async rest(descriptorsMax: number): Promise<Sample> {
    const giveUpAtMs = performance.now() + REST_MS_MAX;
    for (;;) {
      const sample = await this.sample();
      if (sample.clientsOpen === 0 && sample.originsOpen === 0) break;
      if (performance.now() > giveUpAtMs) return sample;
      await delay(100);
    }
    let sample = await this.sample();
    // A health check or a question for figures may hold one just then.
    for (let look = 0; look < LOOKS && sample.descriptors > descriptorsMax; look++) {
      await delay(50);
      sample = await this.sample();
    }
    return sample;
  }

  async #visitOften(visit: Visit, chance: Prng): Promise<void> {
    const count = () => void this.exchanges.set(visit.name, (this.exchanges.get(visit.name) ?? 0) + 1);
    while (!this.#stopping) {
      const startedMs = performance.now();
      try {
        await visit.run({ port: this.port, chance, count });
      } catch (error) {
        this.#note(visit, error as Error, startedMs);
      }
      await delay(chance.below(visit.pauseMs * 2));
    }
  }

  #note(visit: Visit, error: Error, startedMs: number): void {
    const isLoss = error instanceof Lost;
    const isExplained = isLoss && this.backends.wasAwayBetween(startedMs, performance.now());
    if (isExplained) this.losses.explained++;
    else if (isLoss) this.losses.unexplained++;
    else this.losses.wrong++;
    if (isExplained) {
      const kind = `${visit.name}: ${error.message.replaceAll(/\s+/g, " ")}`;
      this.explained.set(kind, (this.explained.get(kind) ?? 0) + 1);
    }
    if (isExplained || this.remarks.length >= REMARKS_MAX) return;
    const minute = ((performance.now() - this.#startMs) / 60_000).toFixed(2);
    this.remarks.push(`minute ${minute}, ${visit.name}: ${isLoss ? error.message : error.stack}`);
  }
}

async function run(plan: Plan): Promise<boolean> {
  process.stdout.write(`${writeMachine(describeMachine())}\n`);
  const backends = await Backends.start(BACKENDS);
  const port = await freePort();
  const controlPath = path.join(temporaryDirectory(), "control.sock");
  const argv = ["--listen", `127.0.0.1:${port}`, "--backends", backends.addresses.join(",")];
  const how = ["--engine", plan.engine, "--workers", plan.workers, "--control", controlPath];
  const proxy = start([process.execPath, COMMAND, ...argv, ...how, ...FLAGS], { core: undefined });
  await waitForPort(proxy, port);
  const soak = new Soak(plan, port, proxy, backends, controlPath);
  const { engine, addresses } = await soak.begun();
  process.stdout.write(`engine ${engine}, ${addresses}, ${plan.minutes} minutes, seed ${plan.seed}\n`);
  await soak.load(WARM_UP_MS, 1);
  const before = await soak.rest(Number.POSITIVE_INFINITY);
  backends.restartOften(new Prng(plan.seed));
  await sampleDuring(soak, plan.minutes * 60_000);
  await backends.rest();
  const after = await soak.rest(before.descriptors);
  const report = await soak.stats();
  const { samples, losses } = soak;
  const verdicts = judge({ samples, before, after, losses, workerRestarts: report.restarts });
  writeReport(soak, report, verdicts);
  if (plan.jsonPath !== "") {
    const raw = { machine: describeMachine(), plan, before, samples, after, losses, verdicts };
    writeFileSync(
      plan.jsonPath,
      `${JSON.stringify({ ...raw, remarks: soak.remarks, report }, undefined, 1)}\n`,
    );
  }
  return verdicts.every(({ isGood }) => isGood);
}

async function sampleDuring(soak: Soak, ms: number): Promise<void> {
  const everyMs = Math.min(SAMPLE_MS_MAX, ms / SAMPLES_MIN);
  const stop = new AbortController();
  const sampling = (async () => {
    while (!stop.signal.aborted) {
      await delay(everyMs, undefined, { signal: stop.signal }).catch(() => {});
      if (stop.signal.aborted || soak.proxy.ended()) break;
      soak.samples.push(await soak.sample());
      const line = writeSamples(soak.samples.slice(-2)).split("\n");
      process.stdout.write(`${(soak.samples.length === 1 ? line : line.slice(-1)).join("\n")}\n`);
    }
  })();
  await soak.load(ms, 2);
  stop.abort();
  await sampling;
}

function writeReport(soak: Soak, report: StatsReport, verdicts: ReturnType<typeof judge>): void {
  const counts = [...soak.exchanges].map(([name, count]) => `${name} ${count}`).join(", ");
  const errors = Object.entries(report.total.errors).filter(([, count]) => count > 0);
  const lines = [
    "",
    `exchanges and messages: ${counts}`,
    `backends ended: ${soak.backends.ends.SIGKILL} by SIGKILL, ${soak.backends.ends.SIGTERM} by SIGTERM`,
    `the proxy's errors: ${errors.map(([name, count]) => `${name} ${count}`).join(", ")}`,
    `its retries: ${report.total.retries}`,
    "lost while a backend was away:",
    ...[...soak.explained].sort((a, b) => b[1] - a[1]).map(([kind, count]) => `- ${count} × ${kind}`),
    "lost or wrong with every backend there:",
    ...soak.remarks.map((remark) => `- ${remark}`),
    "",
    ...verdicts.map(({ isGood, text }) => `${isGood ? "good" : "BAD "}  ${text}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function parsePlan(argv: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      minutes: { type: "string", default: "5" },
      engine: { type: "string", default: "auto" },
      workers: { type: "string", default: "1" },
      seed: { type: "string", default: "1" },
      json: { type: "string", default: "" },
    },
  });
  const { engine, workers } = values;
  const minutes = Number(values.minutes);
  if (!(minutes > 0))
    throw new WrongArguments(`--minutes: "${values.minutes}" is not a number above 0; write --minutes 5`);
  return { minutes, engine, workers, seed: wholeNumber("--seed", values.seed, 0), jsonPath: values.json };
}

if (import.meta.main) {
  try {
    await runCommand("soak", HELP, async (argv) => ((await run(parsePlan(argv))) ? 0 : 1));
  } finally {
    await stopAll();
  }
}
