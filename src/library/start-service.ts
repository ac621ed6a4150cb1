/** The running part of an embedded proxy. */
import type { ConfigSource } from "../config/define-config.ts";
import type { Configuration } from "../control/configuration.ts";
import { Service } from "../control/service.ts";
import type { Hooks } from "../hooks/hooks.ts";
import { packageVersion } from "../package-version.ts";
import { LEVELS, openEmbeddedLog } from "./embedded-log.ts";
import { configurationError, startError } from "./errors.ts";
import type { EventChannel } from "./event-channel.ts";
import { inlineWorkers } from "./inline-worker.ts";
import { assertKnown, remedyFor } from "./known-options.ts";
import type { ProxyEvents, ProxyOptions, ReloadReport } from "./proxy.ts";
import { ProxyError } from "./proxy-error.ts";
import { readSource, withWorkers } from "./read-source.ts";

const OPTIONS: readonly (keyof ProxyOptions)[] = ["workers", "log"];

/** As `EmbeddedProxy.listen`. `sourceNow`: what a reload reads. */
export async function startService(
  source: ConfigSource,
  options: ProxyOptions,
  events: EventChannel<ProxyEvents>,
  sourceNow: () => ConfigSource,
): Promise<Service> {
  assertKnown(options, OPTIONS, "createProxy");
  const { workers = "inline", log = false } = options;
  const count = workersOf(workers);
  assertLog(log);
  // Other processes cannot be given functions.
  const given: Hooks[] | undefined = workers === "inline" ? [] : undefined;
  const loaded = withWorkers(await readSource(source, given), count);
  if ("errors" in loaded) throw configurationError(loaded.errors);
  const { format } = loaded.configuration.log;
  try {
    return await Service.start(
      loaded,
      {
        version: packageVersion(),
        // Neither a service manager nor options of the command are meant for whoever embeds us.
        environment: {},
        load: async () => withWorkers(await readSource(sourceNow(), given), count),
        embedding: {
          startInline: given && inlineWorkers(given),
          restart: "close this proxy and make another with createProxy",
          observer: {
            failure: (notice) => events.tell("failure", notice),
            endpoint: (event) => events.tell("endpoint", event),
            reloaded: ({ changes, errors }) => events.tell("reloaded", { changes, problems: errors }),
          },
        },
      },
      openEmbeddedLog(log, format, (record) => events.tell("log", record)),
    );
  } catch (error) {
    throw startError(error);
  }
}

/** As `EmbeddedProxy.reload`, of what `sourceNow` says. */
export async function reloadService(service: Service): Promise<ReloadReport> {
  const { done, changes, errors, wrong } = await service.reload("reload");
  if (done) return { changes, problems: errors };
  if (wrong.length > 0) throw configurationError(wrong);
  throw new ProxyError("reload-failed", errors.join("; "));
}

/** Throws `ProxyError`. */
function workersOf(workers: NonNullable<ProxyOptions["workers"]>): Configuration["workers"] {
  if (workers === "inline") return 1;
  if (workers === "auto" || (Number.isInteger(workers) && workers > 0)) return workers;
  throw new ProxyError("wrong-option", `workers ${workers}: write "inline", "auto" or a number from 1 on`);
}

/** Throws `ProxyError`. */
function assertLog(log: NonNullable<ProxyOptions["log"]>): void {
  if (log === false || typeof log === "function" || LEVELS.includes(log)) return;
  const written = String(log);
  throw new ProxyError(
    "wrong-option",
    `log "${written}" is no level; ${remedyFor(written, ["false", ...LEVELS])}`,
  );
}
