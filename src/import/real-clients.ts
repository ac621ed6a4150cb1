/**
 * Whose word counts about the client's address: `set_real_ip_from`, `real_ip_header`, `real_ip_recursive`.
 *
 * Here one list of trusted proxies counts for every request, and only X-Forwarded-For is read. Where nginx reads
 * another field, nothing is trusted: a field that what stands in front does not write is the client's own.
 */
import { Problem, readNetwork } from "../config/values.ts";
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import type { Scope } from "./scope.ts";

/** nginx's own where nothing is said. */
const HEADER = "X-Real-IP";
const LIST = "x-forwarded-for";
/** Stands for what cannot be written here. */
const FOREIGN = "foreign";
const NOTHING = "nothing is trusted, and whoever connects counts as the client";

export class RealClients {
  readonly #findings: Findings;
  /** Networks, as `policy.trustedProxies` takes them. */
  #trusted: readonly string[] = [];

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  get trustedProxies(): readonly string[] {
    return this.#trusted;
  }

  /** Decides for all of `servers`, and tells of every place that nginx decides otherwise about. */
  choose(servers: readonly Scope[]): void {
    for (const server of servers) this.#tellOfForeign(server);
    const rules = new Set(servers.map(ruleOf));
    const [rule = ""] = rules;
    if (rules.size === 1 && rule !== FOREIGN) this.#trusted = networksOf(servers[0]!);
    for (const server of servers) {
      const [directive] = server.inherited("set_real_ip_from");
      if (directive !== undefined && rules.size > 1 && ruleOf(server) !== FOREIGN)
        this.#findings.warn(
          directive,
          `policy.trustedProxies counts for all servers, and these differ: ${NOTHING}`,
          "real ip servers",
        );
      this.#tellOfPlaces(server);
    }
    this.#tellOfRecursion(servers);
  }

  /** nginx may know another client than is known here. */
  isLost(scope: Scope): boolean {
    return ruleOf(scope) !== this.#trusted.toSorted().join();
  }

  #tellOfForeign(scope: Scope): void {
    const all = scope.inherited("set_real_ip_from");
    if (all.length === 0) return;
    const header = scope.last("real_ip_header");
    const name = header?.words[0] ?? HEADER;
    if (name.toLowerCase() !== LIST) {
      const remedy = "let what stands in front write X-Forwarded-For and name it in policy.trustedProxies";
      const text = `clients are named by ${name} in nginx, and only by X-Forwarded-For here: ${NOTHING}; ${remedy}`;
      this.#findings.warn(header ?? all[0]!, text, `real ip ${name}`);
      return;
    }
    for (const directive of all)
      if (!isSocket(directive) && isNoNetwork(directive))
        this.#findings.warn(directive, `is no network of addresses: ${NOTHING}; write policy.trustedProxies`);
  }

  /** Of a location, or what is within it. */
  #tellOfPlaces(scope: Scope): void {
    for (const directive of scope.own("location", "if")) {
      const inner = scope.inner(directive);
      const [own] = inner.own("set_real_ip_from", "real_ip_header");
      if (own !== undefined && this.isLost(inner))
        this.#findings.warn(
          own,
          "policy.trustedProxies counts everywhere, and that of a location is left out: its clients may be others here",
          "real ip place",
        );
      this.#tellOfPlaces(inner);
    }
  }

  #tellOfRecursion(servers: readonly Scope[]): void {
    if (this.#trusted.length === 0) return;
    for (const server of servers) {
      const recursive = server.last("real_ip_recursive");
      if (recursive?.words[0] === "on") continue;
      this.#findings.warn(
        recursive ?? server.inherited("set_real_ip_from")[0]!,
        "nginx takes the last address of X-Forwarded-For; here it is the last one that no trusted proxy has",
        "real ip recursive",
      );
    }
  }
}

/** What says who the client is in `scope`: equal texts say the same. "": who connects. */
function ruleOf(scope: Scope): string {
  const all = scope.inherited("set_real_ip_from");
  if (all.length === 0) return "";
  const header = scope.last("real_ip_header")?.words[0] ?? HEADER;
  if (header.toLowerCase() !== LIST) return FOREIGN;
  const named = all.filter((each) => !isSocket(each));
  return named.some(isNoNetwork) ? FOREIGN : networksOf(scope).toSorted().join();
}

function networksOf(scope: Scope): string[] {
  const named = scope.inherited("set_real_ip_from").filter((each) => !isSocket(each));
  return [...new Set(named.map(({ words }) => words[0] ?? ""))];
}

/** Nobody comes by a unix socket here. */
function isSocket({ words }: Directive): boolean {
  return words[0] === "unix:";
}

function isNoNetwork({ words }: Directive): boolean {
  return readNetwork(words[0] ?? "") instanceof Problem;
}
