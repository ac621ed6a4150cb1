/**
 * What one exchange looks like on both wires: every framing of a request and a response, in every pair of
 * versions. Each row runs whole, and with either side trickling byte by byte; then the connections are used
 * again, if they may be.
 */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import type { RawPeer } from "./raw-peer.ts";
import { onEachEngine, type Stage } from "./stage.ts";

interface Row {
  readonly name: string;
  readonly rfc: string;
  readonly request: string;
  /**
   * Method, target and body (chunk framing included) as the backend sees them; `GET /` and none by default.
   */
  readonly forwarded?: { readonly line: string; readonly body: string };
  readonly response: string;
  /** The backend closes behind its response. */
  readonly ends?: boolean;
  /** All that the client gets, without Via. */
  readonly delivered: string;
  /** FIN follows for the client. */
  readonly clientEnds?: boolean;
  /** The backend connection is used again. */
  readonly reused?: boolean;
}

const DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const GET_1_0 = "GET / HTTP/1.0\r\nHost: x\r\n\r\n";
const GET_1_0_KEEP = "GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
const LENGTH = `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 5\r\n\r\nhello`;
const CHUNKED_HEAD = `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n`;
const CHUNKED = `${CHUNKED_HEAD}3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`;
const UNTIL_CLOSE = `HTTP/1.1 200 OK\r\n${DATE}\r\nhello`;

