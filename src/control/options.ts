/**
 * The options of the proxy: one schema from which come the flags, the `HP_PROXY_*` variables, the checks and
 * the help text.
 *
 * Strategy: every value begins as text (a flag's, else the variable's, else the default's) and goes through
 * the same reader, so a default cannot be something that a user could not write, and the help cannot tell
 * another story than the program. Each option is read by itself, so that all that is wrong is told at once.
 */
import * as z from "zod";
import { DEFAULT_LIMITS, DEFAULT_POLICY, DEFAULT_TIMEOUTS } from "../contract/snapshot.ts";
import { LOG_LEVELS } from "./configuration.ts";
import {
  bytesText,
  durationText,
  Problem,
  readBackend,
  readBytes,
  readDurationMs,
  readInteger,
  readListenAddress,
  readNetwork,
} from "./option-values.ts";

/**
 * What people read about an option; `initial` is the text that stands where neither flag nor variable does.
 */
export interface OptionText {
  readonly group: string;
  /** Placeholder of the value in the help. */
  readonly value: string;
  readonly text: string;
  readonly initial?: string;
  /** May be given several times; each may be a list with commas. */
  readonly list?: true;
}

/** The text of each option's schema. */
export const optionTexts = z.registry<OptionText>();

const DAY_MS = 86_400_000;

function read<T>(reader: (text: string) => T | Problem) {
  return z.string().transform((text, context): T => {
    const value = reader(text);
    if (!(value instanceof Problem)) return value;
    context.addIssue({ code: "custom", message: value.reason, params: { remedy: value.remedy, text } });
    return z.NEVER;
  });
}

function duration(group: string, text: string, initialMs: number, min = 1, max = DAY_MS) {
  const initial = durationText(initialMs);
  return read((value) => readDurationMs(value, min, max)).register(optionTexts, {
    group,
    value: "TIME",
    text,
    initial,
  });
}

function bytes(group: string, text: string, initialBytes: number, min: number, max: number) {
  const initial = bytesText(initialBytes);
  return read((value) => readBytes(value, min, max)).register(optionTexts, {
    group,
    value: "SIZE",
    text,
    initial,
  });
}

function integer(group: string, text: string, initial: string | undefined, min: number, max: number) {
  const base = { group, value: "N", text };
  return read((value) => readInteger(value, min, max)).register(
    optionTexts,
    initial === undefined ? base : { ...base, initial },
  );
}

function choice<const T extends readonly string[]>(group: string, text: string, initial: string, words: T) {
  return read((value): T[number] | Problem => {
    const known = words.find((word) => word === value);
    return known ?? new Problem("is not a choice", `write ${orList(words)}`);
  }).register(optionTexts, { group, value: words.join("|"), text, initial });
}

