/**
 * One worker process as the supervisor sees it: starts it, hands down its descriptors, talks to it, ends it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { FromWorker, ToWorker } from "../contract/worker-messages.ts";

/**
 * The first descriptor in a worker that is one of `descriptors`: 0 to 2 are standard, 3 is the IPC channel.
 */
export const FIRST_INHERITED_FD = 4;

export interface WorkerProcessEvents {
  message(message: FromWorker): void;
  /** A line that the worker or its runtime printed: a warning, or the trace of a crash. */
  printed(line: string): void;
  /** The process is gone, and all that it said is heard: by exit status, or by a signal. Once, and nothing follows. */
  exited(status: number | null, signal: string | null): void;
}

/** A worker as the fleet sees it. */
export interface WorkerLink {
  /** 0 when it could not be started. */
  readonly pid: number;
  /** Never throws: to one that is going away, a message is lost. */
  send(message: ToWorker): void;
  /** Ends it, whatever it does. */
  kill(): void;
}

/** Starts a worker. `descriptors` and `environment` as for `WorkerProcess`. */
export type StartWorker = (
  descriptors: readonly number[],
  environment: Readonly<Record<string, string>>,
  events: WorkerProcessEvents,
) => WorkerLink;

/** The worker's program: TypeScript beside this file when run from source, JavaScript when compiled. */
function programPath(): string {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return fileURLToPath(new URL(`../worker/worker-main${extension}`, import.meta.url));
}

export class WorkerProcess implements WorkerLink {
  readonly #child: ChildProcess;

  /**
   * Starts the process. `descriptors` are duplicated into it from `FIRST_INHERITED_FD` on; they stay open
   * here. `environment` is added to this process's own.
   */
  constructor(
    descriptors: readonly number[],
    environment: Readonly<Record<string, string>>,
    events: WorkerProcessEvents,
  ) {
    this.#child = spawn(process.execPath, [programPath()], {
      stdio: ["ignore", "pipe", "pipe", "ipc", ...descriptors],
      serialization: "advanced",
      env: { ...process.env, ...environment },
    });
    const child = this.#child;
    child.on("message", (message) => events.message(message as FromWorker));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream as Readable }).on("line", (line) => events.printed(line));
    }
    let open = true;
    const exited = (status: number | null, signal: string | null) => {
      if (!open) return;
      open = false;
      events.exited(status, signal);
    };
    // Its last words may still be on their way when it is gone.
    child.on("exit", (status, signal) => {
      if (child.connected) child.once("disconnect", () => exited(status, signal));
      else exited(status, signal);
    });
    child.on("error", (error) => {
      if (child.pid !== undefined) return;
      events.printed(`cannot start: ${error.message}`);
      exited(null, null);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Workers are processes. */
export const startProcess: StartWorker = (descriptors, environment, events) =>
  new WorkerProcess(descriptors, environment, events);