const ROWS: readonly Row[] = [
  { name: "length", rfc: "9112 §6.3", request: GET, response: LENGTH, delivered: LENGTH, reused: true },
  {
    name: "length 0",
    rfc: "9112 §6.3",
    request: GET,
    response: `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 0\r\n\r\n`,
    delivered: `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 0\r\n\r\n`,
    reused: true,
  },
  {
    name: "chunked stays chunked",
    rfc: "9112 §7.1",
    request: GET,
    response: CHUNKED,
    delivered: CHUNKED,
    reused: true,
  },
  {
    name: "chunked with extensions and trailers leaves canonical",
    rfc: "9112 §7.1.1",
    request: GET,
    response: `${CHUNKED_HEAD}003;a=b\r\nhel\r\nA\r\n0123456789\r\n00\r\nX: y\r\n\r\n`,
    delivered: `${CHUNKED_HEAD}3\r\nhel\r\na\r\n0123456789\r\n0\r\n\r\n`,
    reused: true,
  },
  {
    name: "an empty chunked body",
    rfc: "9112 §7.1",
    request: GET,
    response: `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    delivered: `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    reused: true,
  },
  {
    name: "an empty body until close becomes an empty chunked one",
    rfc: "9112 §6.3",
    request: GET,
    response: `HTTP/1.1 200 OK\r\n${DATE}\r\n`,
    ends: true,
    delivered: `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    name: "chunked to an HTTP/1.0 client ends with the connection",
    rfc: "9112 §7.1",
    request: GET_1_0_KEEP,
    response: CHUNKED,
    delivered: `HTTP/1.1 200 OK\r\n${DATE}Connection: close\r\n\r\nhello`,
    clientEnds: true,
    reused: true,
  },
  {
    name: "until close to an HTTP/1.0 client ends with the connection",
    rfc: "9112 §6.3",
    request: GET_1_0,
    response: UNTIL_CLOSE,
    ends: true,
    delivered: `HTTP/1.1 200 OK\r\n${DATE}Connection: close\r\n\r\nhello`,
    clientEnds: true,
  },
  {
    name: "length to an HTTP/1.0 client",
    rfc: "9112 §9.3",
    request: GET_1_0,
    response: LENGTH,
    delivered: `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 5\r\nConnection: close\r\n\r\nhello`,
    clientEnds: true,
    reused: true,
  },
  {
    name: "length to an HTTP/1.0 client that keeps its connection",
    rfc: "9112 §9.3",
    request: GET_1_0_KEEP,
    response: LENGTH,
    delivered: `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello`,
    reused: true,
  },
  {
    name: "an HTTP/1.0 backend that closes",
    rfc: "9112 §9.3",
    request: GET,
    response: LENGTH.replace("1.1", "1.0"),
    ends: true,
    delivered: LENGTH,
  },
  {
    name: "an HTTP/1.0 backend that keeps the connection",
    rfc: "9112 §9.3",
    request: GET,
    response: LENGTH.replace("HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"),
    delivered: LENGTH,
    reused: true,
  },
  {
    name: "a backend that announces its close",
    rfc: "9112 §9.6",
    request: GET,
    response: LENGTH.replace("OK\r\n", "OK\r\nConnection: close\r\n"),
    delivered: LENGTH,
  },
  {
    name: "a client that announces its close",
    rfc: "9112 §9.6",
    request: "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    response: LENGTH,
    delivered: LENGTH.replace("5\r\n", "5\r\nConnection: close\r\n"),
    clientEnds: true,
    reused: true,
  },
  {
    name: "HEAD with a length",
    rfc: "9110 §9.3.2",
    request: "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    forwarded: { line: "HEAD /", body: "" },
    response: `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 5\r\n\r\n`,
    delivered: `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 5\r\n\r\n`,
    reused: true,
  },
  {
    name: "HEAD without a length",
    rfc: "9110 §9.3.2",
    request: "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    forwarded: { line: "HEAD /", body: "" },
    response: `HTTP/1.1 200 OK\r\n${DATE}\r\n`,
    delivered: `HTTP/1.1 200 OK\r\n${DATE}\r\n`,
    reused: true,
  },
  {
    name: "204",
    rfc: "9110 §15.3.5",
    request: GET,
    response: `HTTP/1.1 204 No Content\r\n${DATE}\r\n`,
    delivered: `HTTP/1.1 204 No Content\r\n${DATE}\r\n`,
    reused: true,
  },
  {
    name: "304 with the length of what is not sent",
    rfc: "9110 §15.4.5",
    request: GET,
    response: `HTTP/1.1 304 Not Modified\r\n${DATE}Content-Length: 5\r\n\r\n`,
    delivered: `HTTP/1.1 304 Not Modified\r\n${DATE}Content-Length: 5\r\n\r\n`,
    reused: true,
  },
  {
    name: "a class of status that is not known",
    rfc: "9110 §15",
    request: GET,
    response: LENGTH.replace("200 OK", "799 Odd"),
    delivered: LENGTH.replace("200 OK", "799 Odd"),
    reused: true,
  },
  {
    name: "interim responses come first",
    rfc: "9110 §15.2",
    request: GET,
    response: `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${LENGTH}`,
    delivered: `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${LENGTH}`,
    reused: true,
  },
  {
    name: "interim responses are not for HTTP/1.0 clients",
    rfc: "9110 §15.2",
    request: GET_1_0,
    response: `HTTP/1.1 103 Early Hints\r\n\r\n${LENGTH}`,
    delivered: LENGTH.replace("5\r\n", "5\r\nConnection: close\r\n"),
    clientEnds: true,
    reused: true,
  },
  {
    name: "a request body by length",
    rfc: "9112 §6.2",
    request: "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    forwarded: { line: "POST /p", body: "hello" },
    response: LENGTH,
    delivered: LENGTH,
    reused: true,
  },
  {
    name: "a chunked request body",
    rfc: "9112 §7.1",
    request:
      "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n05;x\r\nhello\r\n1\r\n!\r\n0\r\nT: v\r\n\r\n",
    forwarded: { line: "POST /p", body: "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n" },
    response: LENGTH,
    delivered: LENGTH,
    reused: true,
  },
  {
    name: "bytes behind a response are not taken for the next one",
    rfc: "9112 §9.2",
    request: GET,
    response: `${LENGTH}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`,
    delivered: LENGTH,
  },
];

type Feed = "whole" | "the client trickles" | "the backend trickles";

async function exchange(stage: Stage, row: Row, feed: Feed): Promise<void> {
  const client = stage.client();
  if (feed === "the client trickles") await client.trickle(row.request);
  else client.write(row.request);
  const origin = await stage.backend.next();
  const forwarded = row.forwarded ?? { line: "GET /", body: "" };
  assert.ok((await origin.head()).startsWith(`${forwarded.line} HTTP/1.1\r\n`));
  assert.equal((await origin.bytes(forwarded.body.length)).toString("latin1"), forwarded.body);
  if (feed === "the backend trickles") await origin.trickle(row.response);
  else origin.write(row.response);
  if (row.ends) origin.end();
  const delivered = await takeDelivered(client, row);
  // Where a body is cut into chunks is chance when it came without chunks.
  assert.equal(delivered, row.delivered);
  if (row.clientEnds) assert.equal(await client.rest(), "");
  await again(stage, row.clientEnds ? stage.client() : client, origin, row.reused ?? false);
}

async function takeDelivered(client: RawPeer, row: Row): Promise<string> {
  // Each head gains one Via line.
  const heads = row.delivered.match(/HTTP\/1\.1 \d/g)!.length;
  const bytes = await client.bytes(row.delivered.length + heads * "Via: 1.1 test\r\n".length);
  return bytes.toString("latin1").replaceAll(/Via: 1\.[01] test\r\n/g, "");
}

/** The next request goes through, on the same backend connection or on another. */
async function again(stage: Stage, client: RawPeer, origin: RawPeer, reused: boolean): Promise<void> {
  if (reused)
    await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
  else await stage.eventually("the connection is closed", () => stage.counter(Counter.originsOpen) === 0);
  client.write("GET /again HTTP/1.1\r\nHost: x\r\n\r\n");
  const next = reused ? origin : await stage.backend.next();
  assert.match(await next.head(), /^GET \/again HTTP/);
  next.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain");
  assert.equal((await client.message()).body, "again");
  assert.deepEqual(stage.reasons, []);
}

for (const row of ROWS) {
  for (const feed of ["whole", "the client trickles", "the backend trickles"] as const) {
    onEachEngine(`framing: ${row.name} (RFC ${row.rfc}), ${feed}`, {}, (stage) => exchange(stage, row, feed));
  }
}

onEachEngine("framing: a body until close is chunked for HTTP/1.1 (RFC 9112 §6.3)", {}, async (stage) => {
  const client = stage.client();
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write(`HTTP/1.1 200 OK\r\n${DATE}\r\nhel`);
  assert.match(await client.head(), /\r\nTransfer-Encoding: chunked\r\n/);
  assert.equal(await client.until("hel"), "3\r\nhel");
  origin.write("lo");
  assert.equal(await client.until("lo"), "\r\n2\r\nlo");
  origin.end();
  assert.equal(await client.until("0\r\n\r\n"), "\r\n0\r\n\r\n");
  await again(stage, client, origin, false);
});

onEachEngine("framing: Date is added where it is missing (RFC 9110 §6.6.1)", {}, async (stage) => {
  const client = stage.client();
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const date = /\r\nDate: ([^\r]+ GMT)\r\n/.exec(await client.head())![1]!;
  assert.ok(Math.abs(Date.parse(date) - Date.now()) < 60_000, date);
});

onEachEngine(
  "framing: the counters of classes are those of the responses (RFC 9110 §15)",
  {},
  async (stage) => {
    const client = stage.client();
    for (const status of [200, 301, 404, 500, 799]) {
      client.write(GET);
      const origin = stage.backend.peers[0] ?? (await stage.backend.next());
      await origin.head();
      origin.write(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`);
      await client.head();
      await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
    }
    assert.equal(stage.counter(Counter.responses2xx), 1);
    assert.equal(stage.counter(Counter.responses3xx), 1);
    assert.equal(stage.counter(Counter.responses4xx), 1);
    assert.equal(stage.counter(Counter.responses5xx), 2);
    assert.equal(stage.counter(Counter.clientBytesIn), 5 * GET.length);
  },
);
