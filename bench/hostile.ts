/**
 * Hostile clients beside good ones: slowhttptest in three modes with thousands of connections, then a hundred
 * thousand connections of rubbish. What good clients feel, what the limits did, and what is left afterwards.
 *
 *     npm run bench:hostile -- --help
 *
 * Strategy: a steady open load (hp-bench, latency since due) runs alone first, then during each attack; the
 * proxy's own figures say how attackers ended. All are processes of one machine, so an attack takes processor
 * time from the proxy beside what it does to it: a small load goes to the backend directly, and what it feels is not
 * the proxy's doing. Exit status 1 where good clients met an error or waited longer
 * than 50 ms (99th percentile), or something was left.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { readStats } from "../src/control/control-socket.ts";
import type { StatsReport } from "../src/control/stats-report.ts";
import { treeResources } from "../test/harness/process-resources.ts";
import { installed } from "../test/harness/program.ts";
import { runCommand, WrongArguments, wholeNumber } from "./command.ts";
import { throwGarbage } from "./hostile/garbage.ts";
import { parseHpBenchResult } from "./load.ts";
import { describeMachine, writeMachine } from "./machine.ts";
import { splitNames } from "./options.ts";
import { treeCpuTime } from "./process-tree.ts";
import {
  freePort,
  type Program,
  runToEnd,
  start,
  stopAll,
  temporaryDirectory,
  waitForPort,
} from "./programs.ts";
import { writeNumber, writeTable } from "./statistics.ts";

const HELP = `Hostile clients beside good ones: what good clients feel, and what is left afterwards.

  npm run bench:hostile -- [options]

  --engine A,B         engines, one after the other (uring,epoll,net)
  --attack A,B         none, slow-head, slow-body, slow-read, garbage (all of them)
  --connections N      of slow clients (4000)
  --garbage N          connections of rubbish, one after the other in a few at once (100000)
  --seconds N          length of each slow attack, and of none (20)
  --rate N             requests a second of the good clients (500)
  --json FILE          raw data

The slow attacks need slowhttptest. Exit status 1: good clients met an error or waited longer than 50 ms (99th
percentile), or something was left.
`;
const BIN = path.join(import.meta.dirname, "..", "bin");
const MIB = 1 << 20;
const P99_MS_MAX = 50;
/** Connections that slowhttptest opens a second. */
const OPEN_RATE = 1_000;
const GARBAGE_AT_ONCE = 64;
const SAMPLE_MS = 250;
/** The load that goes to the backend directly is this part of the good clients'. */
const BACKEND_RATE_SHARE = 5;
const REST_MS_MAX = 60_000;
/** What memory may have grown by at rest after an attack: V8 has found its size at a larger load. */
const LEFT_MIB_MAX = 32;
/** As somebody would set them who expects such visitors. */
const FLAGS = [
  ...["--request-head-timeout", "5s", "--request-idle-timeout", "5s", "--request-timeout", "15s"],
  ...["--client-idle-timeout", "10s", "--send-timeout", "5s", "--pool-idle-timeout", "1s"],
  ...["--log-level", "silent"],
];

interface Plan {
  readonly engines: readonly string[];
  readonly attacks: readonly string[];
  readonly connections: number;
  readonly garbage: number;
  readonly seconds: number;
  readonly rate: number;
  readonly jsonPath: string;
}

interface Scene {
  readonly plan: Plan;
  readonly engine: string;
  readonly port: number;
  readonly backendPort: number;
  readonly proxy: Program;
  readonly controlPath: string;
  readonly directory: string;
}

interface Round {
  readonly engine: string;
  readonly attack: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of a small load that goes to the backend without the proxy. */
  readonly backendP99Ms: number;
  readonly goodRequests: number;
  readonly goodErrors: number;
  readonly attackers: number;
  readonly openPeak: number;
  readonly mibBefore: number;
  readonly mibPeak: number;
  readonly mibAfter: number;
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
  readonly cpuPercent: number;
  /** What the proxy counted meanwhile, without what is zero. */
  readonly counted: Readonly<Record<string, number>>;
}

/** What slowhttptest is told for each of its modes. */
const SLOW_FLAGS: Readonly<Record<string, readonly string[]>> = {
  "slow-head": ["-H", "-i", "3", "-x", "24"],
  "slow-body": ["-B", "-i", "3", "-s", "8192", "-x", "10"],
  "slow-read": ["-X", "-w", "512", "-y", "1024", "-n", "3", "-z", "32"],
};
const SLOW_PATHS: Readonly<Record<string, string>> = {
  "slow-body": "/upload",
  "slow-read": "/bytes/300000",
};

