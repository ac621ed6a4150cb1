/** Answers of our own as clients get them, and what the notice of each says. */
import assert from "node:assert/strict";
import { deadAddress, onEachEngine } from "./stage.ts";

const dead = await deadAddress();
const endpoints = [{ address: dead }];
const JSON_FIRST = "Accept: application/json, text/plain;q=0.5\r\n";
const ASKED = `Host: x\r\n${JSON_FIRST}`;

interface Case {
  readonly name: string;
  readonly request: string;
  readonly status: number;
  readonly reason: string;
  readonly proxyError: string;
  readonly phase: string;
  /** As the notice has it. */
  readonly asked: string;
  readonly json: boolean;
}

const CASES: readonly Case[] = [
  {
    name: "a backend that refuses",
    request: `GET /a?b HTTP/1.1\r\n${ASKED}\r\n`,
    status: 502,
    reason: "connect_refused",
    proxyError: "connection_refused",
    phase: "connect",
    asked: "GET /a?b",
    json: true,
  },
  {
    name: "a backend that refuses, its client wants text",
    request: "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/plain, application/json;q=0.9\r\n\r\n",
    status: 502,
    reason: "connect_refused",
    proxyError: "connection_refused",
    phase: "connect",
    asked: "GET /",
    json: false,
  },
  {
    name: "two Accept lines, and one that is only in the body",
    request:
      "POST / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nACCEPT: text/plain;q=0.1\r\n" +
      "Content-Length: 20\r\n\r\nAccept: text/plain\r\n",
    status: 502,
    reason: "connect_refused",
    proxyError: "connection_refused",
    phase: "connect",
    asked: "POST /",
    json: true,
  },
  {
    name: "a method that is refused",
    request: `CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n${JSON_FIRST}\r\n`,
    status: 405,
    reason: "connect_method",
    proxyError: "http_request_denied",
    phase: "request-head",
    asked: "CONNECT x:1",
    json: true,
  },
  {
    name: "a length beside chunks",
    request: `POST /p HTTP/1.1\r\n${ASKED}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n`,
    status: 400,
    reason: "content_length_with_transfer_encoding",
    proxyError: "http_request_error",
    phase: "request-head",
    asked: "POST /p",
    json: true,
  },
  {
    name: "a head that is not read to its end",
    request: `GET /x HTTP/1.1\r\n${ASKED}bad name: x\r\n\r\n`,
    status: 400,
    reason: "space_before_colon",
    proxyError: "http_request_error",
    phase: "request-head",
    asked: "GET /x",
    json: false,
  },
  {
    name: "no request line",
    request: "\r?\r\n\r\n",
    status: 400,
    reason: "bad_request_line",
    proxyError: "http_request_error",
    phase: "request-head",
    asked: "",
    json: false,
  },
  {
    name: "another version",
    request: "GET / HTTP/3.0\r\nHost: x\r\n\r\n",
    status: 505,
    reason: "version_not_supported",
    proxyError: "proxy_internal_response",
    phase: "request-head",
    asked: "GET /",
    json: false,
  },
];

for (const { name, request, status, reason, proxyError, phase, asked, json } of CASES) {
  onEachEngine(`answers: ${name}: ${status} as ${json ? "JSON" : "text"}`, { endpoints }, async (stage) => {
    // What was asked before on another connection does not show.
    const before = stage.client();
    before.write(`GET /before HTTP/1.1\r\n${ASKED}\r\n`);
    await before.message();
    stage.failures.length = 0;
    const client = stage.client();
    client.write(request);
    const { head, body } = await client.message();
    assert.ok(head.startsWith(`HTTP/1.1 ${status} `), head);
    assert.ok(head.includes(`\r\nProxy-Status: test; error=${proxyError}; details="${reason}"\r\n`), head);
    const [notice] = stage.failures;
    assert.deepEqual(
      { phase: notice!.phase, reason: notice!.reason, status: notice!.status, request: notice!.request },
      { phase, reason, status, request: asked },
    );
    if (json) assert.deepEqual(JSON.parse(body), { status, error: reason, message: notice!.message });
    else assert.equal(body, `${notice!.message}\n`);
    assert.match(head, json ? /\r\nContent-Type: application\/json\r\n/ : /\r\nContent-Type: text\/plain/);
  });
}

