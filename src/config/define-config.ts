/** What a configuration in TypeScript imports: `import { defineConfig } from "hp-proxy"`. */
import type { Hooks } from "../hooks/hooks.ts";
import type { Config } from "./schema.ts";

export { HookError, type HookErrorCode } from "../hooks/hook-error.ts";
export type {
  BodyTransform,
  HookAnswer,
  HookContext,
  HookDuration,
  HookFailure,
  HookHeaders,
  HookOutcome,
  HookRecord,
  HookRequest,
  HookResponse,
  HookResult,
  Hooks,
  HookUpstream,
} from "../hooks/hooks.ts";
export type { Count, Duration, Size } from "./kinds.ts";
export type { Config } from "./schema.ts";

/** Gives a configuration when it is asked for; what it throws is told with its line. */
export type ConfigFunction = () => Config | Promise<Config>;

/** Gives `hooks` back: for modules that have nothing else, as `defineConfig`. */
export function defineHooks(hooks: Hooks): Hooks {
  return hooks;
}

/** A value, a function that gives one, or a file: its path, from the working directory, or its URL. */
export type ConfigSource = Config | ConfigFunction | string | URL;

/** Gives `config` back: it is here for its types, with which an editor knows every key. */
export function defineConfig(config: Config | ConfigFunction): Config | ConfigFunction {
  return config;
}
