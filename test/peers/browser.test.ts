/** Chromium through the proxy: pages with what belongs to them, fetch, EventSource, WebSocket. */
import assert from "node:assert/strict";
import type http from "node:http";
import { after, type TestContext } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { startOrigin } from "../e2e/origin.ts";
import { type SocketEngine, testEachEngine } from "../harness/engines.ts";
import { installed } from "../harness/program.ts";
import { startProxy } from "../harness/proxy.ts";
import { startEcho } from "../harness/servers.ts";
import { echoWebSocket } from "../harness/web-socket-echo.ts";

const timeout = 90_000;
const EXECUTABLE = installed("chromium") || installed("chromium-browser") || installed("google-chrome");
const IMAGES = 12;
const EVENTS = 4;
const LARGE_MESSAGE_BYTES = 1 << 20;

let launched: Promise<Browser> | undefined;
after(async () => (await launched)?.close());

/** A page of its own, whose requests are all for `url`; the browser is the same for all tests here. */
async function openPage(t: TestContext, url: string): Promise<Page> {
  launched ??= chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ],
  });
  const context = await (await launched).newContext({ baseURL: url });
  t.after(() => context.close());
  return await context.newPage();
}

testEachEngine("Chromium, hp-echo behind", { timeout }, async (t, engine) => {
  if (EXECUTABLE === "") return t.skip("Chromium is not installed");
  const echo = await startEcho(t);
  const proxy = await startProxy(t, engine, [echo.address]);
  const page = await openPage(t, proxy.url);
  const response = await page.goto("/page");
  assert.equal(response!.status(), 200);
  await t.test("fetch: POST with a body, which comes back", () => echoesPost(page));
  await t.test("EventSource: events of a stream that never ends", async () => {
    assert.deepEqual(await page.evaluate(readEvents, { url: "/events?interval=5", count: EVENTS }), [
      ...Array.from({ length: EVENTS }, (_, i) => `{"count":${i + 1}}`),
    ]);
  });
  await t.test("WebSocket: text, binary, 1 MiB", () => echoesMessages(page, "/ws"));
});

testEachEngine("Chromium, node:http behind", { timeout }, async (t, engine) => {
  if (EXECUTABLE === "") return t.skip("Chromium is not installed");
  const { url, acknowledged } = await startSite(t, engine);
  const page = await openPage(t, url);
  await t.test("a page with script, style and images", async () => {
    const failed: string[] = [];
    page.on("requestfailed", (request) => failed.push(request.url()));
    page.on("response", (response) => {
      if (response.status() !== 200) failed.push(`${response.status()} ${response.url()}`);
    });
    await page.goto("/page", { waitUntil: "load" });
    assert.deepEqual(failed, []);
    assert.equal(await page.title(), "made by script");
    const seen = await page.evaluate(() => ({
      colour: getComputedStyle(document.body).color,
      widths: [...document.images].map(({ naturalWidth }) => naturalWidth),
    }));
    assert.equal(seen.colour, "rgb(1, 2, 3)");
    assert.deepEqual(seen.widths, new Array(IMAGES).fill(7));
  });
  await t.test("fetch: POST with a body, which comes back", () => echoesPost(page));
  await t.test("EventSource: each event is there before the next is sent", async () => {
    const events = await page.evaluate(readEvents, { url: "/events", count: EVENTS, acknowledge: "/seen" });
    assert.equal(events.length, EVENTS);
    assert.deepEqual(acknowledged(), events);
  });
  await t.test("WebSocket: text, binary, 1 MiB", () => echoesMessages(page, "/socket"));
});

/** Runs in the page. Collects `count` events; tells each to `acknowledge`, if there is such a path. */
function readEvents({ url, count, acknowledge }: { url: string; count: number; acknowledge?: string }) {
  return new Promise<string[]>((resolve, reject) => {
    const events: string[] = [];
    const acknowledgements: Promise<unknown>[] = [];
    const source = new EventSource(url);
    const read = ({ data }: MessageEvent<string>) => {
      events.push(data);
      if (acknowledge !== undefined)
        acknowledgements.push(fetch(acknowledge, { method: "POST", body: data }));
      if (events.length < count) return;
      source.close();
      Promise.all(acknowledgements).then(() => resolve(events), reject);
    };
    source.onmessage = read;
    source.addEventListener("tick", read);
    source.onerror = () => reject(new Error(`the stream broke after ${events.length} events`));
  });
}

