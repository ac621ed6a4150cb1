/** The examples of docs/hooks.md do what they say, in real proxies. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { startOrigin } from "../e2e/origin.ts";
import { ProxyProcess, type Scope } from "../e2e/proxy-process.ts";

const timeout = 60_000;
const ROOT = path.join(import.meta.dirname, "..", "..");
const FOLDER = path.join(ROOT, "examples", "hooks");

async function start(
  t: Scope,
  name: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ProxyProcess> {
  const file = path.join(FOLDER, `${name}.config.ts`);
  const common = ["run", "-c", file, "--listen", "127.0.0.1:0", "--workers", "1", "--health", "off"];
  const proxy = new ProxyProcess(t, [...common, "--log-format", "json", ...argv], environment);
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  return proxy;
}

/** Tells its name, and what it was asked. */
async function backend(t: Scope, name: string): Promise<string> {
  const { address } = await startOrigin(t, ({ headers }, response) => {
    response.setHeader("x-seen", JSON.stringify({ user: headers["x-user"], key: headers["x-api-key"] }));
    response.setHeader("content-type", "text/html");
    response.end(`<body>${name}</body>`);
  });
  return address;
}

test("api-keys: a known key passes, and the backend sees whose it is", { timeout }, async (t) => {
  const proxy = await start(t, "api-keys", ["--backends", await backend(t, "app")]);
  assert.equal((await fetch(proxy.url)).status, 401);
  const response = await fetch(proxy.url, { headers: { "x-api-key": "k-4f1a" } });
  assert.equal(response.headers.get("x-seen"), '{"user":"ada"}');
});

test("sessions: another service is asked once for each client", { timeout }, async (t) => {
  let asked = 0;
  const sessions = await startOrigin(t, ({ headers }, response) => {
    asked++;
    response.statusCode = headers.cookie === "id=1" ? 200 : 403;
    response.end("Ada L.\n");
  });
  const environment = { SESSIONS_URL: `http://${sessions.address}/session` };
  const proxy = await start(t, "sessions", ["--backends", await backend(t, "app")], environment);
  const ask = (headers: Record<string, string>) => fetch(proxy.url, { headers, redirect: "manual" });
  assert.equal((await ask({})).headers.get("location"), "/login");
  assert.equal((await ask({ cookie: "id=2" })).status, 302);
  for (let i = 0; i < 3; i++)
    assert.equal((await ask({ cookie: "id=1" })).headers.get("x-seen"), '{"user":"Ada%20L."}');
  assert.equal(asked, 2);
});

test("canary: testers get another cluster, which is counted", { timeout }, async (t) => {
  const environment = { STABLE: await backend(t, "stable"), CANARY: await backend(t, "canary") };
  const proxy = await start(t, "canary", [], environment);
  const ask = async (cookie: string) => {
    const response = await fetch(proxy.url, { headers: { cookie } });
    return `${await response.text()} ${response.headers.get("x-cluster")}`;
  };
  assert.equal(await ask("a=1"), "<body>stable</body> stable");
  assert.equal(await ask("a=1; tester=1"), "<body>canary</body> canary");
  const counts = await fetch(`${proxy.url}/canary-counts`);
  assert.deepEqual(await counts.json(), { good: 1, failed: 0 });
});

test("pages: a line is put in, and who is down has an answer", { timeout }, async (t) => {
  const proxy = await start(t, "pages", ["--backends", await backend(t, "app")]);
  const page = await (await fetch(proxy.url)).text();
  assert.equal(page, "<body>app<p>Maintenance tonight at ten.</p></body>");
  const down = await start(t, "pages", ["--backends", "127.0.0.1:1"]);
  const response = await fetch(down.url);
  assert.equal(response.status, 502);
  assert.equal(await response.text(), "<h1>Back in a moment</h1><!-- connect_refused -->");
});

test("docs/hooks.md shows examples as they are", () => {
  const manual = readFileSync(path.join(ROOT, "docs", "hooks.md"), "utf8");
  const shown = [...manual.matchAll(/```ts\n\/\/ (examples\/\S+)\n([^`]*)```/g)];
  assert.ok(shown.length >= 2);
  for (const [, name, text] of shown)
    assert.ok(readFileSync(path.join(ROOT, name!), "utf8").includes(text!.trim()), name);
});