const HEADS: readonly { name: string; request: string; status: number }[] = [
  {
    name: "that a backend refuses",
    request: `HEAD / HTTP/1.1\r\n${ASKED}Connection: close\r\n\r\n`,
    status: 502,
  },
  { name: "that is refused", request: "HEAD / HTTP/1.1\r\n\r\n", status: 400 },
];
for (const { name, request, status } of HEADS) {
  onEachEngine(`answers: a HEAD ${name}: no content (RFC 9110 §9.3.2)`, { endpoints }, async (stage) => {
    const client = stage.client();
    client.write(request);
    const head = await client.head();
    assert.ok(head.startsWith(`HTTP/1.1 ${status} `), head);
    assert.match(head, /\r\nContent-Length: [1-9]/);
    assert.equal(await client.rest(), "");
  });
}

onEachEngine(
  "answers: a head that does not come to its end: 408, and what was asked for",
  { timeouts: { requestHeadMs: 50 } },
  async (stage) => {
    const client = stage.client();
    client.write("GET /slow HTTP/1.1\r\nHost: x\r\nAccept: appl");
    assert.match((await client.message()).head, /^HTTP\/1\.1 408 /);
    assert.equal(stage.failures[0]!.request, "GET /slow");
  },
);

onEachEngine("answers: a bad body in mid-flight is told with its backend", {}, async (stage) => {
  const client = stage.client();
  client.write(`POST /p HTTP/1.1\r\n${ASKED}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`);
  const origin = await stage.backend.next();
  await origin.until("a");
  client.write("zz\r\n");
  const { body } = await client.message();
  assert.equal(JSON.parse(body).error, "bad_chunk_size");
  assert.equal(await client.rest(), "");
  const [{ by, phase, endpoint, request }] = stage.failures as [(typeof stage.failures)[0]];
  assert.deepEqual(
    { by, phase, endpoint, request },
    { by: "client", phase: "request-body", endpoint: "backend-0", request: "POST /p" },
  );
});

const LEAVING: readonly { phase: string; request: string; seen: string; response: string }[] = [
  {
    phase: "request-body",
    request: "POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
    seen: "half",
    response: "",
  },
  {
    phase: "response-head",
    request: "GET /up HTTP/1.1\r\nHost: x\r\n\r\n",
    seen: "\r\n\r\n",
    response: "",
  },
  {
    phase: "response-body",
    request: "GET /up HTTP/1.1\r\nHost: x\r\n\r\n",
    seen: "\r\n\r\n",
    response: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
  },
];
for (const { phase, request, seen, response } of LEAVING) {
  onEachEngine(`answers: a client that leaves in phase ${phase} is told so`, {}, async (stage) => {
    const client = stage.client();
    client.write(request);
    const origin = await stage.backend.next();
    await origin.until(seen);
    if (response !== "") {
      origin.write(response);
      await client.until("half");
    }
    client.reset();
    await origin.gone();
    const [notice] = stage.failures;
    assert.equal(notice!.reason, "client_gone");
    assert.equal(notice!.phase, phase);
    assert.equal(notice!.request, request.slice(0, request.indexOf(" HTTP")));
    assert.equal(notice!.endpoint, "backend-0");
  });
}

const BREAKING: readonly { side: "client" | "origin"; reason: string; client: RegExp }[] = [
  // The system may have forgotten whose connection it was.
  { side: "client", reason: "client_gone", client: /^(127\.0\.0\.1)?$/ },
  { side: "origin", reason: "tunnel_cut", client: /^127\.0\.0\.1$/ },
];
for (const { side, reason, client: address } of BREAKING) {
  onEachEngine(`answers: a tunnel that the ${side} breaks off: ${reason}`, { mode: "tcp" }, async (stage) => {
    const client = stage.client();
    client.write("ping");
    const origin = await stage.backend.next();
    await origin.until("ping");
    const [breaking, other] = side === "client" ? [client, origin] : [origin, client];
    breaking.reset();
    await other.broken();
    assert.equal(stage.failures.length, 1);
    const [notice] = stage.failures;
    assert.deepEqual(
      { by: notice!.by, phase: notice!.phase, reason: notice!.reason, status: notice!.status },
      { by: side, phase: "tunnel", reason, status: 0 },
    );
    assert.match(notice!.client, address);
  });
}
