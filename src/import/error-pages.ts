/** `error_page`: contents of the proxy's own answers, where the page is an answer that stands in the file. */
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import type { Scope } from "./scope.ts";
import { hasVariable } from "./variables.ts";

/** The locations of `server` that are only there for `error_page`. */
export function pageLocations(server: Scope): ReadonlySet<Directive> {
  const blocks = [server, ...server.own("location").map((each) => server.inner(each))];
  const pages = new Set(
    blocks.flatMap((block) => block.inherited("error_page")).map(({ words }) => words.at(-1)),
  );
  return new Set(
    server.own("location").filter((each) => {
      const scope = server.inner(each);
      const isPage = each.words[0] === "=" && pages.has(each.words[1]);
      return isPage && scope.own("proxy_pass", "fastcgi_pass", "uwsgi_pass", "rewrite").length === 0;
    }),
  );
}

/** `errorPages` of a route in `scope`; undefined where there is nothing to say. */
export function errorPagesOf(
  scope: Scope,
  server: Scope,
  findings: Findings,
): Record<string, unknown> | undefined {
  const pages: Record<string, unknown> = {};
  for (const directive of scope.inherited("error_page")) {
    const codes = directive.words.filter((word) => /^\d{3}$/.test(word));
    const page = directive.words.at(-1) ?? "";
    const isChanged = directive.words.some((word) => word.startsWith("="));
    const content = isChanged ? undefined : contentOf(page, server);
    if (content === undefined) {
      if (page.startsWith("@") && directive.words.at(-2) === "=") continue;
      const what =
        isChanged || page.startsWith("@") ? "cannot be done here" : "names a page that is not in this file";
      findings.warn(directive, `${what}; write its content under errorPages`);
      continue;
    }
    for (const code of codes) if (Number(code) >= 400 && Number(code) <= 599) pages[code] ??= content;
  }
  return Object.keys(pages).length > 0 ? pages : undefined;
}

/** What an exact location answers by itself. */
function contentOf(page: string, server: Scope): unknown {
  const directive = server.own("location").find(({ words }) => words[0] === "=" && words[1] === page);
  if (directive === undefined) return undefined;
  const scope = server.inner(directive);
  const body = scope.ownLast("return")?.words[1];
  if (body === undefined || hasVariable(body)) return undefined;
  const type = scope.last("default_type")?.words[0];
  const own = page.endsWith(".html") ? "text/html" : page.endsWith(".json") ? "application/json" : undefined;
  const contentType = own ?? type;
  return contentType === undefined ? body : { body, contentType };
}
