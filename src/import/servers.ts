/**
 * Servers: where they listen, which hosts they are about, and which of them answers whom.
 *
 * nginx chooses a server by address first and by host then. Routes know hosts alone, and count on every
 * listener: where that makes a difference, it is told.
 */
import { readHostPattern } from "../config/routes-values.ts";
import { Problem, readListenAddress } from "../config/values.ts";
import { type Findings, placeOf } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import type { Scope } from "./scope.ts";

export interface Server {
  readonly scope: Scope;
  readonly directive: Directive;
  /** Addresses as `listen` takes them. */
  readonly listens: readonly string[];
  /** Those where it answers whoever no other server there is about. */
  readonly defaultOf: readonly string[];
  /** Exact names and `*.example.com`. */
  readonly hosts: readonly string[];
  /** The first name as written; "" where there is none. */
  readonly name: string;
  readonly port: number | undefined;
  /** It listens with TLS only. */
  readonly isTls: boolean;
}

/** Where TLS has been ended, plain HTTP comes in here. */
const TLS_HOST = "127.0.0.1";

const OPTIONS_IGNORED =
  /^(?:default(?:_server)?|ssl|http2|reuseport|deferred|bind|(?:ipv6only|backlog|fastopen)=.*)$/;
const OPTIONS_OF_SOCKETS = /^(?:rcvbuf|sndbuf|so_keepalive|setfib|accept_filter)=/;

interface Listen {
  readonly address: string;
  readonly isTls: boolean;
  readonly isDefault: boolean;
}

export function readServers(scopes: readonly Scope[], findings: Findings): Server[] {
  const read = scopes.map((scope) => ({ scope, listens: readListens(scope, findings) }));
  const taken = new Set(
    read.flatMap(({ listens }) => listens.filter(({ isTls }) => !isTls)).map(({ address }) => address),
  );
  const tlsAddress = freeAddress(taken);
  const hasTls = read.some(({ listens }) => listens.some(({ isTls }) => isTls));
  const kept = read.filter(({ scope }) => !hasTls || !leadsToHttps(scope, findings));
  const all = kept.length > 0 ? kept : read;
  const seen = new Set<string>();
  const servers = all.map(({ scope, listens }): Server => {
    const plain = listens.filter(({ isTls }) => !isTls);
    const isTls = plain.length === 0;
    const addresses = [...new Set(isTls ? [tlsAddress] : plain.map(({ address }) => address))];
    const defaults = listens.filter(({ isDefault, isTls: tls }) => isDefault && tls === isTls);
    const ports = new Set(listens.map(({ address }) => Number(address.slice(address.lastIndexOf(":") + 1))));
    const { hosts, name } = readNames(scope, findings);
    return {
      scope,
      directive: scope.directive!,
      listens: addresses,
      defaultOf: isTls && defaults.length > 0 ? [tlsAddress] : defaults.map(({ address }) => address),
      hosts,
      name,
      port: ports.size === 1 ? [...ports][0] : undefined,
      isTls,
    };
  });
  return servers.map((server) => {
    const fresh = server.listens.filter(
      (address) => !servers.some((each) => each.defaultOf.includes(address)) && !seen.has(address),
    );
    for (const address of server.listens) seen.add(address);
    return { ...server, defaultOf: [...server.defaultOf, ...fresh] };
  });
}

function freeAddress(taken: ReadonlySet<string>): string {
  for (let port = 8080; ; port++)
    if (![...taken].some((address) => address.endsWith(`:${port}`))) return `${TLS_HOST}:${port}`;
}

