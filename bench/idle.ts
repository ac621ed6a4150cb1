/**
 * Memory of a proxy for each idle keep-alive connection, and what load costs beside them.
 *
 *     npm run bench:idle -- --help
 *
 * Strategy: every round starts each proxy anew. Load for a few seconds, so that it has made what it makes
 * once; memory; the connections, each with one answered request; memory again; the same load beside them, and once
 * more when they have gone: a machine that others share is slower in one minute than in the next, and the mean of the
 * two loads without them is as old as the one beside them. The
 * difference of PSS over the process tree, divided by the connections, is what one costs the process; the
 * kernel's sockets are not in it. What a proxy has set aside at start for all connections that it may ever
 * have is not in it either, but in the whole PSS, which is shown too. Two things would hide what connections take:
 * garbage, which programs on Node collect before memory is read, and pages of files, which are not counted: those of a
 * runtime are shared with the clients that come.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { collectGarbage, INSPECTABLE } from "./collect-garbage.ts";
import { runCommand, wholeNumber } from "./command.ts";
import type { Contender } from "./contenders/contender.ts";
import { PROXIES } from "./contenders.ts";
import type { IdleFigures } from "./idle-clients.ts";
import { type IdleRound, writeIdle } from "./idle-report.ts";
import { GENERATORS, generatorSetups, type LoadResult } from "./load.ts";
import { describeMachine, writeMachine } from "./machine.ts";
import { isRunning, launch, type Missing, type Plan, type Running, type Setup } from "./measure.ts";
import { checkCores, chooseByName, splitNames } from "./options.ts";
import { descriptorLimit, treeCpuTime, treeMemory } from "./process-tree.ts";
import { type Program, start, stopAll, temporaryDirectory } from "./programs.ts";
import { SCENARIOS } from "./scenarios.ts";
import { BACKEND } from "./servers.ts";
import { answersOf, firstWrong } from "./verify.ts";

const CONNECTIONS = 20_000;
const HELP = `Memory of a proxy for each idle keep-alive connection, and what load costs beside them.

  npm run bench:idle -- [options]

  --only A,B           these contenders only; see npm run bench -- --help (all but relays)
  --connections N      idle connections, from 2 (${CONNECTIONS}, or what half of the descriptors allow)
  --rounds N           rounds, each with proxies started anew (3)
  --seconds N          load before the connections, as long beside them, and behind them (4)
  --core N             core of the proxy (0)
  --other-core N       core of backend, load and clients (1)
  --json FILE          raw data of every round
`;
const CLIENTS = path.join(import.meta.dirname, "idle-clients.ts");
/** Addresses of the loopback network to connect from, each with ports and descriptors of its own. */
const SOURCES = ["127.0.0.2", "127.0.0.3"];
/**
 * Descriptors that a proxy needs beside those of idle clients: listener, backends, load. Proxies that keep
 * one free for a backend connection of each client take half of the limit: so many are opened unless asked
 * otherwise. Those of two workers have room for twice as many.
 */
const SPARE_DESCRIPTORS = 512;
/**
 * Pages are given back for seconds after the last answer: memory is read when two readings a second apart differ by
 * less than this, or after the longest wait.
 */
const FLAT_KIB = 64;
const READING_INTERVAL_MS = 1000;
const READINGS_MAX = 30;
const OPEN_TIMEOUT_MS = 60_000;
const SCENARIO = SCENARIOS[0]!;
/** They open a backend connection for every client connection, so that descriptors run out. */
const RELAYS = ["hp-tcp", "hp-tcp-epoll", "hp-tcp-net", "relay"];

interface IdlePlan extends Plan {
  readonly connections: number;
  readonly only: readonly string[];
  readonly jsonPath: string;
}

/** How each proxy was started, for the raw data. */
const setups: Record<string, Setup> = {};

async function measure(contender: Contender, backend: Running, plan: IdlePlan, round: number) {
  const proxy = await launch(contender, plan.core, [backend.port], false, plan.directory, INSPECTABLE);
  if (!isRunning(proxy)) return proxy;
  setups[`idle: ${proxy.title}`] = proxy.setup;
  const clients: Program[] = [];
  try {
    // A port that accepts connections need not answer yet: that is no part of the warm-up.
    await answersOf(proxy.port, SCENARIO);
    const wrong = firstWrong(await answersOf(proxy.port, SCENARIO), await answersOf(backend.port, SCENARIO));
    if (wrong !== "") throw new Error(`wrong answer: ${wrong}`);
    await loadOnce(proxy, plan, plan.warmupSeconds);
    const alone = await loadOnce(proxy, plan, plan.seconds);
    const before = await weigh(proxy.program);
    for (const source of SOURCES) clients.push(await openClients(proxy.port, plan, source));
    const after = await weigh(proxy.program);
    const { pssKib } = treeMemory(proxy.program.pid);
    const beside = await loadOnce(proxy, plan, plan.seconds);
    const figures = await Promise.all(clients.map(ask));
    const open = figures.reduce((sum, one) => sum + one.open, 0);
    await Promise.all(clients.map((program) => program.stop()));
    await delay(READING_INTERVAL_MS);
    const again = await loadOnce(proxy, plan, plan.seconds);
    const { name, title, version } = proxy;
    return {
      name,
      title,
      version,
      round,
      connections: open,
      pssKib,
      ownKibBefore: before.ownKib,
      ownKib: after.ownKib,
      isFlat: before.isFlat && after.isFlat,
      bytesPerConnection: ((after.ownKib - before.ownKib) * 1024) / open,
      cpuUsBefore: alone.cpuUs,
      cpuUsAfter: again.cpuUs,
      cpuUs: beside.cpuUs,
      perSecondBefore: alone.perSecond,
      perSecond: beside.perSecond,
      p99Us: beside.p99Us,
      lost: figures.reduce((sum, one) => sum + one.failed, 0),
      errors: alone.errors + beside.errors + again.errors,
    } satisfies IdleRound;
  } catch (error) {
    return { name: contender.name, reason: (error as Error).message } satisfies Missing;
  } finally {
    await Promise.all(clients.map((program) => program.stop()));
    await proxy.program.stop();
  }
}

