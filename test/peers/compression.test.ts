/** curl and Chromium ask for what is compressed, and get what the backend has. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type TestContext, test } from "node:test";
import { chromium } from "playwright-core";
import { startOrigin } from "../e2e/origin.ts";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { installed, runProgram } from "../harness/program.ts";

const timeout = 90_000;
const CURL = installed("curl");
const CHROMIUM = installed("chromium") || installed("chromium-browser") || installed("google-chrome");
const TEXT = Array.from({ length: 20_000 }, (_, line) => `line ${line * line}\n`).join("");
const SHA256 = createHash("sha256").update(TEXT).digest("hex");

function start(t: TestContext, address: string, encodings: readonly string[]): Promise<ConfiguredProxy> {
  const common = { listen: "127.0.0.1:0", workers: 1, health: { kind: "off" } };
  return ConfiguredProxy.start(t, { ...common, backends: [address], compress: { encodings } });
}

/** Pages, and their sizes as a browser counts them. */
function startPages(t: TestContext) {
  return startOrigin(t, (request, response) => {
    const isPage = request.url === "/";
    response.setHeader("Content-Type", isPage ? "text/html" : "text/plain");
    response.setHeader("ETag", '"a"');
    if (request.headers["if-none-match"] === 'W/"a"') response.writeHead(304).end();
    else response.end(isPage ? "<!doctype html>a page" : TEXT);
  });
}

for (const encoding of ["gzip", "br", "zstd"]) {
  test(`curl --compressed, ${encoding}`, { timeout }, async (t) => {
    if (CURL === "") return t.skip("curl is not installed");
    const { stdout: features } = await runProgram(t, [CURL, "--version"]);
    const feature = { gzip: "libz", br: "brotli", zstd: "zstd" }[encoding]!;
    if (!features.includes(feature)) return t.skip(`this curl has no ${encoding}`);
    const origin = await startPages(t);
    const proxy = await start(t, origin.address, [encoding]);
    const url = `http://127.0.0.1:${proxy.process.port}/text`;
    const { stdout, stderr, status } = await runProgram(t, [CURL, "-sv", "--compressed", url]);
    assert.equal(status, 0, stderr);
    assert.ok(stderr.toLowerCase().includes(`< content-encoding: ${encoding}\r\n`), stderr);
    assert.equal(createHash("sha256").update(stdout).digest("hex"), SHA256);
  });
}

test("Chromium reads it, and has it confirmed by its weak tag", { timeout }, async (t) => {
  if (CHROMIUM === "") return t.skip("Chromium is not installed");
  const origin = await startPages(t);
  const proxy = await start(t, origin.address, ["br", "gzip"]);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ],
  });
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`http://localhost:${proxy.process.port}/`);
  const codings: (string | undefined)[] = [];
  page.on("response", (response) => {
    if (response.url().endsWith("/text")) codings.push(response.headers()["content-encoding"]);
  });
  const read = () => page.evaluate(async () => await (await fetch("/text", { cache: "no-cache" })).text());
  assert.equal(await read(), TEXT);
  assert.equal(await read(), TEXT, "the second time from its cache");
  // Which of them depends on how far it trusts the host.
  assert.match(codings[0] ?? "", /^(?:br|gzip)$/);
});
