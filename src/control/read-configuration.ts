/** From a file, flags and variables to a `Configuration`, or to everything that is wrong with them. */
import {
  checkDocument,
  clusterIndex,
  clustersOf,
  DEFAULT_CLUSTER,
  DEFAULT_LISTENER,
} from "../config/check.ts";
import type { ConfigError } from "../config/config-error.ts";
import { compileHooks, withChains } from "../config/hooks-compile.ts";
import { at, type Located, overlay, withAt, withoutAt } from "../config/located.ts";
import { compileRoutes, isRouted } from "../config/routes-compile.ts";
import { type Document, HEALTH_DEFAULTS } from "../config/schema.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type Timeouts } from "../contract/snapshot.ts";
import type { Arguments, KnownFlags } from "./arguments.ts";
import type { Configuration, HealthConfiguration } from "./configuration.ts";
import { type Environment, flagOf, OPTIONS, optionsDocument } from "./options.ts";

/** The flags of the proxy itself, for `readArguments`. */
export const PROXY_FLAGS: KnownFlags = {
  valued: OPTIONS.map(({ name }) => flagOf(name).slice(2)),
  switches: ["help", "version"],
  short: { c: "config", h: "help", v: "version" },
};

/** Nothing was said on a command line. */
export const NO_ARGUMENTS: Arguments = { values: new Map(), switches: new Set(), words: [], errors: [] };

/** A configuration that is right, with the text that it came from. */
export interface ReadConfiguration {
  readonly configuration: Configuration;
  readonly document: Document;
  /** Everything that was written, with its places. */
  readonly written: Located;
}

/** Flags win over variables, variables over the file, and that over defaults. */
export function readConfiguration(
  given: Arguments,
  environment: Environment,
  file?: Located,
): ReadConfiguration | { errors: readonly ConfigError[] } {
  const options = optionsDocument(given, environment);
  const written = file === undefined ? options.root : overOptions(file, options.root);
  const checked = checkDocument(written);
  const wrong = "errors" in checked ? checked.errors.map(withServiceLink) : [];
  // An option that could not be read is not missing as well.
  const complained = new Set(options.errors.map(({ source }) => source));
  const rest = wrong.filter(({ source, value }) => value !== undefined || !complained.has(source));
  const errors = [...options.errors, ...rest];
  if (errors.length > 0 || "errors" in checked) return { errors };
  return { configuration: compile(checked.document), document: checked.document, written };
}

/** The options laid over the file: where that has a cluster `default`, their `backends` are its backends. */
function overOptions(file: Located, options: Located): Located {
  const backends = at(options, ["backends"]);
  const path = ["clusters", DEFAULT_CLUSTER];
  const isNamed = backends !== undefined && at(file, path) !== undefined;
  const over = isNamed ? withAt(withoutAt(options, ["backends"]), [...path, "backends"], backends) : options;
  return overlay(file, over, "replace");
}

const SERVICE_LINK =
  "Kubernetes sets this for a service named hp-proxy; set enableServiceLinks: false in the pod";

function withServiceLink(error: ConfigError): ConfigError {
  const isLink = error.source === "HP_PROXY_PORT" && /^tcp:\/\//.test(error.value ?? "");
  return isLink ? { ...error, remedy: SERVICE_LINK } : error;
}

function compile(document: Document): Configuration {
  const { limits } = document;
  const timeouts = timeoutsOf(document);
  const { rejectPaths, ...policy } = document.policy;
  const clusters = clustersOf(document);
  const listeners = document.listen ?? [{ ...DEFAULT_LISTENER, cluster: undefined }];
  const routing = isRouted(document)
    ? compileRoutes(document, (name) => clusterIndex(clusters, name), timeouts)
    : null;
  const hooking = compileHooks(document);
  return {
    mode: document.mode,
    listeners: listeners.map(({ host, port, cluster }) => ({
      host,
      port,
      // Where routes decide, a listener needs none.
      cluster: Math.max(0, clusterIndex(clusters, cluster)),
    })),
    clusters: clusters.map(({ name, backends, health }) => ({
      name,
      backends,
      health: healthOf({ ...document.health, ...health }, document.mode),
    })),
    workers: document.workers,
    engine: document.engine,
    affinity: document.affinity,
    timeouts,
    limits: {
      ...DEFAULT_LIMITS,
      poolSizePerEndpoint: limits.poolSize,
      clientsMax: limits.clients,
      headBytesMax: limits.head,
      targetBytesMax: limits.target,
      fieldCountMax: limits.fields,
      queuedBytesMax: limits.queued,
      requestBodyBytesMax: limits.body,
      clientsPerAddressMax: limits.clientsPerAddress,
      requestsPerClientMax: limits.requestsPerClient,
      requestsInFlightMax: limits.requests,
      pipelinedRequestsMax: limits.pipelined,
    },
    policy: {
      ...policy,
      rejectEncodedSlashes: rejectPaths.includes("encoded-slash"),
      rejectDotSegments: rejectPaths.includes("dot-segment"),
      rejectEncodedNul: rejectPaths.includes("nul"),
    },
    viaName: document.viaName,
    routing: routing === null ? null : withChains(routing, hooking),
    hooking:
      hooking === null ? null : { chains: hooking.chains, chain: hooking.chain, digest: hooking.digest },
    errorPages: document.errorPages ?? [],
    drainTimeoutMs: document.drainTimeout,
    stallTimeoutMs: document.stallTimeout,
    statsIntervalMs: document.statsInterval,
    log: document.log,
    controlPath: document.control ?? "",
    admin: document.admin,
  };
}

function timeoutsOf({ timeouts }: Document): Timeouts {
  return {
    ...DEFAULT_TIMEOUTS,
    connectMs: timeouts.connect,
    responseHeadMs: timeouts.response,
    responseBodyIdleMs: timeouts.responseIdle,
    requestHeadMs: timeouts.requestHead,
    requestBodyIdleMs: timeouts.requestIdle,
    clientSendIdleMs: timeouts.send,
    clientIdleMs: timeouts.clientIdle,
    originIdleMs: timeouts.poolIdle,
    originAgeMs: timeouts.poolMaxAge,
    tunnelIdleMs: timeouts.tunnel,
    requestMs: timeouts.request,
  };
}

function healthOf(health: Document["health"], mode: Document["mode"]): HealthConfiguration {
  const kind = health.kind ?? "auto";
  const asked = health.path !== undefined || kind === "http";
  const automatic = mode === "http" || asked ? "http" : "tcp";
  return {
    kind: kind === "auto" ? automatic : kind,
    path: health.path ?? HEALTH_DEFAULTS.path,
    expect: asked ? "success" : "any",
    intervalMs: health.interval ?? HEALTH_DEFAULTS.intervalMs,
    timeoutMs: health.timeout ?? HEALTH_DEFAULTS.timeoutMs,
    fall: health.fall ?? HEALTH_DEFAULTS.fall,
    rise: health.rise ?? HEALTH_DEFAULTS.rise,
  };
}
