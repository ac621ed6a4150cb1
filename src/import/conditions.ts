/** `if (…) { return …; }` as conditions of a route: a method, a field, a cookie, a parameter. */
import type { Directive } from "./nginx-grammar.ts";
import { wholeRegex } from "./nginx-values.ts";

/** Keys of a route that say when it is asked. */
export interface DraftConditions {
  readonly methods?: readonly string[];
  readonly headers?: Readonly<Record<string, string | true | { readonly regex: string }>>;
  readonly query?: Readonly<Record<string, string | true>>;
  readonly cookies?: Readonly<Record<string, string | true>>;
}

const CONDITION = /^\(\s*\$(request_method|(?:http|cookie|arg)_\w+)\s*(?:(=|~\*?)\s+(.*?))?\s*\)$/s;

/** Undefined: it cannot be said so, or its block does more than to return. */
export function readCondition({ words, block }: Directive): DraftConditions | undefined {
  const [only, ...others] = (block ?? []).filter(({ name }) => name !== "access_log");
  if (only?.name !== "return" || others.length > 0) return undefined;
  const [, variable = "", operator, value = ""] = CONDITION.exec(words.join(" ")) ?? [];
  if (value.includes("$") && operator === "=") return undefined;
  if (operator !== undefined && value === "") return undefined;
  if (variable === "request_method")
    return operator === "=" ? { methods: [value] } : methodsOf(operator, value);
  const [, kind, name] = /^(http|cookie|arg)_(\w+)$/.exec(variable) ?? [];
  if (kind === undefined || name === undefined || variable === "http_host") return undefined;
  if (kind === "http") {
    const field = name.replaceAll("_", "-").toLowerCase();
    if (operator === undefined) return { headers: { [field]: true } };
    return {
      headers: { [field]: operator === "=" ? value : { regex: wholeRegex(value, operator === "~*") } },
    };
  }
  if (operator !== undefined && operator !== "=") return undefined;
  const wanted = operator === undefined ? true : value;
  return kind === "arg" ? { query: { [name]: wanted } } : { cookies: { [name]: wanted } };
}

/** `^(TRACE|TRACK)$` */
function methodsOf(operator: string | undefined, value: string): DraftConditions | undefined {
  const [, list] = /^\^?\(?([A-Z]+(?:\|[A-Z]+)*)\)?\$?$/.exec(value) ?? [];
  return operator === "~" && list !== undefined ? { methods: list.split("|") } : undefined;
}
