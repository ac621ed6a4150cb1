/**
 * What a run consists of. Time is short, so it goes where it tells most: everybody in three scenarios, those
 * whose figures decide in all of them, and more rounds where there is a target (bench/full/targets.ts).
 */
import { WrongArguments } from "../command.ts";
import { PROXIES } from "../contenders.ts";
import { SCENARIOS } from "../scenarios.ts";
import { TARGET_SCENARIOS } from "./targets.ts";

/** Scenarios measured with these contenders only, which are started once; names as in the tables. */
export interface Part {
  readonly scenarios: readonly string[];
  /** Empty: all that there are of the scenarios' kind. */
  readonly only: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  /** Load before the first round, for each contender when it has just been started; not measured. */
  readonly warmupSeconds: number;
}

/** Idle connections, by bench/idle.ts: one run of it. */
export interface IdlePart {
  readonly only: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  /** 0: as many as every proxy here has room for. */
  readonly connections: number;
}

export interface Preset {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly idle: readonly IdlePart[];
}

/** What replaces a preset's own values; undefined leaves them. */
export interface Changes {
  readonly rounds: number | undefined;
  readonly seconds: number | undefined;
  readonly warmupSeconds: number | undefined;
  /** Names of scenarios, and `IDLE`; empty: all. */
  readonly scenarios: readonly string[];
}

/** Among the names of scenarios: idle connections. */
export const IDLE = "idle";

/** Whose figures decide: those take part in every scenario. */
const MAIN = ["hp-uring", "hp-epoll", "nginx", "haproxy", "relay"];
const EVERYBODY = PROXIES.filter(({ usual }) => usual).map(({ name }) => name);
const TWO_WORKERS = ["hp-uring-2", "hp-epoll-2", "hp-net-2"];
const MODE_TCP = ["hp-tcp-epoll", "hp-tcp-net"];
const WITH_EVERYBODY = ["get-64", "body-100k", "connect"];
const WITH_MAIN = SCENARIOS.filter(
  ({ kind, name }) => kind === "proxy" && !WITH_EVERYBODY.includes(name),
).map(({ name }) => name);

const EXACT = { rounds: 4, seconds: 2, warmupSeconds: 5 };
const PLAIN = { rounds: 3, seconds: 2, warmupSeconds: 5 };

export const FULL: Preset = {
  name: "",
  parts: [
    { ...EXACT, scenarios: ["get-64"], only: [...EVERYBODY, ...TWO_WORKERS, ...MODE_TCP] },
    { ...PLAIN, scenarios: ["connect"], only: [...EVERYBODY, ...MODE_TCP] },
    { ...PLAIN, scenarios: ["body-100k"], only: EVERYBODY },
    { ...EXACT, scenarios: WITH_MAIN.filter((name) => TARGET_SCENARIOS.has(name)), only: MAIN },
    { ...PLAIN, scenarios: WITH_MAIN.filter((name) => !TARGET_SCENARIOS.has(name)), only: MAIN },
    { ...EXACT, scenarios: ["echo", "generators"], only: [] },
  ],
  idle: [
    { only: ["hp-uring", "hp-epoll", "nginx", "haproxy"], rounds: 2, seconds: 2, connections: 0 },
    { only: ["hp-uring-2"], rounds: 1, seconds: 2, connections: 20_000 },
  ],
};

const SHORT = { rounds: 1, seconds: 1, warmupSeconds: 1 };
export const QUICK: Preset = {
  name: "--quick",
  parts: [
    { ...SHORT, scenarios: ["get-64"], only: EVERYBODY },
    { ...SHORT, scenarios: ["body-100k", "connect", "web-socket", "rate-5k"], only: MAIN },
  ],
  idle: [],
};

/** `preset` with `changes`. Throws for a scenario that it does not have. */
export function changePreset({ name, parts, idle }: Preset, changes: Changes): Preset {
  const { scenarios: chosen, rounds, seconds, warmupSeconds } = changes;
  const known = [...parts.flatMap(({ scenarios }) => scenarios), ...(idle.length > 0 ? [IDLE] : [])];
  const unknown = chosen.filter((one) => !known.includes(one));
  if (unknown.length > 0)
    throw new WrongArguments(
      `--scenario: "${unknown.join('", "')}": unknown; write one or more of ${known.join(", ")}`,
    );
  const isChosen = (one: string) => chosen.length === 0 || chosen.includes(one);
  return {
    name,
    parts: parts
      .map((part) => ({
        scenarios: part.scenarios.filter(isChosen),
        only: part.only,
        rounds: rounds ?? part.rounds,
        seconds: seconds ?? part.seconds,
        warmupSeconds: warmupSeconds ?? part.warmupSeconds,
      }))
      .filter(({ scenarios }) => scenarios.length > 0),
    idle: isChosen(IDLE)
      ? idle.map((part) => ({ ...part, rounds: rounds ?? part.rounds, seconds: seconds ?? part.seconds }))
      : [],
  };
}
