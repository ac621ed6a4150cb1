/**
 * The schema of a configuration: every key with its kind, default, meaning and danger. From it come the types,
 * the checks, the flags and variables, the help, docs/configuration.md and the JSON Schema for editors.
 *
 * Strategy: a value is one key, and keys about one thing stand together (`timeouts`, `limits`, `policy`).
 * `backends` alone is the short form of one cluster. What decides between clusters for one listener, `routes`,
 * has its place beside `clusters`.
 */
import * as z from "zod";
import { hooks } from "./hooks-schema.ts";
import {
  type Count,
  choice,
  described,
  duration,
  durationOrNever,
  filled,
  integer,
  kind,
  list,
  open,
  required,
  word,
} from "./kinds.ts";
import { basicAuth, forwardAuth } from "./route-auth.ts";
import { compress } from "./route-compress.ts";
import { rateLimit } from "./route-limits.ts";
import { errorPages, ROUTE, routes } from "./routes-schema.ts";
import { LIMITS, POLICY, TIMEOUTS } from "./schema-sections.ts";
import { Problem, readBackend, readInteger, readListenAddress } from "./values.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;

const BASIC = "Basic";
const WORKERS = "Workers and engines";
const HEALTH = "Health checks";
const OPERATION = "Operation";
const FILES = "Files";

type Shape = z.core.$ZodShape;

/** A group of keys. */
export interface SectionText {
  readonly shape: Shape;
  /** What stands between its own path and its keys: `NAME` for a map by name, `[]` for a list. */
  readonly each: "" | "NAME" | "[]";
  readonly text: string;
}

/** The texts of each group's schema. */
export const sectionTexts = new WeakMap<object, SectionText>();

function section<const S extends Shape>(shape: S, text: string) {
  return grouped(z.strictObject(shape).prefault({} as never), { shape, each: "", text });
}

function grouped<S extends object>(schema: S, text: SectionText): S {
  sectionTexts.set(schema, text);
  return schema;
}

function readPath(text: string): string | Problem {
  if (/^\/[\x21-\x7e]*$/.test(text)) return text;
  return new Problem("is not a request path", "begin with / and escape blanks, like /health");
}

/** Answers of our own, which have the name in them, fit a small buffer. */
const VIA_NAME_BYTES_MAX = 255;

