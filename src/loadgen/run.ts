/** One run from a configuration to a result: opens an engine, drives a load generator on it, closes it. */
import { arch, availableParallelism, cpus, release, type } from "node:os";
import type { Engine, EngineOptions } from "../contract/port.ts";
import { Method } from "../http1/message-head.ts";
import { LoadGenerator, type LoadPlan } from "./load-generator.ts";
import type { LoadConfiguration } from "./options.ts";
import { RequestSlots, requestBytes, requestCloses, requestSlotCount } from "./request.ts";
import { resolveAddress } from "./resolve.ts";
import { type Result, type RunDescription, summarize } from "./result.ts";
import { Tally } from "./tally.ts";

/**
 * Slots that receive; each is given back within the batch that filled it, save for heads longer than the
 * headroom.
 */
const RECEIVE_SLOTS_MIN = 128;
const RECEIVE_SLOTS_MAX = 1024;
/** A closed connection's number may be in use a little longer than the connection. */
const SPARE_CONNECTIONS = 64;
/** How often Node looks whether the run is over, and whether a second has passed. */
const POLL_MS = 20;

/** An engine and why others were not taken. */
export interface OpenedEngine {
  readonly engine: Engine;
  readonly passedOver: readonly { readonly name: string; readonly reason: string }[];
}

export interface RunSurroundings {
  readonly version: string;
  /** Opens the engine that the configuration wants. */
  openEngine(options: EngineOptions): Promise<OpenedEngine>;
  /** Called once, when everything stands and before the first request. */
  began(run: RunDescription): void;
  /** Called about once a second of the measurement, with the counts so far. */
  progressed(tally: Tally): void;
  /** Ends the run before its time. */
  readonly stopSignal: AbortSignal;
}

/** Carries out one run. Throws when the name of the target is unknown or the engine cannot be had. */
export async function runLoad(
  configuration: LoadConfiguration,
  surroundings: RunSurroundings,
): Promise<Result> {
  const request = requestBytes(configuration);
  const address = await resolveAddress(configuration.target);
  const { connections, pipeline } = configuration;
  const connectionsMax = 2 * connections + SPARE_CONNECTIONS;
  const { engine, passedOver } = await surroundings.openEngine({
    listeners: [],
    connectionsMax,
    smallSlots: connections + SPARE_CONNECTIONS,
    largeSlots:
      requestSlotCount(request.length, connectionsMax, pipeline) +
      Math.min(RECEIVE_SLOTS_MAX, Math.max(RECEIVE_SLOTS_MIN, connections)),
  });
  try {
    const plan: LoadPlan = {
      address,
      connections,
      pipeline,
      ratePerSecond: configuration.ratePerSecond,
      warmupMs: configuration.warmupMs,
      durationMs: configuration.durationMs,
      timeoutMs: configuration.timeoutMs,
      method: methodId(configuration.method),
      requestLength: request.length,
      closes: requestCloses(configuration.fields),
    };
    const tally = new Tally(secondsMax(configuration));
    const generator = new LoadGenerator(engine, plan, new RequestSlots(engine, request, pipeline), tally);
    const run = describeRun(
      configuration,
      address,
      request.length,
      engine.name,
      passedOver,
      surroundings.version,
    );
    surroundings.began(run);
    engine.start(generator);
    engine.wake();
    const cpu = await completion(engine, generator, tally, surroundings);
    return summarize(run, tally, { user: cpu.user / 1000, system: cpu.system / 1000 });
  } finally {
    await engine.stop();
  }
}

/**
 * Resolves when the generator has finished, with the CPU time since the end of the warm-up. Uses a timer
 * only: those run beside every engine.
 */
function completion(
  engine: Engine,
  generator: LoadGenerator,
  tally: Tally,
  { stopSignal, progressed }: RunSurroundings,
): Promise<NodeJS.CpuUsage> {
  return new Promise((resolve) => {
    let secondCount = 1;
    let cpuBefore = process.cpuUsage();
    const poll = setInterval(() => {
      if (stopSignal.aborted) {
        generator.stop();
        engine.wake();
      }
      if (tally.secondCount === 0) cpuBefore = process.cpuUsage();
      if (generator.finished) {
        clearInterval(poll);
        resolve(process.cpuUsage(cpuBefore));
      } else if (tally.secondCount > secondCount) {
        secondCount = tally.secondCount;
        progressed(tally);
      }
    }, POLL_MS);
  });
}

function secondsMax(configuration: LoadConfiguration): number {
  const drainMs = configuration.ratePerSecond > 0 ? configuration.timeoutMs : 0;
  return Math.ceil((configuration.durationMs + drainMs) / 1000);
}

function methodId(method: string): number {
  return Object.hasOwn(Method, method) ? Method[method as keyof typeof Method] : Method.other;
}

function describeRun(
  configuration: LoadConfiguration,
  address: string,
  requestLength: number,
  engineName: string,
  passedOver: OpenedEngine["passedOver"],
  version: string,
): RunDescription {
  return {
    tool: { name: "hp-bench", version },
    startedAt: new Date().toISOString(),
    platform: {
      node: process.version,
      system: `${type()} ${release()}`,
      arch: arch(),
      cpu: cpus()[0]?.model ?? "",
      cpuCount: availableParallelism(),
    },
    configuration: {
      target: configuration.target.text,
      address,
      loop: configuration.ratePerSecond > 0 ? "open" : "closed",
      connections: configuration.connections,
      pipeline: configuration.pipeline,
      ratePerSecond: configuration.ratePerSecond,
      durationMs: configuration.durationMs,
      warmupMs: configuration.warmupMs,
      timeoutMs: configuration.timeoutMs,
      method: configuration.method,
      fields: configuration.fields,
      bodyBytes: configuration.body.length,
      requestBytes: requestLength,
    },
    engine: { name: engineName, passedOver },
  };
}
