/** What a program gives as a configuration, read by the code that reads files. */
import { fileURLToPath } from "node:url";
import type { ConfigError } from "../config/config-error.ts";
import type { ConfigSource } from "../config/define-config.ts";
import { loadValue } from "../config/load-config.ts";
import type { Configuration } from "../control/configuration.ts";
import { type LoadedConfiguration, loadConfiguration, readLoaded } from "../control/load-configuration.ts";
import { NO_ARGUMENTS } from "../control/read-configuration.ts";
import type { Hooks } from "../hooks/hooks.ts";

export type ReadSource = LoadedConfiguration | { readonly errors: readonly ConfigError[] };

/**
 * Reads `source`; a function is called, and what it throws is thrown. Variables are there for files to name, and
 * are no options. `given`: where hooks are added that are values; undefined: they cannot be used.
 */
export async function readSource(source: ConfigSource, given: Hooks[] | undefined): Promise<ReadSource> {
  const folder = process.cwd();
  if (typeof source !== "string" && !(source instanceof URL)) {
    const value = typeof source === "function" ? await source() : source;
    return readLoaded(await loadValue(value, folder, process.env, given), NO_ARGUMENTS, {});
  }
  const file = typeof source === "string" ? source : fileURLToPath(source);
  const named = { ...NO_ARGUMENTS, values: new Map([["config", [file]]]) };
  const read = await loadConfiguration(folder, named, process.env, {});
  return "errors" in read ? { errors: read.errors.map(withoutFlag) } : read;
}

/** A file was asked for by code, not by `--config`. */
function withoutFlag(error: ConfigError): ConfigError {
  return error.source === "--config" ? { ...error, source: "" } : error;
}

/** `read` with so many workers, whatever it says. */
export function withWorkers(read: ReadSource, workers: Configuration["workers"]): ReadSource {
  if ("errors" in read) return read;
  return { ...read, configuration: { ...read.configuration, workers } };
}
