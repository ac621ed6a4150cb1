/** What a configuration in TypeScript imports: `import { defineConfig } from "hp-proxy"`. */
import type { Config } from "./schema.ts";

export type { Count, Duration, Size } from "./kinds.ts";
export type { Config } from "./schema.ts";

/** Gives a configuration when it is asked for; what it throws is told with its line. */
export type ConfigFunction = () => Config | Promise<Config>;

/** Gives `config` back: it is here for its types, with which an editor knows every key. */
export function defineConfig(config: Config | ConfigFunction): Config | ConfigFunction {
  return config;
}
