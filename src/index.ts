/** The package `hp-proxy`: what configurations and programs import. */
export {
  type BodyTransform,
  type Config,
  type ConfigFunction,
  type ConfigSource,
  type Count,
  type Duration,
  defineConfig,
  defineHooks,
  type HookAnswer,
  type HookContext,
  type HookDuration,
  HookError,
  type HookErrorCode,
  type HookFailure,
  type HookHeaders,
  type HookOutcome,
  type HookRecord,
  type HookRequest,
  type HookResponse,
  type HookResult,
  type Hooks,
  type HookUpstream,
  type Size,
} from "./config/define-config.ts";
export type { EndpointEvent, FailureNotice } from "./contract/notices.ts";
export type { Quantiles, ResponseClass, StatsReport, WorkerStats } from "./control/stats-report.ts";
export { createProxy } from "./library/create-proxy.ts";
export type {
  CloseOptions,
  EmbeddedProxy,
  LogLevel,
  LogRecord,
  ProxyEvents,
  ProxyOptions,
  ReloadReport,
} from "./library/proxy.ts";
export {
  ConfigurationError,
  type ConfigurationProblem,
  ProxyError,
  type ProxyErrorCode,
} from "./library/proxy-error.ts";
