/** Passwords, other servers' words and hooks of requests that no backend answers, in a real proxy on every engine. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { hashPassword } from "../../src/hooks/password.ts";
import { testEachEngine } from "../harness/engines.ts";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, runToEnd, type Scope, temporaryFolder } from "./proxy-process.ts";

const timeout = 60_000;
const AUTHORIZATION = `Basic ${Buffer.from("ada:sesame").toString("base64")}`;

/** Keeps what is logged, and answers with it. */
const HOOKS = `
const told = [];
export default {
  onRequest(request) {
    if (request.path === "/told") return Response.json(told);
    if (request.headers.get("x-admin") === "1") request.cluster = "app";
  },
  onResponse(response) { response.headers.set("x-hooked", "1"); },
  onError({ reason }) { if (reason === "no_route") return { status: 404, body: "nothing here\\n" }; },
  onLog({ method, target, route, status, failure, cluster }) {
    told.push([method, target, route, status, failure, cluster].join(" ").trim());
  },
};
`;

async function start(t: Scope, engine: string): Promise<{ proxy: ProxyProcess; folder: string }> {
  const app = await startOrigin(t, (_request, response) => response.end("app"));
  const auth = await startOrigin(t, ({ headers }, response) => {
    if (headers["x-pass"] !== "1") response.writeHead(302, { location: "/login" });
    response.end();
  });
  const folder = temporaryFolder(t);
  const configuration = `
listen: 127.0.0.1:0
workers: 1
engine: ${engine}
health: { kind: off }
basicAuth: { users: { ada: "${await hashPassword("sesame", 10)}" } }
compress: on
hooks: hooks.js
clusters:
  app: { backends: "${app.address}" }
routes:
  - { name: open, path: /open, respond: { body: open }, basicAuth: off }
  - { name: told, path: /told, respond: { status: 204 }, basicAuth: off }
  - { name: here, path: /here, respond: { body: secret } }
  - { name: old, path: /old, redirect: "https://secret.example$target" }
  - { name: away, path: /away, to: app, maintenance: on, mirror: app }
  - { name: asked, path: /asked, redirect: /secret, basicAuth: off, forwardAuth: "http://${auth.address}/" }
  - { name: denied, path: /denied, respond: { body: secret }, deny: 127.0.0.1 }
`;
  writeFileSync(path.join(folder, "hp-proxy.config.yaml"), configuration);
  writeFileSync(path.join(folder, "hooks.js"), HOOKS);
  const proxy = new ProxyProcess(t, ["--log-format", "json"], {}, folder);
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  return { proxy, folder };
}

testEachEngine("what is answered here is guarded, hooked and logged", { timeout }, async (t, engine) => {
  const { proxy, folder } = await start(t, engine);
  const ask = async (target: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${proxy.port}${target}`, { headers, redirect: "manual" });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  for (const target of ["/here", "/old", "/away", "/nowhere"]) {
    const { status, headers, body } = await ask(target);
    assert.equal(status, 401, target);
    assert.match(headers.get("www-authenticate")!, /^Basic /);
    assert.doesNotMatch(body + (headers.get("location") ?? ""), /secret/);
  }
  const authorization = AUTHORIZATION;
  const here = await ask("/here", { authorization });
  assert.deepEqual([here.status, here.body, here.headers.get("x-hooked")], [200, "secret", "1"]);
  const old = await ask("/old?a", { authorization });
  assert.deepEqual([old.status, old.headers.get("location")], [308, "https://secret.example/old?a"]);
  const away = await ask("/away", { authorization });
  assert.deepEqual([away.status, away.headers.get("retry-after")], [503, "60"]);
  assert.equal((await ask("/away", { authorization, "x-admin": "1" })).body, "app");
  assert.equal((await ask("/nowhere", { authorization })).body, "nothing here\n");
  assert.equal((await ask("/open")).body, "open");
  const asked = await ask("/asked");
  assert.deepEqual([asked.status, asked.headers.get("location")], [302, "/login"]);
  const passed = await ask("/asked", { "x-pass": "1" });
  assert.deepEqual([passed.status, passed.headers.get("location")], [308, "/secret"]);
  assert.equal((await ask("/denied", { authorization })).status, 403);
  assert.deepEqual(JSON.parse((await ask("/told")).body), [
    ...["GET /here here 401", "GET /old old 401", "GET /away away 401", "GET /nowhere  401"],
    ...["GET /here here 200", "GET /old?a old 308", "GET /away away 503", "GET /away away 200  app"],
    ...["GET /nowhere  404 no_route", "GET /open open 200", "GET /asked asked 302", "GET /asked asked 308"],
    "GET /denied denied 403 client_denied",
  ]);
  if (engine === "net") await checkExplain(t, folder);
});

async function checkExplain(t: Scope, folder: string): Promise<void> {
  const explained = async (target: string) => (await runToEnd(t, ["explain", target], {}, folder)).stdout;
  assert.match(await explained("/here"), /\nbasicAuth +1 user[^\n]*\nhooks +hooks\.js/);
  assert.match(await explained("/nowhere"), /\nbasicAuth +1 user[^\n]*\nhooks +hooks\.js/);
  assert.doesNotMatch(await explained("/open"), /basicAuth/);
  assert.doesNotMatch(await explained("/away"), /mirror|compress/);
  assert.doesNotMatch(await explained("/denied"), /basicAuth/);
}
