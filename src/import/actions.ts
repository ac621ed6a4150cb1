/** What becomes of the requests of a block (a location, or a server): where they go, or how they are answered. */
import { bufferOf } from "./bodies.ts";
import type { Clusters } from "./clusters.ts";
import { answerFields, type FieldsContext, isEmpty, requestFields, responseFields } from "./fields.ts";
import type { Findings } from "./findings.ts";
import { bothGuards, foreignGuard, guardsOf, isClosed } from "./guards.ts";
import type { Directive } from "./nginx-grammar.ts";
import type { Rates } from "./rates.ts";
import { CLOSED, type DraftAction, NOT_IMPORTED } from "./route-draft.ts";
import type { Scope } from "./scope.ts";
import type { Settings } from "./settings.ts";
import { hasVariable, translate, type VariableContext, withConstants } from "./variables.ts";

/** What a block does, and what it does to the path. */
export interface BlockAction {
  readonly action: DraftAction;
  /** Of `proxy_pass` with a path: what takes the place of the location's text. */
  readonly uri?: string;
  /** Of `proxy_pass` with variables in its path: the whole path, for a route. */
  readonly wholePath?: string;
  /** A backend answers. */
  readonly isProxied: boolean;
}

export interface ActionTools {
  readonly findings: Findings;
  readonly settings: Settings;
  readonly clusters: Clusters;
  readonly rates: Rates;
  /** Directives of which nothing more is to be told. */
  readonly done: Set<Directive>;
  /** The server's own block, for its named locations. */
  readonly server: Scope;
  /** What relative names of files are relative to. */
  readonly folder: string;
}

const REDIRECTS = [301, 302, 303, 307, 308];
/** Handlers that read files or speak other protocols. */
const HANDLERS: Readonly<Record<string, string>> = {
  fastcgi_pass: "FastCGI is not spoken",
  uwsgi_pass: "uwsgi is not spoken",
  scgi_pass: "SCGI is not spoken",
  grpc_pass: "gRPC is not spoken",
  memcached_pass: "memcached is not spoken",
  stub_status: "there is no such page; admin: 9090 gives /metrics",
  empty_gif: "files are not served",
};

/** What to do in place of a guard. */
const FOREIGN_REMEDIES: Readonly<Record<string, string>> = {
  auth_request: "write to: and forwardAuth: URL in its route, with the URL that says who may pass",
};

/** The action of `scope`, which is about `variables.groupCount` groups of a path. */
export function blockAction(
  scope: Scope,
  variables: VariableContext,
  tools: ActionTools,
  isRegex = false,
): BlockAction {
  const { findings } = tools;
  if (scope.own("internal").length > 0) return { action: { respond: { status: 404 } }, isProxied: false };
  const answer = scope.ownLast("return");
  if (answer !== undefined)
    return { action: returnAction(answer, scope, variables, tools), isProxied: false };
  const guard = foreignGuard(scope);
  if (guard !== undefined) {
    tools.settings.guardsPaths = true;
    const remedy = FOREIGN_REMEDIES[guard.name] ?? "write a hook that guards it";
    findings.warn(guard, `is not taken over: what it guards is closed (403); ${remedy}`);
    return { action: CLOSED, isProxied: false };
  }
  const pass = scope.ownLast("proxy_pass");
  if (pass !== undefined) return proxyAction(pass, scope, variables, tools, isRegex);
  const fallback = namedFallback(scope, tools.server);
  if (fallback !== undefined) {
    findings.warn(
      fallback.asker,
      `files are not served: all its requests go to ${fallback.directive.words[0]}`,
    );
    const landed = blockAction(fallback.scope, variables, tools, true);
    if (landed.action.to === undefined) return landed;
    // nginx asks who may come in here and there.
    const guards = bothGuards(guardsOf(scope, tools), landed.action);
    return { ...landed, action: { ...landed.action, ...guards } };
  }
  if (isClosed(scope, tools)) return { action: CLOSED, isProxied: false };
  for (const [name, what] of Object.entries(HANDLERS)) {
    const directive = scope.ownLast(name);
    if (directive === undefined) continue;
    findings.warn(directive, `${what}; its requests are answered 501`);
    return { action: NOT_IMPORTED, isProxied: false };
  }
  const about =
    scope.ownLast("try_files") ?? scope.ownLast("alias") ?? scope.ownLast("root") ?? scope.directive;
  if (about !== null && about !== undefined)
    findings.warn(
      about,
      "files are not served: its requests are answered 501; proxy them to a file server",
      "files",
    );
  return { action: NOT_IMPORTED, isProxied: false };
}

