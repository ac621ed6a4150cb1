/** What is asked of every contender: one row per scenario. */

import { WrongArguments } from "./command.ts";

/** `proxy`: proxies are compared; `server`: servers without a proxy; `generator`: load generators. */
export type ScenarioKind = "proxy" | "server" | "generator";

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly kind: ScenarioKind;
  readonly connections: number;
  readonly path: string;
  readonly method: string;
  readonly fields: Readonly<Record<string, string>>;
  /** Bytes of the request's body. */
  readonly bodyBytes: number;
  /** Requests that one connection sends at once. */
  readonly pipeline: number;
  /** Requests a second over all connections, on a fixed schedule (open loop); 0: as fast as they go. */
  readonly ratePerSecond: number;
  /** What the clients do; see bench/stream-clients.ts for the last two. */
  readonly load: "http" | "web-socket" | "first-byte";
  /** What stands behind the proxies, and how many of it. */
  readonly backend: "files" | "echo";
  readonly backends: number;
}

const SMALL_GET: Scenario = {
  name: "get-64",
  title: "small GET, 64 keep-alive connections",
  kind: "proxy",
  connections: 64,
  path: "/",
  method: "GET",
  fields: {},
  bodyBytes: 0,
  pipeline: 1,
  ratePerSecond: 0,
  load: "http",
  backend: "files",
  backends: 1,
};

/** Fields of a browser, 16 with Host. */
const BROWSER_FIELDS: Readonly<Record<string, string>> = {
  "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
  Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Encoding": "gzip, deflate, br, zstd",
  "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
  "Cache-Control": "no-cache",
  Cookie: "session=0123456789abcdef0123456789abcdef; theme=dark; consent=necessary",
  DNT: "1",
  Pragma: "no-cache",
  Referer: "http://www.example.com/a/page/with/a/name?and=a&query=string",
  "Sec-CH-UA-Platform": '"Linux"',
  "Sec-Fetch-Dest": "document",
  "Sec-Fetch-Mode": "navigate",
  "Sec-Fetch-Site": "same-origin",
  "Upgrade-Insecure-Requests": "1",
  "X-Request-ID": "7f1d3c1e-5a0b-4d64-9a57-0f4f3f6f2a11",
};

export const SCENARIOS: readonly Scenario[] = [
  SMALL_GET,
  { ...SMALL_GET, name: "get-1", title: "small GET, 1 keep-alive connection", connections: 1 },
  { ...SMALL_GET, name: "get-256", title: "small GET, 256 keep-alive connections", connections: 256 },
  { ...SMALL_GET, name: "get-1024", title: "small GET, 1,024 keep-alive connections", connections: 1024 },
  { ...SMALL_GET, name: "fields-16", title: "GET with 16 request fields", fields: BROWSER_FIELDS },
  { ...SMALL_GET, name: "body-10k", title: "response of 10 KiB", path: "/10k" },
  { ...SMALL_GET, name: "body-100k", title: "response of 100 KiB", path: "/100k" },
  { ...SMALL_GET, name: "body-1m", title: "response of 1 MiB, 16 connections", path: "/1m", connections: 16 },
  { ...SMALL_GET, name: "chunked", title: "chunked response of 10 KiB", path: "/chunked" },
  {
    ...SMALL_GET,
    name: "connect",
    title: "a new client connection for every request",
    fields: { Connection: "close" },
  },
  {
    ...SMALL_GET,
    name: "upload",
    title: "POST of 100 KiB",
    path: "/upload",
    method: "POST",
    bodyBytes: 102_400,
  },
  { ...SMALL_GET, name: "pipeline", title: "small GET, 16 pipelined on each connection", pipeline: 16 },
  { ...SMALL_GET, name: "backends-3", title: "small GET, three backends round robin", backends: 3 },
  {
    ...SMALL_GET,
    name: "web-socket",
    title: "WebSocket echo: 64 bytes there and back",
    path: "/ws",
    load: "web-socket",
    backend: "echo",
  },
  {
    ...SMALL_GET,
    name: "events",
    title: "server-sent events, latency of the first one",
    path: "/events?interval=100&count=3",
    load: "first-byte",
    backend: "echo",
  },
  { ...SMALL_GET, name: "rate-5k", title: "small GET, 5,000 a second (open loop)", ratePerSecond: 5_000 },
  { ...SMALL_GET, name: "rate-20k", title: "small GET, 20,000 a second (open loop)", ratePerSecond: 20_000 },
  {
    ...SMALL_GET,
    name: "generators",
    title: "load generators against nginx `return 200`",
    kind: "generator",
  },
  { ...SMALL_GET, name: "echo", title: "servers of 13 bytes, no proxy", kind: "server" },
];

/** Scenarios of `names`; "all" is every one. An unknown name throws with the known ones. */
export function chooseScenarios(names: readonly string[]): readonly Scenario[] {
  if (names.includes("all")) return SCENARIOS;
  return names.map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found !== undefined) return found;
    const known = SCENARIOS.map((scenario) => scenario.name).join(", ");
    throw new WrongArguments(`--scenario: "${name}" is none; write one or more of ${known}, or all`);
  });
}
