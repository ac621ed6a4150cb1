/**
 * Backends of several makes behind the proxy, each with its own way to end a body and to keep a connection.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import http from "node:http";
import type net from "node:net";
import path from "node:path";
import type { TestContext } from "node:test";
import { startOrigin } from "../e2e/origin.ts";
import { type ProxyProcess, temporaryFolder } from "../e2e/proxy-process.ts";
import { testEachEngine } from "../harness/engines.ts";
import { installed } from "../harness/program.ts";
import { startProxy, statsOf } from "../harness/proxy.ts";
import { startEcho, startNginx, startPython } from "../harness/servers.ts";
import { dial } from "../session/raw-peer.ts";

const timeout = 60_000;
const TEXT = "0123456789".repeat(20_000);
const GETS = 20;

testEachEngine("nginx: files, validators and connections that are kept", { timeout }, async (t, engine) => {
  if (installed("nginx") === "") return t.skip("nginx is not installed");
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "file.txt"), TEXT);
  const nginx = await startNginx(t, folder);
  const proxy = await startProxy(t, engine, [nginx.address]);
  const url = `${proxy.url}/file.txt`;
  const first = await fetch(url);
  assert.equal(await first.text(), TEXT);
  const etag = first.headers.get("etag")!;
  for (let i = 1; i < GETS; i++) {
    const has = i % 2 === 0;
    const response = await fetch(url, { headers: has ? { "if-none-match": etag } : { range: "bytes=5-9" } });
    assert.equal(response.status, has ? 304 : 206);
    assert.equal(await response.text(), has ? "" : "56789");
  }
  const head = await fetch(url, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), `${TEXT.length}`);
  const { total } = await statsOf(proxy);
  assert.equal(total.origins.opened, 1, "one connection to nginx carried all of them");
  assert.equal(total.origins.reused, GETS);
});

testEachEngine("python3 -m http.server: HTTP/1.0, ended by close", { timeout }, async (t, engine) => {
  if (installed("python3") === "") return t.skip("python3 is not installed");
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "file.txt"), TEXT);
  const python = await startPython(t, folder);
  const proxy = await startProxy(t, engine, [python.address]);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  for (let i = 0; i < GETS; i++) assert.equal((await get(proxy, "/file.txt", agent)).body, TEXT);
  assert.match((await get(proxy, "/", agent)).body, /file\.txt/, "a listing made on the fly");
  assert.equal((await get(proxy, "/missing", agent)).status, 404);
  const { total } = await statsOf(proxy);
  assert.equal(total.clients.accepted, 1, "the client's connection is kept all the same");
  assert.equal(total.origins.opened, GETS + 2, "a backend connection for each request");
});

testEachEngine("node:http: chunks, 103, 100, trailer, upgrade", { timeout }, async (t, engine) => {
  const origin = await startOrigin(t, nodeBackend);
  origin.server.on("upgrade", (request, socket: net.Socket) => {
    const answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    socket.write(`${answer}${request.headers["x-hello"]}`);
    socket.pipe(socket);
  });
  const proxy = await startProxy(t, engine, [origin.address]);
  await t.test("a chunked answer, piece by piece", async () => {
    const response = await fetch(`${proxy.url}/chunks`);
    assert.equal(response.headers.get("content-length"), null);
    assert.equal(await response.text(), TEXT);
  });
  await t.test("103 Early Hints before the answer (RFC 8297)", async () => {
    const request = http.get(`${proxy.url}/hints`);
    const hints: http.InformationEvent[] = [];
    request.on("information", (information) => hints.push(information));
    const { body } = await answerOf(request);
    assert.deepEqual(
      hints.map(({ statusCode, headers }) => [statusCode, headers.link]),
      [[103, "</style.css>; rel=preload; as=style"]],
    );
    assert.equal(body, "hinted");
  });
  await t.test("Expect: 100-continue (RFC 9110 §10.1.1)", async () => {
    const headers = { expect: "100-continue", "content-length": TEXT.length };
    const request = http.request(`${proxy.url}/length`, { method: "POST", headers });
    request.on("continue", () => request.end(TEXT));
    request.flushHeaders();
    assert.equal((await answerOf(request)).body, `${TEXT.length}`);
  });
  await t.test("a trailer section is left out, and the body whole (RFC 9110 §6.5.1)", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 2; i++) {
      const { trailers, body } = await get(proxy, "/trailer", agent);
      assert.equal(body, "body");
      assert.deepEqual(trailers, {});
    }
    agent.destroy();
  });
  await t.test("an upgrade to a protocol of its own (RFC 9110 §7.8)", async (t) => {
    const peer = dial(`127.0.0.1:${proxy.port}`);
    t.after(() => peer.close());
    peer.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\nX-Hello: hello\r\n\r\n");
    assert.match(await peer.head(), /^HTTP\/1\.1 101 .*\r\nUpgrade: echo\r\n/is);
    await peer.until("hello");
    peer.write(TEXT);
    assert.equal((await peer.bytes(TEXT.length)).toString(), TEXT);
    peer.end();
    assert.equal(await peer.rest(), "");
  });
});

testEachEngine("a unix socket", { timeout }, async (t, engine) => {
  const socket = path.join(temporaryFolder(t), "backend.sock");
  await listenAt(t, socket);
  const proxy = await startProxy(t, engine, [`unix:${socket}`]);
  for (let i = 0; i < GETS; i++) assert.equal((await get(proxy, "/chunks")).body, TEXT);
});

testEachEngine("an IPv6 address", { timeout }, async (t, engine) => {
  const server = await listenAt(t, { host: "::1", port: 0 }).catch((error: Error) => error.message);
  if (typeof server === "string") return t.skip(`no IPv6 here: ${server}`);
  const { port } = server.address() as net.AddressInfo;
  const proxy = await startProxy(t, engine, [`[::1]:${port}`], ["--listen", "[::1]:0"]);
  for (let i = 0; i < GETS; i++) assert.equal((await get(proxy, "/chunks")).body, TEXT);
  const [, url] = /, (\[::1\]:\d+)/.exec(proxy.logs.find(({ msg }) => msg.startsWith("listening"))!.msg)!;
  const { body } = await answerOf(http.get(`http://${url}/forwarded`));
  assert.equal(body, "::1", "an IPv6 client is told to the backend");
});

testEachEngine("hp-echo on every engine of its own", { timeout }, async (t, engine) => {
  const echo = await startEcho(t, ["--engine", engine, "--workers", "2"]);
  const proxy = await startProxy(t, engine, [echo.address]);
  for (let i = 0; i < GETS; i++) {
    const { body } = await get(proxy, `/number/${i}`);
    assert.equal((JSON.parse(body) as { target: string }).target, `/number/${i}`);
  }
  assert.equal((await get(proxy, "/bytes/1000000")).body.length, 1_000_000);
  assert.equal((await get(proxy, "/close")).body, "closing\n");
  assert.equal((await get(proxy, "/slow/20")).body, "after 20 ms\n");
});

function nodeBackend(request: http.IncomingMessage, response: http.ServerResponse): void {
  if (request.url === "/hints") {
    response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    response.end("hinted");
  } else if (request.url === "/trailer") {
    response.writeHead(200, { trailer: "X-Checksum" });
    response.write("body");
    response.addTrailers({ "x-checksum": "42" });
    response.end();
  } else if (request.url === "/length") {
    let bytes = 0;
    request.on("data", (piece: Buffer) => {
      bytes += piece.length;
    });
    request.on("end", () => response.end(`${bytes}`));
  } else if (request.url === "/forwarded") {
    response.end(request.headers["x-forwarded-for"]);
  } else {
    for (let at = 0; at < TEXT.length; at += 40_000) response.write(TEXT.slice(at, at + 40_000));
    response.end();
  }
}

async function listenAt(t: TestContext, where: string | net.ListenOptions): Promise<http.Server> {
  const server = http.createServer(nodeBackend);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return await new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(where as net.ListenOptions, () => resolve(server));
  });
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly trailers: NodeJS.Dict<string>;
}

async function get(proxy: ProxyProcess, target: string, agent?: http.Agent): Promise<Answer> {
  return await answerOf(http.get(proxy.url + target, agent === undefined ? {} : { agent }));
}

async function answerOf(request: http.ClientRequest): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("latin1");
      response.on("data", (piece: string) => {
        body += piece;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode!, body, trailers: response.trailers }));
    });
  });
}
