/** A configuration from everywhere: its file, variables and flags. */
import type { ConfigError } from "../config/config-error.ts";
import { type LoadedConfig, loadConfig } from "../config/load-config.ts";
import type { Arguments } from "./arguments.ts";
import { loadApart } from "./load-apart.ts";
import { configFile, type Environment } from "./options.ts";
import { type ReadConfiguration, readConfiguration } from "./read-configuration.ts";

/** A configuration, and the files that it was read from. */
export interface LoadedConfiguration extends ReadConfiguration {
  readonly files: readonly string[];
}

export type Loaded = LoadedConfiguration | { readonly errors: readonly ConfigError[] };

/**
 * Reads the named file, or that of `folder` if it has one, then variables and flags. Files may name what is in
 * `environment`; options are looked for in `variables`. Modules are run in a thread of their own: whatever they do,
 * this settles. `begunWith`: as `loadConfig`.
 */
export async function loadConfiguration(
  folder: string,
  given: Arguments,
  environment: Environment,
  variables: Environment = environment,
  begunWith?: string,
): Promise<Loaded> {
  const loaded = await loadConfig(folder, configFile(given, variables), environment, undefined, begunWith);
  if (loaded?.needsModules !== true) return readLoaded(loaded, given, variables);
  const plain = { environment: { ...environment }, variables: { ...variables } };
  return await loadApart({ folder, given, ...plain, begunWith });
}

/** The configuration that `loaded` is, with flags and variables over it. */
export function readLoaded(
  loaded: LoadedConfig | undefined,
  given: Arguments,
  variables: Environment,
): Loaded {
  const early = loaded?.errors ?? [];
  // What depends on a broken file would be told in vain.
  if (loaded?.isWhole === false) return { errors: [...given.errors, ...early] };
  const result = readConfiguration(given, variables, loaded?.root);
  if (!("errors" in result) && early.length === 0) return { ...result, files: loaded?.files ?? [] };
  const told = new Set(early.map(({ source }) => source));
  const later = "errors" in result ? result.errors.filter(({ source }) => !told.has(source)) : [];
  return { errors: [...early, ...later] };
}
