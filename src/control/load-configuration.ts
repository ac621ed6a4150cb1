/** A configuration from everywhere: its file, variables and flags. */
import type { ConfigError } from "../config/config-error.ts";
import { loadConfig } from "../config/load-config.ts";
import type { Arguments } from "./arguments.ts";
import { configFile, type Environment } from "./options.ts";
import { type ReadConfiguration, readConfiguration } from "./read-configuration.ts";

/** A configuration, and the files that it was read from. */
export interface LoadedConfiguration extends ReadConfiguration {
  readonly files: readonly string[];
}

/** Reads the named file, or that of `folder` if it has one, then variables and flags. */
export async function loadConfiguration(
  folder: string,
  given: Arguments,
  environment: Environment,
): Promise<LoadedConfiguration | { errors: readonly ConfigError[] }> {
  const loaded = await loadConfig(folder, configFile(given, environment), environment);
  const early = loaded?.errors ?? [];
  // What depends on a broken file would be told in vain.
  if (loaded?.isWhole === false) return { errors: [...given.errors, ...early] };
  const result = readConfiguration(given, environment, loaded?.root);
  if (!("errors" in result) && early.length === 0) return { ...result, files: loaded?.files ?? [] };
  const told = new Set(early.map(({ source }) => source));
  const later = "errors" in result ? result.errors.filter(({ source }) => !told.has(source)) : [];
  return { errors: [...early, ...later] };
}
