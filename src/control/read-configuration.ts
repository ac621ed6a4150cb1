/** From flags and environment to a `Configuration`, or to everything that is wrong with them. */

import { nearest } from "../base/suggestion.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../contract/snapshot.ts";
import type { Arguments, KnownFlags, OptionError } from "./arguments.ts";
import type { Configuration, HealthConfiguration } from "./configuration.ts";
import { flagOf, OPTION_NAMES, type OptionName, optionText, schema, variableOf } from "./options.ts";

/** The flags of the proxy itself, for `readArguments`. */
export const PROXY_FLAGS: KnownFlags = {
  valued: OPTION_NAMES.map((name) => flagOf(name).slice(2)),
  switches: ["help", "version"],
  short: { h: "help", v: "version" },
};

export type Environment = Readonly<Record<string, string | undefined>>;

type OptionValues = { [Name in OptionName]: (typeof schema.shape)[Name]["_zod"]["output"] };

/** Options whose text was good; the others are missing and stand in the errors. */
type GoodValues = Partial<OptionValues>;

/** Flags win over variables, variables over defaults. */
export function readConfiguration(
  given: Arguments,
  environment: Environment,
): { configuration: Configuration } | { errors: OptionError[] } {
  const errors = [...given.errors, ...unknownVariables(environment)];
  const good: GoodValues = {};
  const sources = new Map<OptionName, string>();
  for (const name of OPTION_NAMES) readOption(name, given, environment, good, sources, errors);
  errors.push(...contradictions(good, sources, errors));
  if (errors.length > 0) return { errors };
  return { configuration: assemble(good as OptionValues, sources) };
}

function readOption(
  name: OptionName,
  given: Arguments,
  environment: Environment,
  good: GoodValues,
  sources: Map<OptionName, string>,
  errors: OptionError[],
): void {
  const { list, initial } = optionText(name);
  const flagged = given.values.get(flagOf(name).slice(2));
  const variable = environment[variableOf(name)];
  const source = flagged !== undefined ? flagOf(name) : variableOf(name);
  const texts = flagged ?? (variable === undefined || variable === "" ? undefined : [variable]);
  if (texts !== undefined) sources.set(name, source);
  if (list !== true && texts !== undefined && texts.length > 1) {
    errors.push({ source, reason: "is given more than once", remedy: "keep one" });
    return;
  }
  const items = texts?.flatMap((text) => text.split(",")).filter((text) => text.trim() !== "") ?? [];
  const input = list === true ? items : (texts?.[0] ?? initial);
  if (input === undefined) return;
  const result = schema.shape[name].safeParse(input);
  if (result.success) {
    Object.assign(good, { [name]: result.data });
    return;
  }
  for (const issue of result.error.issues) {
    const params = issue.code === "custom" ? issue.params : undefined;
    const remedy =
      source === "HP_PROXY_PORT" && /^tcp:\/\//.test(`${params?.text}`) ? SERVICE_LINK : params?.remedy;
    errors.push({ source, value: `${params?.text}`, reason: issue.message, remedy: `${remedy}` });
  }
}

const SERVICE_LINK =
  "Kubernetes sets this for a service named hp-proxy; set enableServiceLinks: false in the pod";

/**
 * A variable that looks like a misspelt option; others under our prefix may be anybody's (Kubernetes service
 * links).
 */
function unknownVariables(environment: Environment): OptionError[] {
  const known = OPTION_NAMES.map(variableOf);
  const errors: OptionError[] = [];
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith("HP_PROXY_") || known.includes(variable)) continue;
    if (/^HP_PROXY_(PORT_\d+_|SERVICE_)/.test(variable)) continue;
    const near = nearest(variable, known);
    if (near === "") continue;
    errors.push({ source: variable, reason: "is not an option", remedy: `did you mean ${near}?` });
  }
  return errors;
}

/** What is wrong with the options together though each is right by itself. */
function contradictions(
  good: GoodValues,
  sources: ReadonlyMap<OptionName, string>,
  earlier: readonly OptionError[],
): OptionError[] {
  const errors: OptionError[] = [];
  const named = (name: OptionName) => sources.get(name) ?? flagOf(name);
  const complained = (name: OptionName) =>
    earlier.some((error) => error.source === flagOf(name) || error.source === variableOf(name));
  if (good.backends?.length === 0 && !complained("backends")) {
    errors.push({
      source: "--backends",
      reason: "is missing",
      remedy:
        'write where requests go, like --backends "localhost:3001,localhost:3002", or try hp-proxy demo',
    });
  }
  if (good.healthPath !== undefined && (good.health === "tcp" || good.health === "off")) {
    errors.push({
      source: named("healthPath"),
      value: good.healthPath,
      reason: `has no use with ${flagOf("health")} ${good.health}`,
      remedy: "leave one of them out",
    });
  }
  if (good.maxTargetBytes !== undefined && good.maxHeadBytes !== undefined) {
    if (good.maxTargetBytes > good.maxHeadBytes) {
      errors.push({
        source: named("maxTargetBytes"),
        value: `${good.maxTargetBytes}`,
        reason: "is more than a whole head may have",
        remedy: `raise --max-head-bytes (${good.maxHeadBytes}) or lower this`,
      });
    }
  }
  errors.push(...doubles(good, named));
  return errors;
}

