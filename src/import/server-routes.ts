/**
 * The routes of a server.
 *
 * Routes are asked in an order of their own: exact paths, then the longest prefix, then regular expressions as
 * they stand in the file, then what is about any path. Where a server has only exact locations and prefixes,
 * they become just that. Where regular expressions come before some prefixes, or a prefix needs more than a
 * route's prefix can say, all prefixes become regular expressions, in the order in which nginx asks.
 */
import { readRegex } from "../config/routes-values.ts";
import { Problem } from "../config/values.ts";
import { type ActionTools, type BlockAction, blockAction, redirectAction } from "./actions.ts";
import { readCondition } from "./conditions.ts";
import { errorPagesOf, pageLocations } from "./error-pages.ts";
import {
  flatLocations,
  type Location,
  locationOf,
  longestFirst,
  prefixRegex,
  regexesInOrder,
  warnOfOrder,
} from "./locations.ts";
import type { Directive } from "./nginx-grammar.ts";
import { encodedPath, literalRegex, wholeRegex } from "./nginx-values.ts";
import { groupsOf, type Rewrite, readRewrite, replacedPrefix, withinPrefix } from "./rewrites.ts";
import { CLOSED, type DraftAction, type DraftPattern, NOT_IMPORTED, type RouteDraft } from "./route-draft.ts";
import type { Scope } from "./scope.ts";
import type { Server } from "./servers.ts";
import { hasVariable, translate, type VariableContext } from "./variables.ts";

/** In the order of nginx; the last one may be about any path. */
export function serverRoutes(server: Server, tools: ActionTools): RouteDraft[] {
  return new ServerRoutes(server, tools).routes();
}

class ServerRoutes {
  readonly #server: Server;
  readonly #tools: ActionTools;
  readonly #locations: readonly Location[];
  readonly #actions = new Map<Location, BlockAction>();
  readonly #rewrites = new Map<Scope, readonly Rewrite[]>();
  readonly #serverRewrites: readonly Rewrite[];
  /** Prefixes are written as regular expressions. */
  readonly #isOrdered: boolean;
  /** Exact paths, too: something comes before them. */
  readonly #isWholly: boolean;
  readonly #drafts: RouteDraft[] = [];

