/** Runs a proxy until a signal ends it: the life of `hp-proxy` as a program. */

import { NoAddress } from "./backends.ts";
import type { Configuration } from "./configuration.ts";
import { ControlUnavailable, controlFolder, findProxies } from "./control-socket.ts";
import { lineText } from "./figures.ts";
import { BootFailed } from "./fleet.ts";
import { ListenFailed } from "./listeners.ts";
import { type Log, openLog } from "./log.ts";
import { Supervisor } from "./supervisor.ts";
import { TooManyWorkers } from "./worker-count.ts";

/** Exit statuses of the program. */
export const ExitStatus = { done: 0, failed: 1, forced: 2 } as const;

export interface RunOptions {
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Files that the configuration was read from. */
  readonly files?: readonly string[];
  /** Called once, when the proxy accepts connections. */
  readonly up?: (supervisor: Supervisor) => void;
}

/**
 * Starts a proxy and runs it until SIGTERM or SIGINT. Resolves to the exit status: 0 after a drain, 1 when it
 * could not start (the log says why), 2 when a second signal cut the drain short.
 */
export async function runProxy(configuration: Configuration, options: RunOptions): Promise<number> {
  const log = openLog(configuration.log);
  if (options.files !== undefined && options.files.length > 0)
    log.info(`configuration: ${options.files.join(", ")}`);
  const signals = new Signals();
  let supervisor: Supervisor;
  try {
    supervisor = await Supervisor.start(configuration, log, options.version, options.environment);
  } catch (error) {
    signals.stop();
    // A signal to the group may have ended a worker before it knew to leave that to us.
    return signals.came ? ExitStatus.done : await failed(error, options.environment);
  }
  options.up?.(supervisor);
  const lines = printLines(supervisor, configuration);
  const status = await untilEnd(supervisor, signals, log);
  clearInterval(lines);
  signals.stop();
  return status;
}

async function untilEnd(supervisor: Supervisor, signals: Signals, log: Log): Promise<number> {
  const first = await signals.next();
  log.info(`${first}: finishing what is in flight; a second signal ends at once`);
  const drained = supervisor.drain();
  const second = await Promise.race([drained, signals.next()]);
  if (second === undefined) {
    log.info("ended");
    return ExitStatus.done;
  }
  log.warn(`${second} again: ending at once`);
  await supervisor.stop();
  return ExitStatus.forced;
}

function printLines(supervisor: Supervisor, configuration: Configuration): NodeJS.Timeout | undefined {
  const { statsIntervalMs, mode } = configuration;
  if (statsIntervalMs === 0) return undefined;
  const print = () => process.stdout.write(`${lineText(supervisor.figures.line(), mode)}\n`);
  const timer = setInterval(print, statsIntervalMs);
  // Whoever read them has gone: that is no reason to stop serving.
  process.stdout.on("error", () => clearInterval(timer));
  return timer;
}

const EXPECTED = [BootFailed, ControlUnavailable, ListenFailed, NoAddress, TooManyWorkers];

/**
 * A start that failed for a reason that we know is a sentence; anything else is our mistake and shows its
 * trace.
 */
async function failed(error: unknown, environment: RunOptions["environment"]): Promise<number> {
  const known = EXPECTED.find((kind) => error instanceof kind);
  if (known === undefined) throw error;
  const { message } = error as Error;
  let text = known === BootFailed ? `a worker could not start: ${message}` : message;
  if (error instanceof ListenFailed) text = (await takenByProxy(error, environment)) ?? message;
  process.stderr.write(`hp-proxy: ${text}\n`);
  return ExitStatus.failed;
}

/** Who has the port, where it is another proxy of this user and we can tell which. */
async function takenByProxy(
  { taken, port }: ListenFailed,
  environment: RunOptions["environment"],
): Promise<string | undefined> {
  if (taken === "") return undefined;
  const proxies = await findProxies(controlFolder(environment));
  const found = proxies.find(({ report }) =>
    report.addresses.some((address) => address.endsWith(`:${port}`)),
  );
  if (found === undefined) return undefined;
  return `${taken} is in use by another hp-proxy, process ${found.report.pid}; stop that one, or choose another port`;
}

/** Two signals so close are one: `timeout` and some service managers tell the process, then its whole group. */
const ECHO_MS = 100;

/** The signals that end the program, one after another, also those that came before somebody waited. */
class Signals {
  /** Whether any has come. */
  came = false;
  readonly #unheard: NodeJS.Signals[] = [];
  #waiting: ((signal: NodeJS.Signals) => void) | undefined;
  #lastMs = -Infinity;
  readonly #listener = (signal: NodeJS.Signals) => {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < ECHO_MS) return;
    this.#lastMs = nowMs;
    this.came = true;
    if (this.#waiting === undefined) this.#unheard.push(signal);
    else this.#waiting(signal);
    this.#waiting = undefined;
  };

  constructor() {
    process.on("SIGTERM", this.#listener);
    process.on("SIGINT", this.#listener);
  }

  next(): Promise<NodeJS.Signals> {
    const signal = this.#unheard.shift();
    if (signal !== undefined) return Promise.resolve(signal);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  stop(): void {
    process.off("SIGTERM", this.#listener);
    process.off("SIGINT", this.#listener);
  }
}