function readViaName(text: string): string | Problem {
  if (text.length <= VIA_NAME_BYTES_MAX && /^[A-Za-z0-9!#$%&'*+.^_`|~-]+(:\d+)?$/.test(text)) return text;
  return new Problem(
    "is not a name for Via",
    "write letters, digits and hyphens, like proxy-1 (RFC 9110 §7.6.3)",
  );
}

function readControlPath(text: string): string | Problem {
  return text === "" ? new Problem("is empty", "write a path, like /run/hp-proxy.sock") : text;
}

type AdminAddress = { host: string; port: number } | null;

function readAdmin(value: unknown): AdminAddress | Problem {
  if (value === "off") return null;
  if (typeof value !== "string" && typeof value !== "number")
    return new Problem("is not a text", "write HOST:PORT, PORT or off");
  const text = String(value).trim();
  const address = readListenAddress(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
  return address instanceof Problem ? new Problem(address.reason, `${address.remedy}, or off`) : address;
}

function readWorkers(value: unknown): number | "auto" | Problem {
  if (value === "auto") return "auto";
  const count = readInteger(String(value), 1, 256);
  return count instanceof Problem ? new Problem(count.reason, `${count.remedy}, or auto`) : count;
}

/** Where to listen, with the cluster that answers there. */
export type ListenInput =
  | string
  | number
  | { readonly address: string; readonly cluster?: string }
  | { readonly port: Count; readonly cluster?: string };

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listenItem(value: unknown): unknown {
  if (typeof value === "number") return { port: value };
  return isObject(value) ? value : { address: value };
}

const LISTENER = {
  address: open(
    word(
      {
        group: BASIC,
        value: "HOST:PORT",
        text: "127.0.0.1:8080, [::1]:8080, or :8080 for every address of this machine",
        danger: ":PORT is reachable from everywhere.",
      },
      readListenAddress,
    ),
  ),
  port: open(
    integer(
      {
        group: BASIC,
        text: "Instead of `address`: a port of every address, IPv4 and IPv6; 0: the system chooses",
        danger: "Reachable from everywhere.",
      },
      undefined,
      0,
      65_535,
    ),
  ),
  cluster: open(
    word(
      {
        group: BASIC,
        value: "NAME",
        text: "Which cluster answers here; may be left out when there is one, or one named `default`",
        danger: "",
      },
      (name) => name,
    ),
  ),
};

const listener = z.strictObject(LISTENER).transform(({ address, port, cluster }, context) => {
  if (address !== undefined && port !== undefined)
    context.addIssue(issue("has an address and a port", "keep one of them"));
  if (address !== undefined) return { ...address, cluster };
  if (port !== undefined) return { host: "", port, cluster };
  context.addIssue(issue("has no address", "write address: 127.0.0.1:8080, or port: 8080"));
  return z.NEVER;
});

function issue(message: string, remedy: string) {
  return { code: "custom" as const, message, params: { remedy, written: undefined } };
}

const listen = described(
  z
    .custom<ListenInput | readonly ListenInput[]>()
    .transform((value): unknown => (Array.isArray(value) ? value : [value]).map(listenItem))
    .pipe(z.array(listener))
    .optional(),
  {
    group: BASIC,
    flag: "listen",
    value: "HOST:PORT",
    text: "Listen here; [::1]:8080 for IPv6, :8080 for every address (:8080 where no port is given at all)",
    danger: ":PORT is reachable from everywhere.",
    list: true,
    json: {},
  },
);
grouped(listen, { shape: LISTENER, each: "[]", text: "Where to listen, in detail" });

const BACKENDS = {
  group: BASIC,
  value: "LIST",
  text: "Where requests go: host:port, [v6]:port or unix:/path. Names are resolved again while running",
  danger: "Every address of a name is used: a name that also means something else brings that in.",
};

/** What counts where neither a cluster nor `health` says otherwise. */
export const HEALTH_DEFAULTS = { path: "/health", intervalMs: 2_000, timeoutMs: 2_000, fall: 3, rise: 2 };

const HEALTH_SHAPE = {
  kind: open(
    choice(
      {
        group: HEALTH,
        flag: "health",
        text: "auto: http in mode http (4xx counts as up unless a path is given), tcp in mode tcp",
        danger: "off: only failed connections show that a backend is gone.",
      },
      "auto",
      ["auto", "tcp", "http", "off"],
    ),
  ),
  path: open(
    word(
      {
        group: HEALTH,
        flag: "healthPath",
        value: "PATH",
        text: "What an HTTP check asks for (/health); when given, only 2xx and 3xx count as up",
        danger: "A page that depends on a database takes all backends out when that is down.",
      },
      readPath,
    ),
  ),
  interval: open(
    duration(
      {
        group: HEALTH,
        flag: "healthInterval",
        text: "Between two checks of a backend",
        danger: "Long: a backend that hangs gets requests for longer.",
      },
      HEALTH_DEFAULTS.intervalMs,
      10,
    ),
  ),
  timeout: open(
    duration(
      {
        group: HEALTH,
        flag: "healthTimeout",
        text: "A check that takes longer has failed",
        danger: "Short: busy backends are taken out, and the others get busier.",
      },
      HEALTH_DEFAULTS.timeoutMs,
    ),
  ),
  fall: open(
    integer(
      {
        group: HEALTH,
        flag: "healthFall",
        text: "Failed checks in a row until a backend is out",
        danger: "1: one lost packet takes a backend out.",
      },
      HEALTH_DEFAULTS.fall,
      1,
      1000,
    ),
  ),
  rise: open(
    integer(
      {
        group: HEALTH,
        flag: "healthRise",
        text: "Good checks in a row until it is back",
        danger: "1: a backend that comes and goes is used each time it comes.",
      },
      HEALTH_DEFAULTS.rise,
      1,
      1000,
    ),
  ),
};

const CLUSTER = {
  backends: required(list(BACKENDS, readBackend)),
  health: section(HEALTH_SHAPE, "As `health`, for this cluster; what is not said here is as said there"),
};

const LOG = {
  level: filled(
    choice(
      {
        group: OPERATION,
        flag: "logLevel",
        text: "What is logged, to standard error",
        danger: "warn: requests that clients broke off are not told. silent: nothing is.",
      },
      "info",
      LOG_LEVELS,
    ),
  ),
  format: filled(
    choice(
      {
        group: OPERATION,
        flag: "logFormat",
        text: "For people or for machines",
        danger: "text is not meant for programs.",
      },
      "text",
      ["text", "json"],
    ),
  ),
};

/** The whole document. The order of its keys is that of help and manual. */
export const documentSchema = z.strictObject({
  listen,
  backends: open(list({ ...BACKENDS, flag: "backends" }, readBackend)),
  mode: filled(
    choice(
      {
        group: BASIC,
        flag: "mode",
        text: "http: requests are balanced; tcp: connections are, byte for byte",
        danger: "tcp: nothing of HTTP is checked or protected.",
      },
      "http",
      ["http", "tcp"],
    ),
  ),
  clusters: grouped(z.record(z.string(), z.strictObject(CLUSTER)).optional(), {
    shape: CLUSTER,
    each: "NAME",
    text: "Backends that can answer the same requests, by a name of your choice",
  }),
  routes: grouped(routes, {
    shape: ROUTE,
    each: "[]",
    text: "Which request goes where, and what becomes of it",
  }),
  rateLimit: rateLimit("Requests of one client: 100/s, or {rate, burst, key, status}; more get 429"),
  basicAuth: basicAuth("Hooks", "Name and password (RFC 7617): users or file, realm, forward, userHeader"),
  forwardAuth: forwardAuth(
    "Hooks",
    "Another server says who passes: its URL, or {url, timeout, requestHeaders, responseHeaders}",
  ),
  hooks: hooks(
    "Hooks",
    "Functions called while requests pass, on all routes: modules, or in TypeScript written here",
  ),
  compress: compress(
    "Compression",
    "Compresses what backends answer: on; or encodings, types, minSize (1KiB), level, secrets",
  ),
  errorPages: errorPages("Contents of answers of the proxy's own, by status: a text, or {body, contentType}"),
  workers: filled({
    schema: kind<"auto" | Count, number | "auto">(readWorkers),
    words: {
      group: WORKERS,
      flag: "workers",
      value: "N|auto",
      text: "Worker processes; auto: one for each CPU",
      danger: "More than CPUs: slower. Limits and pools count for each worker.",
      initial: "auto",
      json: { anyOf: [{ type: "integer", minimum: 1, maximum: 256 }, { type: "string" }] },
    },
  }),
  engine: filled(
    choice(
      {
        group: WORKERS,
        flag: "engine",
        text: "How sockets are driven; auto: the first of these that works here",
        danger: "A named engine that does not work here: no start.",
      },
      "auto",
      ["auto", "uring", "epoll", "net"],
    ),
  ),
  affinity: filled(
    choice(
      {
        group: WORKERS,
        flag: "affinity",
        text: "auto: each of several workers keeps to a CPU of its own (Linux)",
        danger: "auto: another program bound to the same CPU slows its worker down.",
      },
      "auto",
      ["auto", "off"],
    ),
  ),
  stallTimeout: filled(
    durationOrNever(
      {
        group: WORKERS,
        flag: "stallTimeout",
        text: "A worker that stands still for so long (a hook that never returns) is replaced; 0: never",
        danger:
          "Short: a slow hook costs its worker all its connections. 0: a worker that is stuck stays so.",
      },
      10_000,
      500,
    ),
  ),
  health: section(HEALTH_SHAPE, "Health checks of every cluster that does not say otherwise"),
  timeouts: section(TIMEOUTS, "Times after which something is given up"),
  limits: section(LIMITS, "What is too much"),
  policy: section(POLICY, "What is done about messages that are valid and yet dangerous"),
  drainTimeout: filled(
    duration(
      {
        group: OPERATION,
        flag: "drainTimeout",
        text: "After SIGTERM, for what is in flight",
        danger: "Longer than the service manager waits: it kills. Short: requests are cut.",
      },
      30_000,
      0,
    ),
  ),
  statsInterval: filled(
    duration(
      {
        group: OPERATION,
        flag: "statsInterval",
        text: "Print a line of figures so often; 0: never",
        danger: "Standard output grows.",
      },
      0,
      0,
    ),
  ),
  viaName: filled(
    word(
      {
        group: OPERATION,
        flag: "viaName",
        value: "NAME",
        text: "This proxy in the Via field",
        danger: "A real host name tells clients about your network.",
        initial: "hp-proxy",
      },
      readViaName,
    ),
  ),
  control: open(
    word(
      {
        group: OPERATION,
        flag: "control",
        value: "PATH",
        text: "Control socket, for `hp-proxy stats` and `reload` (default: by process number in the runtime directory)",
        danger:
          "Who can open it sees all figures and has the configuration read again: it is made with mode 0600.",
      },
      readControlPath,
    ),
  ),
  admin: filled({
    schema: kind<string | number, AdminAddress>(readAdmin),
    words: {
      group: OPERATION,
      flag: "admin",
      value: "HOST:PORT|PORT|off",
      text: "Answer /healthz, /readyz and /metrics here; PORT alone is 127.0.0.1:PORT",
      danger: ":PORT is reachable from everywhere, and figures tell about your users.",
      initial: "off",
      json: { anyOf: [{ type: "integer", minimum: 1, maximum: 65_535 }, { type: "string" }] },
    },
  }),
  log: section(LOG, "What is told on standard error"),
  include: open(
    list(
      {
        group: FILES,
        value: "LIST",
        text: "More files, or patterns of their names, relative to this one; their keys come before those here",
        danger: "Whoever can write such a file configures this proxy.",
      },
      (path) => path,
    ),
  ),
  $schema: open(
    word(
      { group: FILES, value: "URL", text: "JSON Schema of this file, for editors", danger: "" },
      (url) => url,
    ),
  ),
});

/** What people write. */
export type Config = z.input<typeof documentSchema>;

/** What it means: complete, in milliseconds and bytes. */
export type Document = z.output<typeof documentSchema>;
