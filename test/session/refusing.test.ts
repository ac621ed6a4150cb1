/** What a client may not send, and how it is told; where its connection ends. */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import { onEachEngine } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

const REFUSALS: readonly { name: string; rfc: string; request: string; status: number; reason: string }[] = [
  {
    name: "no request line",
    rfc: "9112 §3",
    request: "hello\r\n\r\n",
    status: 400,
    reason: "bad_method",
  },
  {
    name: "a long target",
    rfc: "9110 §15.5.15",
    request: `GET /${"a".repeat(9_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    status: 414,
    reason: "target_too_long",
  },
  {
    name: "a large head",
    rfc: "6585 §5",
    request: `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(33_000)}\r\n\r\n`,
    status: 431,
    reason: "head_too_large",
  },
  {
    name: "a head without end",
    rfc: "6585 §5",
    request: `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(200_000)}`,
    status: 431,
    reason: "head_too_large",
  },
  {
    name: "too many fields",
    rfc: "6585 §5",
    request: `GET / HTTP/1.1\r\nHost: x\r\n${"A: b\r\n".repeat(200)}\r\n`,
    status: 431,
    reason: "too_many_fields",
  },
  {
    name: "a Connection that names too many fields",
    rfc: "9110 §7.6.1",
    request: `GET / HTTP/1.1\r\nHost: x\r\nConnection: ${"b,".repeat(15_700)}\r\n\r\n`,
    status: 400,
    reason: "too_many_connection_options",
  },
  {
    name: "no Host",
    rfc: "9112 §3.2",
    request: "GET / HTTP/1.1\r\n\r\n",
    status: 400,
    reason: "missing_host",
  },
  {
    name: "a long Host",
    rfc: "9110 §7.2",
    request: `GET / HTTP/1.1\r\nHost: ${"h".repeat(30_000)}\r\n\r\n`,
    status: 400,
    reason: "bad_host",
  },
  {
    name: "HTTP/2 in clear",
    rfc: "9112 §2.3",
    request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    status: 505,
    reason: "version_not_supported",
  },
  {
    name: "a length beside chunks",
    rfc: "9112 §6.1",
    request: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    status: 400,
    reason: "content_length_with_transfer_encoding",
  },
  {
    name: "a coding that is not known",
    rfc: "9112 §6.1",
    request: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    status: 501,
    reason: "unsupported_transfer_coding",
  },
  {
    name: "CONNECT",
    rfc: "9110 §9.3.6",
    request: "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
    status: 405,
    reason: "connect_method",
  },
];

/** Of reasons that have a counter of their own. */
const COUNTERS: Readonly<Record<string, Counter>> = {
  connect_method: Counter.errorPolicy,
  head_too_large: Counter.errorHeadTooLarge,
  too_many_fields: Counter.errorHeadTooLarge,
  target_too_long: Counter.errorTargetTooLong,
};

for (const { name, rfc, request, status, reason } of REFUSALS) {
  for (const pieceBytes of [request.length, 1_000]) {
    const feed = pieceBytes === request.length ? "whole" : "in pieces";
    onEachEngine(`refusing: ${name} (RFC ${rfc}), ${feed}: ${status}`, {}, async (stage) => {
      const client = stage.client();
      await client.pour(Buffer.from(request), pieceBytes);
      const { head } = await client.message();
      assert.ok(head.startsWith(`HTTP/1.1 ${status} `), head);
      assert.match(head, /\r\nConnection: close\r\n/);
      assert.equal(await client.rest(), "");
      assert.deepEqual(stage.reasons, [reason]);
      assert.equal(stage.failures[0]!.client, "127.0.0.1");
      assert.equal(stage.backend.peers.length, 0);
      assert.equal(stage.counter(COUNTERS[reason] ?? Counter.errorBadRequest), 1);
    });
  }
}

onEachEngine(
  "refusing: a head of 64 KiB that finds no room beside what the proxy adds: 431",
  { limits: { headBytesMax: 65_536 } },
  async (stage) => {
    const start = `GET / HTTP/1.1\r\nHost: ${"h".repeat(1_024)}\r\nA: `;
    const client = stage.client();
    await client.pour(Buffer.from(`${start}${"a".repeat(65_400 - start.length)}\r\n\r\n`), 8_000);
    assert.match((await client.message()).head, /^HTTP\/1\.1 431 /);
    assert.deepEqual(stage.reasons, ["edited_head_too_large"]);
    assert.equal(stage.counter(Counter.errorHeadTooLarge), 1);
  },
);

onEachEngine("refusing: a head that grows over half its bound in pieces is read", {}, async (stage) => {
  const client = stage.client();
  const request = `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(31_000)}\r\n\r\n`;
  for (let at = 0; at < request.length; at += 4_000) {
    client.write(request.slice(at, at + 4_000));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const origin = await stage.backend.next();
  assert.equal((await origin.head()).match(/\r\nA: (a+)\r\n/)![1]!.length, 31_000);
  origin.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await client.message();
});

onEachEngine("refusing: the requests before the bad one are answered first", {}, async (stage) => {
  const client = stage.client();
  client.write(`${GET}GET / HTTP/9.9\r\n\r\n`);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert.equal((await client.message()).body, "ok");
  assert.match(await client.head(), /^HTTP\/1\.1 505 /);
  await client.rest();
});

onEachEngine(
  "refusing: a body that cannot be read: 400, the backend is let go (RFC 9112 §7.1)",
  {},
  async (stage) => {
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n");
    assert.match((await client.message()).head, /^HTTP\/1\.1 400 /);
    assert.equal(await client.rest(), "");
    await stage.eventually("the backend is let go", () => stage.counter(Counter.originsOpen) === 0);
    assert.deepEqual(stage.reasons, ["bad_chunk_size"]);
  },
);

onEachEngine("refusing: a body that turns bad behind its response's head cuts both", {}, async (stage) => {
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  const origin = await stage.backend.next();
  await origin.until("hello");
  origin.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
  await client.until("half");
  client.write("zz\r\n");
  await client.broken();
  await origin.gone();
});

onEachEngine(
  "refusing: more clients than the limit are reset",
  { limits: { clientsMax: 2 } },
  async (stage) => {
    const first = stage.client();
    const second = stage.client();
    await stage.eventually("two are in", () => stage.counter(Counter.clientsOpen) === 2);
    const third = stage.client();
    await third.broken();
    assert.equal(stage.counter(Counter.clientsRefused), 1);
    assert.equal(stage.counter(Counter.refusedClientsMax), 1);
    first.close();
    await stage.eventually("one has gone", () => stage.counter(Counter.clientsOpen) === 1);
    const fourth = stage.client();
    await stage.eventually("the next is in", () => stage.counter(Counter.clientsOpen) === 2);
    assert.equal(fourth.isClosed || second.isClosed, false);
  },
);
