/** Texts with nginx's variables as texts with those of routes (`docs/routing.md`). */
import type { Scope } from "./scope.ts";

/** What variables mean at a place of the file. */
export interface VariableContext {
  /** Of the server: its first name. */
  readonly serverName: string;
  /** Of the server, where it has only one. */
  readonly serverPort: number | undefined;
  /** The server speaks TLS: then nginx says https. */
  readonly isTls: boolean;
  /** As in `proxy_pass`. */
  readonly proxyHost: string;
  /** Constants of `set`. */
  readonly scope: Scope;
  /** Groups of the regular expression that the route has: their number, and names. */
  readonly groupCount: number;
  readonly groupNames: readonly string[];
}

/** A text for a route, or the first variable that has no counterpart. */
export type Translated =
  | { readonly text: string; readonly usesRequestId: boolean }
  | { readonly unknown: string };

const SAME: Readonly<Record<string, string>> = {
  host: "host",
  http_host: "authority",
  remote_addr: "client_address",
  realip_remote_addr: "client_address",
  request_uri: "target",
  uri: "path",
  document_uri: "path",
  request_method: "method",
  request_id: "request_id",
};

const DEPTH_MAX = 8;

export function translate(text: string, context: VariableContext): Translated {
  return new Translator(context).translate(text, 0);
}

/** Whether there is a variable in it. */
export function hasVariable(text: string): boolean {
  return /\$(?:\{?\w)/.test(text);
}

/** The value of a variable that is set once, to a text, without a condition around it; else undefined. */
export function constantOf(name: string, scope: Scope): string | undefined {
  for (const { directives } of scope.chain()) {
    const set = directives.filter((each) => each.name === "set" && each.words[0] === `$${name}`);
    if (set.length === 0) continue;
    const isChanged = directives.some(
      ({ name: other, block }) =>
        other === "if" && (block ?? []).some(({ words }) => words[0] === `$${name}`),
    );
    return set.length === 1 && !isChanged ? set[0]!.words[1] : undefined;
  }
  return undefined;
}

/** `text` with the constants of `set` in place of their variables. */
export function withConstants(text: string, scope: Scope, depth = 0): string {
  return text.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    const value = depth < DEPTH_MAX ? constantOf(braced ?? bare ?? "", scope) : undefined;
    return value === undefined ? whole : withConstants(value, scope, depth + 1);
  });
}

class Translator {
  readonly #context: VariableContext;
  #usesRequestId = false;

  constructor(context: VariableContext) {
    this.#context = context;
  }

  translate(text: string, depth: number): Translated {
    const whole = withConstants(text, this.#context.scope, depth).replaceAll(
      /\$(?:is_args|\{is_args\})\$(?:args|query_string|\{args\}|\{query_string\})|\?\$(?:args|query_string)\b/g,
      () => "$whole_query",
    );
    let unknown: string | undefined;
    const parts = whole.split(/(\$(?:\{\w+\}|[A-Za-z_]\w*|\d))/);
    const result = parts.map((part, index) => {
      if (index % 2 === 0) return part.replaceAll("$", "$$$$");
      const name = part.replaceAll(/[${}]/g, "");
      const next = parts[index + 1] ?? "";
      const value = this.#value(name);
      if (value === undefined) unknown ??= name === "whole_query" ? "args" : name;
      if (value?.startsWith("$") === true && /^\w/.test(next)) return `\${${value.slice(1)}}`;
      return value ?? "";
    });
    return unknown === undefined
      ? { text: result.join(""), usesRequestId: this.#usesRequestId }
      : { unknown };
  }

  /** Text or variable of a route. */
  #value(name: string): string | undefined {
    const { serverName, serverPort, isTls, proxyHost, groupCount, groupNames } = this.#context;
    if (name === "whole_query") return "$query";
    if (name === "request_id") this.#usesRequestId = true;
    if (Object.hasOwn(SAME, name)) return `$${SAME[name]}`;
    if (/^[1-9]$/.test(name)) return Number(name) <= groupCount ? `$${name}` : undefined;
    if (groupNames.includes(name)) return `$${name}`;
    if (name === "scheme") return isTls ? "https" : "$scheme";
    if (name === "server_name") return serverName;
    if (name === "server_port") return serverPort === undefined ? undefined : `${serverPort}`;
    if (name === "proxy_host") return proxyHost === "" ? undefined : proxyHost;
    return undefined;
  }
}
