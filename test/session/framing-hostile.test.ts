/**
 * Messages that two readers could frame differently: refused, cut, or delivered without giving their connection
 * to anybody else (RFC 9112 §6, §7, §11).
 */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import { onEachEngine } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const HEAD = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
const POST = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

/** A response head with these lines; `EVIL` follows, as what a reader who frames otherwise would see. */
const REFUSED: { name: string; rfc: string; lines: string; request?: string }[] = [
  {
    name: "equal lengths twice",
    rfc: "9112 §6.3",
    lines: "200 OK\r\nContent-Length: 2\r\nContent-Length: 2",
  },
  { name: "two lengths", rfc: "9112 §6.3", lines: "200 OK\r\nContent-Length: 0\r\nContent-Length: 2" },
  { name: "a list of equal lengths", rfc: "9112 §6.3", lines: "200 OK\r\nContent-Length: 2, 2" },
  { name: "a signed length", rfc: "9110 §8.6", lines: "200 OK\r\nContent-Length: +2" },
  { name: "a length with a leading zero", rfc: "9110 §8.6", lines: "200 OK\r\nContent-Length: 02" },
  { name: "a length above 2^53", rfc: "9110 §8.6", lines: "200 OK\r\nContent-Length: 18446744073709551618" },
  {
    name: "a length and chunks",
    rfc: "9112 §6.1",
    lines: "200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked",
  },
  {
    name: "chunks and a length",
    rfc: "9112 §6.1",
    lines: "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0",
  },
  { name: "chunks not last", rfc: "9112 §6.3", lines: "200 OK\r\nTransfer-Encoding: chunked, gzip" },
  {
    name: "chunks twice",
    rfc: "9112 §6.3",
    lines: "200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
  },
  {
    name: "a coding that is not known",
    rfc: "9112 §6.1",
    lines: "200 OK\r\nTransfer-Encoding: gzip, chunked",
  },
  { name: "identity", rfc: "9112 §6.3", lines: "200 OK\r\nTransfer-Encoding: identity" },
  { name: "chunks folded", rfc: "9112 §5.2", lines: "200 OK\r\nTransfer-Encoding:\r\n chunked" },
  { name: "space before the colon", rfc: "9112 §5.1", lines: "200 OK\r\nTransfer-Encoding : chunked" },
  { name: "a bare LF", rfc: "9112 §2.2", lines: "200 OK\r\nA: b\nContent-Length: 2" },
  { name: "a bare CR", rfc: "9112 §2.2", lines: "200 OK\r\nA: b\rContent-Length: 2" },
  { name: "NUL", rfc: "9110 §5.5", lines: "200 OK\r\nContent-Length: 2\x00" },
  {
    name: "a length and chunks to HEAD",
    rfc: "9112 §6.1",
    lines: "200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked",
    request: HEAD,
  },
  {
    name: "two lengths in a 304",
    rfc: "9112 §6.3",
    lines: "304 Not Modified\r\nContent-Length: 0\r\nContent-Length: 2",
  },
  {
    name: "an interim response with a length",
    rfc: "9110 §15.2",
    lines: `103 Early Hints\r\nContent-Length: ${EVIL.length}`,
  },
  {
    name: "an interim response in chunks",
    rfc: "9110 §15.2",
    lines: "100 Continue\r\nTransfer-Encoding: chunked",
  },
];
for (const { name, rfc, lines, request = GET } of REFUSED) {
  onEachEngine(`hostile response: ${name}: 502, and nothing of it passes (RFC ${rfc})`, {}, async (stage) => {
    const client = stage.client();
    client.write(request);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write(`HTTP/1.1 ${lines}\r\n\r\n${EVIL}`);
    assert.match(await client.head(), /^HTTP\/1\.1 502 /);
    await origin.gone();
    assert.deepEqual(stage.reasons, ["bad_response"]);
    await stage.eventually("it is closed", () => stage.counter(Counter.originsOpen) === 0);
    assert.doesNotMatch(client.text, /evil/);
  });
}

onEachEngine("hostile response: chunks in HTTP/1.0: 502 (RFC 9112 §6.1)", {}, async (stage) => {
  const client = stage.client();
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  assert.match(await client.head(), /^HTTP\/1\.1 502 /);
  await origin.gone();
});

