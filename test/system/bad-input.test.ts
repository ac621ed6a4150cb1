/**
 * What the real process says to those who do not speak HTTP/1.1 well, and what they then see of the
 * connection.
 */
import assert from "node:assert/strict";
import { testEachEngine } from "../harness/engines.ts";
import { startProxy, statsOf } from "../harness/proxy.ts";
import { startEcho } from "../harness/servers.ts";
import { dial } from "../session/raw-peer.ts";

const timeout = 60_000;

interface RefusalCase {
  readonly name: string;
  readonly rfc: string;
  readonly wire: string;
  readonly status: number;
}

const get = (fields: string) => `GET / HTTP/1.1\r\nHost: test\r\n${fields}\r\n`;
const post = (fields: string, body = "") => `POST / HTTP/1.1\r\nHost: test\r\n${fields}\r\n${body}`;
/** The first bytes of a TLS 1.2 handshake record with a ClientHello in it. */
const CLIENT_HELLO = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

const CASES: readonly RefusalCase[] = [
  { name: "no request line", rfc: "9112 §3", wire: "hello\r\n\r\n", status: 400 },
  { name: "a space too many", rfc: "9112 §3", wire: "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400 },
  { name: "no method", rfc: "9112 §3.1", wire: " / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400 },
  {
    name: "a control character in the target",
    rfc: "9112 §3.2",
    wire: "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    status: 400,
  },
  { name: "version 0.9", rfc: "9112 §2.3", wire: "GET /\r\n\r\n", status: 400 },
  { name: "version 2.0", rfc: "9110 §15.6.6", wire: "GET / HTTP/2.0\r\nHost: a\r\n\r\n", status: 505 },
  { name: "the preface of HTTP/2", rfc: "9113 §3.4", wire: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 505 },
  { name: "a TLS ClientHello", rfc: "8446 §5.1", wire: CLIENT_HELLO, status: 400 },
  { name: "no Host", rfc: "9112 §3.2", wire: "GET / HTTP/1.1\r\n\r\n", status: 400 },
  { name: "two Hosts", rfc: "9112 §3.2", wire: get("Host: other\r\n"), status: 400 },
  { name: "a space before the colon", rfc: "9112 §5.1", wire: get("Name : value\r\n"), status: 400 },
  { name: "no colon", rfc: "9112 §5", wire: get("name\r\n"), status: 400 },
  { name: "a folded line", rfc: "9112 §5.2", wire: get("Name: a\r\n b\r\n"), status: 400 },
  { name: "NUL in a value", rfc: "9110 §5.5", wire: get("Name: a\0b\r\n"), status: 400 },
  { name: "a bare CR in a value", rfc: "9112 §2.2", wire: get("Name: a\rb\r\n"), status: 400 },
  {
    name: "length and chunks",
    rfc: "9112 §6.1",
    wire: post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    status: 400,
  },
  {
    name: "two lengths",
    rfc: "9112 §6.3",
    wire: post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
    status: 400,
  },
  {
    name: "a length that is no number",
    rfc: "9110 §8.6",
    wire: post("Content-Length: +3\r\n", "abc"),
    status: 400,
  },
  {
    name: "chunked, then something else",
    rfc: "9112 §6.3",
    wire: post("Transfer-Encoding: chunked, gzip\r\n"),
    status: 400,
  },
  {
    name: "an unknown coding",
    rfc: "9112 §6.1",
    wire: post("Transfer-Encoding: gzip, chunked\r\n"),
    status: 501,
  },
  {
    name: "a chunk size that is no number",
    rfc: "9112 §7.1",
    wire: post("Transfer-Encoding: chunked\r\n", "z\r\n"),
    status: 400,
  },
  { name: "a head of 40 KiB", rfc: "6585 §5", wire: get(`Name: ${"x".repeat(40_000)}\r\n`), status: 431 },
  {
    name: "a head that never ends",
    rfc: "6585 §5",
    wire: `GET / HTTP/1.1\r\nHost: a\r\n${"A: b\r\n".repeat(20_000)}`,
    status: 431,
  },
  {
    name: "a target of 9,000 bytes",
    rfc: "9110 §15.5.15",
    wire: `GET /${"x".repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    status: 414,
  },
];

testEachEngine("bad input is refused, and the connection closed", { timeout }, async (t, engine) => {
  const echo = await startEcho(t);
  const proxy = await startProxy(t, engine, [echo.address], ["--health", "off"]);
  for (const { name, rfc, wire, status } of CASES) {
    await t.test(`${name}: ${status} (RFC ${rfc})`, async (t) => {
      const peer = dial(`127.0.0.1:${proxy.port}`);
      t.after(() => peer.close());
      peer.write(wire);
      assert.match(
        await peer.head(),
        new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\nConnection: close\\r\\n`.replace("[^]", "[\\s\\S]")),
      );
      await peer.gone();
    });
  }
  await t.test("behind a good request: that is answered first", async (t) => {
    const peer = dial(`127.0.0.1:${proxy.port}`);
    t.after(() => peer.close());
    peer.write(`${get("")}rubbish\r\n\r\n`);
    assert.match((await peer.message()).head, /^HTTP\/1\.1 200 /);
    assert.match(await peer.rest(), /^HTTP\/1\.1 400 /);
  });
  await t.test("none of it reaches a backend, and the worker lives", async () => {
    const response = await fetch(proxy.url, { headers: { connection: "close" } });
    assert.equal(response.status, 200);
    const { total, restarts } = await statsOf(proxy);
    assert.equal(restarts, 0);
    assert.equal(total.responses["2xx"], 2);
  });
});
