/** Outgoing heads: a row is what comes in and what goes out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiBytes, textOf, viewOf } from "../base/bytes.ts";
import {
  NO_ROOM,
  ResponseFraming,
  ResponsePolicy,
  writeRequestHead,
  writeResponseHead,
} from "./head-writer.ts";
import { MessageHead } from "./message-head.ts";
import { parseRequestHead } from "./request-head.ts";
import { RequestPolicy } from "./request-policy.ts";
import { parseResponseHead } from "./response-head.ts";

const LIMITS = { headBytesMax: 8192, targetBytesMax: 4096, fieldCountMax: 64 };
const VIA = "Via: 1.1 hp";
/** Of what was received in HTTP/1.0 (RFC 9110 §7.6.3). */
const VIA_1_0 = "Via: 1.0 hp";
const DATE = "Date: Thu, 01 Jan 2026 00:00:00 GMT";
const IN = 100;
const PEER = 9000;
const OUT = 10_000;
const OUT_LIMIT = 20_000;
const POISON = 0xee;

interface RequestRow {
  name: string;
  rfc: string;
  in: string[];
  out: string[];
  /** Value of X-Forwarded-Host; none is written when empty. */
  host: string;
  upgrade?: boolean;
}

const REQUESTS: RequestRow[] = [
  {
    name: "plain",
    rfc: "9110 §7.6",
    in: ["GET /a?b HTTP/1.1", "Host: x:80", "Accept: */*"],
    out: ["GET /a?b HTTP/1.1", "Host: x:80", "Accept: */*"],
    host: "x:80",
  },
  {
    name: "hop-by-hop fields",
    rfc: "9110 §7.6.1",
    in: [
      "GET / HTTP/1.1",
      "Connection: keep-alive",
      "Host: x",
      "Keep-Alive: timeout=5",
      "TE: trailers",
      "A: 1",
      "Proxy-Connection: close",
      "Trailer: B",
      "Upgrade: websocket",
      "Proxy-Authorization: Basic x",
      "B: 2",
    ],
    out: ["GET / HTTP/1.1", "Host: x", "A: 1", "B: 2"],
    host: "x",
  },
  {
    name: "as many nominated fields as may be",
    rfc: "9110 §7.6.1",
    in: [
      "GET / HTTP/1.1",
      "Host: x",
      "A: 2",
      "F31: 1",
      `Connection: ${Array.from({ length: 32 }, (_, i) => `f${i}`).join()}`,
      "f0: 1",
      "F32: 3",
      "F3: 1",
    ],
    out: ["GET / HTTP/1.1", "Host: x", "A: 2", "F32: 3"],
    host: "x",
  },
  {
    name: "elements that are no tokens nominate nothing",
    rfc: "9110 §7.6.1",
    in: ["GET / HTTP/1.1", "Host: x", 'Connection: a(b,"c", d', "A: 1", "B: 2", "C: 3", "D: 4"],
    out: ["GET / HTTP/1.1", "Host: x", "A: 1", "B: 2", "C: 3"],
    host: "x",
  },
  {
    name: "nominated fields, on two lines",
    rfc: "9110 §7.6.1",
    in: [
      "GET / HTTP/1.1",
      "Host: x",
      "Connection: Foo,close ,bar",
      "foo: 1",
      "A: 2",
      "connection: baz",
      "Bar: 3",
      "BAZ: 4",
    ],
    out: ["GET / HTTP/1.1", "Host: x", "A: 2"],
    host: "x",
  },
  {
    name: "a nomination cannot remove what a message needs",
    rfc: "9110 §7.6.1",
    in: [
      "POST / HTTP/1.1",
      "Host: x",
      "Connection: Host, Content-Length, Via, Date",
      "Content-Length: 5",
      "Via: 1.0 y",
      "Date: z",
    ],
    out: ["POST / HTTP/1.1", "Host: x", "Content-Length: 5", "Via: 1.0 y", "Date: z"],
    host: "x",
  },
  {
    name: "what the client says about forwarding is dropped",
    rfc: "7239 §8.1",
    in: [
      "GET / HTTP/1.1",
      "X-Forwarded-For: 1.1.1.1",
      "x-forwarded-proto: https",
      "X-FORWARDED-HOST: evil",
      "X-Forwarded-Port: 443",
      "x-forwarded-prefix: /evil",
      "X-Forwarded: for=1.1.1.1",
      "X-Forwarding: 1",
      "Forwarded: for=1.1.1.1",
      "Host: x",
    ],
    out: ["GET / HTTP/1.1", "X-Forwarding: 1", "Host: x"],
    host: "x",
  },
  {
    name: "chunked is written anew",
    rfc: "9112 §6.1",
    in: ["POST / HTTP/1.1", "Host: x", "transfer-encoding:\tChunked", "Expect: 100-continue"],
    out: ["POST / HTTP/1.1", "Host: x", "Expect: 100-continue", "Transfer-Encoding: chunked"],
    host: "x",
  },
  {
    name: "HTTP/1.0 becomes 1.1",
    rfc: "9112 §2.3",
    in: ["GET /a HTTP/1.0", "Host: x", "Connection: keep-alive"],
    out: ["GET /a HTTP/1.1", "Host: x"],
    host: "x",
  },
  {
    name: "Expect in HTTP/1.0 means nothing",
    rfc: "9110 §10.1.1",
    in: ["POST /a HTTP/1.0", "Host: x", "Expect: 100-continue", "Content-Length: 1"],
    out: ["POST /a HTTP/1.1", "Host: x", "Content-Length: 1"],
    host: "x",
  },
  {
    name: "Expect that Connection names",
    rfc: "9110 §7.6.1",
    in: ["GET /a HTTP/1.1", "Host: x", "Expect: 100-continue", "Connection: A, expect", "Expect: b", "B: 1"],
    out: ["GET /a HTTP/1.1", "Host: x", "B: 1"],
    host: "x",
  },
  {
    name: "empty elements in Connection",
    rfc: "9110 §5.6.1",
    in: ["GET /a HTTP/1.1", "Host: x", "Connection: ,, foo ,,\t,close,", "Foo: 1", "B: 1"],
    out: ["GET /a HTTP/1.1", "Host: x", "B: 1"],
    host: "x",
  },
  {
    name: "HTTP/1.0 without Host",
    rfc: "9112 §3.2",
    in: ["GET /a HTTP/1.0", "A: 1"],
    out: ["GET /a HTTP/1.1", "Host: backend:3000", "A: 1"],
    host: "",
  },
  {
    name: "HTTP/1.0 without a field",
    rfc: "9112 §3.2",
    in: ["GET /a HTTP/1.0"],
    out: ["GET /a HTTP/1.1", "Host: backend:3000"],
    host: "",
  },
  {
    name: "an empty Host",
    rfc: "9112 §3.2",
    in: ["OPTIONS * HTTP/1.1", "Host:"],
    out: ["OPTIONS * HTTP/1.1", "Host: backend:3000"],
    host: "",
  },
  {
    name: "absolute-form",
    rfc: "9112 §3.2.2",
    in: ["GET http://y:81/a?b HTTP/1.1", "A: 1", "Host: x"],
    out: ["GET /a?b HTTP/1.1", "Host: y:81", "A: 1"],
    host: "y:81",
  },
  {
    name: "a long host, which is written twice",
    rfc: "9112 §3.2.2",
    in: [`GET http://${"y".repeat(900)}/ HTTP/1.1`, "Host: x"],
    out: ["GET / HTTP/1.1", `Host: ${"y".repeat(900)}`],
    host: "y".repeat(900),
  },
  {
    name: "absolute-form without path",
    rfc: "9112 §3.2.1",
    in: ["GET http://y HTTP/1.1", "Host: x"],
    out: ["GET / HTTP/1.1", "Host: y"],
    host: "y",
  },
  {
    name: "absolute-form with query alone",
    rfc: "9112 §3.2.1",
    in: ["GET http://y?q HTTP/1.0"],
    out: ["GET /?q HTTP/1.1", "Host: y"],
    host: "y",
  },
  {
    name: "OPTIONS absolute-form without path",
    rfc: "9112 §3.2.4",
    in: ["OPTIONS http://y HTTP/1.1", "Host: x"],
    out: ["OPTIONS * HTTP/1.1", "Host: y"],
    host: "y",
  },
  {
    name: "an upgrade that is passed on",
    rfc: "9110 §7.8",
    in: [
      "GET / HTTP/1.1",
      "Host: x",
      "Connection: keep-alive, Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Key: k",
    ],
    out: ["GET / HTTP/1.1", "Host: x", "Upgrade: websocket", "Sec-WebSocket-Key: k", "Connection: Upgrade"],
    host: "x",
    upgrade: true,
  },
];