async function attackWith(scene: Scene, attack: string): Promise<number> {
  const { plan, port } = scene;
  if (attack === "none") {
    await delay(plan.seconds * 1000);
    return 0;
  }
  if (attack === "garbage") {
    const { left } = await throwGarbage(port, plan.garbage, GARBAGE_AT_ONCE, 1);
    if (left > 0) throw new Error(`${left} connections of garbage were not ended`);
    return plan.garbage;
  }
  const url = `http://127.0.0.1:${port}${SLOW_PATHS[attack] ?? "/"}`;
  const size = ["-c", `${plan.connections}`, "-r", `${OPEN_RATE}`, "-l", `${plan.seconds}`];
  const argv = [installed("slowhttptest"), ...SLOW_FLAGS[attack]!, ...size, "-u", url];
  await runToEnd(argv, { core: undefined });
  return plan.connections;
}

/** One attack beside good clients, from rest to rest. */
async function measure(scene: Scene, attack: string): Promise<Round> {
  const { engine, proxy } = scene;
  const before = await rest(scene, Number.POSITIVE_INFINITY);
  const cpuBefore = treeCpuTime(proxy.pid);
  const startedMs = performance.now();
  const loads = [
    startLoad(scene, scene.port, scene.plan.rate, "good"),
    startLoad(scene, scene.backendPort, Math.ceil(scene.plan.rate / BACKEND_RATE_SHARE), "backend"),
  ];
  const watching = new AbortController();
  const peaks = watch(scene, watching.signal);
  const attackers = await attackWith(scene, attack);
  for (const load of loads) load.child.kill("SIGTERM");
  while (loads.some((load) => !load.ended())) await delay(10);
  watching.abort();
  const { open, mib } = await peaks;
  const ms = performance.now() - startedMs;
  const cpu = treeCpuTime(proxy.pid);
  const cpuMs = cpu.userMs + cpu.systemMs - cpuBefore.userMs - cpuBefore.systemMs;
  const after = await rest(scene, before.descriptors);
  const load = readLoad(scene);
  return {
    engine,
    attack,
    ...load,
    attackers,
    openPeak: open,
    mibBefore: before.mib,
    mibPeak: mib,
    mibAfter: after.mib,
    descriptorsBefore: before.descriptors,
    descriptorsAfter: after.descriptors,
    cpuPercent: (cpuMs / ms) * 100,
    counted: difference(after.report, before.report),
  };
}

/** Requests of `rate` a second to `port`; their latencies go to the file `name`. */
function startLoad({ directory }: Scene, port: number, rate: number, name: string): Program {
  const json = path.join(directory, `${name}.json`);
  const argv = [process.execPath, path.join(BIN, "hp-bench"), `http://127.0.0.1:${port}/bytes/100`];
  argv.push("--connections", "20", "--rate", `${rate}`, "--duration", "10m", "--json", json);
  return start(argv, { core: undefined });
}

function readLoad({ directory }: Scene) {
  const read = (name: string) =>
    parseHpBenchResult(readFileSync(path.join(directory, `${name}.json`), "utf8"));
  const load = read("good");
  return {
    p50Ms: load.p50Us / 1000,
    p99Ms: load.p99Us / 1000,
    backendP99Ms: read("backend").p99Us / 1000,
    goodRequests: load.requests,
    // We end this load, and some requests are due then: nobody has refused those.
    goodErrors: load.errors - (load.unsent ?? 0),
  };
}

/** Peaks of open client connections and memory until `signal`. */
async function watch(scene: Scene, signal: AbortSignal): Promise<{ open: number; mib: number }> {
  const peaks = { open: 0, mib: 0 };
  while (!signal.aborted) {
    const { total } = await readStats(scene.controlPath);
    peaks.open = Math.max(peaks.open, total.clients.open);
    peaks.mib = Math.max(peaks.mib, treeResources(scene.proxy.pid).ownBytes / MIB);
    await delay(SAMPLE_MS, undefined, { signal }).catch(() => {});
  }
  return peaks;
}

/** Waits until nobody is connected, and until what a burst touched is given back. */
async function rest(scene: Scene, descriptorsMax: number) {
  const giveUpAtMs = performance.now() + REST_MS_MAX;
  let calmSinceMs = performance.now();
  for (;;) {
    const report = await readStats(scene.controlPath);
    const { ownBytes, descriptors } = treeResources(scene.proxy.pid);
    const isCalm = report.total.clients.open === 0 && report.total.origins.open === 0;
    const nowMs = performance.now();
    if (!isCalm) calmSinceMs = nowMs;
    const isOver = isCalm && nowMs - calmSinceMs > 3_000 && descriptors <= descriptorsMax;
    if (isOver || nowMs > giveUpAtMs) return { report, descriptors, mib: ownBytes / MIB };
    await delay(100);
  }
}

function difference(after: StatsReport, before: StatsReport): Record<string, number> {
  const flat = ({ total }: StatsReport): Record<string, number> => ({
    refused: total.clients.refused,
    "4xx": total.responses["4xx"],
    "5xx": total.responses["5xx"],
    ...total.errors,
  });
  const then = flat(before);
  const entries = Object.entries(flat(after)).map(
    ([name, count]) => [name, count - (then[name] ?? 0)] as const,
  );
  return Object.fromEntries(entries.filter(([, count]) => count > 0));
}

