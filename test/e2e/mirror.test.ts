/** Copies of requests, made by real workers on every engine. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import path from "node:path";
import { test } from "node:test";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { testEachEngine } from "../harness/engines.ts";
import { statsOf, statsWhen } from "../harness/proxy.ts";
import { startOrigin } from "./origin.ts";
import { runToEnd, temporaryFolder } from "./proxy-process.ts";

const timeout = 60_000;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function textOf(request: IncomingMessage): Promise<string> {
  const { method, url, headers } = request;
  const body = sha256(Buffer.concat(await request.toArray()));
  return `${method} ${url} ${headers.host} ${headers["x-mirrored"] ?? "original"} ${body}`;
}

testEachEngine("a copy of each request, while the original goes its way", { timeout }, async (t, engine) => {
  const copies: string[] = [];
  const app = await startOrigin(t, async (request, response) => response.end(await textOf(request)));
  const next = await startOrigin(t, async (request, response) => {
    copies.push(await textOf(request));
    response.writeHead(500).end("thrown away");
  });
  const configuration = (percent: number) => ({
    listen: "127.0.0.1:0",
    workers: 1,
    engine,
    health: { kind: "off" },
    clusters: { app: { backends: [app.address] }, next: { backends: [next.address] } },
    routes: [{ prefix: "/", to: "app", rewrite: "/v2$path", mirror: { to: "next", percent } }],
  });
  const proxy = await ConfiguredProxy.start(t, configuration(100));
  const { port } = proxy.process;
  const expected: string[] = [];
  for (const bytes of [0, 100, 20_000, 900_000, 2_000_000]) {
    const body = randomBytes(bytes);
    const response = await fetch(`http://127.0.0.1:${port}/${bytes}`, { method: "POST", body });
    const text = await response.text();
    assert.equal(text, `POST /v2/${bytes} 127.0.0.1:${port} original ${sha256(body)}`);
    // The last is longer than a copy may be.
    if (bytes < 2_000_000) expected.push(text.replace("original", "1"));
  }
  const done = ({ sent, failed, skipped }: { sent: number; failed: number; skipped: number }) =>
    sent + failed + skipped;
  const { total } = await statsWhen(proxy.process, (report) => done(report.total.mirrors) === 5);
  assert.deepEqual(total.mirrors, { sent: 4, failed: 0, skipped: 1 });
  assert.deepEqual(copies.toSorted(), expected.toSorted());

  proxy.write(configuration(50));
  assert.deepEqual((await proxy.reload()).errors, []);
  next.server.closeAllConnections();
  await new Promise((resolve) => next.server.close(resolve));
  for (let i = 0; i < 4; i++) {
    const response = await fetch(`http://127.0.0.1:${port}/down`);
    assert.equal(response.status, 200);
    await response.text();
  }
  await statsWhen(proxy.process, (report) => done(report.total.mirrors) === 7);
  const { mirrors, errorsTotal } = (await statsOf(proxy.process)).total;
  assert.deepEqual([mirrors, errorsTotal], [{ sent: 4, failed: 2, skipped: 1 }, 0]);
});

test("explain tells of copies", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  const clusters = "clusters: { app: { backends: [127.0.0.1:1] }, next: { backends: [127.0.0.1:2] } }\n";
  const routes = "routes: [{ prefix: /, to: app, mirror: { to: next, percent: 5 } }]\n";
  writeFileSync(path.join(folder, "hp-proxy.config.yaml"), clusters + routes);
  const { stdout, stderr, status } = await runToEnd(t, ["explain", "h/"], {}, folder);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^mirror +a copy to next, 5 of 100 requests, with bodies of up to 1MiB$/m);
});