for (const row of REQUESTS) {
  test(`request out: ${row.name} (RFC ${row.rfc})`, () => {
    const policy = new RequestPolicy(
      asciiBytes(`${VIA}\r\n`),
      asciiBytes("http"),
      asciiBytes("backend:3000"),
    );
    policy.upgrade = row.upgrade === true;
    policy.peerStart = PEER;
    policy.peerEnd = PEER + 7;
    const via = row.in[0]!.endsWith("1.0") ? VIA_1_0 : VIA;
    const own = ["X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: http", via];
    if (row.host !== "") own.push(`X-Forwarded-Host: ${row.host}`);
    const { memory, head } = place(row.in, parseRequestHead);
    assert.equal(
      written(memory, (limit) => writeRequestHead(memory, viewOf(memory), OUT, limit, head, policy)),
      text([...row.out, ...own]),
    );
  });
}

interface ResponseRow {
  name: string;
  rfc: string;
  in: string[];
  out: string[];
  set?: (policy: ResponsePolicy) => void;
}

const RESPONSES: ResponseRow[] = [
  {
    name: "plain",
    rfc: "9110 §7.6",
    in: ["HTTP/1.1 200 OK", DATE, "Content-Length: 5"],
    out: ["HTTP/1.1 200 OK", DATE, "Content-Length: 5", VIA],
  },
  {
    name: "Date is added",
    rfc: "9110 §6.6.1",
    in: ["HTTP/1.1 200 OK", "Content-Length: 5"],
    out: ["HTTP/1.1 200 OK", "Content-Length: 5", VIA, DATE],
  },
  {
    name: "hop-by-hop fields",
    rfc: "9110 §7.6.1",
    in: [
      "HTTP/1.1 200 OK",
      DATE,
      "Connection: keep-alive, Foo",
      "Keep-Alive: timeout=5",
      "foo: 1",
      "Upgrade: h2c",
      "Proxy-Authenticate: Basic",
      "Trailer: x",
      "A: 1",
    ],
    out: ["HTTP/1.1 200 OK", DATE, "A: 1", VIA],
  },
  {
    name: "chunked by us",
    rfc: "9112 §6.1",
    in: ["HTTP/1.1 200 OK", DATE, "Content-Length: 5", "A: 1", "Transfer-Encoding: chunked"],
    out: ["HTTP/1.1 200 OK", DATE, "A: 1", VIA, "Transfer-Encoding: chunked"],
    set: (policy) => {
      policy.framing = ResponseFraming.chunked;
    },
  },
  {
    name: "ended by close",
    rfc: "9112 §6.3",
    in: ["HTTP/1.1 200 OK", DATE, "Transfer-Encoding: chunked"],
    out: ["HTTP/1.1 200 OK", DATE, VIA, "Connection: close"],
    set: (policy) => {
      policy.framing = ResponseFraming.close;
      policy.close = true;
    },
  },
  {
    name: "keep-alive for HTTP/1.0",
    rfc: "9112 §9.3",
    in: ["HTTP/1.0 200 OK", DATE, "Content-Length: 0"],
    out: ["HTTP/1.1 200 OK", DATE, "Content-Length: 0", VIA_1_0, "Connection: keep-alive"],
    set: (policy) => {
      policy.keepAliveHint = true;
    },
  },
  {
    name: "a space that was missing",
    rfc: "9112 §4",
    in: ["HTTP/1.0 200", DATE],
    out: ["HTTP/1.1 200 ", DATE, VIA_1_0],
  },
  {
    name: "204 has no Content-Length",
    rfc: "9110 §8.6",
    in: ["HTTP/1.1 204 No Content", "Content-Length: 0", DATE],
    out: ["HTTP/1.1 204 No Content", DATE, VIA],
  },
  {
    name: "304 keeps it",
    rfc: "9110 §15.4.5",
    in: ["HTTP/1.1 304 Not Modified", "Content-Length: 5", DATE],
    out: ["HTTP/1.1 304 Not Modified", "Content-Length: 5", DATE, VIA],
  },
  {
    name: "interim",
    rfc: "9110 §15.2",
    in: ["HTTP/1.1 103 Early Hints", "Link: </x>", "Connection: close"],
    out: ["HTTP/1.1 103 Early Hints", "Link: </x>", VIA],
    set: (policy) => {
      policy.close = true;
    },
  },
  {
    name: "101",
    rfc: "9110 §7.8",
    in: ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"],
    out: ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", VIA, "Connection: Upgrade"],
    set: (policy) => {
      policy.upgrade = true;
    },
  },
];

