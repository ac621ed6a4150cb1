/**
 * Hooks in real workers, on every engine: what they change, answer and wait for, what they break, what a reload makes
 * of them, and what none of that does to the worker.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { askReload } from "../../src/control/control-socket.ts";
import { testEachEngine } from "../harness/engines.ts";
import { OpenWebSockets, startWebSocketEcho } from "../harness/open-web-sockets.ts";
import { statsOf, statsWhen } from "../harness/proxy.ts";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, type Scope, temporaryFolder } from "./proxy-process.ts";

const timeout = 60_000;
/** Of loopback, where nobody listens. */
const NOBODY = "127.0.0.1:1";

interface Started {
  readonly proxy: ProxyProcess;
  readonly folder: string;
  readonly controlPath: string;
}

/** A proxy in a folder of its own with these files; `configuration` says where requests go. */
async function start(
  scope: Scope,
  engine: string,
  configuration: string,
  files: Readonly<Record<string, string>>,
): Promise<Started> {
  const folder = temporaryFolder(scope);
  const common = `listen: 127.0.0.1:0\nworkers: 1\nengine: ${engine}\nhealth: { kind: off }\n`;
  writeFileSync(path.join(folder, "hp-proxy.config.yaml"), common + configuration);
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  const proxy = new ProxyProcess(scope, ["--log-format", "json"], {}, folder);
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  const controlPath = path.join(proxy.runtimeFolder, "hp-proxy", `${proxy.child.pid}.sock`);
  return { proxy, folder, controlPath };
}

async function startEcho(scope: Scope): Promise<string> {
  const origin = await startOrigin(scope, (request, response) => {
    const hash = createHash("sha256");
    request.on("data", (piece: Buffer) => hash.update(piece));
    request.on("end", () => {
      response.setHeader("content-type", "application/json");
      const { url, method, headers } = request;
      response.end(JSON.stringify({ url, method, headers, sha256: hash.digest("hex") }));
    });
  });
  return origin.address;
}

const HOOKS = (other: string) => `
import { setTimeout as delay } from "node:timers/promises";
import { defineHooks } from "hp-proxy";
const OTHER: string = "http://${other}/";
export default defineHooks({
  timeout: "300ms",
  budget: "1s",
  async onRequest(request, { signal }) {
    request.headers.set("x-path", request.path);
    switch (request.path) {
      case "/answer": return { status: 403, headers: { "x-a": "1", "set-cookie": ["a=1", "b=2"] }, body: "no" };
      case "/response": return Response.json({ a: 1 }, { status: 418 });
      case "/fetched": return fetch(OTHER, { signal });
      case "/wait": await delay(20); request.headers.set("x-waited", "1"); return;
      case "/rewrite": request.target = "/rewritten?" + encodeURIComponent(request.query.get("a")); return;
      case "/throws": throw new Error("thrown");
      case "/late": return delay(60_000, undefined, { ref: false });
      case "/endless": for (;;) await delay(1);
      case "/timer": setTimeout(() => { throw new Error("in a timer"); }); return;
      case "/stray": void Promise.reject(new Error("nobody waits for it")); return;
      case "/read": request.headers.set("x-text", await request.text({ maxBytes: 1000 })); return;
    }
  },
});
`;

const INVERT = `
const invert = () => new TransformStream({
  transform(piece, controller) { controller.enqueue(piece.map((byte) => byte ^ 255)); },
});
export default {
  onRequest(request) { for (let i = 0; i < 3; i++) request.transformBody(invert()); },
  onResponse(response) {
    response.headers.set("x-inverted", "1");
    response.transformBody((body) => body.pipeThrough(invert()));
  },
};
`;

const WEB_SOCKET = `export default {
  async onRequest(request) { await null; request.headers.set("x-hooked", "1"); },
  onResponse(response) { response.headers.set("x-hooked", "1"); },
};`;

