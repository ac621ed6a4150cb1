/** Compression in real workers, on every engine: bodies arrive whole, in time, and cut where they were cut. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import path from "node:path";
import { test } from "node:test";
import zlib from "node:zlib";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { testEachEngine } from "../harness/engines.ts";
import { statsOf, statsWhen } from "../harness/proxy.ts";
import { Moment, startOrigin } from "./origin.ts";
import { runToEnd, temporaryFolder } from "./proxy-process.ts";

const timeout = 60_000;
const CODINGS = ["gzip", "br", "zstd"] as const;
/** Half of it can be compressed. */
const LARGE = Buffer.concat(
  Array.from({ length: 40 }, () => Buffer.concat([randomBytes(50_000), Buffer.alloc(50_000, "text ")])),
);
/** More of them than sockets hold. */
const MANY = 10;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function ask(
  proxy: ConfiguredProxy,
  target: string,
  headers: Record<string, string>,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = `http://127.0.0.1:${proxy.process.port}${target}`;
    get(url, { headers, agent: false }, resolve).on("error", reject);
  });
}

function plainOf(response: IncomingMessage): zlib.Gunzip | zlib.BrotliDecompress | zlib.ZstdDecompress {
  const coding = response.headers["content-encoding"];
  if (coding === "gzip") return response.pipe(zlib.createGunzip());
  if (coding === "br") return response.pipe(zlib.createBrotliDecompress());
  return response.pipe(zlib.createZstdDecompress());
}

testEachEngine("compression", { timeout }, async (t, engine) => {
  let send: (text: string) => void = () => {};
  const began = new Moment();
  const left = new Moment();
  const origin = await startOrigin(t, (request, response) => {
    const { url } = request;
    response.setHeader("Content-Type", "text/html");
    if (url === "/large") {
      response.setHeader("ETag", '"a"');
      response.setHeader("Content-Length", LARGE.length);
      response.end(LARGE);
    } else if (url === "/many") {
      for (let i = 0; i < MANY; i++) response.write(LARGE);
      response.end();
    } else if (url === "/pieces") {
      send = (text) => (text === "" ? response.end() : response.write(text));
      response.flushHeaders();
      began.reach();
    } else if (url === "/cut") response.write(randomBytes(200_000), () => request.socket.destroy());
    else if (url === "/leave") {
      response.write(randomBytes(200_000));
      response.on("close", () => left.reach());
    } else response.end("x".repeat(100));
  });
  const routes = [
    { prefix: "/" },
    { prefix: "/off", compress: "off" },
    { prefix: "/small", compress: { minSize: 10, encodings: ["gzip"] } },
  ];
  const common = { listen: "127.0.0.1:0", workers: 1, engine, health: { kind: "off" }, routes };
  const configuration = { ...common, backends: [origin.address] };
  const proxy = await ConfiguredProxy.start(t, { ...configuration, compress: "on" });

  await t.test("each coding brings a large body whole", () => checkCodings(proxy));
  await t.test("a reader that stops for a while gets all of it, and the backend waits", () =>
    checkSlow(proxy),
  );

  await t.test("a piece arrives before the next is sent", async () => {
    const asked = ask(proxy, "/pieces", { "Accept-Encoding": "gzip, br, zstd" });
    await began.reached;
    const plain = plainOf(await asked);
    for (const text of ["one", "two", "three"]) {
      const read = once(plain, "data");
      send(text);
      assert.equal(String((await read)[0]), text);
    }
    send("");
    await once(plain.resume(), "end");
  });

  await t.test("a client that leaves, a backend that breaks off", async () => {
    const gone = await ask(proxy, "/leave", { "Accept-Encoding": "br" });
    await once(gone, "data");
    gone.destroy();
    await left.reached;
    const cut = await ask(proxy, "/cut", { "Accept-Encoding": "br" });
    await assert.rejects(cut.toArray(), /aborted|ECONNRESET/);
    const { total } = await statsWhen(proxy.process, (report) => report.total.requestsInFlight === 0);
    assert.deepEqual([total.errors.client_gone, total.errors.response_cut], [1, 1]);
    assert.deepEqual(total.hooks, { ...total.hooks, threw: 0, late: 0 });
  });

  await t.test("a route has its own settings, and a reload others", async () => {
    const codingOf = async (target: string) => {
      const response = await ask(proxy, target, { "Accept-Encoding": "gzip, br, zstd" });
      response.resume();
      return response.headers["content-encoding"] ?? "none";
    };
    const told = async () => [await codingOf("/"), await codingOf("/off"), await codingOf("/small")];
    assert.deepEqual(await told(), ["none", "none", "gzip"]);
    proxy.write({ ...configuration, compress: { minSize: 0, encodings: "br" } });
    assert.deepEqual((await proxy.reload()).errors, []);
    assert.deepEqual(await told(), ["br", "none", "gzip"]);
  });
});

