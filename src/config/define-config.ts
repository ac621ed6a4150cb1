/** What a configuration in TypeScript imports: `import { defineConfig } from "hp-proxy"`. */
import type { Config } from "./schema.ts";

export type { Count, Duration, Size } from "./kinds.ts";
export type { Config } from "./schema.ts";

/** What a file may export: a configuration, or a function that gives one. */
export type ConfigSource = Config | (() => Config | Promise<Config>);

/** Gives `config` back: it is here for its types, with which an editor knows every key. */
export function defineConfig<const Source extends ConfigSource>(config: Source & ConfigSource): Source {
  return config;
}