function readListens(scope: Scope, findings: Findings): Listen[] {
  const isOldTls = scope.last("ssl")?.words[0] === "on";
  const directives = scope.own("listen");
  const listens = directives.flatMap((directive): Listen[] => {
    const [written = "", ...options] = directive.words;
    if (written.startsWith("unix:")) {
      findings.warn(directive, "unix sockets are not listened on; it is left out");
      return [];
    }
    if (options.includes("quic") || options.includes("http3")) {
      findings.warn(directive, "HTTP/3 is not there yet; it is left out");
      return [];
    }
    if (options.includes("proxy_protocol"))
      findings.warn(
        directive,
        "the PROXY protocol is not there yet: such connections are refused as bad requests",
      );
    const isTls = options.includes("ssl") || isOldTls;
    if (isTls) {
      const text =
        "TLS is not there yet: it is plain HTTP, for what ends TLS in front; name that in policy.trustedProxies";
      findings.warn(directive, text, `tls ${scope.directive?.line}`);
    } else if (options.includes("http2"))
      findings.warn(directive, "HTTP/2 is not there yet; HTTP/1.1 is spoken");
    for (const option of options)
      if (
        !OPTIONS_IGNORED.test(option) &&
        !OPTIONS_OF_SOCKETS.test(option) &&
        !["proxy_protocol", "spdy"].includes(option)
      )
        findings.warn(directive, `${option} is not known here and is left out`);
    const address = readAddress(written);
    if (address === undefined) {
      findings.warn(directive, "is no address to listen on; it is left out");
      return [];
    }
    return [{ address, isTls, isDefault: options.includes("default_server") || options.includes("default") }];
  });
  if (directives.length === 0) return [{ address: "0.0.0.0:80", isTls: false, isDefault: false }];
  return listens;
}

function readAddress(written: string): string | undefined {
  const text = /^\d+$/.test(written) ? `0.0.0.0:${written}` : written.replace(/^\*(?=$|:)/, "0.0.0.0");
  const address = /^(?:\[.*\]|[^:]*)$/.test(text) ? `${text}:80` : text;
  return readListenAddress(address) instanceof Problem ? undefined : address;
}

function readNames(scope: Scope, findings: Findings): { hosts: string[]; name: string } {
  const hosts: string[] = [];
  let first = "";
  for (const directive of scope.own("server_name")) {
    for (const word of directive.words) {
      if (word === "_" || word === "") continue;
      if (first === "") first = word.replace(/^\*?\./, "");
      if (word.startsWith("~")) {
        findings.warn(directive, `hosts cannot be regular expressions; ${word} is left out`, `name ${word}`);
        continue;
      }
      const names = word.startsWith(".") ? [word.slice(1), `*${word}`] : [word];
      for (const name of names) {
        const host = readHostPattern(name.replace(/(.)\.$/, "$1"));
        if (host instanceof Problem)
          findings.warn(directive, `${name} ${host.reason}; it is left out (${host.remedy})`, `name ${word}`);
        else if (!hosts.includes(host)) hosts.push(host);
      }
    }
  }
  return { hosts, name: first };
}

const TO_HTTPS = /^https:\/\//;

/** All that it does is to send clients to https, which is for what ends TLS to do. */
function leadsToHttps(scope: Scope, findings: Findings): boolean {
  if (scope.own("listen").some(({ words }) => words.includes("ssl"))) return false;
  const blocks = [scope, ...scope.own("location").map((each) => scope.inner(each))];
  const ifs = scope.own("if").map((each) => scope.inner(each));
  const returns = [...blocks, ...ifs].flatMap((block) => block.own("return"));
  const rewrites = scope.own("rewrite");
  const targets = [...returns, ...rewrites];
  const isRedirect = ({ words, name }: Directive) =>
    TO_HTTPS.test((name === "rewrite" ? words[1] : words.at(-1)) ?? "");
  const first = targets.find(isRedirect);
  const handles = blocks.some((block) => block.own("proxy_pass", "fastcgi_pass", "uwsgi_pass").length > 0);
  const others = targets.filter((each) => !isRedirect(each) && each.words[0] !== "404");
  if (first === undefined || handles || others.length > 0) return false;
  findings.warn(
    first,
    "only sends clients to https: the server is left out, what ends TLS in front does that",
    `to https ${scope.directive?.line}`,
  );
  return true;
}