function orList(words: readonly string[]): string {
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function readWorkers(text: string): number | "auto" | Problem {
  if (text === "auto") return "auto";
  const count = readInteger(text, 1, 256);
  return count instanceof Problem ? new Problem(count.reason, `${count.remedy}, or auto`) : count;
}

function readPath(text: string): string | Problem {
  if (/^\/[\x21-\x7e]*$/.test(text)) return text;
  return new Problem("is not a request path", "begin with / and escape blanks, like /health");
}

function readViaName(text: string): string | Problem {
  if (/^[A-Za-z0-9!#$%&'*+.^_`|~-]+(:\d+)?$/.test(text)) return text;
  return new Problem(
    "is not a name for Via",
    "write letters, digits and hyphens, like proxy-1 (RFC 9110 §7.6.3)",
  );
}

const PATH_DANGERS = ["encoded-slash", "dot-segment", "nul"] as const;

function readPathDanger(text: string): (typeof PATH_DANGERS)[number] | Problem {
  const known = PATH_DANGERS.find((word) => word === text.trim());
  return known ?? new Problem("is not a choice", `write ${orList(PATH_DANGERS)}`);
}

function readControlPath(text: string): string | Problem {
  return text === "" ? new Problem("is empty", "write a path, like /run/hp-proxy.sock") : text;
}

const BASIC = "Basic";
const WORKERS = "Workers and engines";
const HEALTH = "Health checks";
const TIMES = "Timeouts";
const LIMITS = "Limits";
const POLICY = "Policy";
const OPERATION = "Operation";

/**
 * Every option by its name in camel case: `poolSize` is the flag `--pool-size` and the variable
 * `HP_PROXY_POOL_SIZE`.
 */
export const schema = z.object({
  port: integer(BASIC, "Listen on every address of this machine, IPv4 and IPv6", undefined, 0, 65_535),
  listen: z.array(read(readListenAddress)).register(optionTexts, {
    group: BASIC,
    value: "HOST:PORT",
    text: "Listen here; [::1]:8080 for IPv6, :8080 for every address (:8080 where no port is given at all)",
    list: true,
  }),
  backends: z.array(read(readBackend)).register(optionTexts, {
    group: BASIC,
    value: "LIST",
    text: "Where requests go: host:port, [v6]:port or unix:/path. Names are resolved again while running",
    list: true,
  }),
  mode: choice(BASIC, "http: requests are balanced; tcp: connections are, byte for byte", "http", [
    "http",
    "tcp",
  ]),

  workers: read(readWorkers).register(optionTexts, {
    group: WORKERS,
    value: "N|auto",
    text: "Worker processes; auto: one for each CPU",
    initial: "auto",
  }),
  engine: choice(WORKERS, "How sockets are driven; auto: the first of these that works here", "auto", [
    "auto",
    "uring",
    "epoll",
    "net",
  ]),
  affinity: choice(WORKERS, "auto: each of several workers keeps to a CPU of its own (Linux)", "auto", [
    "auto",
    "off",
  ]),

  health: choice(
    HEALTH,
    "auto: http in mode http (4xx counts as up unless --health-path is given), tcp in mode tcp",
    "auto",
    ["auto", "tcp", "http", "off"],
  ),
  healthPath: read(readPath).register(optionTexts, {
    group: HEALTH,
    value: "PATH",
    text: "What an HTTP check asks for (/health); when given, only 2xx and 3xx count as up",
  }),
  healthInterval: duration(HEALTH, "Between two checks of a backend", 2_000, 10),
  healthTimeout: duration(HEALTH, "A check that takes longer has failed", 2_000, 1),
  healthFall: integer(HEALTH, "Failed checks in a row until a backend is out", "3", 1, 1000),
  healthRise: integer(HEALTH, "Good checks in a row until it is back", "2", 1, 1000),

  connectTimeout: duration(TIMES, "To open a backend connection", DEFAULT_TIMEOUTS.connectMs),
  responseTimeout: duration(TIMES, "Until a backend's response begins", DEFAULT_TIMEOUTS.responseHeadMs),
  responseIdleTimeout: duration(TIMES, "Silence in a response body", DEFAULT_TIMEOUTS.responseBodyIdleMs),
  requestHeadTimeout: duration(TIMES, "To receive a request's head", DEFAULT_TIMEOUTS.requestHeadMs),
  requestIdleTimeout: duration(TIMES, "Silence in a request body", DEFAULT_TIMEOUTS.requestBodyIdleMs),
  sendTimeout: duration(
    TIMES,
    "A client that takes nothing of its response",
    DEFAULT_TIMEOUTS.clientSendIdleMs,
  ),
  clientIdleTimeout: duration(TIMES, "A client connection between requests", DEFAULT_TIMEOUTS.clientIdleMs),
  poolIdleTimeout: duration(TIMES, "An unused backend connection", DEFAULT_TIMEOUTS.originIdleMs),
  poolMaxAge: duration(
    TIMES,
    "Age after which a backend connection is not used again",
    DEFAULT_TIMEOUTS.originAgeMs,
  ),
  requestTimeout: duration(
    TIMES,
    "For a whole request, from its head to the end of its response; 0: no limit",
    DEFAULT_TIMEOUTS.requestMs,
    0,
  ),
  tunnelTimeout: duration(TIMES, "Silence in a WebSocket or in mode tcp", DEFAULT_TIMEOUTS.tunnelIdleMs),

  poolSize: integer(
    LIMITS,
    "Idle connections kept per backend and worker",
    `${DEFAULT_LIMITS.poolSizePerEndpoint}`,
    0,
    65_536,
  ),
  maxClients: integer(LIMITS, "Client connections per worker", `${DEFAULT_LIMITS.clientsMax}`, 1, 1_000_000),
  maxHeadBytes: bytes(
    LIMITS,
    "Head of a message; a larger one is answered 431",
    DEFAULT_LIMITS.headBytesMax,
    256,
    65_536,
  ),
  maxTargetBytes: bytes(
    LIMITS,
    "Request target; a longer one is answered 414",
    DEFAULT_LIMITS.targetBytesMax,
    16,
    65_536,
  ),
  maxBodyBytes: bytes(
    LIMITS,
    "Body of a request; a larger one is answered 413; 0: no limit",
    DEFAULT_LIMITS.requestBodyBytesMax,
    0,
    2 ** 50,
  ),
  maxClientsPerAddress: integer(
    LIMITS,
    "Client connections per worker from one address (IPv6: one /64); 0: no limit",
    `${DEFAULT_LIMITS.clientsPerAddressMax}`,
    0,
    1_000_000,
  ),
  maxRequests: integer(
    LIMITS,
    "Requests in flight per worker; one more is answered 503; 0: no limit",
    `${DEFAULT_LIMITS.requestsInFlightMax}`,
    0,
    1_000_000,
  ),
  maxRequestsPerClient: integer(
    LIMITS,
    "Requests until a client connection is closed, with notice; 0: no limit",
    `${DEFAULT_LIMITS.requestsPerClientMax}`,
    0,
    2 ** 31 - 1,
  ),
  maxPipelined: integer(
    LIMITS,
    "Requests in a row sent ahead of their answers until the connection is closed; 0: no limit",
    `${DEFAULT_LIMITS.pipelinedRequestsMax}`,
    0,
    1_000_000,
  ),
  maxFields: integer(LIMITS, "Header fields of a message", `${DEFAULT_LIMITS.fieldCountMax}`, 1, 1000),
  maxQueuedBytes: bytes(
    LIMITS,
    "Waiting for a slow reader before the other side is held back",
    DEFAULT_LIMITS.queuedBytesMax,
    4096,
    1024 ** 3,
  ),

  underscoreNames: choice(
    POLICY,
    "Field names with _, which many backends take for -",
    DEFAULT_POLICY.underscoreNames,
    ["drop", "reject", "pass"],
  ),
  rejectPaths: z.array(read(readPathDanger)).register(optionTexts, {
    group: POLICY,
    value: "LIST",
    text: "Paths answered 400: encoded-slash (%2F, %5C), dot-segment (.., also encoded), nul (%00)",
    list: true,
  }),
  trustedProxies: z.array(read(readNetwork)).register(optionTexts, {
    group: POLICY,
    value: "CIDR",
    text: "Peers whose X-Forwarded-*, Forwarded and X-Request-Id are believed, like 10.0.0.0/8,::1",
    list: true,
  }),
  requestId: choice(
    POLICY,
    "X-Request-Id: generate one; keep a trusted peer's or generate; off: pass on what comes",
    DEFAULT_POLICY.requestId,
    ["off", "keep", "generate"],
  ),
  forwarded: choice(POLICY, "Write Forwarded (RFC 7239) beside X-Forwarded-*", "off", ["off", "on"]),
  trailers: choice(
    POLICY,
    "Trailer fields: pass them on where asked for and allowed, or drop them",
    DEFAULT_POLICY.trailers,
    ["drop", "pass"],
  ),
  traceMethod: choice(POLICY, "TRACE: answer 405, or pass it on", DEFAULT_POLICY.traceMethod, [
    "reject",
    "pass",
  ]),
  connectMethod: choice(
    POLICY,
    "CONNECT: answer 405, or pass it on and open a tunnel",
    DEFAULT_POLICY.connectMethod,
    ["reject", "pass"],
  ),
  halfClosedClients: choice(
    POLICY,
    "A client that closes its sending side before it is answered: it has left (abort), or still reads (serve)",
    DEFAULT_POLICY.halfClosedClients,
    ["abort", "serve"],
  ),

  drainTimeout: duration(OPERATION, "After SIGTERM, for what is in flight", 30_000, 0),
  statsInterval: duration(OPERATION, "Print a line of figures so often; 0: never", 0, 0),
  viaName: read(readViaName).register(optionTexts, {
    group: OPERATION,
    value: "NAME",
    text: "This proxy in the Via field",
    initial: "hp-proxy",
  }),
  control: read(readControlPath).register(optionTexts, {
    group: OPERATION,
    value: "PATH",
    text: "Control socket, which `hp-proxy stats` asks (default: by process number in the runtime directory)",
  }),
  logLevel: choice(OPERATION, "What is logged, to standard error", "info", LOG_LEVELS),
  logFormat: choice(OPERATION, "For people or for machines", "text", ["text", "json"]),
});

export type OptionName = keyof typeof schema.shape;
export const OPTION_NAMES = Object.keys(schema.shape) as OptionName[];

/** Text of an option: its group, placeholder, meaning and default. */
export function optionText(name: OptionName): OptionText {
  const text = optionTexts.get(schema.shape[name]);
  if (text === undefined) throw new Error(`option ${name} has no text`);
  return text;
}

/** `poolSize` → `--pool-size`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `poolSize` → `HP_PROXY_POOL_SIZE`. */
export function variableOf(name: string): string {
  return `HP_PROXY${flagOf(name).slice(1).replaceAll("-", "_").toUpperCase()}`;
}
