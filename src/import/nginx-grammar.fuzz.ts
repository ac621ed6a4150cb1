// Invariant: any text is parsed or refused by `NginxError`; words that were quoted come back; and whatever is
// parsed becomes a valid configuration, or errors in words.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkDocument } from "../config/check.ts";
import { readYaml } from "../config/read-yaml.ts";
import { importDirectives } from "./import-nginx.ts";
import { NginxError, parseNginx } from "./nginx-grammar.ts";

const runs = { numRuns: Number(process.env.FUZZ_RUNS ?? 300) };

function parse(text: string) {
  try {
    return parseNginx(text, "nginx.conf");
  } catch (error) {
    assert(error instanceof NginxError, String(error));
    assert(error.line >= 0 && error.line <= text.split("\n").length, error.message);
    return undefined;
  }
}

const piece = fc.constantFrom(
  ...["{", "}", ";", '"', "'", "\\", "$", "${", "#", "\n", " ", "a", "server", "location", "/", "~", "\0"],
);
const soup = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));

test("any text is parsed or refused", () => {
  fc.assert(
    fc.property(fc.oneof(soup, fc.string({ unit: "binary" })), (text) => void parse(text)),
    runs,
  );
});

test("quoted words come back", () => {
  const quoted = fc.string({ maxLength: 20 }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(fc.array(quoted, { maxLength: 5 }), (words) => {
      const text = words.map((word) => ` "${word.replaceAll(/["\\]/g, (char) => `\\${char}`)}"`).join("");
      assert.deepEqual(parse(`name${text};`)?.[0]?.words, words);
    }),
    runs,
  );
});

const path = fc.constantFrom("/", "/a", "/a/", "/a/b/", "/a b", "/:x/", "/é", "/$x", "/a.b/*c");
const regex = fc.constantFrom("\\.php$", "^/a/(.*)$", "^/(a|b)", "x(?=y)", "(", "^/a(/|$)", "[", "(?<n>x)");
const value = fc.constantFrom(
  "$host",
  "$http_host",
  "a",
  "",
  "$1",
  `$${"{uri}"}x`,
  "é",
  "$x",
  "a\nb",
  "$scheme://$host/",
);
const flag = fc.constantFrom("", "break", "last", "permanent", "redirect");
const url = fc.constantFrom(
  "http://u",
  "http://u/",
  "http://u/x",
  "http://u/$1",
  "https://h",
  "http://$x",
  "http://h:99999",
);
const network = fc.constantFrom("10.0.0.0/8", "all", "unix:", "::1", "x");
const q = (text: string) => `"${text.replaceAll(/["\\]/g, (char) => `\\${char}`)}"`;
const directive = fc.oneof(
  fc.tuple(url).map(([to]) => `proxy_pass ${q(to)};`),
  fc
    .tuple(fc.constantFrom("return 200", "return 301", "return 404", "return 999"), value)
    .map(([a, b]) => `${a} ${q(b)};`),
  fc.tuple(regex, path, flag).map(([a, b, c]) => `rewrite ${q(a)} ${q(b)} ${c};`),
  fc
    .tuple(fc.constantFrom("proxy_set_header Host", "add_header X-A", "proxy_set_header a:b"), value)
    .map(([a, b]) => `${a} ${q(b)};`),
  fc.tuple(fc.constantFrom("allow", "deny"), network).map(([a, b]) => `${a} ${b};`),
  fc.constantFrom(
    "client_max_body_size 1x;",
    "proxy_read_timeout 0;",
    "keepalive_timeout 99d;",
    "set $x u;",
    "internal;",
  ),
  fc.constantFrom(
    "try_files $uri @n;",
    "error_page 404 = @n;",
    "error_page 500 /a;",
    "auth_basic x;",
    "auth_basic off;",
    "auth_basic_user_file nginx.conf;",
    "gzip on;",
    "gzip_types *;",
    "proxy_buffering on;",
    "proxy_request_buffering on;",
    "limit_except GET { deny all; }",
  ),
);
const block = fc.array(directive, { maxLength: 4 }).map((all) => all.join(" "));
const location = fc.oneof(
  fc.tuple(fc.constantFrom("", "=", "^~"), path, block).map(([a, b, c]) => `location ${a} ${q(b)} { ${c} }`),
  fc.tuple(fc.constantFrom("~", "~*"), regex, block).map(([a, b, c]) => `location ${a} ${q(b)} { ${c} }`),
  block.map((inner) => `location @n { ${inner} }`),
  fc
    .tuple(block, regex, block)
    .map(([a, b, c]) => `location /a/ { ${a} location ~ ${q(b)} { ${c} } location /a/b { ${c} } }`),
);
const listen = fc.constantFrom(
  "80",
  "[::]:80",
  "127.0.0.1:81 default_server",
  "443 ssl",
  "*:82",
  "x:y:z",
  "unix:/a",
);
const names = fc.constantFrom("a.test", "*.a.test b.test", ".c.test", "_", "~x", "b.test a.*");
const condition = fc.constantFrom(
  "",
  "if ($host = a.test) { return 301 https://$host/; }",
  "if ($host != b.test) { return 403; }",
);
const server = fc
  .tuple(listen, names, condition, block, fc.array(location, { maxLength: 5 }))
  .map(
    ([a, b, c, d, e]) =>
      `server { listen ${a}; server_name ${q(b).slice(1, -1)}; ${c} ${d} ${e.join("\n")} }`,
  );

test("what is parsed becomes a valid configuration, or errors", () => {
  fc.assert(
    fc.property(fc.array(server, { minLength: 1, maxLength: 4 }), (servers) => {
      const directives = parse(`upstream u { server u:1 weight=2; server v:1; }\n${servers.join("\n")}`);
      assert(directives !== undefined, "it is parsed");
      const result = importDirectives("nginx.conf", directives);
      if ("errors" in result) {
        for (const error of result.errors) assert.match(error, /has no server/);
        return;
      }
      const { root, errors } = readYaml(result.yaml, "a.yaml", {});
      assert.deepEqual(errors, []);
      assert("document" in checkDocument(root));
    }),
    runs,
  );
});
