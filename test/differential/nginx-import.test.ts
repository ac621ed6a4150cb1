/**
 * nginx and the imported configuration of it, over the same backends: each request of a table goes to both, and
 * status, Location and what the backend saw are equal.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { test } from "node:test";
import { importNginx } from "../../src/import/import-nginx.ts";
import { startOrigin } from "../e2e/origin.ts";
import { ProxyProcess, type Scope, temporaryFolder } from "../e2e/proxy-process.ts";
import { installed, Program } from "../harness/program.ts";
import { freePort } from "../harness/servers.ts";

const timeout = 60_000;
const TRIES = 5;

/** A target, or one with a host, a method and fields. */
type Ask =
  | string
  | {
      readonly target: string;
      readonly host?: string;
      readonly method?: string;
      readonly bytes?: number;
      readonly fields?: Readonly<Record<string, string>>;
    };

interface Case {
  readonly name: string;
  /** Within `http`. LISTEN, A and B are addresses. */
  readonly text: string;
  readonly asks: readonly Ask[];
}

const HOST = "proxy_set_header Host $http_host;";

const CASES: readonly Case[] = [
  {
    name: "exact locations, prefixes and paths put in their place",
    text: `server { listen LISTEN; ${HOST}
      location = /ping { return 200 "pong\\n"; }
      location /a/ { proxy_pass http://A/; }
      location /b/ { proxy_pass http://A/x/y/; }
      location /c { proxy_pass http://A/z; }
      location = /d { proxy_pass http://B/status; }
      location /a/deep/ { proxy_pass http://B; }
      location / { proxy_pass http://B/root/; } }`,
    asks: [
      ...[
        "/ping",
        "/ping/",
        "/ping?x",
        "/a",
        "/a?q=1",
        "/a/",
        "/a/x?q=1",
        "/a/deep",
        "/a/deep/x",
        "/a/deeper",
      ],
      ...["/b", "/b/", "/b/1/2?x=%20", "/c", "/c/1", "/c?x", "/d", "/d?x=1", "/d/e", "/", "/other?y", "/A/x"],
    ],
  },
  {
    name: "a path whose slash is not that of its location",
    text: `server { listen LISTEN; ${HOST}
      location /a { proxy_pass http://A/; }
      location /b/ { proxy_pass http://A/v; }
      location / { proxy_pass http://B; } }`,
    asks: ["/a", "/a/x", "/ax", "/a/", "/b", "/b/", "/b/1", "/b/1?x=2", "/bx", "/"],
  },
  {
    name: "regular expressions come before prefixes, but for ^~",
    text: `server { listen LISTEN; ${HOST}
      location ^~ /assets/ { proxy_pass http://A; }
      location ~ ^/users/(\\d+)$ { proxy_pass http://A; proxy_set_header X-User $1; ${HOST} }
      location ~* \\.(png|jpe?g)$ { proxy_pass http://B; }
      location ~ ^/api(/|$) { proxy_pass http://A; proxy_set_header X-Api 1; ${HOST} }
      location ~ /private { return 403; }
      location ~ ^/u/(?<name>[a-z]+)/(\\d+)$ { proxy_pass http://B/of/$name?id=$2; }
      location /docs { proxy_pass http://A/help; }
      location /docs/more/ { proxy_pass http://B; }
      location = /users/1 { return 204; }
      location / { proxy_pass http://B; } }`,
    asks: [
      ...[
        "/assets/a.png",
        "/assets",
        "/assets/",
        "/users/1",
        "/users/22",
        "/users/22/x",
        "/users/x",
        "/a.PNG",
      ],
      ...[
        "/a.jpeg?x",
        "/a.jpg/x",
        "/api",
        "/api/",
        "/api/x.png",
        "/apis",
        "/x/private/y",
        "/u/bob/7",
        "/u/bob/7?x=1",
      ],
      ...[
        "/u/Bob/7",
        "/docs",
        "/docs/a",
        "/docsx",
        "/docs/more",
        "/docs/more/",
        "/docs/more/x",
        "/docs/a.png",
        "/",
      ],
    ],
  },
  {
    name: "hosts: exact, wildcard, default, and what a server has no location for",
    text: `
      server { listen LISTEN; server_name shop.test; ${HOST} location / { proxy_pass http://A; } }
      server { listen LISTEN default_server; server_name any.test; return 301 http://shop.test$request_uri; }
      server { listen LISTEN; server_name *.shop.test; ${HOST} location /x/ { proxy_pass http://B; } location = / { return 204; } }
      server { listen LISTEN; server_name .blog.test a.shop.test; return 302 /start; }
      server { listen LISTEN; server_name www.test old.test; ${HOST}
        if ($host = old.test) { return 301 $scheme://www.test$request_uri; }
        location / { proxy_pass http://A; } }`,
    asks: [
      "shop.test",
      "any.test",
      "b.shop.test",
      "a.shop.test",
      "blog.test",
      "c.d.blog.test",
      "none.test",
      "old.test",
      "www.test",
    ]
      .concat("SHOP.TEST")
      .flatMap((host) => ["/", "/x/1?q", "/y"].map((target) => ({ target, host }))),
  },
  {
    name: "rewrites and redirects",
    text: `server { listen LISTEN; ${HOST}
      rewrite ^/blog/(\\d+)/(.*)$ https://blog.test/$2?id=$1? permanent;
      rewrite ^/old/(.*)$ /new/$1 redirect;
      rewrite ^/bare$ https://bare.test permanent;
      location /api/ { rewrite ^/api/(.*)$ /$1 break; proxy_pass http://A; }
      location /v1/ { rewrite ^/v1/(.*)$ /api/v1/$1 break; proxy_pass http://B; }
      location /legacy/ { rewrite ^/legacy/(\\d+)\\.html$ /items/$1 last; proxy_pass http://A; }
      location /items/ { proxy_pass http://B/things/; }
      location /strip { rewrite ^/strip(/.*)$ $1 break; proxy_pass http://A; }
      location /go/ { return 307 https://go.test$uri$is_args$args; }
      location = /text { return 200 "text"; }
      location / { proxy_pass http://B; } }`,
    asks: [
      ...[
        "/blog/7/a-b",
        "/old/x/y?q=1",
        "/old/x",
        "/bare",
        "/bare?x=1",
        "/api",
        "/api/",
        "/api/x?y=1",
        "/v1/a/b",
        "/v1/",
      ],
      ...[
        "/legacy/12.html?x",
        "/legacy/x",
        "/items/1",
        "/strip",
        "/strip/",
        "/strip/a",
        "/stripx",
        "/go/a?b=c",
        "/text",
      ],
    ],
  },
  {
    name: "conditions that return something",
    text: `server { listen LISTEN; ${HOST}
      if ($http_x_bot ~* "bad|evil") { return 403; }
      if ($request_method = TRACK) { return 405; }
      if ($cookie_beta = 1) { return 302 http://beta.test$request_uri; }
      location /a/ { if ($arg_key = "x") { return 204; } if ($http_x_old) { return 410; } proxy_pass http://A; }
      location ~ ^/r/ { if ($request_method ~ ^(PUT|DELETE)$) { return 403; } proxy_pass http://B; }
      location = /e { if ($http_x_old = yes) { return 410; } proxy_pass http://A; }
      location / { proxy_pass http://B; } }`,
    asks: ["/a/1", "/r/1", "/e", "/x"].flatMap((target) => [
      target,
      { target: `${target}?key=x` },
      { target, method: "PUT" },
      { target, method: "TRACK" },
      { target, fields: { "X-Bot": "an EVIL one" } },
      { target, fields: { "X-Old": "yes" } },
      { target, fields: { "X-Old": "yes!" } },
      { target, fields: { Cookie: "a=2; beta=1" } },
      { target, fields: { Cookie: "beta=11" } },
    ]),
  },
  {
    name: "fields, methods, bodies, addresses and nested locations",
    text: `
      proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Up up; client_max_body_size 10;
      map $http_upgrade $connection_upgrade { default upgrade; '' close; }
      upstream app { server A; keepalive 8; }
      server { listen LISTEN; server_name f.test;
        location /app/ { proxy_pass http://app;
          location /app/big/ { client_max_body_size 0; proxy_set_header X-Url $scheme://$http_host$request_uri; proxy_pass http://B; }
          location = /app/health { return 200; }
          location ~ \\.txt$ { proxy_pass http://B; } }
        location /host/ { proxy_set_header Host $host; proxy_set_header Accept-Encoding ""; proxy_pass http://app; }
        location /name/ { proxy_set_header Host $server_name; proxy_set_header X-M "$request_method $uri"; proxy_pass http://app; }
        location /get/ { limit_except GET { deny all; } proxy_pass http://app; }
        location /no/ { deny all; proxy_pass http://app; }
        location /yes/ { allow 127.0.0.1; deny all; proxy_pass http://app; }
        location /other/ { allow 10.0.0.0/8; deny all; proxy_pass http://app; }
        location /not/ { deny 127.0.0.0/8; proxy_pass http://app; }
        location /internal/ { internal; proxy_pass http://app; }
        location / { proxy_set_header Connection $connection_upgrade; proxy_set_header Upgrade $http_upgrade; proxy_pass http://app; } }`,
    asks: [
      ...[
        "/app/x",
        "/app",
        "/app/big/x",
        "/app/health",
        "/app/a.txt",
        "/host/x",
        "/name/x",
        "/get/x",
        "/no/x",
        "/yes/x",
      ],
      ...["/other/x", "/not/x", "/internal/x", "/", "/yes?x=1"],
      { target: "/get/x", method: "HEAD" },
      { target: "/get/x", method: "POST", bytes: 1 },
      { target: "/app/x", method: "PUT", bytes: 10 },
      { target: "/app/x", method: "POST", bytes: 11 },
      { target: "/app/big/x", method: "POST", bytes: 5000 },
      { target: "/host/x", host: "f.test:81" },
    ],
  },
  {
    name: "compressed bodies, and bodies that wait",
    text: `gzip on; gzip_types application/json; gzip_min_length 100; gzip_proxied any; proxy_buffering on;
      server { listen LISTEN; ${HOST} auth_basic closed; auth_basic_user_file none;
        location /off/ { auth_basic off; gzip off; proxy_buffering off; proxy_pass http://A; }
        location /css/ { auth_basic off; gzip_types text/css; proxy_pass http://A; }
        location /wait/ { auth_basic off; proxy_request_buffering on; client_max_body_size 1m; proxy_pass http://A; }
        location / { auth_basic off; proxy_pass http://A; } }`,
    asks: [
      ...["/", "/off/", "/css/", "/wait/"].flatMap((path) =>
        ["html", "json", "css", "png"].flatMap((type) =>
          [99, 100, 50_000].map((bytes) => ({
            target: `${path}${bytes}.${type}`,
            fields: { "Accept-Encoding": "gzip" },
          })),
        ),
      ),
      { target: "/50000.html", fields: { "Accept-Encoding": "identity" } },
      { target: "/50000.html", fields: { "Accept-Encoding": "gzip;q=0" } },
      { target: "/wait/x", method: "POST", bytes: 900_000 },
    ],
  },
];