async function checkCodings(proxy: ConfiguredProxy): Promise<void> {
  for (const coding of CODINGS) {
    const response = await ask(proxy, "/large", { "Accept-Encoding": coding });
    const { headers } = response;
    assert.equal(headers["content-encoding"], coding);
    assert.deepEqual([headers["content-length"], headers.etag], [undefined, 'W/"a"']);
    assert.equal(headers.vary, "Accept-Encoding");
    assert.equal(sha256(Buffer.concat(await plainOf(response).toArray())), sha256(LARGE));
  }
  const { headers, ...plain } = await read(await ask(proxy, "/large", {}));
  assert.deepEqual([headers["content-length"], headers.vary], [`${LARGE.length}`, "Accept-Encoding"]);
  assert.equal(plain.sha256, sha256(LARGE));
  const { total } = await statsOf(proxy.process);
  const { responses, bytesIn, bytesOut } = total.compression;
  assert.deepEqual([responses, bytesIn], [3, 3 * LARGE.length]);
  assert.ok(bytesOut > bytesIn / 2 && bytesOut < bytesIn * 0.6, `${bytesOut} of ${bytesIn}`);
}

async function checkSlow(proxy: ConfiguredProxy): Promise<void> {
  const before = (await statsOf(proxy.process)).total.bytes.originIn;
  const response = await ask(proxy, "/many", { "Accept-Encoding": "zstd" });
  // It goes on where nothing moves any more.
  let last = -1;
  await statsWhen(proxy.process, ({ total }) => {
    const isStill = total.bytes.originIn === last;
    last = total.bytes.originIn;
    return isStill;
  });
  const takenBytes = last - before;
  assert.ok(takenBytes < MANY * LARGE.length, `${takenBytes} bytes lie in the proxy and in sockets`);
  const hash = createHash("sha256");
  const expected = createHash("sha256");
  for await (const piece of plainOf(response)) hash.update(piece as Buffer);
  for (let i = 0; i < MANY; i++) expected.update(LARGE);
  assert.equal(hash.digest("hex"), expected.digest("hex"));
}

async function read(response: IncomingMessage) {
  return { headers: response.headers, sha256: sha256(Buffer.concat(await response.toArray())) };
}

test("explain tells what a request would get", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "hp-proxy.config.yaml");
  writeFileSync(file, "backends: [127.0.0.1:3001]\ncompress: on\nroutes:\n  - { prefix: / }\n");
  const explained = async (...fields: string[]) => {
    const argv = ["explain", "h/", ...fields.flatMap((field) => ["-H", field])];
    const { stdout, stderr, status } = await runToEnd(t, argv, {}, folder);
    assert.equal(status, 0, stderr);
    return /^compress +(.*)$/m.exec(stdout)?.[1];
  };
  assert.equal(await explained("Accept-Encoding: gzip, br;q=0.5"), "gzip at level 5, 1KiB and more");
  assert.equal(
    await explained("Accept-Encoding: br", "Cookie: a=1"),
    "br at level 4, 1KiB and more, where it says Cache-Control: public (secrets: skip)",
  );
  assert.equal(await explained(), "nothing for this request, which accepts none of zstd, br, gzip");
});