/** Responses that are clear by themselves, with more behind them: `body` is what the client gets. */
const SURPLUS: { name: string; rfc: string; request: string; response: string; body: string }[] = [
  { name: "a second response", rfc: "9112 §9.2", request: GET, response: OK + EVIL, body: "ok" },
  { name: "CRLF", rfc: "9112 §9.2", request: GET, response: `${OK}\r\n`, body: "ok" },
  {
    name: "a second response behind chunks",
    rfc: "9112 §9.2",
    request: GET,
    response: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${EVIL}`,
    body: "2\r\nok\r\n0\r\n\r\n",
  },
  {
    name: "a second response behind no body",
    rfc: "9112 §9.2",
    request: GET,
    response: `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${EVIL}`,
    body: "",
  },
  { name: "the body of a HEAD", rfc: "9112 §6.3", request: HEAD, response: OK, body: "" },
  {
    name: "the chunks of a HEAD",
    rfc: "9112 §6.3",
    request: HEAD,
    response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    body: "",
  },
  {
    name: "the body of a 204",
    rfc: "9112 §6.3",
    request: GET,
    response: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
    body: "",
  },
  {
    name: "a 204 that announces a body, which may still come",
    rfc: "9110 §8.6",
    request: GET,
    response: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
    body: "",
  },
  {
    name: "a 204 that announces chunks, which may still come",
    rfc: "9112 §6.1",
    request: GET,
    response: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    body: "",
  },
  {
    name: "the body of a 304",
    rfc: "9112 §6.3",
    request: GET,
    response: "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok",
    body: "",
  },
  {
    name: "more than the length of a 205",
    rfc: "9110 §15.3.6",
    request: GET,
    response: "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\nok",
    body: "",
  },
];
for (const { name, rfc, request, response, body } of SURPLUS) {
  onEachEngine(
    `hostile response: ${name}: delivered, the connection is closed (RFC ${rfc})`,
    {},
    async (stage) => {
      const client = stage.client();
      client.write(request);
      const origin = await stage.backend.next();
      await origin.head();
      origin.write(response);
      const status = response.slice(9, 12);
      assert.equal((await client.head()).slice(9, 12), status);
      assert.equal((await client.bytes(body.length)).toString("latin1"), body);
      await origin.gone();
      client.write(GET);
      const next = await stage.backend.next();
      await next.head();
      next.write(OK);
      assert.equal((await client.message()).body, "ok");
      assert.equal(client.text, "");
      assert.deepEqual(stage.reasons, []);
    },
  );
}

/** Chunked bodies that cannot be read, and the word for it. */
const CHUNKS: { name: string; rfc: string; wire: string; reason: string; status?: number }[] = [
  { name: "a size with a prefix", rfc: "9112 §7.1", wire: "0x2\r\nhi\r\n", reason: "bad_chunk_size" },
  { name: "a signed size", rfc: "9112 §7.1", wire: "+2\r\nhi\r\n", reason: "bad_chunk_size" },
  { name: "space behind a size", rfc: "9112 §7.1", wire: "2 \r\nhi\r\n", reason: "bad_chunk_size" },
  { name: "a size ended by LF", rfc: "9112 §2.2", wire: "2\nhi\r\n", reason: "bad_chunk_size" },
  { name: "a size ended by CR", rfc: "9112 §2.2", wire: "2\rhi\r\n", reason: "bare_cr" },
  {
    name: "a size above 2^64",
    rfc: "9112 §7.1",
    wire: "10000000000000002\r\nhi\r\n",
    reason: "chunk_size_overflow",
  },
  {
    name: "a flood of zeros",
    rfc: "9112 §7.1",
    wire: `${"0".repeat(4096)}2\r\nhi\r\n`,
    reason: "chunk_size_overflow",
  },
  {
    name: "a line end in quotes",
    rfc: "9112 §7.1.1",
    wire: '2;a="\r\nhi\r\n',
    reason: "bad_chunk_extension",
  },
  {
    name: "an extension ended by LF",
    rfc: "9112 §7.1.1",
    wire: "2;a\nhi\r\n",
    reason: "bad_chunk_extension",
  },
  {
    name: "an extension without end",
    rfc: "9112 §7.1.1",
    wire: `2;${"a".repeat(5000)}`,
    reason: "chunk_extension_too_long",
  },
  {
    name: "many short extensions",
    rfc: "9112 §7.1.1",
    wire: `1;${"a".repeat(50)}\r\nx\r\n`.repeat(100),
    reason: "chunk_extension_too_long",
  },
  { name: "data longer than its size", rfc: "9112 §7.1", wire: "2\r\nhi!\r\n", reason: "bad_chunk_end" },
  { name: "data ended by LF", rfc: "9112 §2.2", wire: "2\r\nhi\n0\r\n\r\n", reason: "bad_chunk_end" },
  { name: "a request for a trailer", rfc: "9112 §7.1.2", wire: `0\r\n${GET}`, reason: "bad_trailer" },
  {
    name: "a trailer section without end",
    rfc: "6585 §5",
    wire: `0\r\nA: ${"b".repeat(9000)}`,
    reason: "trailer_too_large",
    status: 431,
  },
  {
    name: "many trailers",
    rfc: "6585 §5",
    wire: `0\r\n${"A: b\r\n".repeat(65)}\r\n`,
    reason: "trailer_too_large",
    status: 431,
  },
];
for (const { name, rfc, wire, reason, status = 400 } of CHUNKS) {
  onEachEngine(`hostile request: ${name}: ${status} (RFC ${rfc})`, {}, async (stage) => {
    const client = stage.client();
    client.write(`${POST}5\r\nhello\r\n${wire}`);
    const origin = await stage.backend.next();
    assert.match(await client.head(), new RegExp(`^HTTP/1\\.1 ${status} `));
    await origin.gone();
    // The request never becomes whole, and is the only one that the backend sees.
    assert.doesNotMatch(origin.text, /\r\n0\r\n/);
    assert.equal(origin.text.match(/HTTP\/1\.1\r\n/g)?.length ?? 0, origin.text === "" ? 0 : 1);
    assert.deepEqual(stage.reasons, [reason]);
    await client.gone();
  });

  onEachEngine(`hostile response: ${name}: cut (RFC ${rfc})`, {}, async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    await client.until("hello");
    origin.write(wire);
    await client.broken();
    await origin.gone();
    assert.doesNotMatch(client.text, /\r\n0\r\n/);
    assert.deepEqual(stage.reasons, ["response_cut"]);
  });
}

onEachEngine(
  "hostile response: RST inside a body until close cuts it for HTTP/1.0, too (RFC 9112 §8)",
  {},
  async (stage) => {
    const client = stage.client();
    client.write("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\n\r\nhalf");
    await client.until("half");
    origin.reset();
    await client.broken();
    assert.deepEqual(stage.reasons, ["response_cut"]);
  },
);

onEachEngine(
  "hostile response: chunks that end early cut an HTTP/1.0 client, which has no other sign (RFC 9112 §8)",
  {},
  async (stage) => {
    const client = stage.client();
    client.write("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    await client.until("hello");
    origin.end();
    await client.broken();
    assert.deepEqual(stage.reasons, ["response_cut"]);
  },
);