  constructor(server: Server, tools: ActionTools) {
    this.#server = server;
    this.#tools = tools;
    const pages = pageLocations(server.scope);
    const all = flatLocations(server.scope, tools.findings);
    this.#locations = all.filter(({ directive }) => !pages.has(directive));
    this.#serverRewrites = server.scope.own("rewrite").map(readRewrite);
    for (const location of this.#locations) {
      const rewrites = location.scope.own("rewrite").map(readRewrite);
      this.#rewrites.set(location.scope, rewrites);
      this.#actions.set(location, this.#actionOf(location));
    }
    this.#isWholly = this.#serverRewrites.length > 0;
    const needsOrder = (location: Location) =>
      location.kind === "regex" || (location.kind === "prefix" && !this.#isPlain(location));
    this.#isOrdered = this.#isWholly || this.#locations.some(needsOrder);
  }

  routes(): RouteDraft[] {
    const { scope } = this.#server;
    const answer = scope.ownLast("return");
    if (answer !== undefined) {
      this.#add(answer, {}, blockAction(scope, this.#variables(scope), this.#tools).action);
      return this.#withConditions();
    }
    warnOfOrder(this.#locations, this.#tools.findings);
    for (const rewrite of this.#serverRewrites) this.#rewriteRoute(rewrite, "/", undefined);
    for (const location of this.#locations) if (location.kind === "exact") this.#exact(location);
    const prefixes = longestFirst(this.#locations);
    for (const location of prefixes) if (location.isFirm) this.#prefix(location);
    for (const location of regexesInOrder(this.#locations)) this.#regex(location);
    for (const location of prefixes) if (!location.isFirm) this.#prefix(location);
    return this.#withConditions();
  }

  /** Each route with those before it that are for requests with a condition: of the server, then of its place. */
  #withConditions(): RouteDraft[] {
    const { scope } = this.#server;
    const common = this.#conditions(scope);
    const places = new Map(this.#locations.map((each) => [each.directive, each.scope]));
    return this.#drafts.flatMap((draft) => {
      const place = places.get(draft.source);
      const own = place === undefined ? [] : this.#conditions(place);
      const { path, prefix, regex } = draft;
      const pattern = { ...(path && { path }), ...(prefix && { prefix }), ...(regex && { regex }) };
      return [...[...common, ...own].map((each): RouteDraft => ({ ...each, ...pattern })), draft];
    });
  }

  /** `if` of `scope` that return something. */
  #conditions(scope: Scope): RouteDraft[] {
    return scope.own("if").flatMap((directive): RouteDraft[] => {
      const conditions = readCondition(directive);
      if (conditions === undefined) return [];
      this.#tools.done.add(directive);
      const inner = scope.inner(directive);
      const { action } = blockAction(inner, this.#variables(inner), this.#tools);
      return [{ source: directive, ...conditions, ...action }];
    });
  }

  #add(source: Directive, pattern: DraftPattern, action: DraftAction): void {
    const { regex } = pattern;
    const problem = regex === undefined ? undefined : readRegex(regex);
    if (problem instanceof Problem) {
      const why = `${JSON.stringify(regex)} ${problem.reason}`;
      const what = isGuard(action)
        ? "what it guards is OPEN here"
        : "its requests go where they would without it";
      this.#tools.findings.warn(
        source,
        `cannot be written as a regular expression of routes (${why}); ${what}`,
      );
      return;
    }
    const isThere = this.#drafts.some(
      (draft) => draft.path === pattern.path && draft.prefix === pattern.prefix && draft.regex === regex,
    );
    if (isThere) return;
    this.#drafts.push({ source, ...pattern, ...action });
    if (action.methods !== undefined) this.#drafts.push({ source, ...pattern, ...CLOSED });
  }

  #variables(scope: Scope, groups = groupsOf("")): VariableContext {
    const { name, port, isTls } = this.#server;
    return { serverName: name, serverPort: port, isTls, proxyHost: "", scope, ...groups };
  }

  #actionOf({ scope, kind, text }: Location): BlockAction {
    const isRegex = kind === "regex";
    const variables = this.#variables(scope, groupsOf(isRegex ? text : ""));
    const { action, ...rest } = blockAction(scope, variables, this.#tools, isRegex);
    const errorPages = errorPagesOf(scope, this.#server.scope, this.#tools.findings);
    return { ...rest, action: errorPages === undefined ? action : { ...action, errorPages } };
  }

  /** A route's prefix can say it. */
  #isPlain(location: Location): boolean {
    const { uri } = this.#actions.get(location)!;
    const { text, scope } = location;
    const rewrites = this.#rewrites.get(scope)!;
    const isSimple =
      rewrites.length === 0 || (rewrites.length === 1 && replacedPrefix(rewrites[0]!, text) !== undefined);
    if (!isSimple && text !== "/") return false;
    return uri === undefined || uri.endsWith("/") === text.endsWith("/");
  }

  #exact(location: Location): void {
    const { text, directive, scope } = location;
    const { action, uri, wholePath } = this.#actions.get(location)!;
    const path = encodedPath(text);
    const pattern = this.#isWholly || /\/[:*]/.test(path) ? { regex: literalRegex(path) } : { path };
    const rewrite = uri === undefined ? wholePath : escaped(uri);
    const [first] = this.#rewrites.get(scope)!;
    if (first !== undefined) {
      this.#tools.findings.warn(
        first.directive,
        "within an exact location is left out; write proxy_pass with the path",
      );
    }
    this.#add(directive, pattern, { ...action, ...(rewrite === undefined ? {} : { rewrite }) });
  }

  #regex(location: Location): void {
    const { text, directive, foldsCase, within, scope } = location;
    const { action, wholePath } = this.#actions.get(location)!;
    const inner =
      within === "" || within === "/" ? wholeRegex(text, foldsCase) : regexWithin(text, foldsCase, within);
    for (const { directive: rewrite } of this.#rewrites.get(scope)!)
      this.#tools.findings.warn(rewrite, "within a regular expression is left out; the path passes as it is");
    this.#add(
      directive,
      { regex: inner },
      { ...action, ...(wholePath === undefined ? {} : { rewrite: wholePath }) },
    );
  }

  #prefix(location: Location): void {
    const { text, directive, scope, isFirm } = location;
    const block = this.#actions.get(location)!;
    const [only] = this.#rewrites.get(scope)!;
    const stripped = only === undefined ? undefined : replacedPrefix(only, text);
    if (stripped === undefined || text === "/")
      for (const rewrite of this.#rewrites.get(scope)!) this.#rewriteRoute(rewrite, text, location);
    this.#slashRedirect(location, block);
    const uri = (text === "/" ? undefined : stripped) ?? block.uri;
    const action = {
      ...block.action,
      ...(block.wholePath === undefined ? {} : { rewrite: block.wholePath }),
    };
    const needsRegex =
      this.#isOrdered && (this.#isWholly || !isFirm || !text.endsWith("/") || !this.#isPlain(location));
    if (text === "/" && (uri === undefined || uri === "/")) this.#add(directive, {}, action);
    else if (needsRegex) {
      const path = encodedPath(text);
      if (uri === undefined) this.#add(directive, { regex: prefixRegex(path, ".*") }, action);
      else
        this.#add(
          directive,
          { regex: prefixRegex(path, "(.*)") },
          { ...action, rewrite: `${escaped(uri)}$1` },
        );
    } else this.#plainPrefix(location, uri, action);
  }

  #plainPrefix({ text, directive }: Location, uri: string | undefined, action: DraftAction): void {
    const { findings } = this.#tools;
    const path = encodedPath(text);
    const prefix = path.length > 1 ? path.replace(/\/$/, "") : path;
    const to = uri?.replace(/\/$/, "");
    const rewrite =
      to === undefined || `${to}/` === text
        ? {}
        : { rewrite: to === "" ? { stripPrefix: true as const } : { replacePrefix: to } };
    if (!text.endsWith("/")) {
      const below = this.#locations.some((each) => each.kind === "prefix" && each.text === `${text}/`);
      const what = below ? "takes only this path here" : "takes this path and those below it here";
      findings.warn(
        directive,
        `${what}, not ${text}x as in nginx; write regex: ${text}.* where that is meant`,
      );
      if (below) {
        this.#add(
          directive,
          { path },
          { ...action, ...(uri === undefined ? {} : { rewrite: escaped(uri) }) },
        );
        return;
      }
    }
    this.#add(directive, { prefix }, { ...action, ...rewrite });
  }

  /** nginx sends `/x` to `/x/` where that is proxied, and a route's prefix takes both. */
  #slashRedirect({ text, directive }: Location, { isProxied }: BlockAction): void {
    const path = text.slice(0, -1);
    const isThere = this.#locations.some((each) => each.kind !== "regex" && each.text === path);
    if (!text.endsWith("/") || path === "" || isThere) return;
    const shown = encodedPath(path);
    const pattern = this.#isWholly ? { regex: literalRegex(shown) } : { path: shown };
    if (isProxied) {
      this.#add(directive, pattern, { redirect: { to: `${escaped(shown)}/$query`, status: 301 } });
      return;
    }
    const other = locationOf(this.#locations, path);
    const action = other === undefined ? undefined : this.#actions.get(other);
    if (
      !this.#isOrdered &&
      other !== undefined &&
      action?.uri === undefined &&
      action?.wholePath === undefined
    )
      this.#add(other.directive, pattern, action?.action ?? NOT_IMPORTED);
  }

  /** `location` undefined: of the server, before all locations. */
  #rewriteRoute(rewrite: Rewrite, prefix: string, location: Location | undefined): void {
    const { directive, source, replacement, status } = rewrite;
    const { findings } = this.#tools;
    const regex = withinPrefix(source, prefix);
    if (regex === undefined) {
      findings.warn(
        directive,
        `cannot be told apart from location ${prefix} and is left out; begin it with ^${prefix}`,
      );
      return;
    }
    const variables = this.#variables(location?.scope ?? this.#server.scope, groupsOf(regex));
    if (status !== 0) {
      const isWhole = replacement.includes("?");
      if (isWhole && !replacement.endsWith("?"))
        findings.warn(directive, "has a query, and the request's own is not added to it here");
      const hasQuery = isWhole || /\$(?:args|request_uri|query_string)\b/.test(replacement);
      const text = `${replacement.replace(/\?$/, "")}${hasQuery ? "" : "$is_args$args"}`;
      this.#add(directive, { regex }, redirectAction(directive, text, status, variables, findings));
      return;
    }
    const target = rewrite.isLast || location === undefined ? this.#landing(replacement) : location;
    const translated = translate(replacement, variables);
    if (
      target === undefined ||
      "unknown" in translated ||
      !/^\/(?!\/)[\x21\x22\x24-\x7e]*$/.test(translated.text)
    ) {
      const why = target === undefined ? "leads to no location that is certain" : "has no counterpart";
      findings.warn(directive, `${why}; its requests are answered 501`);
      this.#add(directive, { regex }, NOT_IMPORTED);
      return;
    }
    const { action, uri } = this.#actions.get(target)!;
    const isMoved = rewrite.isLast && uri !== undefined && target.kind === "prefix";
    const path = isMoved ? `${escaped(uri)}${translated.text.slice(target.text.length)}` : translated.text;
    const isForwarded = action.to !== undefined;
    this.#add(directive, { regex }, { ...action, ...(isForwarded ? { rewrite: path } : {}) });
  }

  /** The location that every path has which `replacement` can become; undefined where that is not certain. */
  #landing(replacement: string): Location | undefined {
    const path = replacement.replace(/\?.*$/s, "");
    const start = path.replace(/\$.*$/s, "");
    if (this.#locations.some(({ kind }) => kind === "regex")) return undefined;
    if (!hasVariable(path)) return locationOf(this.#locations, path);
    const isOpen = this.#locations.some(({ text }) => text.startsWith(start) && text !== start);
    return isOpen ? undefined : longestFirst(this.#locations).find(({ text }) => start.startsWith(text));
  }
}

function isGuard({ allow, deny, basicAuth, respond }: DraftAction): boolean {
  return allow !== undefined || deny !== undefined || basicAuth !== undefined || respond?.status === 403;
}

/** A text for a place where `$` begins a variable. */
function escaped(text: string): string {
  return text.replaceAll("$", "$$$$");
}

/** An expression of a location within the prefix `within`. */
function regexWithin(source: string, foldsCase: boolean, within: string): string {
  const inner = withinPrefix(source, within);
  if (inner !== undefined) return `${foldsCase ? "(?i)" : ""}${inner}`;
  const whole = wholeRegex(source, foldsCase);
  const folds = whole.startsWith("(?i)") ? "(?i)" : "";
  return `${folds}${literalRegex(within)}(?:${whole.slice(folds.length)})`;
}