interface Fallback {
  readonly scope: Scope;
  readonly directive: Directive;
  readonly asker: Directive;
}

/** `try_files … @name`, and `error_page 404 = @name` beside files; not from one such place to another. */
function namedFallback(scope: Scope, server: Scope): Fallback | undefined {
  if (scope.directive?.words[0]?.startsWith("@") === true) return undefined;
  const files = scope.ownLast("try_files");
  const page = scope.own("error_page").find(({ words }) => words.includes("404") && words.at(-2) === "=");
  const asker = files ?? page;
  const name = asker?.words.at(-1) ?? "";
  if (asker === undefined || !name.startsWith("@")) return undefined;
  const directive = server.own("location").find(({ words }) => words[0] === name);
  return directive === undefined ? undefined : { scope: server.inner(directive), directive, asker };
}

function returnAction(
  directive: Directive,
  scope: Scope,
  variables: VariableContext,
  { findings, settings }: ActionTools,
): DraftAction {
  const [first = "", second] = directive.words;
  const isUrl = second === undefined && !/^\d{3}$/.test(first);
  const status = isUrl ? 302 : Number(first);
  const text = isUrl ? first : (second ?? "");
  const fields: FieldsContext = { findings, settings, variables };
  if (REDIRECTS.includes(status) && text !== "") {
    const headers = scope.inherited("add_header");
    if (headers[0] !== undefined)
      findings.warn(headers[0], "redirects have no such fields here", "redirect fields");
    return redirectAction(directive, text, status, variables, findings);
  }
  if (status === 444) {
    findings.warn(directive, "a connection cannot be closed without an answer; it is 403");
    return CLOSED;
  }
  if (!(status >= 200 && status <= 599)) {
    findings.warn(directive, "has no status that can be answered; it is 501");
    return NOT_IMPORTED;
  }
  const headers = answerFields(scope, fields);
  const body = withConstants(text, scope);
  if (hasVariable(body)) {
    findings.warn(directive, "answers have no variables here; this one has no content");
    return { respond: { status, ...(isEmpty(headers) ? {} : { headers }) } };
  }
  if (body === "" || [204, 205, 304].includes(status))
    return { respond: { status, ...(isEmpty(headers) ? {} : { headers }) } };
  const hasType = Object.keys(headers).some((name) => name.toLowerCase() === "content-type");
  const type = scope.last("default_type")?.words[0] ?? "text/plain";
  if (!hasType && type !== "text/plain") headers["Content-Type"] = type;
  return { respond: { status, ...(isEmpty(headers) ? {} : { headers }), body } };
}

