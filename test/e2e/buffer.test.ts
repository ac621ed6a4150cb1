/** Bodies that wait in real workers, on every engine. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { request as ask, get, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import path from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../src/control/stats-report.ts";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { testEachEngine } from "../harness/engines.ts";
import { statsOf, statsWhen } from "../harness/proxy.ts";
import { startOrigin } from "./origin.ts";
import { runToEnd, temporaryFolder } from "./proxy-process.ts";

const timeout = 60_000;
/** More than sockets of loopback hold. */
const LARGE = randomBytes(16_000_000);

/** The one backend connection there is waits for the next request. */
function isRelieved({ total }: StatsReport): boolean {
  return total.origins.open === total.origins.idle && total.origins.idle > 0;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

testEachEngine("bodies that wait", { timeout }, async (t, engine) => {
  let askedCount = 0;
  const connections = new Set<Socket>();
  const origin = await startOrigin(t, async (request, response) => {
    askedCount++;
    connections.add(request.socket);
    const body = Buffer.concat(await request.toArray());
    const length = request.headers["content-length"] ?? "chunked";
    if (!request.url!.startsWith("/large")) response.end(`${length} ${sha256(body)}`);
    else if (request.url !== "/large-chunked") response.end(LARGE);
    else {
      // What is written before the end of a message is sent in chunks.
      response.write(LARGE);
      response.end();
    }
  });
  const proxy = await ConfiguredProxy.start(t, {
    listen: "127.0.0.1:0",
    workers: 1,
    engine,
    health: { kind: "off" },
    backends: [origin.address],
    routes: [
      { prefix: "/", buffer: { request: "1MiB" } },
      { path: "/large", buffer: { response: "32MiB" } },
      { path: "/large-chunked", buffer: { response: "32MiB" } },
      { path: "/large-bound", buffer: { response: LARGE.length } },
    ],
  });
  const { port } = proxy.process;

  await t.test("a request reaches its backend when its body is complete", async () => {
    const first = randomBytes(300_000);
    for (const length of [{ "content-length": 600_000 }, {}]) {
      const before = askedCount;
      const fresh = (await statsOf(proxy.process)).total.bytes.clientIn;
      const sent = ask({ port, method: "PUT", headers: length });
      sent.write(first);
      await statsWhen(proxy.process, ({ total }) => total.bytes.clientIn - fresh > first.length);
      assert.equal(askedCount, before);
      sent.end(first);
      const response = await new Promise<IncomingMessage>((resolve) => sent.on("response", resolve));
      const text = Buffer.concat(await response.toArray()).toString();
      const kind = "content-length" in length ? "600000" : "chunked";
      assert.equal(text, `${kind} ${sha256(Buffer.concat([first, first]))}`);
    }
  });

  await t.test("what is too large flows on, and is whole", async () => {
    const body = LARGE.subarray(0, 3_000_000);
    const known = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
    assert.equal(await known.text(), `3000000 ${sha256(body)}`);
    const pieces = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < body.length; at += 100_000) controller.enqueue(body.subarray(at, at + 100_000));
        controller.close();
      },
    });
    const init = { method: "POST", body: pieces, duplex: "half" } as RequestInit;
    const unknown = await fetch(`http://127.0.0.1:${port}/`, init);
    assert.equal(await unknown.text(), `chunked ${sha256(body)}`);
  });

  await t.test("a client that leaves early costs no backend", async () => {
    const before = askedCount;
    const sent = ask({ port, method: "PUT", headers: { "content-length": 1_000 } });
    sent.on("error", () => {});
    sent.write("x");
    await statsWhen(proxy.process, ({ total }) => total.requestsInFlight === 1);
    sent.destroy();
    await statsWhen(proxy.process, ({ total }) => total.requestsInFlight === 0);
    assert.equal(askedCount, before);
  });

  for (const target of ["/large", "/large-chunked", "/large-bound"]) {
    await t.test(`a client that reads nothing holds no backend: ${target}`, async () => {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        get({ port, path: target, agent: false }, resolve).on("error", reject);
      });
      const connectedBefore = connections.size;
      const { total } = await statsWhen(proxy.process, isRelieved);
      assert.equal(total.requestsInFlight, 1, "the client has not taken it");
      const other = await fetch(`http://127.0.0.1:${port}/`);
      assert.match(await other.text(), /^chunked /);
      assert.equal(connections.size, connectedBefore, "the same connection serves the next");
      assert.equal(sha256(Buffer.concat(await response.toArray())), sha256(LARGE));
      await statsWhen(proxy.process, (report) => report.total.requestsInFlight === 0);
    });
  }

  await t.test("nothing of it is an error", async () => {
    const { buffersShort, errorsTotal } = (await statsOf(proxy.process)).total;
    assert.deepEqual([buffersShort, errorsTotal], [0, 1]);
  });
});

test("explain tells what waits", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "hp-proxy.config.yaml");
  writeFileSync(
    file,
    "backends: [127.0.0.1:1]\nroutes: [{ prefix: /, buffer: { request: 1MiB, response: 5KiB } }]\n",
  );
  const { stdout, stderr, status } = await runToEnd(t, ["explain", "h/"], {}, folder);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^buffer +up to 5KiB of the response\nbuffer +up to 1MiB of the request$/m);
});
