/** Large bodies through the real process: whole, by hash, and at a slow peer's pace without piling up. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { Moment, startOrigin } from "../e2e/origin.ts";
import type { ProxyProcess } from "../e2e/proxy-process.ts";
import { testEachEngine } from "../harness/engines.ts";
import { treeResources } from "../harness/process-resources.ts";
import { startProxy } from "../harness/proxy.ts";
import { startEcho } from "../harness/servers.ts";

const timeout = 60_000;
const MIB = 1 << 20;
const BODY_BYTES = 64 * MIB;
const PIECE = Buffer.allocUnsafe(MIB + 7);
for (let i = 0; i < PIECE.length; i++) PIECE[i] = (i * 31) ^ (i >> 9);

/** A body of `BODY_BYTES`, no two MiB alike in their place. */
function* pieces(): Generator<Buffer> {
  for (let at = 0; at < BODY_BYTES; at += PIECE.length)
    yield PIECE.subarray(0, Math.min(PIECE.length, BODY_BYTES - at));
}

function digest(): string {
  const hash = createHash("sha256");
  for (const piece of pieces()) hash.update(piece);
  return hash.digest("hex");
}

async function hashOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of stream) hash.update(piece);
  return hash.digest("hex");
}

function responseOf(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => request.on("response", resolve).on("error", reject));
}

async function download(url: string): Promise<string> {
  return await hashOf(await responseOf(http.get(url)));
}

async function upload(url: string, headers: http.OutgoingHttpHeaders): Promise<string> {
  const request = http.request(url, { method: "POST", headers });
  Readable.from(pieces()).pipe(request);
  return (await (await responseOf(request)).toArray()).join("");
}

testEachEngine("64 MiB up and down at once, with length and in chunks", { timeout }, async (t, engine) => {
  const origin = await startOrigin(t, async (request, response) => {
    if (request.method === "POST") {
      response.end(await hashOf(request));
      return;
    }
    if (request.url === "/length") response.setHeader("content-length", BODY_BYTES);
    Readable.from(pieces()).pipe(response);
  });
  const proxy = await startProxy(t, engine, [origin.address]);
  const hashes = await Promise.all([
    download(`${proxy.url}/length`),
    download(`${proxy.url}/chunks`),
    upload(proxy.url, { "content-length": BODY_BYTES }),
    upload(proxy.url, { "transfer-encoding": "chunked" }),
  ]);
  assert.deepEqual(hashes, new Array(4).fill(digest()));
});

const ENDLESS_BYTES = 1024 * MIB;
const RATE_BYTES = MIB;
const SLOW_MS = 2_000;
const STEP_MS = 50;
const GROWTH_BYTES_MAX = 4 * MIB;

/**
 * Takes `RATE_BYTES` a second from a stream that nobody else reads, for `SLOW_MS`. Returns how many bytes
 * that was.
 */
async function readSlowly(stream: Readable): Promise<number> {
  const startMs = performance.now();
  let taken = 0;
  for (let atMs = 0; atMs < SLOW_MS; atMs = performance.now() - startMs) {
    const due = Math.floor((atMs / 1000) * RATE_BYTES) - taken;
    const piece = due > 0 ? (stream.read(Math.min(due, stream.readableLength)) as Buffer | null) : null;
    taken += piece?.length ?? 0;
    await delay(STEP_MS);
  }
  return taken;
}

/** What the proxy holds after some ordinary work, bodies included. */
async function warmUp(proxy: ProxyProcess): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await (await fetch(`${proxy.url}/bytes/${8 * MIB}`)).bytes();
    await (await fetch(`${proxy.url}/upload`, { method: "POST", body: PIECE })).text();
  }
  return treeResources(proxy.child.pid!).ownBytes;
}

function assertLittleGrowth(proxy: ProxyProcess, before: number): string {
  const growth = treeResources(proxy.child.pid!).ownBytes - before;
  assert.ok(growth < GROWTH_BYTES_MAX, `grows by ${(growth / MIB).toFixed(1)} MiB`);
  return `${(before / MIB).toFixed(1)} MiB before, grows by ${(growth / MIB).toFixed(2)} MiB`;
}

testEachEngine("a reader of 1 MiB/s of a 1 GiB response", { timeout }, async (t, engine) => {
  const echo = await startEcho(t);
  const proxy = await startProxy(t, engine, [echo.address]);
  const before = await warmUp(proxy);
  const client = connect({ host: "127.0.0.1", port: proxy.port });
  t.after(() => client.destroy());
  client.write(`GET /bytes/${ENDLESS_BYTES} HTTP/1.1\r\nHost: test\r\n\r\n`);
  // Who listens to this reads ahead by no more than the stream's own small buffer.
  client.on("readable", () => {});
  await once(client, "readable");
  const taken = await readSlowly(client);
  assert.ok(taken > (SLOW_MS / 1000 - 1) * RATE_BYTES, `${taken} bytes came`);
  t.diagnostic(assertLittleGrowth(proxy, before));
});

testEachEngine("a backend that reads 1 MiB/s of a 1 GiB upload", { timeout }, async (t, engine) => {
  const slow = new Moment<http.IncomingMessage>();
  const origin = await startOrigin(t, async (request, response) => {
    if (request.url === "/slow") slow.reach(request);
    else if (request.method === "POST") response.end(await hashOf(request));
    else response.end(Buffer.concat(new Array(8).fill(PIECE)));
  });
  const proxy = await startProxy(t, engine, [origin.address]);
  const before = await warmUp(proxy);
  const client = connect({ host: "127.0.0.1", port: proxy.port });
  t.after(() => client.destroy());
  client.on("error", () => {});
  client.write(`POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: ${ENDLESS_BYTES}\r\n\r\n`);
  Readable.from(pieces()).pipe(client);
  const request = await slow.reached;
  request.on("readable", () => {});
  const taken = await readSlowly(request);
  assert.ok(taken > (SLOW_MS / 1000 - 1) * RATE_BYTES, `${taken} bytes came`);
  t.diagnostic(assertLittleGrowth(proxy, before));
});
