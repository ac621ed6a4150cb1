/**
 * Two questions that tables by scenario do not answer: what reading HTTP costs against passing on bytes, and
 * what to expect of more cores.
 */
import type { Round } from "../measure.ts";
import type { ScenarioResult } from "../report.ts";
import { spread, writeNumber, writeSpread, writeTable } from "../statistics.ts";
import type { Artefacts } from "./artefacts.ts";

const MODEL_CORES = [1, 2, 8, 64];
/** What was asked of this proxy before anything was measured: small GETs on eight workers. */
const OLD_TARGET = { cores: 8, perSecond: "120000–160000" };
const MIB = 1 << 20;

/** Rows: what passes bytes or reads them, with connections kept or made for every request. */
const ROWS: readonly (readonly [what: string, contender: string, scenario: string])[] = [
  ["full HTTP, pooled connections", "hp-uring", "get-64"],
  ["full HTTP, a client connection per request", "hp-uring", "connect"],
  ["raw TCP, connections kept", "hp-tcp", "get-64"],
  ["raw TCP, a connection per request, on both sides", "hp-tcp", "connect"],
  ["the same, engine epoll, connections kept", "hp-tcp-epoll", "get-64"],
  ["the same, a connection per request", "hp-tcp-epoll", "connect"],
  ["the same, engine net, connections kept", "hp-tcp-net", "get-64"],
  ["the same, a connection per request", "hp-tcp-net", "connect"],
  ["raw TCP in C, connections kept", "relay", "get-64"],
  ["raw TCP in C, a connection per request, on both sides", "relay", "connect"],
];

export function writeStudy(results: readonly ScenarioResult[], artefacts: Artefacts): string {
  const rows = ROWS.map(([what, contender, scenario]) => {
    const of = (pick: (round: Round) => number) =>
      spread(validRounds(results, contender, scenario).map(pick));
    return [
      what,
      writeSpread(of(({ perSecond }) => perSecond)),
      writeNumber(of(({ meanUs }) => meanUs).median),
      writeSpread(of(({ cpuUs }) => cpuUs)),
    ];
  });
  const { sourceLines, dataPlaneLines, scriptBytes, addonBytes, runtimeBytes, programBytes } = artefacts;
  const sizes = Object.entries(programBytes).map(([name, bytes]) => [name, mebibytes(bytes)]);
  return [
    "### What reading HTTP costs",
    "",
    'Small GET, 64 clients. There is no row "raw TCP, pooled": who does not read HTTP does not know where a',
    "response ends, so it cannot give a backend connection to another client; each client connection has its own.",
    "",
    writeTable(["", "requests/s", "mean latency µs", "CPU µs/request"], rows),
    "",
    `hp-proxy: ${sourceLines} lines of source (${dataPlaneLines} of them the data plane), neither blank nor`,
    "comment. Shipped:",
    `${scriptBytes === 0 ? "JavaScript that is not built here" : `${mebibytes(scriptBytes)} MiB of JavaScript`},`,
    `${mebibytes(addonBytes)} MiB of library for foreign calls, and a Node.js of ${mebibytes(runtimeBytes)} MiB.`,
    "",
    "Programs of the others, without the libraries they share with the system:",
    "",
    writeTable(["program", "MiB"], sizes),
  ].join("\n");
}

/**
 * Requests per second on more cores, from one worker and from two. Undefined where either was not measured.
 *
 * The cost of a request with two workers over that with one is what sharing costs per doubling; further
 * doublings are taken to cost the same. Load generator, backends and network are taken to keep up.
 */
export function modelCores(results: readonly ScenarioResult[]):
  | {
      readonly perCore: number;
      /** Cost of a request with two workers over that with one, as measured. */
      readonly measured: number;
      /** The same as it is taken: at least 1. */
      readonly perDoubling: number;
      readonly at: ReadonlyMap<number, number>;
    }
  | undefined {
  const one = spread(validRounds(results, "hp-uring", "get-64").map(({ cpuUs }) => cpuUs)).median;
  const two = spread(validRounds(results, "hp-uring-2", "get-64").map(({ cpuUs }) => cpuUs)).median;
  if (!Number.isFinite(one) || !Number.isFinite(two)) return undefined;
  const perCore = 1e6 / one;
  const measured = two / one;
  // A request that is cheaper beside others is noise, and no reason to promise more than as many times one core.
  const perDoubling = Math.max(1, measured);
  const at = new Map(
    MODEL_CORES.map((cores) => [cores, (perCore * cores) / perDoubling ** Math.log2(cores)] as const),
  );
  return { perCore, measured, perDoubling, at };
}

export function writeModel(results: readonly ScenarioResult[]): string {
  const model = modelCores(results);
  if (model === undefined) return "";
  const { perCore, measured, perDoubling, at } = model;
  const thousands = (rate: number) => String(Math.round(rate / 1000) * 1000);
  const rows = [...at].map(([cores, rate]) => [
    String(cores),
    thousands(rate),
    thousands(perCore * cores),
    cores === OLD_TARGET.cores ? OLD_TARGET.perSecond : "",
  ]);
  return [
    "### What to expect of more cores: a model",
    "",
    `By the CPU of its requests, one worker serves ${Math.round(perCore)} small GETs a second of a core that`,
    `does nothing else; with a second worker each costs × ${measured.toFixed(2)}, as measured. Taken for every`,
    ...(measured < perDoubling
      ? [
          "doubling: × 1.00, because a second worker is no reason for a request to get cheaper. Less than 1 is noise",
          "until it is shown to be more, and is not multiplied:",
        ]
      : ["doubling:"]),
    "",
    writeTable(["cores, each with one worker", "requests/s", "if sharing cost nothing", "old target"], rows),
    "",
    "Assumed and not measured: that every further doubling costs what the first one did (workers share no memory",
    "but counters, so that is the kernel and the caches); that cores are as fast together as alone, with one for",
    "each worker and none for anything else; that a network card with its interrupts costs what loopback does; and",
    "that network, backends and clients keep up. On two cores the second worker shares its core with load generator",
    "and backend, which evict it from the caches: what sharing costs there includes that.",
  ].join("\n");
}

function validRounds(
  results: readonly ScenarioResult[],
  contender: string,
  scenario: string,
): readonly Round[] {
  const series = results
    .filter((result) => result.scenario.name === scenario)
    .flatMap((result) => result.series.filter(({ name }) => name === contender));
  return series.flatMap(({ rounds }) => rounds.filter(({ invalid }) => invalid === ""));
}

function mebibytes(bytes: number): string {
  return writeNumber(bytes / MIB);
}