testEachEngine("hooks of a real proxy", { timeout }, async (t, engine) => {
  const other = await startOrigin(t, (_request, response) => response.end("from elsewhere"));
  const back = await startOrigin(t, (request, response) => void request.pipe(response));
  const configuration = `
clusters:
  echo: { backends: "${await startEcho(t)}" }
  back: { backends: "${back.address}" }
  web-socket: { backends: "${await startWebSocketEcho(t)}" }
routes:
  - { to: echo, hooks: hooks.ts }
  - { path: /inverted, to: back, hooks: invert.ts }
  - { path: /, to: web-socket, hooks: web-socket.ts }
`;
  const { proxy } = await start(t, engine, configuration, {
    "hooks.ts": HOOKS(other.address),
    "invert.ts": INVERT,
    "web-socket.ts": WEB_SOCKET,
  });
  const before = (await statsOf(proxy)).workers.map(({ pid }) => pid);
  await t.test("answer, change, wait, and fail", () => checkHooks(proxy));
  await t.test("large bodies go through streams, both ways at once", () => checkBodies(proxy));
  await t.test("WebSockets pass untouched", async () => {
    const sockets = await OpenWebSockets.open(t, proxy.port, 3);
    await sockets.echo();
    await sockets.echo();
    assert.equal(sockets.dropped, 0);
    sockets.close();
  });
  const stats = await statsWhen(proxy, ({ total }) => total.requestsInFlight === 0);
  assert.deepEqual(
    stats.workers.map(({ pid }) => pid),
    before,
    "no worker has died",
  );
});

