/** Runs a proxy until a signal ends it: the life of `hp-proxy` as a program. */
import { closeSync, openSync } from "node:fs";
import { controlFolder, findProxies } from "./control-socket.ts";
import { ListenFailed } from "./listeners.ts";
import type { LoadedConfiguration } from "./load-configuration.ts";
import { type Log, openLog } from "./log.ts";
import { type Program, Service, type ServiceOptions } from "./service.ts";
import { sentenceOf } from "./start-errors.ts";
import type { Supervisor } from "./supervisor.ts";

/** Exit statuses of the program. */
export const ExitStatus = { done: 0, failed: 1, forced: 2 } as const;

export interface RunOptions extends ServiceOptions {
  /** Called once, when the proxy accepts connections. */
  readonly up?: (supervisor: Supervisor) => void;
  /** What others have opened for this process. Absent: the program is another one, and cannot be replaced. */
  readonly inheritance?: Pick<Program, "passed" | "predecessor" | "begunWith">;
}

/**
 * Starts a proxy and runs it until SIGTERM, SIGINT or SIGQUIT, or until another process has taken over; SIGHUP
 * reads the configuration again, SIGUSR2 starts a process that takes over. Resolves to the exit status: 0
 * after a drain, 1 when it could not start (the log says why), 2 when a second signal
 * cut the drain short.
 */
export async function runProxy(loaded: LoadedConfiguration, options: RunOptions): Promise<number> {
  const log = openLog(loaded.configuration.log);
  if (loaded.files.length > 0) log.info(`configuration: ${loaded.files.join(", ")}`);
  const signals = new Signals();
  const program = options.inheritance && {
    ...options.inheritance,
    retired: () => signals.tell(REPLACED),
    isUnwanted: () => signals.came,
  };
  let service: Service;
  try {
    service = await Service.start(loaded, { ...options, program }, log);
  } catch (error) {
    await program?.predecessor?.fail([sentenceOf(error) ?? String(error)]);
    // A signal to the group may have ended a worker before it knew to leave that to us.
    return signals.came ? ExitStatus.done : await failed(error, options.environment);
  }
  options.up?.(service.supervisor);
  return await untilEnd(service, signals, log);
}

async function untilEnd(service: Service, signals: Signals, log: Log): Promise<number> {
  const first = await firstEnd(service, signals);
  if (first !== REPLACED) log.info(`${first}: finishing what is in flight; a second signal ends at once`);
  else log.info("another process has taken over: finishing what is in flight");
  let isTold = first !== REPLACED;
  const drained = service.drain().then(() => undefined);
  for (;;) {
    const second = await Promise.race([drained, signals.next()]);
    if (second === "SIGHUP" || second === "SIGUSR2" || second === REPLACED) continue;
    if (second === undefined) {
      log.info("ended");
      return ExitStatus.done;
    }
    if (!isTold) {
      isTold = true;
      log.info(`${second}: what is in flight is being finished; a second signal ends at once`);
      continue;
    }
    log.warn(`${second} again: ending at once`);
    await service.stop();
    return ExitStatus.forced;
  }
}

/** What ends the service; changes that signals ask for until then are made. */
async function firstEnd(service: Service, signals: Signals): Promise<Signal> {
  for (;;) {
    const signal = await signals.next();
    if (signal === "SIGHUP") void service.reload(signal);
    else if (signal === "SIGUSR2") void service.upgrade(signal);
    else return signal;
  }
}

/**
 * A start that failed for a reason that we know is a sentence; anything else is our mistake and shows its
 * trace.
 */
async function failed(error: unknown, environment: RunOptions["environment"]): Promise<number> {
  const sentence = sentenceOf(error);
  if (sentence === undefined) throw error;
  const text = error instanceof ListenFailed ? await takenByProxy(error, environment) : undefined;
  process.stderr.write(`hp-proxy: ${text ?? sentence}\n`);
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

/**
 * Two signals so close are one: `timeout` and some service managers tell the process, then its whole group.
 */
const ECHO_MS = 100;

/** The terminal that this was started in has gone, which SIGHUP tells as well. */
const TERMINAL_GONE = "the terminal has gone";
/** Not a signal, but it ends the service as one does. */
const REPLACED = "replaced";
type Signal = NodeJS.Signals | typeof TERMINAL_GONE | typeof REPLACED;

const ENDS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/**
 * The signals that steer the program, one after another, also those that came before somebody waited. They
 * are listened to until the process has gone: one that came while it ends would kill it, and with it the exit
 * status.
 */
class Signals {
  /** Whether any has come that ends it. */
  came = false;
  readonly #unheard: Signal[] = [];
  #waiting: ((signal: Signal) => void) | undefined;
  #lastMs = -Infinity;
  readonly #hadTerminal = hasTerminal();
  readonly #ends = (signal: Signal) => {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < ECHO_MS) return;
    this.#lastMs = nowMs;
    this.came = true;
    this.tell(signal);
  };
  /** It means "read again", unless it says that the terminal that this was started in has gone. */
  readonly #hangsUp = () => {
    if (this.#hadTerminal && !hasTerminal()) this.#ends(TERMINAL_GONE);
    else this.tell("SIGHUP");
  };

  constructor() {
    for (const signal of ENDS) process.on(signal, this.#ends);
    process.on("SIGHUP", this.#hangsUp);
    process.on("SIGUSR2", () => this.tell("SIGUSR2"));
  }

  next(): Promise<Signal> {
    const signal = this.#unheard.shift();
    if (signal !== undefined) return Promise.resolve(signal);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** It stands in the row with the others. */
  tell(signal: Signal): void {
    if (this.#waiting === undefined) this.#unheard.push(signal);
    else this.#waiting(signal);
    this.#waiting = undefined;
  }
}

/** Whether this process has a terminal that could go away. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
