/** Header fields of requests and responses: `proxy_set_header`, `add_header`, `proxy_hide_header`. */
import { readFieldEdits } from "../config/routes-values.ts";
import { Problem } from "../config/values.ts";
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import type { DraftFields } from "./route-draft.ts";
import type { Scope } from "./scope.ts";
import type { Settings } from "./settings.ts";
import { translate, type VariableContext } from "./variables.ts";

export interface FieldsContext {
  readonly findings: Findings;
  readonly settings: Settings;
  readonly variables: VariableContext;
}

/** What the proxy writes by itself: by field in small letters, the values of nginx that say the same. */
const OWN: Readonly<Record<string, RegExp>> = {
  host: /^\$http_host$/,
  "x-forwarded-for": /^\$(?:proxy_add_x_forwarded_for|remote_addr|realip_remote_addr)$/,
  "x-forwarded-proto": /^\$scheme$/,
  "x-forwarded-host": /^\$(?:host|http_host)$/,
  "x-request-id": /^\$request_id$/,
};

const BELIEVED = "is believed only of proxies that policy.trustedProxies names: name those in front";

/** Fields of the connection, which are the proxy's own in any case. */
const CONNECTION = ["connection", "upgrade", "te", "transfer-encoding", "keep-alive", "content-length"];

/** What backends get otherwise than clients sent it. Where nothing is said, Host is the name of the backend. */
export function requestFields(scope: Scope, context: FieldsContext): DraftFields {
  const { findings, settings, variables } = context;
  const set: Record<string, string> = {};
  const remove: string[] = [];
  let saysHost = false;
  for (const directive of scope.inherited("proxy_set_header")) {
    const [name = "", value = ""] = directive.words;
    const lower = name.toLowerCase();
    if (lower === "host") saysHost = true;
    if (lower === "upgrade" && value !== "") settings.webSocket(scope);
    if (CONNECTION.includes(lower) || OWN[lower]?.test(value) === true) {
      if (/\$request_id\b/.test(value)) settings.usesRequestId = true;
      continue;
    }
    if (value === `$http_${lower.replaceAll("-", "_")}`) {
      if (lower.startsWith("x-forwarded-")) findings.warn(directive, BELIEVED);
      continue;
    }
    if (value === "" && lower === "host") {
      findings.warn(
        directive,
        "cannot be done here: no request goes without Host; the backend gets the client's",
      );
      continue;
    }
    if (value === "") {
      remove.push(name);
      continue;
    }
    const text = translated(directive, value, context);
    if (text !== undefined) setField(set, name, text, directive, findings);
  }
  for (const directive of scope.inherited("proxy_set_body", "proxy_method"))
    findings.warn(directive, "cannot be done here; requests pass as clients sent them");
  if (!saysHost && variables.proxyHost !== "") set.Host = variables.proxyHost;
  return fieldsOf(set, {}, remove);
}

/** What nginx writes into responses, whoever makes them; where files are served, that is told. */
const FILTERS: readonly (readonly [string, string])[] = [
  [
    "expires",
    "writes no Expires and no Cache-Control here; write responseHeaders: { set: { Cache-Control: … } }",
  ],
  ["charset", "adds nothing to Content-Type here; a hook can do that"],
];

/** What clients get otherwise than backends sent it. */
export function responseFields(scope: Scope, context: FieldsContext): DraftFields {
  const { findings } = context;
  tellOfFilters(scope, findings);
  const hidden = scope.inherited("proxy_hide_header").map(({ words }) => words[0] ?? "");
  const set: Record<string, string> = {};
  const add: Record<string, string> = {};
  for (const directive of scope.inherited("add_header")) {
    const [name = "", value = ""] = directive.words;
    const text = value === "" ? undefined : translated(directive, value, context);
    if (text === undefined) continue;
    const isHidden = hidden.some((each) => each.toLowerCase() === name.toLowerCase());
    setField(isHidden ? set : add, name, text, directive, findings);
  }
  const names = Object.keys(set).map((name) => name.toLowerCase());
  return fieldsOf(
    set,
    add,
    hidden.filter((name) => name !== "" && !names.includes(name.toLowerCase())),
  );
}

function tellOfFilters(scope: Scope, findings: Findings): void {
  for (const [name, text] of FILTERS) {
    const directive = scope.last(name);
    if (directive !== undefined && directive.words[0] !== "off") findings.warn(directive, text);
  }
}

/** Fields of an answer of the proxy's own. */
export function answerFields(scope: Scope, context: FieldsContext): Record<string, string> {
  tellOfFilters(scope, context.findings);
  const fields: Record<string, string> = {};
  for (const directive of scope.inherited("add_header")) {
    const [name = "", value = ""] = directive.words;
    if (/\$/.test(value))
      context.findings.warn(
        directive,
        "answers of the proxy's own have no variables; the field is left out of them",
      );
    else if (value !== "") setField(fields, name, value, directive, context.findings);
  }
  return fields;
}

function translated(directive: Directive, value: string, context: FieldsContext): string | undefined {
  const result = translate(value, context.variables);
  if ("text" in result) {
    if (result.usesRequestId) context.settings.usesRequestId = true;
    return result.text.trim();
  }
  const { unknown } = result;
  context.findings.warn(
    directive,
    `$${unknown} has no counterpart; the field is left out, and a hook can write it`,
  );
  return undefined;
}

function setField(
  fields: Record<string, string>,
  name: string,
  value: string,
  directive: Directive,
  findings: Findings,
): void {
  const problem = readFieldEdits({ set: { [name]: value } });
  const isDouble = Object.keys(fields).some((each) => each.toLowerCase() === name.toLowerCase());
  if (problem instanceof Problem) findings.warn(directive, `${problem.reason}; it is left out`);
  else if (isDouble) findings.warn(directive, "is the second of its name; only the first was taken");
  else fields[name] = value;
}

/** Without what is empty. */
export function fieldsOf(
  set: Readonly<Record<string, string>>,
  add: Readonly<Record<string, string>>,
  remove: readonly string[],
): DraftFields {
  return {
    ...(Object.keys(set).length > 0 ? { set } : {}),
    ...(Object.keys(add).length > 0 ? { add } : {}),
    ...(remove.length > 0 ? { remove: [...new Set(remove)] } : {}),
  };
}

export function isEmpty(fields: object): boolean {
  return Object.keys(fields).length === 0;
}
