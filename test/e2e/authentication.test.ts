/** Who may pass: passwords, and another server's word. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type IncomingMessage, request as requestHttp } from "node:http";
import path from "node:path";
import { test } from "node:test";
import { hashPassword } from "../../src/hooks/password.ts";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, runToEnd, type Scope, temporaryFolder } from "./proxy-process.ts";

const timeout = 60_000;

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Without fetch, which decodes bodies. */
async function ask(
  proxy: ProxyProcess,
  target: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<Got> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const options = { host: "127.0.0.1", port: proxy.port, path: target, method, headers, agent: false };
    requestHttp(options, resolve).on("error", reject).end(body);
  });
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return { status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) };
}

/** Tells what it was asked with. */
async function startApp(t: Scope): Promise<string> {
  const { address } = await startOrigin(t, ({ headers }, response) => {
    response.setHeader("x-seen", JSON.stringify([headers.authorization ?? "", headers["x-user"] ?? ""]));
    response.end("app");
  });
  return address;
}

async function start(t: Scope): Promise<ProxyProcess> {
  const app = await startApp(t);
  const auth = await startOrigin(t, ({ headers }, response) => {
    const { authorization, "x-forwarded-method": method, "x-forwarded-uri": uri } = headers;
    if (authorization === "Bearer good") response.setHeader("x-user", `${method} ${uri}`);
    else if (authorization !== "Bearer plain")
      response.writeHead(302, { location: "/login", "set-cookie": "b=2" });
    response.end("said auth");
  });
  const folder = temporaryFolder(t);
  // As an editor on Windows writes it.
  writeFileSync(
    path.join(folder, "users"),
    `\ufeffada:${await hashPassword("sesame", 10)}\r\n\r\n# more\r\n`,
  );
  const configuration = `
listen: 127.0.0.1:0
workers: 1
health: { kind: off }
clusters:
  app: { backends: "${app}" }
routes:
  - { to: app, basicAuth: { file: users, userHeader: X-User, realm: Cave } }
  - { prefix: /open, to: app }
  - { prefix: /asked, to: app, forwardAuth: { url: "http://${auth.address}/check", responseHeaders: X-User } }
  - { prefix: /lost, to: app, forwardAuth: "http://127.0.0.1:1/" }
`;
  writeFileSync(path.join(folder, "hp-proxy.config.yaml"), configuration);
  const proxy = new ProxyProcess(t, ["--log-format", "json"], {}, folder);
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  return proxy;
}

async function checkPasswords(proxy: ProxyProcess): Promise<void> {
  const authorization = `Basic ${Buffer.from("ada:sesame").toString("base64")}`;
  const refused = await ask(proxy, "/", { authorization: "Basic YWRhOm5v" });
  assert.equal(refused.status, 401);
  assert.equal(refused.headers["www-authenticate"], 'Basic realm="Cave", charset="UTF-8"');
  assert.equal((await ask(proxy, "/")).status, 401);
  for (let i = 0; i < 3; i++) {
    const admitted = await ask(proxy, "/", { authorization, "x-user": "root" });
    assert.equal(admitted.status, 200);
    assert.equal(admitted.headers["x-seen"], '["","ada"]', "the password stays here");
  }
}

async function checkForwardAuth(proxy: ProxyProcess): Promise<void> {
  const good = await ask(proxy, "/asked?a", { authorization: "Bearer good", "x-user": "root" });
  assert.equal(good.headers["x-seen"], '["Bearer good","GET /asked?a"]');
  const plain = await ask(proxy, "/asked", { authorization: "Bearer plain", "x-user": "root" });
  assert.equal(plain.headers["x-seen"], '["Bearer plain",""]', "a client cannot say it itself");
  const refused = await ask(proxy, "/asked");
  assert.deepEqual(
    [refused.status, refused.headers.location, refused.body.toString()],
    [302, "/login", "said auth"],
  );
  assert.deepEqual(refused.headers["set-cookie"], ["b=2"]);
  assert.equal((await ask(proxy, "/lost")).status, 500, "nobody passes when nobody answers");
}

test("only who may passes a real proxy", { timeout }, async (t) => {
  const proxy = await start(t);
  assert.equal((await ask(proxy, "/open")).status, 200);
  await t.test("basicAuth", () => checkPasswords(proxy));
  await t.test("forwardAuth", () => checkForwardAuth(proxy));
});

test("hash-password reads a line and prints a hash; without one it says so", { timeout }, async (t) => {
  const { status, stderr } = await runToEnd(t, ["hash-password"]);
  assert.equal(status, 1);
  assert.match(stderr, /no password/);
});