/** Listeners and backends that are named twice. */
function doubles(good: GoodValues, named: (name: OptionName) => string): OptionError[] {
  const listens = (good.listen ?? [])
    .filter(({ port }) => port !== 0)
    .map(({ host, port }) => `${host}:${port}`);
  if (good.port !== undefined && good.port !== 0) listens.push(`:${good.port}`);
  const errors: OptionError[] = [];
  const complain = (name: OptionName, words: readonly string[]) => {
    for (const word of new Set(words.filter((candidate, index) => words.indexOf(candidate) !== index))) {
      errors.push({ source: named(name), value: word, reason: "is there twice", remedy: "keep one" });
    }
  };
  complain("listen", listens);
  complain(
    "backends",
    (good.backends ?? []).map(({ name }) => name),
  );
  return errors;
}

function assemble(values: OptionValues, sources: ReadonlyMap<OptionName, string>): Configuration {
  const addresses = [...values.listen];
  if (sources.has("port")) addresses.unshift({ host: "", port: values.port });
  if (addresses.length === 0) addresses.push({ host: "", port: 8080 });
  return {
    mode: values.mode,
    listeners: addresses.map(({ host, port }) => ({ host, port, cluster: 0 })),
    clusters: [{ name: "default", backends: values.backends, health: healthOf(values, sources) }],
    workers: values.workers,
    engine: values.engine,
    affinity: values.affinity,
    timeouts: {
      ...DEFAULT_TIMEOUTS,
      connectMs: values.connectTimeout,
      responseHeadMs: values.responseTimeout,
      responseBodyIdleMs: values.responseIdleTimeout,
      requestHeadMs: values.requestHeadTimeout,
      requestBodyIdleMs: values.requestIdleTimeout,
      clientSendIdleMs: values.sendTimeout,
      clientIdleMs: values.clientIdleTimeout,
      originIdleMs: values.poolIdleTimeout,
      originAgeMs: values.poolMaxAge,
      tunnelIdleMs: values.tunnelTimeout,
      requestMs: values.requestTimeout,
    },
    limits: {
      ...DEFAULT_LIMITS,
      poolSizePerEndpoint: values.poolSize,
      clientsMax: values.maxClients,
      headBytesMax: values.maxHeadBytes,
      targetBytesMax: values.maxTargetBytes,
      fieldCountMax: values.maxFields,
      queuedBytesMax: values.maxQueuedBytes,
      requestBodyBytesMax: values.maxBodyBytes,
      clientsPerAddressMax: values.maxClientsPerAddress,
      requestsPerClientMax: values.maxRequestsPerClient,
      requestsInFlightMax: values.maxRequests,
      pipelinedRequestsMax: values.maxPipelined,
    },
    policy: {
      underscoreNames: values.underscoreNames,
      rejectEncodedSlashes: values.rejectPaths.includes("encoded-slash"),
      rejectDotSegments: values.rejectPaths.includes("dot-segment"),
      rejectEncodedNul: values.rejectPaths.includes("nul"),
      traceMethod: values.traceMethod,
      connectMethod: values.connectMethod,
      trustedProxies: values.trustedProxies,
      requestId: values.requestId,
      forwarded: values.forwarded === "on",
      trailers: values.trailers,
      halfClosedClients: values.halfClosedClients,
    },
    viaName: values.viaName,
    drainTimeoutMs: values.drainTimeout,
    statsIntervalMs: values.statsInterval,
    log: { level: values.logLevel, format: values.logFormat },
    controlPath: values.control ?? "",
  };
}

function healthOf(values: OptionValues, sources: ReadonlyMap<OptionName, string>): HealthConfiguration {
  const asked = sources.has("healthPath") || values.health === "http";
  const automatic = values.mode === "http" || asked ? "http" : "tcp";
  return {
    kind: values.health === "auto" ? automatic : values.health,
    path: values.healthPath ?? "/health",
    expect: asked ? "success" : "any",
    intervalMs: values.healthInterval,
    timeoutMs: values.healthTimeout,
    fall: values.healthFall,
    rise: values.healthRise,
  };
}