for (const { name, text, asks } of CASES) {
  test(`nginx and its import: ${name}`, { timeout }, async (t) => {
    if (installed("nginx") === "") return t.skip("nginx is not installed");
    const a = await startOrigin(t, witness("A"));
    const b = await startOrigin(t, witness("B"));
    const folder = temporaryFolder(t);
    const filled = text.replaceAll(/\bA\b(?=[/;])/g, a.address).replaceAll(/\bB\b(?=[/;])/g, b.address);
    const nginx = await startNginx(t, folder, filled);
    const imported = importNginx(path.join(folder, "import.conf"));
    assert("yaml" in imported, JSON.stringify(imported));
    const file = path.join(folder, "hp-proxy.config.yaml");
    writeFileSync(file, imported.yaml);
    const argv = ["run", "-c", file, "--listen", "127.0.0.1:0", "--workers", "1", "--log-format", "json"];
    const proxy = new ProxyProcess(t, argv, {}, folder);
    await proxy.log((record) => record.msg.startsWith("listening on "));
    const differences: string[] = [];
    for (const ask of asks) {
      const [wanted, got] = await Promise.all([
        answerOf(nginx, ask, nginx),
        answerOf(proxy.port, ask, nginx),
      ]);
      if (wanted !== got) differences.push(`${JSON.stringify(ask)}\n  nginx    ${wanted}\n  hp-proxy ${got}`);
    }
    assert.deepEqual(differences, [], `${differences.join("\n")}\n${imported.yaml}`);
  });
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  json: "application/json",
  css: "text/css",
  png: "image/png",
};

