/** Chromium asks for what is of another origin: the same page behind two listeners, and routes that say who may. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { startOrigin } from "../e2e/origin.ts";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { installed } from "../harness/program.ts";

const timeout = 90_000;
const EXECUTABLE = installed("chromium") || installed("chromium-browser") || installed("google-chrome");

let browser: Browser | undefined;
after(() => browser?.close());

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly credentials?: "include";
}

/** What a script of `page` sees of `url`: status, what X-Total says, the text; or that it failed. */
function ask(page: Page, url: string, init: Asked = {}): Promise<string> {
  return page.evaluate(
    async ([target, options]) => {
      try {
        const response = await fetch(target as string, options as RequestInit);
        return `${response.status} ${response.headers.get("x-total")} ${(await response.text()).trim()}`;
      } catch (error) {
        return (error as Error).name;
      }
    },
    [url, init] as const,
  );
}

test("Chromium, pages of other origins", { timeout }, async (t) => {
  if (EXECUTABLE === "") return t.skip("Chromium is not installed");
  const asked: string[] = [];
  const origin = await startOrigin(t, (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.setHeader("X-Total", "7");
    response.setHeader("Access-Control-Allow-Origin", "https://elsewhere.example");
    response.end(`${request.method} ${request.headers.cookie ?? "no cookie"}`);
  });
  const configuration = (port: number) => ({
    listen: "127.0.0.1:0",
    workers: 1,
    backends: [origin.address],
    routes: [
      { prefix: "/", respond: { body: "<!doctype html>a page", headers: { "Content-Type": "text/html" } } },
      { prefix: "/any", cors: "*" },
      {
        prefix: "/some",
        cors: { origins: [`http://*.localhost:${port}`], credentials: true, exposeHeaders: ["X-Total"] },
      },
      { path: "/limited", cors: "*", rateLimit: { rate: "1/h", key: "all" } },
    ],
  });
  const proxy = await ConfiguredProxy.start(t, configuration(1));
  const { port } = proxy.process;
  proxy.write(configuration(port));
  assert.deepEqual((await proxy.reload()).errors, []);
  const api = `http://api.localhost:${port}`;

  browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ],
  });
  const context = await browser.newContext();
  await context.addCookies([{ name: "user", value: "me", url: api, sameSite: "Lax" }]);
  const friend = await context.newPage();
  await friend.goto(`http://app.localhost:${port}/`);
  const stranger = await context.newPage();
  await stranger.goto(`http://127.0.0.1:${port}/`);

  await t.test("every origin may", async () => {
    assert.equal(await ask(stranger, `${api}/any`), "200 null GET no cookie");
    const put = { method: "PUT", headers: { "X-Key": "1" } };
    assert.equal(await ask(stranger, `${api}/any`, put), "200 null PUT no cookie");
    assert.ok(!asked.some((line) => line.startsWith("OPTIONS")), "no backend was asked first");
  });
  await t.test("an origin that is allowed, with a cookie and a preflight", async () => {
    const put = { method: "PUT", headers: { "X-Key": "1" }, credentials: "include" } as const;
    assert.match(await ask(friend, `${api}/some`, put), /^200 7 PUT /);
    assert.match(await ask(friend, `${api}/some`, { credentials: "include" }), /^200 7 GET /);
  });
  await t.test(
    "an origin that is not: it reads nothing, and what needs to ask first is not sent",
    async () => {
      const before = asked.length;
      assert.equal(await ask(stranger, `${api}/some`), "TypeError");
      assert.equal(asked.length, before + 1);
      assert.equal(await ask(stranger, `${api}/some`, { method: "DELETE" }), "TypeError");
      assert.equal(asked.length, before + 1);
    },
  );
  await t.test("an answer of the proxy's own can be read", async () => {
    assert.match(await ask(stranger, `${api}/limited`), /^200 /);
    assert.match(await ask(stranger, `${api}/limited`), /^429 null This client sends more/);
  });
});
