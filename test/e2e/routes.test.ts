/** Routes from a configuration file: what clients and backends see, what `check` warns of, what `explain` tells. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { request } from "node:http";
import path from "node:path";
import { test } from "node:test";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, runToEnd, type Scope, temporaryFolder } from "./proxy-process.ts";

const timeout = 30_000;

function configuration(t: Scope, text: string): { folder: string; file: string } {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "hp-proxy.config.yaml");
  writeFileSync(file, text);
  return { folder, file };
}

const ROUTES = (app: string, api: string) => `
listen: 127.0.0.1:0
workers: 1
clusters:
  app: { backends: ["${app}"] }
  api: { backends: ["${api}"] }
errorPages:
  404: "<h1>Nothing here</h1>"
routes:
  - name: api
    prefix: /api
    to: api
    rewrite: { stripPrefix: true }
    requestHeaders: { set: { X-Client: $client_address }, remove: [Cookie] }
    responseHeaders: { set: { X-Route: "$method $path" }, remove: [Server] }
  - path: /api/closed
    deny: [127.0.0.0/8]
    to: api
  - path: /users/:id
    redirect: { to: /people/$id$query, status: 302 }
  - path: /robots.txt
    respond: { body: "User-agent: *\\n" }
  - host: "*.down.example"
    maintenance: { body: "Back soon", retryAfter: 5m }
    to: app
  - host: app.example
    to: { app: 3, api: 1 }
`;

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Without fetch, which sets Host itself. */
async function ask(proxy: ProxyProcess, target: string, headers: Record<string, string>): Promise<Got> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port: proxy.port,
      path: target,
      headers: { ...headers, Connection: "close" },
    };
    request(options, resolve).on("error", reject).end();
  });
  let body = "";
  for await (const piece of response) body += String(piece);
  return { status: response.statusCode!, headers: response.headers, body };
}

test("routes of a file: forwarded, rewritten, redirected, answered, turned away", { timeout }, async (t) => {
  const tell = (name: string) => (seen: IncomingMessage, response: ServerResponse) => {
    response.setHeader("Server", "secret");
    response.end(`${name} ${seen.url} ${seen.headers["x-client"] ?? "-"} ${seen.headers.cookie ?? "-"}`);
  };
  const app = await startOrigin(t, tell("app"));
  const api = await startOrigin(t, tell("api"));
  const { folder } = configuration(t, ROUTES(app.address, api.address));
  const proxy = new ProxyProcess(t, ["--log-format", "json"], {}, folder);
  await proxy.log((record) => record.msg.startsWith("listening on "));

  const forwarded = await ask(proxy, "/api/users?x=1", { Host: "any.example", Cookie: "a=b" });
  assert.equal(forwarded.body, "api /users?x=1 127.0.0.1 -");
  assert.equal(forwarded.headers["x-route"], "GET /api/users");
  assert.equal(forwarded.headers.server, undefined);

  const denied = await ask(proxy, "/api/closed", { Host: "any.example" });
  assert.equal(denied.status, 403);
  assert.match(String(denied.headers["proxy-status"]), /details="client_denied"/);

  const redirected = await ask(proxy, "/users/7?tab=1", { Host: "any.example" });
  assert.equal(redirected.status, 302);
  assert.equal(redirected.headers.location, "/people/7?tab=1");

  const robots = await ask(proxy, "/robots.txt", { Host: "any.example" });
  assert.equal(robots.body, "User-agent: *\n");

  const down = await ask(proxy, "/", { Host: "a.down.example" });
  assert.deepEqual([down.status, down.headers["retry-after"], down.body], [503, "300", "Back soon"]);

  const nowhere = await ask(proxy, "/", { Host: "any.example" });
  assert.deepEqual([nowhere.status, nowhere.headers["content-type"]], [404, "text/html; charset=utf-8"]);
  assert.equal(nowhere.body, "<h1>Nothing here</h1>");

  const names: string[] = [];
  for (let i = 0; i < 8; i++)
    names.push((await ask(proxy, "/", { Host: "app.example" })).body.split(" ")[0]!);
  assert.deepEqual([names.filter((name) => name === "app").length, names.length], [6, 8]);
});

test("routes that answer everything themselves need no backend", { timeout }, async (t) => {
  const { folder } = configuration(
    t,
    "listen: 127.0.0.1:0\nworkers: 1\nroutes: [{ redirect: https://$host$target }]\n",
  );
  const proxy = new ProxyProcess(t, ["--log-format", "json"], {}, folder);
  await proxy.log((record) => record.msg.startsWith("listening on "));
  const got = await ask(proxy, "/a?b", { Host: "h.example:8080" });
  assert.deepEqual([got.status, got.headers.location], [308, "https://h.example/a?b"]);
});