/** What the proxy and its workers take when they have given back what they can. */
async function weigh(program: Program) {
  // Buffers are given back a moment after their last use.
  await delay(READING_INTERVAL_MS);
  await collectGarbage(program.output());
  return flatMemory(() => treeMemory(program.pid).ownKib);
}

/**
 * Memory in KiB once it is flat. `isFlat` is false where it never was: then `ownKib` is the last reading. `pause`
 * waits between two readings.
 */
export async function flatMemory(
  read: () => number,
  pause: () => Promise<unknown> = () => delay(READING_INTERVAL_MS),
): Promise<{ readonly ownKib: number; readonly isFlat: boolean }> {
  let ownKib = read();
  for (let reading = 1; reading < READINGS_MAX; reading++) {
    await pause();
    const next = read();
    const isFlat = Math.abs(next - ownKib) < FLAT_KIB;
    ownKib = next;
    if (isFlat) return { ownKib, isFlat };
  }
  return { ownKib, isFlat: false };
}

async function loadOnce(proxy: Running, plan: Plan, seconds: number) {
  const before = treeCpuTime(proxy.program.pid);
  const { port } = proxy;
  const { directory, otherCore: core } = plan;
  const result: LoadResult = await GENERATORS[0]!.run({ scenario: SCENARIO, port, seconds, core, directory });
  const after = treeCpuTime(proxy.program.pid);
  const cpuMs = after.userMs + after.systemMs - before.userMs - before.systemMs;
  return {
    ...result,
    cpuUs: (cpuMs * 1000) / result.requests,
    perSecond: result.requests / result.seconds,
  };
}

/** Resolves when every connection of one client process is open or has failed. */
async function openClients(port: number, plan: IdlePlan, source: string): Promise<Program> {
  const count = Math.floor(plan.connections / SOURCES.length);
  const argv = [process.execPath, CLIENTS, String(port), String(count), source];
  const program = start(argv, { core: plan.otherCore }, true);
  await reported(program);
  return program;
}

async function ask(program: Program): Promise<IdleFigures> {
  program.child.send("report");
  return reported(program);
}

/** The next figures that `program` sends; rejects when it ends or takes longer than a minute. */
async function reported(program: Program): Promise<IdleFigures> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)]);
  const ended = once(program.child, "exit", { signal }).then(() => {
    throw new Error(`idle clients ended: ${program.output()}`);
  });
  try {
    const [figures] = await Promise.race([once(program.child, "message", { signal }), ended]);
    return figures as IdleFigures;
  } catch (error) {
    if (signal.aborted) throw new Error("idle connections were not all answered within a minute");
    throw error;
  } finally {
    ended.catch(() => {});
    stop.abort();
  }
}

function parseOptions(argv: readonly string[]): IdlePlan {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string", multiple: true, default: [] },
      connections: { type: "string" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "4" },
      core: { type: "string", default: "0" },
      "other-core": { type: "string", default: "1" },
      json: { type: "string", default: "" },
    },
  });
  const limit = descriptorLimit();
  const connections =
    values.connections === undefined
      ? Math.min(CONNECTIONS, Math.floor(limit / 2) - SPARE_DESCRIPTORS)
      : wholeNumber("--connections", values.connections, SOURCES.length);
  return {
    only: splitNames(values.only),
    connections,
    rounds: wholeNumber("--rounds", values.rounds, 1),
    seconds: wholeNumber("--seconds", values.seconds, 1),
    warmupSeconds: 2,
    core: wholeNumber("--core", values.core, 0),
    otherCore: wholeNumber("--other-core", values["other-core"], 0),
    directory: temporaryDirectory(),
    jsonPath: values.json,
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const plan = parseOptions(argv);
  checkCores(plan);
  const proxies = PROXIES.filter(({ name }) => !RELAYS.includes(name));
  const contenders = chooseByName(proxies, plan.only);
  const machine = describeMachine();
  const limit = `at most ${descriptorLimit()} descriptors a process`;
  process.stdout.write(`${writeMachine(machine)}\n\n${plan.connections} idle connections; ${limit}\n\n`);
  const backend = await launch(BACKEND, plan.otherCore, [], false, plan.directory);
  if (!isRunning(backend)) throw new Error(backend.reason);
  setups[`idle: ${backend.title}`] = backend.setup;
  const rounds: IdleRound[] = [];
  const missing = new Map<string, Missing>();
  for (let round = 0; round < plan.rounds; round++) {
    for (const contender of contenders) {
      if (missing.has(contender.name)) continue;
      const result = await measure(contender, backend, plan, round);
      if ("reason" in result) missing.set(contender.name, result);
      else rounds.push(result);
    }
  }
  process.stdout.write(`${writeIdle(rounds, [...missing.values()])}\n`);
  for (const [name, setup] of Object.entries(generatorSetups())) setups[`idle: ${name}`] = setup;
  const raw = { machine, plan, rounds, missing: [...missing.values()], setups };
  if (plan.jsonPath !== "") writeFileSync(plan.jsonPath, `${JSON.stringify(raw, undefined, 1)}\n`);
  return 0;
}

if (import.meta.main) {
  try {
    await runCommand("bench", HELP, main);
  } finally {
    await stopAll();
  }
}
