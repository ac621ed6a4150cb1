/** Figures that tests know, in the shape of those that a run leaves. */
import type { Round, Series } from "../measure.ts";
import type { ScenarioResult } from "../report.ts";
import { SCENARIOS } from "../scenarios.ts";

/** A round with `cpuUs` of CPU per request. */
export function round(cpuUs: number, changes: Partial<Round> = {}): Round {
  return {
    ...{ round: 0, requests: 1, seconds: 1, perSecond: 1e6 / cpuUs, userUs: 1, systemUs: 1, cpuUs },
    ...{ generatorUs: 1, generatorRunUs: undefined, meanUs: 2, p50Us: 1, p90Us: 10, p99Us: 100, p999Us: 1e3 },
    ...{ maxUs: 1e4, memory: { rssKib: 2048, pssKib: 1024, ownKib: 512 }, busyShare: 1, foreignShare: 0 },
    ...{ otherCoreShare: 0.5, errors: 0, samples: 1, invalid: "" },
    ...changes,
  };
}

/** Its title has characters that a picture has to escape. */
export function series(name: string, ...rounds: readonly Round[]): Series {
  return { name, title: `<${name}>`, version: "1", rounds };
}

export function result(name: string, ...all: readonly Series[]): ScenarioResult {
  const scenario = SCENARIOS.find((one) => one.name === name)!;
  return { scenario, generator: "", backend: "", series: all, missing: [] };
}
