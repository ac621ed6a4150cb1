/**
 * From a configuration of nginx to one of this proxy: a text of YAML, and a warning for everything that is
 * not the same.
 *
 * Strategy: what cannot be brought over never becomes more open than it was. A place without a counterpart
 * answers 501, a place whose guard has none answers 403, and its requests go to no other route.
 */
import path from "node:path";
import { checkDocument } from "../config/check.ts";
import { type ConfigError, errorText } from "../config/config-error.ts";
import { pathText } from "../config/located.ts";
import { readYaml } from "../config/read-yaml.ts";
import { routeWarnings } from "../config/routes-check.ts";
import { durationText } from "../config/values.ts";
import { type ActionTools, blockAction } from "./actions.ts";
import { Clusters } from "./clusters.ts";
import { Findings, type ImportWarning } from "./findings.ts";
import { adviseOn } from "./known-directives.ts";
import { readNginxFiles } from "./nginx-files.ts";
import type { Directive, NginxError } from "./nginx-grammar.ts";
import { Rates } from "./rates.ts";
import { groupsOf } from "./rewrites.ts";
import type { RouteDraft } from "./route-draft.ts";
import { Scope } from "./scope.ts";
import { serverRoutes } from "./server-routes.ts";
import { covers, type HostPlan, listenersOf, planHosts, readServers, type Server } from "./servers.ts";
import { Settings } from "./settings.ts";
import { configurationYaml } from "./write-yaml.ts";

export interface ImportOptions {
  /** What relative includes are relative to; undefined: the folder of the file. */
  readonly prefix?: string | undefined;
  /** Only servers that listen here, as nginx writes it: `80`, `127.0.0.1:8081`. */
  readonly listener?: string | undefined;
}

export type Imported =
  | { readonly yaml: string; readonly warnings: readonly ImportWarning[] }
  | { readonly errors: readonly string[] };

/** `file` as people name it. */
export function importNginx(file: string, options: ImportOptions = {}): Imported {
  const read = readNginxFiles(file, options.prefix);
  if (read.errors.length > 0) return { errors: read.errors.map(nginxErrorText) };
  return importDirectives(file, read.directives, options);
}

/** As `importNginx`, of what was read from `file`. */
export function importDirectives(
  file: string,
  directives: readonly Directive[],
  options: ImportOptions = {},
): Imported {
  return new Import(file, directives, options).run();
}

function nginxErrorText({ file, line, reason, remedy }: NginxError): string {
  return `${line === 0 ? file : `${file}:${line}`}: ${reason}; ${remedy}`;
}

class Import {
  readonly #file: string;
  readonly #listener: string | undefined;
  readonly #folder: string;
  readonly #findings = new Findings();
  readonly #main: Scope;
  readonly #http: Scope;
  readonly #settings: Settings;
  readonly #clusters: Clusters;
  readonly #rates: Rates;
  /** Conditions that became routes. */
  readonly #done = new Set<Directive>();

  constructor(file: string, directives: readonly Directive[], { listener, prefix }: ImportOptions) {
    this.#file = file;
    this.#listener = listener;
    this.#folder = prefix ?? path.dirname(file);
    this.#main = new Scope(null, directives, null);
    const blocks = this.#main.own("http");
    // A file of sites-enabled has servers outside of any block.
    const inner = blocks.flatMap(({ block }) => block ?? []);
    const loose = directives.filter(({ name }) => name !== "http" && name !== "events");
    this.#http = new Scope(blocks[0] ?? null, blocks.length > 0 ? inner : loose, null);
    this.#settings = new Settings(this.#http, this.#findings);
    this.#rates = new Rates(this.#http, this.#findings);
    this.#clusters = new Clusters(this.#http.own("upstream"), this.#findings);
  }