for (const row of RESPONSES) {
  test(`response out: ${row.name} (RFC ${row.rfc})`, () => {
    const policy = new ResponsePolicy(asciiBytes(`${VIA}\r\n`));
    policy.date = asciiBytes(`${DATE}\r\n`);
    row.set?.(policy);
    const { memory, head } = place(row.in, parseResponseHead);
    assert.equal(
      written(memory, (limit) => writeResponseHead(memory, viewOf(memory), OUT, limit, head, policy)),
      text(row.out),
    );
  });
}

function text(lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function place(
  lines: readonly string[],
  parse: typeof parseRequestHead,
): { memory: Uint8Array; head: MessageHead } {
  const memory = new Uint8Array(OUT_LIMIT + 100).fill(POISON);
  const wire = asciiBytes(text(lines));
  memory.set(wire, IN);
  memory.set(asciiBytes("1.2.3.4"), PEER);
  const head = new MessageHead();
  assert.equal(parse(memory, IN, IN + wire.length, head, LIMITS), IN + wire.length, "the row's input parses");
  return { memory, head };
}

/**
 * What `write` writes, having checked that it says `NO_ROOM` in time and keeps within the limit it is given.
 */
function written(memory: Uint8Array, write: (limit: number) => number): string {
  const before = memory.slice();
  const end = write(OUT_LIMIT);
  const found = textOf(memory, OUT, end);
  for (let limit = OUT; limit < end + 600; limit += 7) {
    memory.set(before);
    const result = write(limit);
    for (let i = 0; i < memory.length; i++) {
      if (memory[i] !== before[i]) assert.ok(i >= OUT && i < limit, "nothing is written outside");
    }
    if (result === NO_ROOM) continue;
    assert.equal(result, end);
    assert.ok(result <= limit, "a head fits what it was given");
  }
  assert.equal(write(OUT), NO_ROOM);
  return found;
}