/**
 * Answers with what it sees: its name, the request line, Host, and fields that a configuration may set.
 * The body of `/9.html` has 9 bytes.
 */
function witness(name: string): http.RequestListener {
  return (request, response) => {
    request.resume().on("end", () => {
      const { host, "accept-encoding": coding } = request.headers;
      const own = Object.entries(request.headers).filter(([key]) => /^x-(?!forwarded)/.test(key));
      const seen = { name, method: request.method, target: request.url, host, coding, own };
      response.setHeader("X-Seen", JSON.stringify(seen));
      const [, bytes, type] = /(\d+)\.(html|json|css|png)$/.exec(request.url!) ?? [];
      if (type !== undefined) {
        response.setHeader("Content-Type", TYPES[type]!);
        response.setHeader("Content-Length", bytes!);
      }
      response.end("x".repeat(Number(bytes ?? 0)));
    });
  };
}

/** Status, coding, Location with its port left out where that is nginx's own, and what the backend saw. */
async function answerOf(port: number, ask: Ask, nginxPort: number): Promise<string> {
  const {
    target,
    host = "f.test",
    method = "GET",
    bytes = 0,
    fields = {},
  } = typeof ask === "string" ? { target: ask } : ask;
  const headers = {
    "accept-encoding": "x",
    ...lowered(fields),
    host,
    ...(bytes > 0 ? { "content-length": bytes } : {}),
  };
  return await new Promise((resolve, reject) => {
    const request = http.request({ port, host: "127.0.0.1", path: target, method, headers, agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      const { location, "x-seen": seen, "content-encoding": coding = "" } = response.headers;
      const url =
        location === undefined ? "" : new URL(location, `http://${host}`).href.replace(`:${nginxPort}/`, "/");
      let body = 0;
      response.on("data", (piece: Buffer) => (body += piece.length));
      response.on("error", reject);
      response.on("end", () => {
        const length = response.statusCode === 200 && coding === "" ? body : "";
        resolve(`${response.statusCode} ${coding} ${url.toLowerCase()} ${length} ${String(seen)}`);
      });
    });
    request.end(Buffer.alloc(bytes));
  });
}

function lowered(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Resolves to its port. `import.conf` in `folder` has the servers alone. */
async function startNginx(scope: Scope, folder: string, servers: string): Promise<number> {
  const own = path.join(folder, "nginx");
  mkdirSync(own);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (each) => `${each}_temp_path ${own}/${each};`,
  );
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const text = servers.replaceAll("LISTEN", `127.0.0.1:${port}`);
    writeFileSync(path.join(folder, "import.conf"), text);
    const main = `daemon off; worker_processes 1; pid ${own}/nginx.pid; error_log stderr notice;
      ${process.getuid?.() === 0 ? "user root;" : ""}
      events { worker_connections 256; }
      http { access_log off; ${temporary.join(" ")} ${text} }`;
    const configuration = path.join(own, "nginx.conf");
    writeFileSync(configuration, main);
    const program = new Program(scope, [installed("nginx"), "-p", own, "-e", "stderr", "-c", configuration]);
    try {
      await program.printed(/start worker process \d+/);
      return port;
    } catch (error) {
      // Somebody may have taken the port meanwhile.
      if (tries === TRIES) throw error;
    }
  }
}
