/** The thread of `load-anew.ts`: reads one configuration, says what it is, and ends. */
import { parentPort, workerData } from "node:worker_threads";
import type { LoadQuestion } from "./load-anew.ts";
import { loadConfiguration } from "./load-configuration.ts";

const { folder, given, environment, variables } = workerData as LoadQuestion;
parentPort?.postMessage(await loadConfiguration(folder, given, environment, variables));
