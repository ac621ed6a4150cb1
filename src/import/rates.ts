/** `limit_req`: how many requests a key may make, as `rateLimit` of a route. */
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import type { DraftRate } from "./route-draft.ts";
import type { Scope } from "./scope.ts";
import { translate, type VariableContext } from "./variables.ts";

interface Zone {
  readonly key: string;
  /** `10/s`, `30/m`. */
  readonly rate: string;
}

export class Rates {
  readonly #zones = new Map<string, Zone>();
  /** Zones in use, with the first place of each. */
  readonly #used = new Map<string, Scope>();
  readonly #findings: Findings;

  /** `http`: where zones are made. */
  constructor(http: Scope, findings: Findings) {
    this.#findings = findings;
    for (const { words } of http.own("limit_req_zone")) {
      const name = /^zone=([^:]+)/.exec(words.find((word) => word.startsWith("zone=")) ?? "")?.[1];
      const [, count, unit] =
        /^rate=(\d{1,6})r\/([sm])$/.exec(words.find((word) => word.startsWith("rate=")) ?? "") ?? [];
      if (name !== undefined && Number(count) > 0)
        this.#zones.set(name, { key: words[0] ?? "", rate: `${count}/${unit}` });
    }
  }

  /** That of a place; undefined where it has none, or none that can be said. */
  of(scope: Scope, variables: VariableContext): DraftRate | undefined {
    const [directive, second] = scope.inherited("limit_req");
    if (directive === undefined) return undefined;
    if (second !== undefined) this.#findings.warn(second, "a route has one rate; only the first counts here");
    const options = directive.words;
    const name = options.find((word) => word.startsWith("zone="))?.slice("zone=".length) ?? "";
    const zone = this.#zones.get(name);
    const key = zone === undefined ? undefined : keyOf(zone.key, variables);
    if (zone === undefined || key === undefined) {
      const what =
        zone === undefined
          ? "names no zone that is known"
          : `counts by ${zone.key}, which has no counterpart`;
      this.#findings.warn(directive, `${what}: the rate of requests is not limited`);
      return undefined;
    }
    this.#told(directive, name, scope);
    const burst =
      Number(options.find((word) => /^burst=\d{1,6}$/.test(word))?.slice("burst=".length) ?? 0) + 1;
    const status = Number(scope.last("limit_req_status")?.words[0] ?? 503);
    return { rate: zone.rate, burst, ...(key === "client" ? {} : { key }), status };
  }

  /** What is different, once for each zone. */
  #told(directive: Directive, name: string, scope: Scope): void {
    const options = directive.words;
    if (options.some((word) => word.startsWith("burst=")) && !options.includes("nodelay"))
      this.#findings.warn(
        directive,
        "requests do not wait here: those within the burst pass at once",
        `delay ${name}`,
      );
    const first = this.#used.get(name);
    if (first === undefined) this.#used.set(name, scope);
    else if (first !== scope)
      this.#findings.warn(
        directive,
        "each route counts for itself here, not all of the zone together",
        `zone ${name}`,
      );
  }
}

function keyOf(text: string, variables: VariableContext): DraftRate["key"] | undefined {
  if (/^\$(?:binary_)?remote_addr$/.test(text)) return "client";
  if (text === "$server_name") return "all";
  const [, kind, name] = /^\$(http|cookie)_(\w+)$/.exec(text) ?? [];
  if (kind === "cookie") return { cookie: name! };
  if (kind === "http" && name !== "host") return { header: name!.replaceAll("_", "-") };
  const result = translate(text.replaceAll("$binary_remote_addr", "$remote_addr"), variables);
  return "text" in result && /^[\x21-\x7e]*\$[\x21-\x7e]*$/.test(result.text) ? result.text : undefined;
}
