/**
 * Reads a configuration that has code in it, in a thread of its own. There each reading runs the code as it is now:
 * in one thread, Node would give what it has imported before, however the files have changed since. And what the code
 * does is its own affair there: it may loop, wait for ever or end its thread, and the answer is an error that says so.
 */
import path from "node:path";
import { Worker } from "node:worker_threads";
import type { ConfigError } from "../config/config-error.ts";
import { exitError, lateError, MODULE_TIMEOUT_MS, strayError } from "../config/module-errors.ts";
import type { Arguments } from "./arguments.ts";
import type { Loaded } from "./load-configuration.ts";
import type { Environment } from "./options.ts";

/** A module that only waits is given up by the thread itself, which knows more; then this is not reached. */
const GRACE_MS = 1_000;

/** As the parameters of `loadConfiguration`; plain data. */
export interface LoadQuestion {
  readonly folder: string;
  readonly given: Arguments;
  readonly environment: Environment;
  readonly variables: Environment;
  readonly begunWith?: string | undefined;
}

export type LoadMessage =
  /** This module begins now: its absolute path. */
  | { readonly type: "runs"; readonly file: string }
  /** All have ended. */
  | { readonly type: "read" }
  | { readonly type: "loaded"; readonly loaded: Loaded };

/**
 * What the thread reads; or an error of the module that was being run when it took longer than `moduleMsMax` (its
 * import and its exported function together), ended the thread, or threw where nobody could catch it. What modules
 * print goes to standard error.
 */
export async function loadApart(
  question: LoadQuestion,
  moduleMsMax = MODULE_TIMEOUT_MS + GRACE_MS,
): Promise<Loaded> {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const thread = new Worker(new URL(`./load-thread${extension}`, import.meta.url), {
    workerData: question,
    argv: process.argv.slice(2),
    stdout: true,
  });
  thread.stdout.pipe(process.stderr, { end: false });
  let running = "";
  let timer: NodeJS.Timeout | undefined;
  const refused = (errorOf: (source: string) => ConfigError): Loaded => {
    return { errors: [errorOf(running === "" ? "" : shown(running, question.folder))] };
  };
  try {
    return await new Promise<Loaded>((resolve, reject) => {
      thread.on("message", (message: LoadMessage) => {
        clearTimeout(timer);
        running = message.type === "runs" ? message.file : "";
        if (message.type === "runs") timer = setTimeout(() => resolve(refused(lateError)), moduleMsMax);
        if (message.type === "loaded") resolve(message.loaded);
      });
      thread.on("error", (error) => {
        if (running === "") reject(error);
        else resolve(refused((source) => strayError(source, error)));
      });
      thread.on("exit", () => resolve(refused(exitError)));
    });
  } finally {
    clearTimeout(timer);
    void thread.terminate();
  }
}

/** As people name it: relative to the working directory, when it is below that. */
function shown(file: string, folder: string): string {
  const relative = path.relative(folder, file);
  return relative.startsWith("..") ? file : relative;
}
