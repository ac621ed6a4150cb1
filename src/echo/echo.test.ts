/** The echo server on the portable engine, asked by raw sockets. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, test } from "node:test";
import { createNetEngine } from "../engine/net/net-engine.ts";
import { EchoHandler } from "./echo-handler.ts";
import { patternBytes } from "./pattern-body.ts";

/** A server of its own, with what is left in its pool after it has stopped. */
async function openEcho(bodyBytes: number, delayMs = 0) {
  const engine = await createNetEngine({
    listeners: [{ host: "127.0.0.1", port: 0 }],
    connectionsMax: 64,
    smallSlots: 64,
    largeSlots: 64,
  });
  const handler = new EchoHandler(engine, { bodyBytes, delayMs }, "test");
  engine.start(handler);
  return {
    port: Number(engine.listenerAddresses[0]!.split(":").at(-1)),
    close: async () => {
      handler.stop();
      await engine.stop();
      assert.equal(engine.buffers.freeLargeCount, 64, "every large slot came home");
      assert.equal(engine.buffers.freeSmallCount, 64, "every small slot came home");
    },
  };
}

const echo = await openEcho(-1);
const fixed = await openEcho(13);
after(async () => {
  await echo.close();
  await fixed.close();
});

/** Sends `pieces` one by one and reads until the server closes. */
async function converse(port: number, pieces: readonly (string | Uint8Array)[]): Promise<Buffer> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  await once(socket, "connect");
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
  const received: Buffer[] = [];
  for await (const chunk of socket) received.push(chunk as Buffer);
  socket.destroy();
  return Buffer.concat(received);
}

/** Reads until what came matches. */
async function readUntil(socket: Socket, pattern: RegExp): Promise<string> {
  let text = "";
  while (!pattern.test(text)) {
    const [chunk] = (await Promise.race([
      once(socket, "data"),
      once(socket, "close").then(() => assert.fail(`closed after ${JSON.stringify(text)}`)),
    ])) as [Buffer];
    text += chunk.toString("latin1");
  }
  return text;
}

