/** The command line of the comparison. */
import { parseArgs } from "node:util";
import { WrongArguments, wholeNumber } from "./command.ts";
import { coreTime } from "./process-tree.ts";
import { chooseScenarios, type Scenario } from "./scenarios.ts";

export interface CompareOptions {
  readonly scenarios: readonly Scenario[];
  /** Names of contenders, in any order; empty: the usual ones. */
  readonly only: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly core: number;
  readonly otherCore: number;
  readonly load: string;
  readonly backend: string;
  /** Where raw data goes; "" for nowhere. */
  readonly jsonPath: string;
}

export const COMPARE_HELP = `Compares CPU time per request of hp-proxy and other proxies, side by side.

  npm run bench -- [options]

  --quick              one round of one second: does it work?
  --scenario A,B       get-64 (default), get-1, get-256, get-1024, fields-16, body-10k, body-100k, body-1m,
                       chunked, connect, upload, pipeline, backends-3, web-socket, events, rate-5k, rate-20k,
                       generators, echo; or all
  --only A,B           these contenders only: hp-uring, hp-epoll, hp-net, nginx, haproxy, caddy, go,
                       http-proxy, httpxy, fast-proxy, fastify, hp-tcp, relay; not usually: hp-uring-2,
                       hp-epoll-2 and hp-net-2 (two workers, all cores), hp-tcp-epoll, hp-tcp-net,
                       nginx-bare and haproxy-bare (without forwarding fields)
  --rounds N           rounds of every contender (5)
  --seconds N          length of a round (4); CPU time is counted in steps of 10 ms
  --load NAME          wrk (default), hp-bench-uring, hp-bench-epoll or hp-bench-net
  --backend NAME       nginx (default), or hp-echo-uring, hp-echo-epoll, hp-echo-net for paths at /
  --core N             core of what is measured (0)
  --other-core N       core of backend and load generator (1)
  --json FILE          raw data of every round
`;

/** Reads the arguments after the script's name. Throws `WrongArguments`. */
export function parseCompareOptions(argv: readonly string[]): CompareOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      scenario: { type: "string", multiple: true, default: ["get-64"] },
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string" },
      seconds: { type: "string" },
      load: { type: "string", default: "wrk" },
      backend: { type: "string", default: "nginx" },
      core: { type: "string", default: "0" },
      "other-core": { type: "string", default: "1" },
      json: { type: "string", default: "" },
    },
  });
  return {
    scenarios: chooseScenarios(splitNames(values.scenario)),
    only: splitNames(values.only),
    rounds: wholeNumber("--rounds", values.rounds ?? (values.quick ? "1" : "5"), 1),
    seconds: wholeNumber("--seconds", values.seconds ?? (values.quick ? "1" : "4"), 1),
    warmupSeconds: values.quick ? 1 : 3,
    load: values.load,
    backend: values.backend,
    core: wholeNumber("--core", values.core, 0),
    otherCore: wholeNumber("--other-core", values["other-core"], 0),
    jsonPath: values.json,
  };
}

/** `["a,b", "c"]` is a, b and c. */
export function splitNames(lists: readonly string[]): string[] {
  return lists.flatMap((list) => list.split(",")).filter((name) => name !== "");
}

/** Throws for a core that this machine does not have, or that is off: nobody could be measured. */
export function checkCores({ core, otherCore }: { readonly core: number; readonly otherCore: number }): void {
  for (const [flag, one] of [
    ["--core", core],
    ["--other-core", otherCore],
  ] as const)
    try {
      coreTime(one);
    } catch (error) {
      throw new WrongArguments(`${flag}: ${(error as Error).message}`);
    }
}

/** Members of `table` named in `only`, or the usual ones. Throws for a name that none of `tables` has. */
export function chooseByName<T extends { readonly name: string; readonly usual?: boolean }>(
  table: readonly T[],
  only: readonly string[],
): readonly T[] {
  if (only.length === 0) return table.filter((row) => row.usual !== false);
  const unknown = only.filter((name) => !table.some((row) => row.name === name));
  if (unknown.length > 0)
    throw new WrongArguments(
      `"${unknown.join('", "')}": unknown; write one of ${table.map((row) => row.name).join(", ")}`,
    );
  return table.filter((row) => only.includes(row.name));
}