async function checkHooks(proxy: ProxyProcess): Promise<void> {
  const ask = (target: string, init?: RequestInit) => fetch(proxy.url + target, init);
  const seen = async (target: string, init?: RequestInit) =>
    (await (await ask(target, init)).json()) as { url: string; headers: Record<string, string> };
  assert.equal((await seen("/plain?a=1")).headers["x-path"], "/plain");
  const answer = await ask("/answer");
  assert.equal(answer.status, 403);
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(await answer.text(), "no");
  const head = await ask("/answer", { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "2");
  const response = await ask("/response");
  assert.equal(response.status, 418);
  assert.deepEqual(await response.json(), { a: 1 });
  assert.equal(await (await ask("/fetched")).text(), "from elsewhere");
  assert.equal((await seen("/wait")).headers["x-waited"], "1");
  assert.equal((await seen("/rewrite?a=b%20c")).url, "/rewritten?b%20c");
  assert.equal((await seen("/read", { method: "POST", body: "hello" })).headers["x-text"], "hello");
  assert.equal((await ask("/read", { method: "POST", body: "x".repeat(2_000) })).status, 413);

  assert.match(
    await answerToHalf(proxy.port, "/read"),
    /^HTTP\/1\.1 408 [\s\S]*details="request_body_timeout"/,
  );

  for (const [target, reason] of [
    ["/throws", "threw"],
    ["/late", "late"],
    ["/endless", "late"],
  ] as const) {
    assert.equal((await ask(target)).status, 500, target);
    const told = await proxy.log(({ kind, hook }) => kind === reason && hook === "onRequest");
    assert.equal(told.source, "hooks.ts");
  }
  assert.equal((await ask("/timer")).status, 200);
  await proxy.log(({ kind, msg }) => kind === "stray" && msg.includes("in a timer (at "));
  assert.equal((await ask("/stray")).status, 200);
  await proxy.log(({ kind, msg }) => kind === "stray" && msg.includes("nobody waits for it"));
  const { calls, threw, late } = (await statsOf(proxy)).total.hooks;
  assert.deepEqual({ calls, threw, late }, { calls: 15, threw: 1, late: 2 });
}

/** All that a client gets whose body stops in the middle. */
async function answerToHalf(port: number, target: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf`);
  return await text(socket);
}

async function checkBodies(proxy: ProxyProcess): Promise<void> {
  const body = Buffer.alloc(5_000_000);
  for (let i = 0; i < body.length; i++) body[i] = (i * 31 + (i >> 9)) & 255;
  const compared = [body, body.subarray(0, 100_001), body.subarray(0, 1)].map(async (each) => {
    const response = await fetch(`${proxy.url}/inverted`, { method: "POST", body: each });
    assert.equal(response.headers.get("x-inverted"), "1");
    return Buffer.compare(Buffer.from(await response.arrayBuffer()), each);
  });
  assert.deepEqual(await Promise.all(compared), [0, 0, 0]);
}

test("a reload runs the new code, and one that workers cannot load is refused", { timeout }, async (t) => {
  const echo = await startEcho(t);
  const { proxy, folder, controlPath } = await start(t, "auto", `backends: "${echo}"\nhooks: hooks.ts\n`, {
    "hooks.ts": `import { said } from "./said.ts"; export default { onRequest: () => ({ status: 200, body: said }) };`,
    "said.ts": `export const said = "first";`,
  });
  const say = async () => await (await fetch(proxy.url)).text();
  const write = (name: string, text: string) => writeFileSync(path.join(folder, name), text);
  assert.equal(await say(), "first");
  write("said.ts", `export const said = "second";`);
  const second = await askReload(controlPath);
  assert.equal(second.done, true);
  assert.deepEqual(second.changes, ["hooks: their code is another one"]);
  assert.equal(await say(), "second");
  // Only workers have a line to a supervisor.
  write("said.ts", `if (process.send) throw new Error("no database"); export const said = "third";`);
  const third = await askReload(controlPath);
  assert.equal(third.done, false);
  assert.match(
    third.errors.join(),
    /^worker 0 cannot load the hooks: .*hooks\.ts cannot be run by a worker: Error: no database/,
  );
  assert.equal(await say(), "second");
  write("said.ts", "export const said = ;");
  assert.match((await askReload(controlPath)).errors.join(), /hooks\.ts": cannot be run: SyntaxError/);
  write("said.ts", `process.exit(0); export const said = "exit";`);
  assert.match((await askReload(controlPath)).errors.join(), /^hooks\.ts: ends its process/);
  assert.equal(await say(), "second");
  write("hooks.ts", "export default { onRequest: () => ({ status: 200, body: 'fourth' }) };");
  assert.equal((await askReload(controlPath)).done, true);
  assert.equal(await say(), "fourth");
  assert.deepEqual((await askReload(controlPath)).changes, []);
});

test("errors, attempts and records of exchanges", { timeout }, async (t) => {
  const { proxy } = await start(t, "auto", `backends: "${NOBODY}"\nhooks: hooks.ts\n`, {
    "hooks.ts": `export default {
      onRequest(request) { request.state.began = true; },
      onUpstream(request, upstream) { request.headers.set("x-attempt", upstream.endpoint + " " + upstream.attempt); },
      onError(error, request) {
        if (request.path === "/as-it-is") return;
        const reason = [error.reason, error.by, error.status].join(" ");
        return { status: 503, headers: { "x-reason": reason }, body: "sorry" };
      },
      onLog(record, { state }) { process.stdout.write(JSON.stringify({ ...record, ...state }) + "\\n"); },
    };`,
  });
  const response = await fetch(`${proxy.url}/a?b`);
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("x-reason"), "connect_refused origin 502");
  assert.equal(await response.text(), "sorry");
  assert.equal((await fetch(`${proxy.url}/as-it-is`)).status, 502);
  const { msg } = await proxy.log(({ msg: text }) => text.includes('"target":"/a?b"'));
  const record = JSON.parse(msg.slice(msg.indexOf("{"))) as Record<string, unknown>;
  const { method, status, attempts, endpoint, cluster, client, failure, began } = record;
  assert.deepEqual(
    { method, status, attempts, endpoint, cluster, client, failure, began },
    {
      ...{ method: "GET", status: 503, attempts: 1, endpoint: NOBODY, cluster: "default" },
      ...{ client: "127.0.0.1", failure: "connect_refused", began: true },
    },
  );
  assert.ok((record.durationMs as number) >= 0);
});