test("hp-proxy check warns of routes that are never asked", { timeout }, async (t) => {
  const { file, folder } = configuration(
    t,
    'backends: ["127.0.0.1:1"]\nroutes:\n  - { prefix: / }\n  - { regex: "/a.*", redirect: /b }\n',
  );
  const { status, stdout, stderr } = await runToEnd(t, ["check", "-c", file], {}, folder);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /is right: 1 listener, 2 routes, 1 cluster, 1 backend/);
  assert.equal(stderr.split("\n").length, 2, stderr);
  assert.match(stderr, /warning: \S+:4:5 routes\[1\]: \* ~ \/a\.\* is never asked: routes\[0\]/);
});

test("hp-proxy check warns of a guard that a path can go round", { timeout }, async (t) => {
  const text = 'backends: ["127.0.0.1:1"]\nroutes:\n  - { prefix: /admin, allow: 10.0.0.0/8 }\n  - {}\n';
  const { file, folder } = configuration(t, text);
  const { stderr } = await runToEnd(t, ["check", "-c", file], {}, folder);
  assert.match(stderr, /warning: \S+:3:5 routes\[0\]: .*rejectPaths/);
  const strict = await runToEnd(t, ["check", "-c", file, "--reject-paths", "dot-segment"], {}, folder);
  assert.equal(strict.stderr, "");
});

for (const { location, warns } of [
  { location: "https://$id.example/", warns: true },
  { location: "https://shop.example$id", warns: true },
  { location: "$scheme://$id", warns: true },
  { location: "https://$host:$id/", warns: true },
  { location: "https://shop.example/$id", warns: false },
  { location: "https://shop.example?$id", warns: false },
  { location: "https://$${host}$path", warns: false },
  { location: "$scheme://$authority$target", warns: false },
  { location: "/$id", warns: false },
]) {
  test(`hp-proxy check: a redirect to ${location}: ${warns ? "a warning" : "fine"}`, {
    timeout,
  }, async (t) => {
    const text = `listen: 127.0.0.1:0\nroutes: [{ path: "/old/:id", redirect: "${location}" }]\n`;
    const { file, folder } = configuration(t, text);
    const { status, stderr } = await runToEnd(t, ["check", "-c", file], {}, folder);
    assert.equal(status, 0, stderr);
    if (warns)
      assert.match(stderr, /warning: \S+ routes\[0\]\.redirect: .*redirects to a host that clients choose/);
    else assert.equal(stderr, "");
  });
}

test("hp-proxy explain tells route, losers, backend, what is sent, and what is refused", {
  timeout,
}, async (t) => {
  const { file, folder } = configuration(t, ROUTES("127.0.0.1:3001", "api.internal:3002"));
  const explain = (...argv: string[]) => runToEnd(t, ["explain", ...argv, "-c", file], {}, folder);

  const forwarded = await explain(
    "GET",
    "http://app.example/api/x?q",
    "-H",
    "Cookie: a",
    "--client",
    "192.0.2.7",
  );
  assert.equal(forwarded.status, 0, forwarded.stderr);
  assert.match(forwarded.stdout, /^route {6}routes\[5\] app\.example \(host app\.example, any path\)$/m);
  assert.match(forwarded.stdout, /^before {5}routes\[0\] api \(.*its host \(any\) is less specific$/m);
  assert.match(forwarded.stdout, /^cluster {4}app \(3 of 4 requests\), api \(1 of 4 requests\)$/m);

  const api = await explain("any.example/api/x?q", "-H", "Cookie: a", "--client", "192.0.2.7");
  assert.match(api.stdout, /^backend {4}api\.internal:3002$/m);
  assert.match(api.stdout, /^sent as {4}GET \/x\?q HTTP\/1\.1$/m);
  assert.match(api.stdout, /^\+ {10}X-Client: 192\.0\.2\.7$/m);
  assert.match(api.stdout, /^- {10}Cookie: a$/m);
  assert.match(api.stdout, /^response {3}set X-Route: \$method \$path$/m);
  assert.match(api.stdout, /^timeouts {3}connect 3s, /m);

  const named = await explain(
    ...["GET", "a/api/closed", "--client", "10.0.0.1", "--trusted-proxies", "10.0.0.0/8"],
    ...["-H", "X-Forwarded-For: 127.0.0.1, 192.0.2.7"],
  );
  assert.equal(named.status, 0, named.stderr);
  assert.match(named.stdout, /^client +192.0.2.7: 10.0.0.1 is a trusted proxy, and its list says so$/m);

  const redirected = await explain("/users/9", "-H", "Host: a", "--listener", "127.0.0.1:0");
  assert.equal(redirected.status, 0);
  assert.match(redirected.stdout, /^ +Location: \/people\/9$/m);

  const denied = await explain("GET", "a/api/closed");
  assert.equal(denied.status, 1);
  assert.match(denied.stdout, /^reason {5}client_denied: /m);

  const none = await explain("GET", "a/");
  assert.equal(none.status, 1);
  assert.match(none.stdout, /^route {6}none of 6 matches$/m);

  const wrong = await explain("GET", "ftp://x", "-H", "nonsense", "--client", "me");
  assert.equal(wrong.status, 1);
  assert.equal(wrong.stderr.split("\n").length, 5, wrong.stderr);
});