function faultsOf(round: Round): string[] {
  const where = `${round.engine}, ${round.attack}`;
  return [
    ...(round.p99Ms > P99_MS_MAX
      ? [`${where}: good clients waited ${writeNumber(round.p99Ms)} ms (p99)`]
      : []),
    ...(round.goodErrors > 0 ? [`${where}: ${round.goodErrors} errors for good clients`] : []),
    ...(round.descriptorsAfter > round.descriptorsBefore
      ? [`${where}: ${round.descriptorsBefore} descriptors became ${round.descriptorsAfter}`]
      : []),
    ...(round.mibAfter > round.mibBefore + LEFT_MIB_MAX ? [`${where}: memory did not come back`] : []),
  ];
}

function writeRounds(rounds: readonly Round[]): string {
  const header = [
    "engine, attack",
    "attackers",
    "open at most",
    "good requests",
    "errors",
    "p50 ms",
    "p99 ms",
    "backend alone, p99 ms",
  ];
  header.push("CPU %", "memory MiB before, peak, after", "descriptors before, after", "the proxy counted");
  const rows = rounds.map((round) => [
    `${round.engine}, ${round.attack}`,
    `${round.attackers}`,
    `${round.openPeak}`,
    `${round.goodRequests}`,
    `${round.goodErrors}`,
    writeNumber(round.p50Ms),
    writeNumber(round.p99Ms),
    writeNumber(round.backendP99Ms),
    writeNumber(round.cpuPercent),
    [round.mibBefore, round.mibPeak, round.mibAfter].map((mib) => Math.round(mib)).join(", "),
    `${round.descriptorsBefore}, ${round.descriptorsAfter}`,
    Object.entries(round.counted)
      .map(([name, count]) => `${name} ${count}`)
      .join(", "),
  ]);
  return writeTable(header, rows);
}

async function openScene(plan: Plan, engine: string): Promise<Scene> {
  const [echoPort, port] = [await freePort(), await freePort()];
  const echo = start([process.execPath, path.join(BIN, "hp-echo"), "--port", `${echoPort}`], {
    core: undefined,
  });
  await waitForPort(echo, echoPort);
  const directory = temporaryDirectory();
  const controlPath = path.join(directory, "control.sock");
  const argv = [process.execPath, path.join(BIN, "hp-proxy"), "--listen", `127.0.0.1:${port}`];
  argv.push("--backends", `127.0.0.1:${echoPort}`, "--engine", engine, "--workers", "1");
  const proxy = start([...argv, "--control", controlPath, ...FLAGS], { core: undefined });
  await waitForPort(proxy, port);
  const scene = { plan, engine, port, backendPort: echoPort, proxy, controlPath, directory };
  while ((await readStats(controlPath).catch(() => undefined)) === undefined) {
    if (proxy.ended()) throw new Error(proxy.output());
    await delay(20);
  }
  return scene;
}

function parsePlan(argv: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      engine: { type: "string", multiple: true, default: ["uring,epoll,net"] },
      attack: { type: "string", multiple: true, default: ["none,slow-head,slow-body,slow-read,garbage"] },
      connections: { type: "string", default: "4000" },
      garbage: { type: "string", default: "100000" },
      seconds: { type: "string", default: "20" },
      rate: { type: "string", default: "500" },
      json: { type: "string", default: "" },
    },
  });
  const attacks = splitNames(values.attack);
  const unknown = attacks.find((name) => !["none", "garbage"].includes(name) && !(name in SLOW_FLAGS));
  if (unknown !== undefined) throw new WrongArguments(`--attack: there is no ${unknown}; --help lists them`);
  if (attacks.some((name) => name in SLOW_FLAGS) && installed("slowhttptest") === "")
    throw new Error("slowhttptest is not installed (Debian has it)");
  return {
    engines: splitNames(values.engine),
    attacks,
    connections: wholeNumber("--connections", values.connections, 1),
    garbage: wholeNumber("--garbage", values.garbage, 1),
    seconds: wholeNumber("--seconds", values.seconds, 1),
    rate: wholeNumber("--rate", values.rate, 1),
    jsonPath: values.json,
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const plan = parsePlan(argv);
  process.stdout.write(`${writeMachine(describeMachine())}\n`);
  const rounds: Round[] = [];
  for (const engine of plan.engines) {
    const scene = await openScene(plan, engine);
    for (const attack of plan.attacks) {
      rounds.push(await measure(scene, attack));
      process.stdout.write(`${writeRounds(rounds.slice(-1)).split("\n").at(-1)}\n`);
    }
    await scene.proxy.stop();
  }
  const faults = rounds.flatMap(faultsOf);
  process.stdout.write(`\n${writeRounds(rounds)}\n\n${faults.map((fault) => `- ${fault}\n`).join("")}`);
  if (plan.jsonPath !== "")
    writeFileSync(
      plan.jsonPath,
      `${JSON.stringify({ machine: describeMachine(), plan, rounds }, undefined, 1)}\n`,
    );
  return faults.length === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    await runCommand("hostile", HELP, main);
  } finally {
    await stopAll();
  }
}