const GET = (path: string, extra = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${extra}\r\n`;
const LAST = GET("/close");

interface Case {
  readonly name: string;
  readonly rfc?: string;
  readonly wire: string;
  /** Of everything that comes before the answer to `LAST`; or of everything, where the connection ends. */
  readonly expect: RegExp;
  readonly ends?: boolean;
}

const JSON_HEAD = "HTTP/1\\.1 200 OK\\r\\nDate: [^\\r]+ GMT\\r\\nContent-Type: application/json\\r\\n";

const CASES: readonly Case[] = [
  {
    name: "a request is told",
    wire: "GET /a?b HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\n\r\n",
    expect: new RegExp(
      `^${JSON_HEAD}Content-Length: \\d+\\r\\n\\r\\n` +
        `\\{"server":"test","method":"GET","target":"/a\\?b","version":"HTTP/1.1",` +
        `"headers":\\[\\["Host","h"\\],\\["X-Y","z"\\]\\],"bodyBytes":0,"body":""\\}\\n$`,
    ),
  },
  {
    name: "a body by length",
    rfc: "9112 §6.2",
    wire: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    expect: /"bodyBytes":5,"body":"hello"\}\n$/,
  },
  {
    name: "a chunked body with extension and trailer",
    rfc: "9112 §7.1",
    wire: "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\n",
    expect: /"bodyBytes":5,"body":"hello"\}\n$/,
  },
  {
    name: "a body that is no text",
    wire: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n\xff",
    expect: new RegExp(
      `"bodyBytes":1,"bodySha256":"${createHash("sha256").update("\xff", "latin1").digest("hex")}"`,
    ),
  },
  {
    name: "HEAD has no body",
    rfc: "9110 §9.3.2",
    wire: "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
    expect: /\r\nContent-Length: [1-9]\d+\r\n\r\n$/,
  },
  {
    name: "HEAD of a stream has no body",
    rfc: "9110 §9.3.2",
    wire: "HEAD /chunked HTTP/1.1\r\nHost: h\r\n\r\n",
    expect: /\r\nTransfer-Encoding: chunked\r\n\r\n$/,
  },
  {
    name: "OPTIONS *",
    rfc: "9112 §3.2.4",
    wire: "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    expect: /"target":"\*"/,
  },
  {
    name: "an absolute target",
    rfc: "9112 §3.2.2",
    wire: "GET http://x/health HTTP/1.1\r\nHost: x\r\n\r\n",
    expect: /\r\n\r\nok\n$/,
  },
  { name: "health", wire: GET("/health"), expect: /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok\n$/ },
  {
    name: "a chunked answer",
    rfc: "9112 §7.1",
    wire: GET("/chunked"),
    expect:
      /\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nchunk 1 of 5\n\r\n[\s\S]*\r\nd\r\nchunk 5 of 5\n\r\n0\r\n\r\n$/,
  },
  {
    name: "a status",
    wire: GET("/status/503"),
    expect: /^HTTP\/1\.1 503 Service Unavailable\r\n[\s\S]*status 503\n$/,
  },
  {
    name: "204 has no body",
    rfc: "9110 §8.6",
    wire: GET("/status/204"),
    expect: /^HTTP\/1\.1 204 No Content\r\nDate: [^\r]+\r\n\r\n$/,
  },
  {
    name: "304 has no body",
    rfc: "9112 §6.3",
    wire: GET("/status/304"),
    expect: /^HTTP\/1\.1 304 Not Modified\r\nDate: [^\r]+\r\n\r\n$/,
  },
  { name: "a status that is none", wire: GET("/status/99"), expect: /^HTTP\/1\.1 400 Bad Request\r\n/ },
  {
    name: "bytes",
    wire: GET("/bytes/80"),
    expect: /\r\nContent-Length: 80\r\n\r\n0123456789:;<=>\?@A[\s\S]{55}0123456$/,
  },
  { name: "no bytes", wire: GET("/bytes/0"), expect: /\r\nContent-Length: 0\r\n\r\n$/ },
  { name: "a delay", wire: GET("/slow/5"), expect: /after 5 ms\n$/ },
  {
    name: "events",
    wire: GET("/events?interval=1&count=2"),
    expect: /\r\n\r\n[0-9a-f]+\r\nid: 1\n[\s\S]*\n\n\r\n[0-9a-f]+\r\nid: 2\n[\s\S]*\n\n\r\n0\r\n\r\n$/,
  },
  {
    name: "an upload by hash",
    wire: "PUT /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
    expect: new RegExp(`"bodyBytes":2,"bodySha256":"${createHash("sha256").update("hi").digest("hex")}"`),
  },
  {
    name: "/ws without an upgrade",
    rfc: "9110 §15.5.22",
    wire: GET("/ws"),
    expect: /^HTTP\/1\.1 426 Upgrade Required\r\n[\s\S]*Upgrade: websocket\r\n/,
  },
  {
    name: "HTTP/1.0 keep-alive",
    rfc: "9112 §9.3",
    wire: "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    expect: /\r\nConnection: keep-alive\r\n\r\nok\n$/,
  },
  {
    name: "HTTP/1.0",
    rfc: "9112 §9.3",
    wire: "GET /health HTTP/1.0\r\n\r\n",
    expect: /\r\nConnection: close\r\n\r\nok\n$/,
    ends: true,
  },
  {
    name: "HTTP/1.0 knows no chunks",
    rfc: "9112 §6.1",
    wire: "GET /chunked HTTP/1.0\r\n\r\n",
    expect: /\r\nContent-Length: 65\r\n/,
    ends: true,
  },
  {
    name: "events to HTTP/1.0 end with the connection",
    rfc: "9112 §6.3",
    wire: "GET /events?interval=1&count=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    expect: /\r\nConnection: close\r\n\r\nid: 1\n[\s\S]*\n\n$/,
    ends: true,
  },
  {
    name: "Connection: close",
    rfc: "9112 §9.6",
    wire: GET("/", "Connection: close\r\n"),
    expect: /\r\nConnection: close\r\n[\s\S]*\}\n$/,
    ends: true,
  },
  {
    name: "no Host",
    rfc: "9112 §3.2",
    wire: "GET / HTTP/1.1\r\n\r\n",
    expect: /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*Host header field is missing\.\n$/,
    ends: true,
  },
  {
    name: "a malformed request line",
    rfc: "9112 §3",
    wire: "GET  / HTTP/1.1\r\n\r\n",
    expect: /^HTTP\/1\.1 400 /,
    ends: true,
  },
  {
    name: "both framings",
    rfc: "9112 §6.1",
    wire: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    expect: /^HTTP\/1\.1 400 /,
    ends: true,
  },
  {
    name: "a bad chunk size",
    rfc: "9112 §7.1",
    wire: "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    expect: /^HTTP\/1\.1 400 /,
    ends: true,
  },
  {
    name: "another version",
    rfc: "9112 §2.3",
    wire: "GET / HTTP/2.0\r\n\r\n",
    expect: /^HTTP\/1\.1 505 /,
    ends: true,
  },
  {
    name: "a long target",
    rfc: "9110 §15.5.15",
    wire: GET(`/${"a".repeat(9000)}`),
    expect: /^HTTP\/1\.1 414 /,
    ends: true,
  },
  {
    name: "a large head",
    rfc: "6585 §5",
    wire: GET("/", `X: ${"a".repeat(40_000)}\r\n`),
    expect: /^HTTP\/1\.1 431 /,
    ends: true,
  },
  {
    name: "CONNECT",
    rfc: "9110 §9.3.6",
    wire: "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    expect: /^HTTP\/1\.1 405 /,
  },
];

for (const { name, rfc, wire, expect, ends } of CASES) {
  test(`echo: ${name}${rfc === undefined ? "" : ` (RFC ${rfc})`}`, async () => {
    const bytes = Buffer.from(ends === true ? wire : wire + LAST, "latin1");
    const check = (answer: Buffer, how: string) => {
      const text = answer.toString("latin1");
      const end = ends === true ? text.length : text.lastIndexOf("HTTP/1.1 200 OK\r\n");
      assert.match(text.slice(0, end), expect, how);
      if (ends !== true) assert.match(text.slice(end), /\r\nConnection: close\r\n\r\nclosing\n$/, how);
    };
    check(await converse(echo.port, [bytes]), "whole, with the next request behind it");
    if (bytes.length > 1000) return;
    check(
      await converse(
        echo.port,
        Array.from(bytes, (byte) => Uint8Array.of(byte)),
      ),
      "one byte at a time",
    );
  });
}

test("echo: 100 Continue comes before the body is sent (RFC 9110 §10.1.1)", async () => {
  const socket = connect(echo.port, "127.0.0.1");
  socket.write("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  assert.equal(await readUntil(socket, /\r\n\r\n/), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.write("hi");
  assert.match(await readUntil(socket, /\}\n/), /^HTTP\/1\.1 200 OK\r\n[\s\S]*"body":"hi"/);
  socket.destroy();
});

test("echo: pipelined plain requests are answered each, in one form for all", async () => {
  const count = 5000;
  const answer = await converse(fixed.port, [GET("/").repeat(count), LAST]);
  const text = answer.toString("latin1");
  const plain =
    /HTTP\/1\.1 200 OK\r\nDate: [^\r]+\r\nContent-Type: text\/plain\r\nContent-Length: 13\r\n\r\n0123456789:;</g;
  assert.equal(text.match(plain)?.length, count);
  assert.match(text.replace(plain, ""), /^HTTP\/1\.1 200 OK\r\n[\s\S]*closing\n$/);
});

test("echo: the fixed body follows every method, and the paths stay what they are", async () => {
  const post = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  const wire = `${post}${GET("/health")}HEAD / HTTP/1.1\r\nHost: h\r\n\r\n${LAST}`;
  const text = (await converse(fixed.port, [wire])).toString("latin1");
  assert.match(
    text,
    /^[\s\S]*Length: 13\r\n\r\n0123456789:;<HTTP[\s\S]*\r\n\r\nok\nHTTP[\s\S]*Length: 13\r\n\r\nHTTP[\s\S]*closing\n$/,
  );
});

test("echo: a long body arrives whole at a reader that stops now and then", async () => {
  const bodyBytes = 32 * 1024 * 1024 + 17;
  const socket = connect(echo.port, "127.0.0.1");
  socket.write(GET(`/bytes/${bodyBytes}`, "Connection: close\r\n"));
  const hash = createHash("sha256");
  let seen = 0;
  let headBytes = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    if (headBytes === 0) headBytes = chunk.indexOf("\r\n\r\n") + 4;
    hash.update(seen === 0 ? chunk.subarray(headBytes) : chunk);
    seen += chunk.length;
    if (seen % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(seen - headBytes, bodyBytes);
  assert.equal(hash.digest("hex"), createHash("sha256").update(patternBytes(bodyBytes)).digest("hex"));
});

test("echo: an upload is hashed whole", async () => {
  const body = patternBytes(8 * 1024 * 1024);
  const head = `PUT /upload HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`;
  const text = (await converse(echo.port, [head, body])).toString("latin1");
  assert.match(
    text,
    new RegExp(
      `"bodyBytes":${body.length},"bodySha256":"${createHash("sha256").update(body).digest("hex")}"`,
    ),
  );
});

test("echo: a client that leaves in the middle of a stream, a delay or a body leaves nothing behind", async () => {
  for (const wire of [
    GET("/events?interval=1"),
    GET("/slow/60000"),
    GET("/bytes/10000000000"),
    "PUT /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc",
    "GET / HT",
  ]) {
    const own = await openEcho(-1);
    const socket = connect(own.port, "127.0.0.1");
    await once(socket, "connect");
    await new Promise((resolve) => socket.write(wire, resolve));
    if (/events|bytes/.test(wire)) await once(socket, "data");
    socket.destroy();
    await once(socket, "close");
    await own.close();
  }
});

test("echo: a delay holds every answer, in order", async () => {
  const own = await openEcho(13, 5);
  const text = (await converse(own.port, [GET("/") + GET("/health") + LAST])).toString("latin1");
  assert.match(text, /^[\s\S]*0123456789:;<HTTP[\s\S]*\r\n\r\nok\nHTTP[\s\S]*closing\n$/);
  await own.close();
});

test("echo: a half-closed client gets its answers (RFC 9112 §9.6)", async () => {
  const socket = connect({ port: echo.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.end(GET("/slow/5") + GET("/health"));
  const received: Buffer[] = [];
  for await (const chunk of socket) received.push(chunk as Buffer);
  assert.match(Buffer.concat(received).toString("latin1"), /after 5 ms\nHTTP[\s\S]*\r\n\r\nok\n$/);
});
