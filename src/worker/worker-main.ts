/**
 * The program of a worker process. Its first message is the boot message; then it obeys.
 *
 * Signals from a terminal and from a service manager reach every process of the group: here they mean nothing,
 * since the supervisor hears them too and says what is to be done.
 */
import { flushCompileCache } from "node:module";
import { inspect } from "node:util";
import type { FromWorker, ToWorker } from "../contract/worker-messages.ts";
import { tuneCompiler } from "./compiler-flags.ts";
import { isForeign } from "./foreign-errors.ts";
import { type Surroundings, Worker } from "./worker.ts";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const)
  process.on(signal, () => {});

const surroundings: Surroundings = {
  send(message: FromWorker) {
    if (process.connected) process.send?.(message);
  },
  exit(status: number) {
    setImmediate(() => process.exit(status));
  },
  guard(stray) {
    process.on("uncaughtException", (error) => {
      if (isForeign(error)) stray("uncaughtException", error);
      else die(error);
    });
    process.on("unhandledRejection", (reason) => {
      if (isForeign(reason)) stray("unhandledRejection", reason);
      else die(reason);
    });
  },
};

/** As Node does where nobody listens. */
function die(error: unknown): void {
  process.stderr.write(`${inspect(error)}\n`);
  process.exit(1);
}

let worker: Promise<Worker> | undefined;

async function begin(message: ToWorker): Promise<Worker> {
  if (message.type !== "boot") throw new Error(`the first message is "boot", not "${message.type}"`);
  return await Worker.start(message, surroundings);
}

process.on("message", async (message: ToWorker) => {
  if (worker !== undefined) {
    (await worker).take(message);
    return;
  }
  worker = begin(message);
  try {
    await worker;
    // For those that come after this one; a worker itself never ends in a way that would leave it.
    flushCompileCache();
    tuneCompiler();
  } catch (error) {
    surroundings.send({
      type: "boot-failed",
      reason: error instanceof Error ? error.message : String(error),
    });
    surroundings.exit(1);
  }
});

process.on("disconnect", async () => {
  if (worker === undefined) process.exit(0);
  (await worker).orphaned();
});