/** The listeners: `:80` where both families of all addresses are meant. Addresses within another are left out. */
export function listenersOf(servers: readonly Server[]): string[] {
  const all = [...new Set(servers.flatMap(({ listens }) => listens))];
  const merged = all.map((address) => {
    const port = address.slice(address.lastIndexOf(":") + 1);
    const isEverywhere = all.includes(`0.0.0.0:${port}`) && all.includes(`[::]:${port}`);
    const isIpv4 = !address.startsWith("[");
    if (isEverywhere) return `:${port}`;
    if (all.includes(`0.0.0.0:${port}`) && isIpv4) return `0.0.0.0:${port}`;
    return all.includes(`[::]:${port}`) && !isIpv4 ? `[::]:${port}` : address;
  });
  return [...new Set(merged)];
}

/** The server that nginx takes for `host` at `address`; "" is a host that nobody names. */
export function serverFor(servers: readonly Server[], address: string, host: string): Server | undefined {
  const here = servers.filter(({ listens }) => listens.includes(address));
  const exact = here.find(({ hosts }) => hosts.includes(host));
  if (exact !== undefined) return exact;
  const wildcards = here.flatMap((server) =>
    server.hosts.filter((name) => covers(name, host)).map((name) => ({ server, name })),
  );
  wildcards.sort((a, b) => b.name.length - a.name.length);
  return wildcards[0]?.server ?? here.find(({ defaultOf }) => defaultOf.includes(address)) ?? here[0];
}

/** Whether the wildcard `pattern` is about `host`, which may be a wildcard itself. */
export function covers(pattern: string, host: string): boolean {
  const tail = pattern.slice(1);
  return pattern.startsWith("*.") && host.length > tail.length && host.endsWith(tail) && host !== pattern;
}

/** Which routes each server gets. */
export interface HostPlan {
  readonly server: Server;
  /** Its own names; empty where only the hosts that nobody names are its own. */
  readonly hosts: readonly string[];
  /** Requests for hosts that no server names are its own. */
  readonly isDefault: boolean;
}

/** Decides for every host, and tells where a listener would decide otherwise. */
export function planHosts(servers: readonly Server[], findings: Findings): HostPlan[] {
  const addresses = [...new Set(servers.flatMap(({ listens }) => listens))];
  const owner = new Map<string, Server>();
  for (const server of servers) {
    for (const host of server.hosts) {
      const other = owner.get(host);
      if (other === undefined) owner.set(host, server);
      else if (other.listens.some((address) => server.listens.includes(address)))
        findings.warn(
          server.directive,
          `${host} is the name of ${placeOf(other.directive)} already, which comes first`,
        );
    }
  }
  const fallback = serverFor(servers, addresses[0] ?? "", "");
  for (const address of addresses) {
    for (const host of ["", ...owner.keys()]) {
      const wanted = serverFor(servers, address, host);
      const chosen = owner.get(host) ?? fallback;
      if (wanted === undefined || chosen === undefined || wanted === chosen) continue;
      const who = host === "" ? "hosts that no server names" : host;
      const difference = `at ${address} ${who} would be answered by ${placeOf(wanted.directive)}`;
      const remedy = `and are by ${placeOf(chosen.directive)}; --listener makes a configuration of its own`;
      const text = `routes count on every listener: ${difference}, ${remedy}`;
      findings.warn(
        wanted.directive,
        text,
        `listener ${address} ${wanted.directive.line} ${chosen.directive.line}`,
      );
    }
  }
  for (const server of servers) {
    const isNamed = server.hosts.some((host) => owner.get(host) === server);
    if (!isNamed && server !== fallback)
      findings.warn(
        server.directive,
        "has no name of its own: its routes are left out",
        `nameless ${server.directive.line}`,
      );
  }
  return servers.map((server) => ({
    server,
    hosts: server.hosts.filter((host) => owner.get(host) === server),
    isDefault: server === fallback,
  }));
}
