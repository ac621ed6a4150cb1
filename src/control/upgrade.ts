/**
 * A new process of the same program takes over from this one: it inherits the listening sockets, reads the
 * configuration itself, and this one goes on until all its workers accept. If it never comes so far, nothing
 * has happened.
 *
 * Strategy: descriptors are inherited at the start of the process, so nothing has to be found, opened or
 * locked by name, and both accept from the same queues while they overlap: no connection is ever without
 * somebody who takes it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Log } from "./log.ts";
import { ownProgram } from "./own-program.ts";
import {
  FIRST_HANDED_FD,
  type Heritage,
  PREDECESSOR_VARIABLE,
  type ToPredecessor,
  type ToSuccessor,
} from "./succession.ts";

/** What became of an upgrade; crosses the control socket as JSON. */
export interface UpgradeResult {
  /** Whether a new process has taken over. */
  readonly done: boolean;
  /** The process that finishes what it has, or goes on as before. */
  readonly oldPid: number;
  /** The process that has taken over; 0 where none has. */
  readonly newPid: number;
  /** Why none has. */
  readonly errors: readonly string[];
}

/** What an upgrade needs of the proxy that it ends. */
export interface Upgradable {
  /** Our descriptors, or a sentence that says why there is nothing to hand over. */
  heritage(): Heritage | string;
  /** The process `pid` has taken over, with these of our listening descriptors; it waits to be let. */
  succeeded(pid: number, adopted: ReadonlySet<number>): void;
  /** The successor is where we were: what is left is ours to finish. */
  retired(): void;
}

/** Longer than names need to be resolved and workers to begin, each for itself bounded. */
const UP_MS_MAX = 60_000;
/** Opening the control socket and the like. */
const SETTLE_MS_MAX = 5_000;
/** Between telling a successor to end and killing it. */
const ABORT_MS_MAX = 2_000;

export class Upgrader {
  readonly #proxy: Upgradable;
  readonly #log: Log;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  /** Set while one is under way: ends it, with this reason. */
  #abort: ((reason: string) => void) | undefined;
  #isDone = false;

  constructor(proxy: Upgradable, log: Log, environment: Readonly<Record<string, string | undefined>>) {
    this.#proxy = proxy;
    this.#log = log;
    this.#environment = environment;
  }

  /** Why nothing may be changed just now; "" when it may. */
  get busyText(): string {
    if (this.#isDone) return "a new process has taken over from this one; ask that one";
    return this.#abort === undefined ? "" : "an upgrade is under way; wait for its end";
  }

  /** Gives up what is under way, if anything is. */
  abort(reason: string): void {
    this.#abort?.(reason);
  }

  /** `why`: for the log. `ready`: what to wait for first. Never rejects. */
  async upgrade(why: string, ready: Promise<unknown>): Promise<UpgradeResult> {
    const busy = this.busyText;
    const heritage = process.pid === 1 ? FIRST_PROCESS : this.#proxy.heritage();
    if (busy !== "" || typeof heritage === "string") return this.#failed(why, [busy || String(heritage)]);
    const aborted = new Promise<string>((resolve) => {
      this.#abort = resolve;
    });
    try {
      await ready;
      const now = this.#proxy.heritage();
      return typeof now === "string" ? this.#failed(why, [now]) : await this.#replace(why, now, aborted);
    } catch (error) {
      return this.#failed(why, [error instanceof Error ? error.message : String(error)]);
    } finally {
      this.#abort = undefined;
    }
  }

  async #replace(why: string, heritage: Heritage, aborted: Promise<string>): Promise<UpgradeResult> {
    const successor = new Successor(heritage, this.#environment);
    this.#log.info({ successor: successor.pid }, `${why}: starting a process that takes over`);
    const answer = await Promise.race([successor.up, aborted]);
    if (typeof answer === "string" || "reasons" in answer) {
      successor.abort();
      return this.#failed(why, typeof answer === "string" ? [answer] : answer.reasons);
    }
    this.#isDone = true;
    const { pid } = successor;
    this.#log.info({ successor: pid }, `${why}: process ${pid} takes over`);
    this.#proxy.succeeded(pid, answer.adopted);
    await successor.leave();
    this.#proxy.retired();
    return { done: true, oldPid: process.pid, newPid: pid, errors: [] };
  }

  #failed(why: string, errors: readonly string[]): UpgradeResult {
    this.#log.error(`${why}: no upgrade, this process goes on as before`);
    for (const error of errors) this.#log.error(`  ${error}`);
    return { done: false, oldPid: process.pid, newPid: 0, errors };
  }
}

