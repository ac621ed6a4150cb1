/** `hp-proxy explain`: which route a request takes, why, and what would be sent; without sending anything. */
import { parseIp } from "../base/ip-address.ts";
import { type ConfigError, errorsText } from "../config/config-error.ts";
import { durationText } from "../config/values.ts";
import { LISTENER_CLUSTER, type Route } from "../contract/routing.ts";
import { FIELD_COUNT_MAX, type Snapshot, type Timeouts } from "../contract/snapshot.ts";
import { type Arguments, readArguments } from "../control/arguments.ts";
import { compileSnapshot } from "../control/compile-snapshot.ts";
import type { Configuration } from "../control/configuration.ts";
import { loadConfiguration } from "../control/load-configuration.ts";
import type { Environment } from "../control/options.ts";
import { PROXY_FLAGS } from "../control/read-configuration.ts";
import { MessageHead } from "../http1/message-head.ts";
import { parseRequestHead } from "../http1/request-head.ts";
import { candidatesOf, hostText, reasonBetween } from "../route/candidates.ts";
import { ClientAddress } from "../route/client-address.ts";
import { isInAny } from "../route/conditions.ts";
import { conditionCount, type Entry } from "../route/order.ts";
import { corsRows, limitRows, retriesText } from "./explained-limits.ts";
import { linkRows } from "./explained-links.ts";
import { chooseListener, listenerText } from "./explained-listener.ts";
import { type Rehearsal, rehearse } from "./rehearsal.ts";

const HELP = `hp-proxy explain: what would become of a request; nothing is sent

  hp-proxy explain URL                   GET, by hp-proxy.config.* in the working directory
  hp-proxy explain METHOD URL -c FILE    URL: http://host/path, host/path, or /path with -H 'Host: …'
  hp-proxy explain OPTIONS '*'           a request about the server; CONNECT host:port: one for a tunnel

  -H, --header 'NAME: VALUE'     a header field of the request; may be given several times
  --client ADDRESS               who connects (127.0.0.1); a trusted proxy may name the client in -H
  --listener ADDRESS             where it comes in; otherwise by the port of the URL
  -h, --help                     this text

Tells the route and why it wins, routes that match as well, the backend, the request line and the
fields as the backend would get them, timeouts; or the answer of the proxy itself. Backends count
as healthy. Exit status 0: a backend would be asked, or a route answers; 1: it would be refused.
`;

const FLAGS = {
  ...PROXY_FLAGS,
  valued: [...PROXY_FLAGS.valued, "header", "client", "listener"],
  short: { ...PROXY_FLAGS.short, H: "header" },
  filled: ["listener"],
  words: 2,
  strayRemedy: "write METHOD and URL, and quote what has blanks",
};

/** Resolves to the exit status. */
export async function runExplain(argv: readonly string[], environment: Environment): Promise<number> {
  const { output, errors, status } = await explained(argv, environment);
  process.stdout.write(output);
  process.stderr.write(errors);
  return status;
}

/** What the command writes, and its exit status. */
export interface Explained {
  readonly output: string;
  readonly errors: string;
  readonly status: number;
}

/** As `runExplain`, with its texts instead of writing them. */
export async function explained(argv: readonly string[], environment: Environment): Promise<Explained> {
  const given = readArguments(argv, FLAGS);
  if (given.switches.has("help")) return { output: HELP, errors: "", status: 0 };
  const asked = readRequest(given);
  const loaded = await loadConfiguration(process.cwd(), given, environment);
  const errors = [...("errors" in asked ? asked.errors : []), ...("errors" in loaded ? loaded.errors : [])];
  if (errors.length > 0 || "errors" in loaded || "errors" in asked) return failed(errors);
  const { configuration } = loaded;
  if (configuration.mode === "tcp") return { output: NO_REQUESTS, errors: "", status: 0 };
  const chosen = chooseListener(configuration, asked.authority, given.values.get("listener")?.at(-1));
  if ("errors" in chosen) return failed(chosen.errors);
  const { listener, matters } = chosen;
  const snapshot = snapshotOf(configuration);
  const listening = matters ? listenerText(configuration.listeners[listener]!) : "";
  const { text, isRefused } = explain(snapshot, { ...asked, listener, listening });
  return { output: text, errors: "", status: isRefused ? 1 : 0 };
}

