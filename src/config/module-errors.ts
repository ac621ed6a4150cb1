/** What is wrong with code that gives no configuration, seen from outside. `source` is its file, as people name it. */
import { errorText } from "../hooks/error-text.ts";
import { LATE_REMEDY, MODULE_MS_MAX, ModuleLate } from "../hooks/import-module.ts";
import type { ConfigError } from "./config-error.ts";

/** So long a module may take. */
export const MODULE_TIMEOUT_MS = MODULE_MS_MAX;

/** It runs longer than that. */
export function lateError(source: string): ConfigError {
  return { source, path: "", reason: new ModuleLate().message, remedy: LATE_REMEDY };
}

/** The thread that ran it is gone. */
export function exitError(source: string): ConfigError {
  const reason = "ends its process instead of giving a configuration, or what it imports does";
  return { source, path: "", reason, remedy: "take out process.exit" };
}

/** It threw `error` where nobody could catch it. */
export function strayError(source: string, error: unknown): ConfigError {
  return { source, path: "", reason: `cannot be run: ${errorText(error)}`, remedy: "correct the code" };
}
