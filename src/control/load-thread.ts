/** The thread of `load-apart.ts`: reads one configuration, says what it is, and ends. */
import { parentPort, workerData } from "node:worker_threads";
import { loadConfig } from "../config/load-config.ts";
import type { LoadMessage, LoadQuestion } from "./load-apart.ts";
import { readLoaded } from "./load-configuration.ts";
import { configFile } from "./options.ts";

const tell = (message: LoadMessage) => parentPort?.postMessage(message);
const { folder, given, environment, variables, begunWith } = workerData as LoadQuestion;
const begins = (file: string) => tell({ type: "runs", file });
const read = await loadConfig(folder, configFile(given, variables), environment, begins, begunWith);
tell({ type: "read" });
tell({ type: "loaded", loaded: readLoaded(read, given, variables) });