function failed(errors: readonly ConfigError[]): Explained {
  return { output: "", errors: errorsText("hp-proxy explain", errors, ""), status: 1 };
}

const NO_REQUESTS =
  "mode tcp: there are no requests to explain, connections go to backends byte for byte (hp-proxy print)\n";

/** Authority, and path with query. */
const URL_PATTERN =
  /^(?:http:\/\/)?((?:[^/?#:[\]@\s]*|\[[0-9A-Fa-f:.]+\])(?::\d+)?)([/?][\x21\x22\x24-\x7e]*)?$/;

interface AskedRequest {
  readonly head: string;
  readonly client: string;
  /** Where the client would connect to; "" where nothing says that. */
  readonly authority: string;
}

function readRequest(given: Arguments): AskedRequest | { errors: ConfigError[] } {
  const errors: ConfigError[] = [];
  const [first = "", second] = given.words;
  const [method, written] = second === undefined ? ["GET", first] : [first, second];
  // What stands behind # is never sent.
  const url = written.replace(/#.*$/s, "");
  const match = URL_PATTERN.exec(url);
  if (url === "")
    errors.push({
      source: "explain",
      reason: "has no URL",
      remedy: "write one, like http://shop.example.com/a",
    });
  else if (match === null)
    errors.push({
      source: "explain",
      value: url,
      reason: "is not a URL of http",
      remedy: "write one, like shop.example.com/a",
    });
  const fields = given.values.get("header") ?? [];
  for (const field of fields)
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*$/.test(field))
      errors.push({
        source: "--header",
        value: field,
        reason: "is not a header field",
        remedy: "write 'Name: value'",
      });
  const client = given.values.get("client")?.at(-1) ?? "127.0.0.1";
  if (parseIp(client) === undefined)
    errors.push({
      source: "--client",
      value: client,
      reason: "is not an IP address",
      remedy: "write one, like 192.0.2.1",
    });
  if (errors.length > 0 || match === null) return { errors };
  const [, authority = "", rest] = match;
  const named = fields.find((field) => /^host:/i.test(field));
  const host = authority === "" || url === "*" ? "localhost" : authority;
  const lines = named === undefined ? [`Host: ${host}`, ...fields] : fields;
  const target = targetOf(method, url, authority, rest);
  const head = `${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
  // A CONNECT names where the tunnel leads to, and not who is asked for it.
  if (method === "CONNECT") return { head, client, authority: "" };
  const isNamedByUrl = authority !== "" && url !== "*";
  return { head, client, authority: isNamedByUrl ? authority : (named?.slice("host:".length).trim() ?? "") };
}

/** As a client writes it: an authority for CONNECT, `*` for itself, else path and query. */
function targetOf(method: string, url: string, authority: string, rest: string | undefined): string {
  if (url === "*") return url;
  if (method === "CONNECT") return `${authority}${rest ?? ""}`;
  if (rest === undefined) return "/";
  return rest.startsWith("?") ? `/${rest}` : rest;
}

interface ExplainedRequest extends AskedRequest {
  /** Number of the listener. */
  readonly listener: number;
  /** Its address where others make a difference, or "". */
  readonly listening: string;
}

/** Backends are named, not resolved: their names stand for their addresses. */
function snapshotOf(configuration: Configuration): Snapshot {
  const clusters = configuration.clusters.map(({ name, backends }) => ({
    name,
    endpoints: backends.map((backend) => {
      const address = backend.kind === "address" ? backend.address : backend.name;
      return { name: backend.name, address, healthy: true };
    }),
  }));
  return compileSnapshot(configuration, 0, clusters, configuration.listeners, configuration.limits);
}

/** The text of the command, and whether the request would be refused. */
function explain(snapshot: Snapshot, asked: ExplainedRequest): { text: string; isRefused: boolean } {
  const { head, client, listener, listening } = asked;
  const rehearsal = rehearse(snapshot, head, client, listener);
  const { failure } = rehearsal;
  const [requestLine = "", ...fields] = head.trimEnd().split("\r\n");
  const rows: [string, string][] = [["request", [requestLine, ...fields].join(" | ")]];
  if (listening !== "") rows.push(["listener", listening]);
  const routes = snapshot.routing?.routes;
  const route = routes === undefined ? undefined : routeRows(snapshot, routes, head, client, rows);
  if (routes === undefined) rows.push(["route", UNROUTED]);
  rows.push(...limitRows(snapshot, route));
  if (rehearsal.request !== "") forwardedRows(snapshot, route, rehearsal, asked, rows);
  else answeredRows(snapshot, route, rehearsal, fields, rows);
  if (failure !== undefined) rows.push(["reason", `${failure.reason}: ${failure.message}`]);
  const text = rows.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join("");
  return { text, isRefused: failure !== undefined };
}

const UNROUTED = "none: there are no routes, requests go by their listener";

/** It stands for routes where there are none. */
function isForListener({ action }: Route): boolean {
  return action.kind === "forward" && action.targets.some(({ cluster }) => cluster === LISTENER_CLUSTER);
}

function routeRows(
  snapshot: Snapshot,
  routes: readonly Route[],
  head: string,
  peer: string,
  rows: [string, string][],
): Route | undefined {
  // The peer's address stands behind the head.
  const memory = Buffer.from(head + peer, "latin1");
  const parsed = new MessageHead(FIELD_COUNT_MAX);
  const limits = { headBytesMax: 65_536, targetBytesMax: 65_536, fieldCountMax: FIELD_COUNT_MAX };
  if (parseRequestHead(memory, 0, head.length, parsed, limits) !== head.length) return undefined;
  const { trustedProxies, forwarded } = snapshot.policy;
  const client = new ClientAddress();
  client.usePeer(head.length, memory.length, parseIp(peer) ?? null);
  if (isInAny(trustedProxies, client.bytes)) {
    client.follow(memory, parsed, trustedProxies, forwarded);
    const address = memory.toString("latin1", client.start, client.end);
    const who = client.start === head.length ? "which names no other" : "and its list says so";
    rows.push(["client", `${address}: ${peer} is a trusted proxy, ${who}`]);
  }
  const [winner, ...others] = candidatesOf(routes, memory, parsed, client.bytes);
  if (winner === undefined) {
    rows.push(["route", `none of ${routes.length} matches`]);
    return undefined;
  }
  rows.push(["route", isForListener(routes[winner.route]!) ? UNROUTED : entryText(routes, winner)]);
  for (const other of others.slice(0, 5)) {
    rows.push(["before", `${entryText(routes, other)}: ${reasonBetween(routes, winner, other)}`]);
  }
  if (others.length > 5) rows.push(["before", `${others.length - 5} more`]);
  rows.push(...corsRows(routes[winner.route]!, memory, parsed));
  return routes[winner.route];
}

function entryText(routes: readonly Route[], { route, host, path }: Entry): string {
  const { name } = routes[route]!;
  const count = conditionCount(routes[route]!);
  const conditions = count === 0 ? "" : `, ${count} condition${count === 1 ? "" : "s"}`;
  const pathText = path.kind === "any" ? "any path" : `${path.kind} ${path.text === "" ? "/" : path.text}`;
  return `routes[${route}] ${name} (host ${hostText(host)}, ${pathText}${conditions})`;
}

function forwardedRows(
  snapshot: Snapshot,
  route: Route | undefined,
  { request, address }: Rehearsal,
  { head, listener }: ExplainedRequest,
  rows: [string, string][],
): void {
  const { clusters } = snapshot;
  const [requestLine = "", ...fields] = head.trimEnd().split("\r\n");
  const targets =
    route?.action.kind === "forward" && !isForListener(route)
      ? route.action.targets
      : [{ cluster: snapshot.listeners[listener]!.cluster, weight: 1 }];
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  const shares = targets.map(({ cluster, weight }) => {
    const share = targets.length === 1 ? "" : ` (${weight} of ${total} requests)`;
    return `${clusters[cluster]!.name}${share}`;
  });
  rows.push(["cluster", shares.join(", ")]);
  const chosen = targets
    .map(({ cluster }) => clusters[cluster]!)
    .find(({ endpoints }) => endpoints.some((endpoint) => endpoint.address === address));
  const names = (chosen?.endpoints ?? []).map(({ name }) => name);
  const turn =
    names.length > 1 ? `, each in turn with ${names.filter((name) => name !== address).join(", ")}` : "";
  rows.push(["backend", `${address}${turn}`]);
  const [sentLine = "", ...sent] = request.trimEnd().split("\r\n");
  rows.push(["sent as", sentLine === requestLine ? `${sentLine} (unchanged)` : sentLine]);
  for (const line of sent) rows.push([fields.includes(line) ? "" : "+", line]);
  for (const line of fields) if (!sent.includes(line)) rows.push(["-", line]);
  for (const { kind, name, value } of route?.responseFields ?? [])
    rows.push(["response", kind === "remove" ? `remove ${name}` : `${kind} ${name}: ${value}`]);
  const chain = snapshot.hooking?.chains[(route === undefined ? snapshot.chain : route.chain) ?? -1] ?? [];
  rows.push(...linkRows(chain, fields));
  rows.push(["retries", retriesText(route, requestLine)]);
  rows.push(["timeouts", timeoutsText(route?.timeouts ?? snapshot.timeouts)]);
  const bodyBytesMax =
    route === undefined || route.requestBodyBytesMax < 0
      ? snapshot.limits.requestBodyBytesMax
      : route.requestBodyBytesMax;
  rows.push(["body", bodyBytesMax === 0 ? "no limit" : `${bodyBytesMax} bytes at most`]);
}

/** Of a request that goes to no backend. */
function answeredRows(
  { routing, hooking }: Snapshot,
  route: Route | undefined,
  rehearsal: Rehearsal,
  fields: readonly string[],
  rows: [string, string][],
): void {
  const { failure, answer } = rehearsal;
  const chain = (route === undefined ? routing?.unroutedChain : route.chain) ?? -1;
  const isPreflight = route?.cors != null && /^Access-Control-Allow-Methods:/m.test(answer);
  const isAsked = failure === undefined ? !isPreflight : failure.reason === "no_route";
  if (isAsked) rows.push(...linkRows(hooking?.chains[chain] ?? [], fields));
  rows.push(["answer", answerText(rehearsal)]);
}

function timeoutsText({ connectMs, responseHeadMs, responseBodyIdleMs, requestMs }: Timeouts): string {
  const whole = requestMs === 0 ? "without limit" : durationText(requestMs);
  const parts = [
    `connect ${durationText(connectMs)}`,
    `response ${durationText(responseHeadMs)}`,
    `responseIdle ${durationText(responseBodyIdleMs)}`,
    `request ${whole}`,
  ];
  return parts.join(", ");
}

/** The head of our own answer, and how long its content is. */
function answerText({ answer }: Rehearsal): string {
  const end = answer.indexOf("\r\n\r\n");
  const lines = answer
    .slice(0, end)
    .split("\r\n")
    .filter((line) => !line.startsWith("Date: "));
  return lines.join("\n           ");
}