async function echoesPost(page: Page): Promise<void> {
  const bodies = await page.evaluate(async () => {
    const texts = ["short", "grüße", "0123456789".repeat(5000)];
    const answers = texts.map((body) => fetch("/echo", { method: "POST", body }));
    const echoes = await Promise.all(answers.map(async (answer) => (await answer).json()));
    return echoes.map((echo: { body: string }, i) => ({ sent: texts[i], got: echo.body }));
  });
  for (const { sent, got } of bodies) assert.equal(got, sent);
}

async function echoesMessages(page: Page, path: string): Promise<void> {
  const answers = await page.evaluate(
    async ({ path, largeBytes }) => {
      const socket = new WebSocket(`ws://${location.host}${path}`);
      socket.binaryType = "arraybuffer";
      await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = () => reject(new Error("it does not open"));
      });
      const large = new Uint8Array(largeBytes).map((_, i) => i * 31 + (i >> 8));
      const answers: string[] = [];
      for (const message of ["text", Uint8Array.of(0, 255, 10, 13), large]) {
        const answer = await new Promise<string | ArrayBuffer>((resolve, reject) => {
          socket.onmessage = ({ data }) => resolve(data);
          socket.onclose = () => reject(new Error("closed instead of an answer"));
          socket.send(message);
        });
        if (typeof message === "string" || typeof answer === "string") {
          answers.push(message === answer ? "same text" : "different text");
          continue;
        }
        const bytes = new Uint8Array(answer);
        const isSame = bytes.length === message.length && bytes.every((byte, i) => byte === message[i]);
        answers.push(isSame ? `same ${bytes.length} bytes` : `different ${bytes.length} bytes`);
      }
      const closed = new Promise<number>((resolve) => {
        socket.onclose = ({ code }) => resolve(code);
      });
      socket.close(1000);
      return [...answers, `closed ${await closed}`];
    },
    { path, largeBytes: LARGE_MESSAGE_BYTES },
  );
  assert.deepEqual(answers, [
    "same text",
    "same 4 bytes",
    `same ${LARGE_MESSAGE_BYTES} bytes`,
    "closed 1000",
  ]);
}

/** A small site on node:http behind the proxy. */
async function startSite(t: TestContext, engine: SocketEngine) {
  const seen: string[] = [];
  let seenOne = () => {};
  const handlers: Record<string, (request: http.IncomingMessage, response: http.ServerResponse) => void> = {
    "/page": (_request, response) => response.setHeader("content-type", "text/html").end(PAGE),
    "/style.css": (_request, response) =>
      response.setHeader("content-type", "text/css").end("body { color: rgb(1, 2, 3) }"),
    "/script.js": (_request, response) =>
      response.setHeader("content-type", "text/javascript").end("document.title = 'made by script'"),
    "/image.svg": (_request, response) => response.setHeader("content-type", "image/svg+xml").end(IMAGE),
    "/echo": async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString();
      response.end(JSON.stringify({ body }));
    },
    "/seen": async (request, response) => {
      seen.push(Buffer.concat(await request.toArray()).toString());
      response.end();
      seenOne();
    },
    "/events": (_request, response) => {
      response.setHeader("content-type", "text/event-stream");
      const send = () => response.write(`data: event ${seen.length + 1}\n\n`);
      seenOne = send;
      send();
    },
  };
  const origin = await startOrigin(t, (request, response) => {
    const { pathname } = new URL(request.url!, "http://site");
    const handler = handlers[pathname];
    if (handler === undefined) response.writeHead(pathname === "/favicon.ico" ? 200 : 404).end();
    else handler(request, response);
  });
  origin.server.on("upgrade", echoWebSocket);
  const proxy = await startProxy(t, engine, [origin.address]);
  return { url: proxy.url, acknowledged: () => seen.slice(0, EVENTS) };
}

const IMAGE = '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"/>';
const PAGE = `<!doctype html><title>before</title><link rel="stylesheet" href="/style.css">
${Array.from({ length: IMAGES }, (_, i) => `<img src="/image.svg?${i}">`).join("")}
<script src="/script.js"></script>`;