  run(): Imported {
    const all = this.#http.own("server").map((directive) => this.#http.inner(directive));
    const chosen = this.#chosen(all);
    if (chosen.length === 0) return { errors: [this.#nothing(all.length)] };
    const servers = readServers(chosen, this.#findings).filter(({ listens }) => listens.length > 0);
    if (servers.length === 0)
      return { errors: [`${this.#file}: has no server that listens for HTTP; name another file`] };
    const routes: RouteDraft[] = [];
    this.#settings.clients.choose(servers.map(({ scope }) => scope));
    const plans = planHosts(servers, this.#findings);
    for (const plan of plans) routes.push(...this.#routesOf(plan, plans));
    const kept = new Set(servers.map(({ directive }) => directive));
    const skipped = new Set(
      all.flatMap(({ directive }) => (directive === null || kept.has(directive) ? [] : [directive])),
    );
    adviseOn(this.#main.directives, new Set([...skipped, ...this.#done]), this.#findings);
    return this.#written(servers, routes);
  }

  #nothing(count: number): string {
    if (count === 0) return `${this.#file}: has no server; name the nginx.conf that includes it`;
    return `--listener ${JSON.stringify(this.#listener)}: no server listens there; write it as the file does`;
  }

  #chosen(all: readonly Scope[]): readonly Scope[] {
    const listener = this.#listener;
    if (listener === undefined) return all;
    return all.flatMap((scope) => {
      const own = scope.own("listen");
      const words = own.length === 0 ? ["80"] : own.map(({ words: each }) => each[0]);
      if (!words.includes(listener)) return [];
      const rest = scope.directives.filter(
        ({ name, words: each }) => name !== "listen" || each[0] === listener,
      );
      return [new Scope(scope.directive, rest, scope.outer)];
    });
  }

  #routesOf(plan: HostPlan, plans: readonly HostPlan[]): RouteDraft[] {
    const { server, isDefault } = plan;
    this.#settings.server(server.scope);
    const tools: ActionTools = {
      findings: this.#findings,
      settings: this.#settings,
      clusters: this.#clusters,
      rates: this.#rates,
      done: this.#done,
      server: server.scope,
      folder: this.#folder,
    };
    const split = this.#hostConditions(plan, tools);
    const { hosts } = split;
    const others = plans.filter((each) => each !== plan).flatMap((each) => each.hosts);
    const isHidden = hosts.some((host) => others.some((other) => covers(other, host)));
    const isNamed = hosts.length > 0 && (!isDefault || isHidden || split.routes.length > 0);
    if (!isNamed && !isDefault) return split.routes;
    const own = split.elsewhere ?? serverRoutes(server, tools);
    const isComplete = own.some(takesAll);
    const end: RouteDraft[] = isComplete ? [] : [{ source: server.directive, respond: { status: 404 } }];
    const named = isNamed ? [...own, ...end].map((route) => ({ ...route, host: hosts })) : [];
    return [...split.routes, ...named, ...(isDefault ? (own.length > 0 ? own : end) : [])];
  }

  /** `if ($host = name) { return …; }` of a server: routes of that host alone. */
  #hostConditions({ server, hosts, isDefault }: HostPlan, tools: ActionTools) {
    const routes: RouteDraft[] = [];
    let rest = [...hosts];
    let elsewhere: RouteDraft[] | undefined;
    for (const directive of server.scope.own("if")) {
      const [, operator, name] =
        /^\(\s*\$(?:http_)?host\s+(!?=)\s+"?([\w.-]+)"?\s*\)$/.exec(directive.words.join(" ")) ?? [];
      const inner = server.scope.inner(directive);
      const answers = (directive.block ?? []).filter((each) => each.name !== "access_log");
      if (
        name === undefined ||
        answers.length !== 1 ||
        answers[0]!.name !== "return" ||
        elsewhere !== undefined
      )
        continue;
      const { name: serverName, port, isTls } = server;
      const variables = { serverName, serverPort: port, isTls, proxyHost: "", scope: inner, ...groupsOf("") };
      const { action } = blockAction(inner, variables, tools);
      const host = name.toLowerCase();
      if (operator === "=") {
        if (!rest.includes(host) && !isDefault) continue;
        routes.push({ source: directive, host: [host], ...action });
        rest = rest.filter((each) => each !== host);
      } else {
        if (!hosts.includes(host)) continue;
        routes.push(...this.#closedFor(server, host, tools));
        rest = rest.filter((each) => each !== host);
        elsewhere = [{ source: directive, ...action }];
      }
      this.#done.add(directive);
    }
    return { routes, hosts: rest, elsewhere };
  }

  /** The routes of a server for one of its hosts, with an end. */
  #closedFor(server: Server, host: string, tools: ActionTools): RouteDraft[] {
    const own = serverRoutes(server, tools).map((route) => ({ ...route, host: [host] }));
    const isComplete = own.some(takesAll);
    return isComplete ? own : [...own, { source: server.directive, host: [host], respond: { status: 404 } }];
  }

  #written(servers: readonly Server[], routes: RouteDraft[]): Imported {
    const events = this.#main.ownLast("events");
    const main = this.#main.own("http").length > 0 ? this.#main : new Scope(null, [], null);
    const groups = this.#settings.groups(main, events === undefined ? undefined : main.inner(events));
    const { poolSize, poolIdleMs } = this.#clusters;
    if (poolSize >= 0) Object.assign(groups.limits as object, { poolSize: Math.min(poolSize, 65_536) });
    if (poolIdleMs > 0) Object.assign(groups.timeouts as object, { poolIdle: durationText(poolIdleMs) });
    const listen = listenersOf(servers);
    for (;;) {
      const used = new Set(
        routes.flatMap(({ to }) => (typeof to === "string" ? [to] : Object.keys(to ?? {}))),
      );
      const clusters = this.#clusters.all.filter(({ name }) => used.has(name));
      const yaml = configurationYaml(this.#file, { listen, clusters, routes, groups });
      const { root, errors: early } = readYaml(yaml, "imported.yaml", {});
      const checked = checkDocument(root);
      const errors = [...early, ...("errors" in checked ? checked.errors : [])];
      if (errors.length === 0 && "document" in checked) {
        for (const { path: place, text } of routeWarnings(checked.document)) {
          const source = routes[Number(place[1])]?.source;
          if (source !== undefined) this.#findings.warn(source, `${pathText(place)}: ${text}`, text);
        }
        return { yaml, warnings: this.#findings.all() };
      }
      if (!this.#withoutBroken(routes, errors)) return { errors: errors.map(errorText) };
      if (routes.length === 0) {
        const what = "has no server of which anything can be kept";
        return { errors: errors.map((error) => `${this.#file}: ${what}: ${errorText(error)}`) };
      }
    }
  }

  /** Takes away the routes that `errors` are about; false: there is none. */
  #withoutBroken(routes: RouteDraft[], errors: readonly ConfigError[]): boolean {
    const broken = new Set<number>();
    for (const { path, reason } of errors) {
      const index = Number(/^routes\[(\d+)\]/.exec(path ?? "")?.[1] ?? -1);
      const route = routes[index];
      if (route === undefined || broken.has(index)) continue;
      broken.add(index);
      this.#findings.warn(route.source, `makes a route that ${reason}; it is left out`);
    }
    for (const index of [...broken].sort((a, b) => b - a)) routes.splice(index, 1);
    return broken.size > 0;
  }
}

/** Whether every request of its host may take it. */
function takesAll(route: RouteDraft): boolean {
  const { path, prefix, regex, methods, headers, query, cookies } = route;
  return [path, prefix, regex, methods, headers, query, cookies].every((each) => each === undefined);
}