/** `text` may have variables of nginx. */
export function redirectAction(
  directive: Directive,
  text: string,
  status: number,
  variables: VariableContext,
  findings: Findings,
): DraftAction {
  const result = translate(text, variables);
  if ("unknown" in result) {
    findings.warn(directive, `$${result.unknown} has no counterpart; its requests are answered 501`);
    return NOT_IMPORTED;
  }
  const to = result.text.replaceAll(/[^\x21-\x7e]/gu, (char) => encodeURIComponent(char));
  if (/^(?:\/|[A-Za-z][A-Za-z0-9+.-]*:\/\/|\$\{?(?:path|target|scheme)\b)/.test(to))
    return { redirect: { to, status } };
  findings.warn(directive, "leads to where clients choose, or nowhere; its requests are answered 501");
  return NOT_IMPORTED;
}

/** `http://authority/uri`, or `unix:/path:/uri`. */
const PROXY_PASS = /^http:\/\/(unix:[^:$]+|[^/$?#]+)(?::(?=\/))?(.*)$/s;

function proxyAction(
  pass: Directive,
  scope: Scope,
  variables: VariableContext,
  tools: ActionTools,
  isRegex: boolean,
): BlockAction {
  const { findings, settings, clusters } = tools;
  const written = withConstants(pass.words[0] ?? "", scope);
  const refuse = (text: string): BlockAction => {
    findings.warn(pass, `${text}; its requests are answered 501`);
    return { action: NOT_IMPORTED, isProxied: true };
  };
  if (/^https:/.test(written)) return refuse("TLS to backends is not there yet");
  const match = PROXY_PASS.exec(written);
  if (match === null)
    return refuse(
      hasVariable(written) ? "a backend that a variable names has no counterpart" : "is no plain HTTP URL",
    );
  const [, authority = "", uri = ""] = match;
  if (uri !== "" && !hasVariable(uri) && isRegex) return refuse("has a path, which nginx refuses here");
  const to = clusters.target(authority, pass);
  if (to === undefined) return { action: NOT_IMPORTED, isProxied: true };
  const proxyHost = authority.startsWith("unix:") ? "localhost" : authority.replace(/:80$/, "");
  const context = { findings, settings, variables: { ...variables, proxyHost } };
  const requestHeaders = requestFields(scope, context);
  const responseHeaders = responseFields(scope, context);
  const timeouts = settings.routeTimeouts(scope);
  const maxBody = settings.routeMaxBody(scope);
  const compress = settings.routeCompress(scope);
  const buffer = bufferOf(scope, settings.bodyBytesMax(scope), findings);
  redirectsWarning(scope, requestHeaders.set?.Host === proxyHost, pass, findings);
  const methods = exceptedMethods(scope);
  const rateLimit = tools.rates.of(scope, variables);
  const action: DraftAction = {
    ...(methods === undefined ? {} : { methods }),
    to,
    ...(isEmpty(requestHeaders) ? {} : { requestHeaders }),
    ...(isEmpty(responseHeaders) ? {} : { responseHeaders }),
    ...guardsOf(scope, tools),
    ...(isEmpty(timeouts) ? {} : { timeouts }),
    ...(maxBody === undefined ? {} : { maxBody }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(buffer === undefined ? {} : { buffer }),
    ...(compress === undefined ? {} : { compress }),
  };
  if (uri === "" || uri === "$request_uri") return { action, isProxied: true };
  if (!hasVariable(uri)) return { action, uri, isProxied: true };
  const whole = translate(uri, context.variables);
  if ("unknown" in whole) return refuse(`$${whole.unknown} has no counterpart`);
  if (whole.text === "$path$query" || whole.text === "$path") return { action, isProxied: true };
  if (!whole.text.startsWith("/")) return refuse("has a path that begins with a variable");
  const saysQuery = /\?|\$\{?(?:query|target)\b/.test(whole.text);
  return { action, wholePath: saysQuery ? whole.text : `${whole.text}?`, isProxied: true };
}

/** `limit_except GET { deny all; }`: others are answered 403. HEAD goes with GET. */
function exceptedMethods(scope: Scope): readonly string[] | undefined {
  const directive = scope.ownLast("limit_except");
  if (directive === undefined || !isDenyAll(directive)) return undefined;
  const methods = directive.words.map((word) => word.toUpperCase());
  return methods.includes("GET") && !methods.includes("HEAD") ? [...methods, "HEAD"] : methods;
}

/** Whether its block is `deny all;` and nothing else. */
export function isDenyAll({ block }: Directive): boolean {
  return block?.length === 1 && block[0]!.name === "deny" && block[0]!.words[0] === "all";
}

/** nginx rewrites Location where a backend names itself as it was asked. */
function redirectsWarning(scope: Scope, namesBackend: boolean, pass: Directive, findings: Findings): void {
  const written = scope.inherited("proxy_redirect");
  if (written.some(({ words }) => words[0] === "off")) return;
  for (const directive of written)
    if (directive.words[0] !== "default")
      findings.warn(directive, "Location of responses is not rewritten here; a hook can do that");
  if (namesBackend && written.every(({ words }) => words[0] === "default")) {
    const text =
      "the backend is asked by its own name (no proxy_set_header Host): clients get its redirects to that as they are";
    findings.warn(pass, text, "proxy_redirect");
  }
}
