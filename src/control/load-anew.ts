/**
 * Reads the configuration again while a proxy runs. Modules are run in a thread of their own: in this one, Node
 * would give what it has imported before, however the files have changed since.
 */
import { Worker } from "node:worker_threads";
import type { ConfigError } from "../config/config-error.ts";
import type { Arguments } from "./arguments.ts";
import { type LoadedConfiguration, loadConfiguration } from "./load-configuration.ts";
import type { Environment } from "./options.ts";

/** Beyond this it will never end: all modules together, each of which has 10 s. */
const LOAD_TIMEOUT_MS = 30_000;
const MODULE = /\.m?[jt]s$/;

/** What `loadConfiguration` was asked, for the thread. */
export interface LoadQuestion {
  readonly folder: string;
  readonly given: Arguments;
  readonly environment: Environment;
  readonly variables?: Environment;
}

type Loaded = LoadedConfiguration | { errors: readonly ConfigError[] };

/** As `loadConfiguration`; `files` are those that it has read before. */
export async function loadAnew(question: LoadQuestion, files: readonly string[]): Promise<Loaded> {
  const { folder, given, environment, variables } = question;
  if (!files.some((file) => MODULE.test(file)))
    return await loadConfiguration(folder, given, environment, variables);
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const thread = new Worker(new URL(`./load-thread${extension}`, import.meta.url), {
    workerData: question,
    stdout: true,
  });
  return await new Promise<Loaded>((resolve, reject) => {
    const end = (loaded: Loaded): void => {
      clearTimeout(timer);
      resolve(loaded);
      void thread.terminate();
    };
    const timer = setTimeout(() => {
      end(refused(`was not read within ${LOAD_TIMEOUT_MS / 1000} s: a module of it does not end`));
    }, LOAD_TIMEOUT_MS);
    thread.on("message", end);
    thread.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    thread.on("exit", () =>
      end(refused("ended the thread that it was read in: a module of it calls process.exit")),
    );
  });
}

function refused(reason: string): Loaded {
  return { errors: [{ source: "", path: "", reason, remedy: "correct the code" }] };
}