const FIRST_PROCESS =
  "this is process 1: if it ended, its container would end with it; start a new container instead";

type UpAnswer = { readonly adopted: ReadonlySet<number> } | { readonly reasons: readonly string[] };

/** The process that takes over, as seen from the old one. */
class Successor {
  readonly #child: ChildProcess;
  /** How far it came. Never rejects. */
  readonly up: Promise<UpAnswer>;
  readonly #settled: Promise<void>;

  constructor(heritage: Heritage, environment: Readonly<Record<string, string | undefined>>) {
    const { file, argv } = ownProgram(environment);
    const { fds, message } = renumbered(heritage);
    this.#child = spawn(file, argv, {
      stdio: ["inherit", "inherit", "inherit", "ipc", ...fds],
      env: { ...environment, [PREDECESSOR_VARIABLE]: String(process.pid) },
    });
    const child = this.#child;
    this.up = new Promise((resolve) => {
      const failed = (reason: string) => resolve({ reasons: [reason] });
      const late = setTimeout(
        () => failed(`the new process did not accept within ${UP_MS_MAX / 1000} s`),
        UP_MS_MAX,
      );
      child.on("message", (said: ToPredecessor) => {
        clearTimeout(late);
        if (said.type === "up")
          resolve({ adopted: new Set(said.adopted.map((fd) => fds[fd - FIRST_HANDED_FD]!)) });
        if (said.type === "failed") resolve({ reasons: said.reasons });
      });
      child.on("error", (error) => failed(`${file} cannot be started: ${error.message}`));
      child.on("exit", (status, signal) => {
        clearTimeout(late);
        failed(
          `the new process ended before it accepted, with ${signal ?? `exit status ${status}`}; its log says why`,
        );
      });
    });
    this.#settled = new Promise((resolve) => {
      child.on("message", ({ type }: ToPredecessor) => {
        if (type === "settled") resolve();
      });
      child.on("exit", () => resolve());
    });
    this.#send({ type: "heritage", ...message });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** All is its own; resolves when it is where we were, and needs us no more. */
  async leave(): Promise<void> {
    this.#send({ type: "yours" });
    let late: NodeJS.Timeout | undefined;
    const tooLate = new Promise((resolve) => {
      late = setTimeout(resolve, SETTLE_MS_MAX);
    });
    await Promise.race([this.#settled, tooLate]);
    clearTimeout(late);
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }

  /** It shall end, and leave nothing behind. */
  abort(): void {
    this.#send({ type: "abort" });
    this.#child.kill("SIGTERM");
    const late = setTimeout(() => this.#child.kill("SIGKILL"), ABORT_MS_MAX);
    this.#child.on("exit", () => clearTimeout(late));
  }

  #send(message: ToSuccessor): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}

/** Our descriptors in their order, and the same heritage with the numbers that they have in a child. */
function renumbered({ listeners, admin, ...rest }: Heritage): { fds: number[]; message: Heritage } {
  const fds: number[] = [];
  const handed = (fd: number) => FIRST_HANDED_FD + fds.push(fd) - 1;
  const message = {
    ...rest,
    listeners: listeners.map((each) => ({ ...each, fds: each.fds.map(handed) })),
    admin: admin === null ? null : { ...admin, fd: handed(admin.fd) },
  };
  return { fds, message };
}
