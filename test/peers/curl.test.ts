/** curl through the proxy to hp-echo, and to nginx for what files need. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { temporaryFolder } from "../e2e/proxy-process.ts";
import { testEachEngine } from "../harness/engines.ts";
import { installed, runProgram } from "../harness/program.ts";
import { startProxy } from "../harness/proxy.ts";
import { startEcho, startNginx } from "../harness/servers.ts";

const timeout = 60_000;
const CURL = installed("curl");
const FILE_BYTES = 300_000;
const LARGE_BYTES = 3_000_000;
const LARGE = Buffer.alloc(LARGE_BYTES, "hp-proxy test body\n");
const LARGE_SHA256 = createHash("sha256").update(LARGE).digest("hex");

interface CurlCase {
  readonly name: string;
  readonly backend: "echo" | "nginx";
  readonly argv: readonly string[];
  readonly target: string;
  readonly input?: Uint8Array;
  /** What response heads and bodies must look like; `-i` is always given. */
  readonly expect: readonly RegExp[];
  readonly bodyBytes?: number;
}

const CASES: readonly CurlCase[] = [
  {
    name: "GET",
    backend: "echo",
    argv: [],
    target: "/path?query=1",
    expect: [
      /^HTTP\/1\.1 200 OK\r\n/,
      /"method":"GET","target":"\/path\?query=1"/,
      /\["X-Forwarded-For","127\.0\.0\.1"\]/,
      /\r\nVia: 1\.1 hp-proxy\r\n/,
    ],
  },
  {
    name: "HEAD (RFC 9110 §9.3.2)",
    backend: "echo",
    argv: ["--head"],
    target: "/bytes/5000",
    expect: [/^HTTP\/1\.1 200 OK\r\n/, /\r\nContent-Length: 5000\r\n/],
    bodyBytes: 0,
  },
  {
    name: "POST with a length",
    backend: "echo",
    argv: ["--data", "name=value"],
    target: "/form",
    expect: [/"method":"POST"/, /"bodyBytes":10,"body":"name=value"/],
  },
  {
    name: "POST in chunks (RFC 9112 §7.1)",
    backend: "echo",
    argv: ["--header", "Transfer-Encoding: chunked", "--data-binary", "@-"],
    input: LARGE,
    target: "/upload",
    expect: [
      /\r\n\r\nHTTP\/1\.1 200 /,
      new RegExp(`"bodyBytes":${LARGE_BYTES},"bodySha256":"${LARGE_SHA256}"`),
    ],
  },
  {
    name: "a large PUT that waits for 100 (RFC 9110 §10.1.1)",
    backend: "echo",
    argv: ["--request", "PUT", "--header", "Expect: 100-continue", "--data-binary", "@-"],
    input: LARGE,
    target: "/upload",
    expect: [/^HTTP\/1\.1 100 Continue\r\n(Via: .*\r\n)?\r\nHTTP\/1\.1 200 /, new RegExp(LARGE_SHA256)],
  },
  {
    name: "a chunked response",
    backend: "echo",
    argv: [],
    target: "/chunked",
    expect: [/\r\nTransfer-Encoding: chunked\r\n/i, /\r\n\r\nchunk 1 of 5\n.*chunk 5 of 5\n$/s],
  },
  {
    name: "HTTP/1.0 gets a chunked response by the end of the connection (RFC 9112 §6.1)",
    backend: "echo",
    argv: ["--http1.0"],
    target: "/chunked",
    expect: [/^HTTP\/1\.1 200 OK\r\n/, /^(?!.*transfer-encoding).*\r\n\r\nchunk 1 of 5\n.*chunk 5 of 5\n$/is],
  },
  {
    name: "HTTP/1.0 GET",
    backend: "echo",
    argv: ["--http1.0"],
    target: "/old",
    expect: [/^HTTP\/1\.1 200 OK\r\n/, /"target":"\/old"/],
  },
  {
    name: "a status of the backend's",
    backend: "echo",
    argv: [],
    target: "/status/418",
    expect: [/^HTTP\/1\.1 418 /, /status 418\n$/],
  },
  {
    name: "204 without a body (RFC 9110 §15.3.5)",
    backend: "echo",
    argv: [],
    target: "/status/204",
    expect: [/^HTTP\/1\.1 204 No Content\r\n/],
    bodyBytes: 0,
  },
  {
    name: "a file of nginx",
    backend: "nginx",
    argv: [],
    target: "/file.txt",
    expect: [/^HTTP\/1\.1 200 OK\r\n/, /\r\nETag: "/],
    bodyBytes: FILE_BYTES,
  },
  {
    name: "HEAD of a file",
    backend: "nginx",
    argv: ["--head"],
    target: "/file.txt",
    expect: [new RegExp(`\\r\\nContent-Length: ${FILE_BYTES}\\r\\n`)],
    bodyBytes: 0,
  },
  {
    name: "a range (RFC 9110 §14.2)",
    backend: "nginx",
    argv: ["--range", "100-199"],
    target: "/file.txt",
    expect: [/^HTTP\/1\.1 206 /, new RegExp(`\\r\\nContent-Range: bytes 100-199/${FILE_BYTES}\\r\\n`)],
    bodyBytes: 100,
  },
  {
    name: "several ranges (RFC 9110 §14.6)",
    backend: "nginx",
    argv: ["--range", "0-9,100-109"],
    target: "/file.txt",
    expect: [/^HTTP\/1\.1 206 /, /\r\nContent-Type: multipart\/byteranges; boundary=/],
  },
  {
    name: "a range that is not there (RFC 9110 §15.5.17)",
    backend: "nginx",
    argv: ["--range", "9000000-"],
    target: "/file.txt",
    expect: [/^HTTP\/1\.1 416 /],
  },
  {
    name: "a file that is not there",
    backend: "nginx",
    argv: [],
    target: "/missing",
    expect: [/^HTTP\/1\.1 404 Not Found\r\n/],
  },
];

testEachEngine("curl", { timeout }, async (t, engine) => {
  if (CURL === "") return t.skip("curl is not installed");
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "file.txt"), "0123456789".repeat(FILE_BYTES / 10));
  const hasNginx = installed("nginx") !== "";
  const [echo, nginx] = await Promise.all([startEcho(t), hasNginx ? startNginx(t, folder) : undefined]);
  const [overEcho, overNginx] = await Promise.all([
    startProxy(t, engine, [echo.address]),
    nginx === undefined ? undefined : startProxy(t, engine, [nginx.address]),
  ]);
  for (const each of CASES) {
    await t.test(each.name, async (t) => {
      const proxy = each.backend === "echo" ? overEcho : overNginx;
      if (proxy === undefined) return t.skip("nginx is not installed");
      await runCase(t, each, proxy.url);
    });
  }
  await t.test("304 for what a client has (RFC 9110 §13.1.2), on one connection", async (t) => {
    if (overNginx === undefined) return t.skip("nginx is not installed");
    const url = `${overNginx.url}/file.txt`;
    const etag = (await fetch(url, { method: "HEAD" })).headers.get("etag");
    const conditional = ["--header", `If-None-Match: ${etag}`, url];
    const { stdout, stderr, status } = await runProgram(t, [
      CURL,
      "-isSv",
      ...["--max-time", "20"],
      ...conditional,
      url,
    ]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^HTTP\/1\.1 304 Not Modified\r\n.*\r\n\r\nHTTP\/1\.1 304 /s);
    assert.match(stderr, /Re-using existing connection/, "the connection outlives a 304");
  });
});

async function runCase(t: TestContext, each: CurlCase, url: string): Promise<void> {
  const argv = [CURL, "-isS", "--max-time", "20", ...each.argv, url + each.target];
  const { stdout, stderr, status } = await runProgram(t, argv, each.input);
  assert.equal(status, 0, stderr);
  for (const pattern of each.expect) assert.match(stdout.slice(0, 4096), pattern);
  if (each.bodyBytes === undefined) return;
  assert.equal(stdout.length - (stdout.indexOf("\r\n\r\n") + 4), each.bodyBytes, "length of the body");
}
