/** Requests out where options are on or the client is a trusted proxy: a row is what comes in and goes out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiBytes, textOf, viewOf } from "../base/bytes.ts";
import { SEED_BYTES, UnguessableIds } from "../base/unguessable-ids.ts";
import { NO_ROOM, writeRequestHead } from "./head-writer.ts";
import { MessageHead } from "./message-head.ts";
import { parseRequestHead } from "./request-head.ts";
import { type RequestOptions, RequestPolicy } from "./request-policy.ts";

const LIMITS = { headBytesMax: 8192, targetBytesMax: 4096, fieldCountMax: 64 };
const IN = 100;
const PEER = 9000;
const OUT = 10_000;
const OUT_LIMIT = 20_000;
const POISON = 0xee;
const GET = "GET / HTTP/1.1";
const OFF: RequestOptions = {
  underscoreNames: false,
  forwarded: false,
  requestId: "off",
  trailers: false,
  close: false,
};
/** Stands for an id of 32 digits. */
const ID = "X-Request-Id: #";

interface Row {
  name: string;
  rfc: string;
  options?: Partial<RequestOptions>;
  trusted?: boolean;
  peer?: string;
  in: string[];
  /** Without the lines that every request gets; those are of a peer that is not trusted. */
  out: string[];
  /** All lines, where they differ from those. */
  own?: string[];
  upgrade?: boolean;
}

const XFF = "X-Forwarded-For: 192.0.2.1";
const XFP = "X-Forwarded-Proto: http";
const XFH = "X-Forwarded-Host: x";
const VIA = "Via: 1.1 hp";
const OWN = [XFF, XFP, VIA, XFH];

const ROWS: Row[] = [
  {
    name: "names with _ are dropped, whatever they say",
    rfc: "9110 §5.1",
    in: [
      GET,
      "Host: x",
      "Content_Length: 5",
      "Transfer_Encoding: chunked",
      "_: 1",
      "A-B: 2",
      "X_Y: 3",
      "__a: ",
    ],
    out: [GET, "Host: x", "A-B: 2"],
  },
  {
    name: "names with _ that Connection nominates are dropped too",
    rfc: "9110 §7.6.1",
    in: [GET, "Host: x", "Connection: a_b, c-d", "a_b: 1", "c-d: 2", "e_f: 3"],
    out: [GET, "Host: x"],
  },
  {
    name: "names with _ pass",
    rfc: "9110 §5.1",
    options: { underscoreNames: true },
    in: [GET, "Host: x", "Content_Length: 5", "_a: 1", "Connection: B_C", "b_c: 2"],
    out: [GET, "Host: x", "Content_Length: 5", "_a: 1"],
  },
  {
    name: "names with _ pass, but for those that look like ours",
    rfc: "7239 §8.1",
    options: { underscoreNames: true },
    in: [GET, "Host: x", "X_Forwarded_For: 1", "x-forwarded_port: 2", "X-Forwarded-For_: 3", "X_Forward: 4"],
    out: [GET, "Host: x", "X_Forward: 4"],
  },
  {
    name: "those of a trusted proxy pass too",
    rfc: "7239 §4",
    options: { underscoreNames: true },
    trusted: true,
    in: [GET, "Host: x", "X_Forwarded_For: 1"],
    out: [GET, "Host: x", "X_Forwarded_For: 1"],
  },
  {
    name: "those of a trusted proxy are dropped where no name with _ passes",
    rfc: "9110 §5.1",
    trusted: true,
    in: [GET, "Host: x", "X_Forwarded_For: 1"],
    out: [GET, "Host: x"],
  },
  {
    name: "tracing context passes untouched",
    rfc: "9110 §7.6",
    in: [GET, "Host: x", "traceparent: 00-4bf9-00f0-01", "tracestate: a=1, b=2", "baggage: k=v;p"],
    out: [GET, "Host: x", "traceparent: 00-4bf9-00f0-01", "tracestate: a=1, b=2", "baggage: k=v;p"],
  },
  {
    name: "Proxy, the httpoxy field, and all that a proxy and its client say to each other",
    rfc: "9110 §11.7",
    in: [
      GET,
      "Host: x",
      "Proxy: evil:80",
      "Proxy-Connection: close",
      "Proxy-Authorization: x",
      "A: 1",
      "Proxy-Authenticate: x",
      "Proxy-Authentication-Info: x",
      "Proxy-Other: 2",
    ],
    out: [GET, "Host: x", "A: 1", "Proxy-Other: 2"],
  },
  {
    name: "X-Request-Id, off: what comes",
    rfc: "9110 §7.6",
    in: [GET, "Host: x", "X-Request-Id: mine"],
    out: [GET, "Host: x", "X-Request-Id: mine"],
  },
  {
    name: "X-Request-Id, generate",
    rfc: "9110 §7.6",
    options: { requestId: "generate" },
    trusted: true,
    in: [GET, "Host: x", "X-Request-Id: mine", "x-request-id: other"],
    out: [GET, "Host: x"],
    own: [...OWN, ID],
  },
  {
    name: "X-Request-Id, keep, of a stranger",
    rfc: "9110 §7.6",
    options: { requestId: "keep" },
    in: [GET, "X-Request-Id: mine", "Host: x"],
    out: [GET, "Host: x"],
    own: [...OWN, ID],
  },
  {
    name: "X-Request-Id, keep, of a trusted proxy, which cannot be nominated away",
    rfc: "9110 §7.6",
    options: { requestId: "keep" },
    trusted: true,
    in: [GET, "Connection: X-Request-Id", "X-Request-Id: mine", "Host: x"],
    out: [GET, "X-Request-Id: mine", "Host: x"],
  },
  {
    name: "X-Request-Id, keep, of a trusted proxy, but empty",
    rfc: "9110 §7.6",
    options: { requestId: "keep" },
    trusted: true,
    in: [GET, "X-Request-Id: ", "Host: x"],
    out: [GET, "Host: x"],
    own: [...OWN, ID],
  },
  {
    name: "Forwarded",
    rfc: "7239 §4",
    options: { forwarded: true },
    in: [GET, "Host: x:80", "Forwarded: for=evil"],
    out: [GET, "Host: x:80"],
    own: [XFF, XFP, VIA, "X-Forwarded-Host: x:80", 'Forwarded: for=192.0.2.1;host="x:80";proto=http'],
  },
  {
    name: "Forwarded for an IPv6 address",
    rfc: "7239 §6",
    options: { forwarded: true },
    peer: "2001:db8::1",
    in: [GET, "Host: x"],
    out: [GET, "Host: x"],
    own: [
      "X-Forwarded-For: 2001:db8::1",
      XFP,
      VIA,
      XFH,
      'Forwarded: for="[2001:db8::1]";host="x";proto=http',
    ],
  },
  {
    name: "Forwarded for a unix socket",
    rfc: "7239 §6.2",
    options: { forwarded: true },
    peer: "unix:",
    in: [GET, "Host: x"],
    out: [GET, "Host: x"],
    own: ["X-Forwarded-For: unix:", XFP, VIA, XFH, 'Forwarded: for=unknown;host="x";proto=http'],
  },
  {
    name: "Forwarded without a host",
    rfc: "7239 §5.3",
    options: { forwarded: true },
    in: ["GET / HTTP/1.0"],
    out: [GET, "Host: backend"],
    own: [XFF, XFP, VIA, "Forwarded: for=192.0.2.1;proto=http"],
  },
  {
    name: "a trusted proxy's fields are kept and added to",
    rfc: "7239 §4",
    trusted: true,
    in: [
      GET,
      "X-Forwarded-For: 1.1.1.1, 2.2.2.2",
      "Host: x",
      "X-Forwarded-Proto: https",
      "x-forwarded-for: 3.3.3.3",
      "X-Forwarded-Host: front",
      "X-Forwarded-Port: 443",
      "X-Forwarded-Prefix:",
      "Forwarded: for=1.1.1.1",
      "A: 1",
    ],
    out: [
      ...[GET, "Host: x", "X-Forwarded-Proto: https", "X-Forwarded-Host: front"],
      ...["X-Forwarded-Port: 443", "X-Forwarded-Prefix:", "A: 1"],
    ],
    own: [
      "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.1",
      VIA,
      'Forwarded: for=1.1.1.1, for=192.0.2.1;host="x";proto=http',
    ],
  },
  {
    name: "a trusted proxy that says nothing",
    rfc: "7239 §4",
    trusted: true,
    in: [GET, "Host: x"],
    out: [GET, "Host: x"],
  },
  {
    name: "a trusted proxy that says nothing in many words",
    rfc: "7239 §4",
    trusted: true,
    in: [GET, "Host: x", "X-Forwarded-For:", "X-Forwarded-Proto:  ", "X-Forwarded-Host:", "Forwarded:"],
    out: [GET, "Host: x"],
  },
  {
    name: "a trusted proxy's fields cannot be nominated away",
    rfc: "9110 §7.6.1",
    trusted: true,
    in: [
      GET,
      "Host: x",
      "Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Port, Foo",
      "Foo: 1",
      "X-Forwarded-For: 1.1.1.1",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Port: 443",
    ],
    out: [GET, "Host: x", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443"],
    own: ["X-Forwarded-For: 1.1.1.1, 192.0.2.1", VIA, XFH],
  },
  {
    name: "absolute-form from a trusted proxy",
    rfc: "9112 §3.2.2",
    trusted: true,
    options: { forwarded: true },
    in: ["GET http://y:81/a HTTP/1.1", "Host: x", "Forwarded: for=1.1.1.1"],
    out: ["GET /a HTTP/1.1", "Host: y:81"],
    own: [
      XFF,
      XFP,
      VIA,
      "X-Forwarded-Host: y:81",
      'Forwarded: for=1.1.1.1, for=192.0.2.1;host="y:81";proto=http',
    ],
  },
  {
    name: "TE: only trailers, and only where they pass",
    rfc: "9110 §10.1.4",
    options: { trailers: true },
    in: [GET, "Host: x", "TE: gzip;q=0.5, Trailers", "Connection: TE"],
    out: [GET, "Host: x"],
    own: [...OWN, "TE: trailers", "Connection: TE"],
  },
  {
    name: "close, where no connection is kept",
    rfc: "9112 §9.6",
    options: { close: true, trailers: true },
    in: [GET, "Host: x", "TE: trailers", "Connection: TE, keep-alive"],
    out: [GET, "Host: x"],
    own: [...OWN, "TE: trailers", "Connection: TE", "Connection: close"],
  },
  {
    name: "no close beside an upgrade",
    rfc: "9112 §9.6",
    options: { close: true },
    upgrade: true,
    in: [GET, "Host: x", "Upgrade: y", "Connection: upgrade"],
    out: [GET, "Host: x", "Upgrade: y", "Connection: Upgrade"],
  },
  {
    name: "TE without trailers",
    rfc: "9110 §10.1.4",
    options: { trailers: true },
    in: [GET, "Host: x", "TE: gzip", "Connection: TE"],
    out: [GET, "Host: x"],
  },
  {
    name: "TE where trailers are dropped",
    rfc: "9110 §10.1.4",
    in: [GET, "Host: x", "TE: trailers", "Connection: TE"],
    out: [GET, "Host: x"],
  },
  {
    name: "TE in HTTP/1.0",
    rfc: "9110 §10.1.4",
    options: { trailers: true },
    in: ["GET / HTTP/1.0", "Host: x", "TE: trailers"],
    out: [GET, "Host: x"],
  },
  {
    name: "TE beside an upgrade",
    rfc: "9110 §7.6.1",
    options: { trailers: true },
    upgrade: true,
    in: [GET, "Host: x", "TE: trailers", "Connection: TE, Upgrade", "Upgrade: x"],
    out: [GET, "Host: x", "Upgrade: x", "Connection: Upgrade"],
    own: [...OWN, "TE: trailers", "Connection: TE"],
  },
  {
    name: "Max-Forwards is counted down, and cannot be nominated away",
    rfc: "9110 §7.6.2",
    in: ["OPTIONS * HTTP/1.1", "Max-Forwards: 010", "Host: x", "Connection: max-forwards"],
    out: ["OPTIONS * HTTP/1.1", "Host: x"],
    own: [...OWN, "Max-Forwards: 9"],
  },
  {
    name: "Max-Forwards in TRACE, to its end",
    rfc: "9110 §7.6.2",
    in: ["TRACE / HTTP/1.1", "Max-Forwards: 1", "Host: x"],
    out: ["TRACE / HTTP/1.1", "Host: x"],
    own: [...OWN, "Max-Forwards: 0"],
  },
  {
    name: "a large Max-Forwards",
    rfc: "9110 §7.6.2",
    in: ["OPTIONS /a HTTP/1.1", "Max-Forwards: 9999999999999999", "Host: x"],
    out: ["OPTIONS /a HTTP/1.1", "Host: x"],
    own: [...OWN, "Max-Forwards: 1073741823"],
  },
  {
    name: "Max-Forwards of other methods means nothing",
    rfc: "9110 §7.6.2",
    in: [GET, "Max-Forwards: x", "Host: x", "Max-Forwards: 0"],
    out: [GET, "Max-Forwards: x", "Host: x", "Max-Forwards: 0"],
  },
  {
    name: "CONNECT: the target is the host, whatever Host says",
    rfc: "9112 §3.2.3",
    in: ["CONNECT y:443 HTTP/1.1", "Host: x", "Proxy-Authorization: Basic x", "A: 1"],
    out: ["CONNECT y:443 HTTP/1.1", "Host: y:443", "A: 1"],
    own: [XFF, XFP, VIA, "X-Forwarded-Host: y:443"],
  },
  {
    name: "everything at once, with long names",
    rfc: "9110 §7.6",
    options: { forwarded: true, requestId: "keep", trailers: true },
    trusted: true,
    peer: "2001:db8:1111:2222:3333:4444:5555:6666",
    in: [`OPTIONS http://${"y".repeat(900)} HTTP/1.0`, "Max-Forwards: 1000000000", "TE: trailers"],
    out: ["OPTIONS * HTTP/1.1", `Host: ${"y".repeat(900)}`],
    own: [
      "X-Forwarded-For: 2001:db8:1111:2222:3333:4444:5555:6666",
      XFP,
      VIA,
      `X-Forwarded-Host: ${"y".repeat(900)}`,
      `Forwarded: for="[2001:db8:1111:2222:3333:4444:5555:6666]";host="${"y".repeat(900)}";proto=http`,
      ID,
      "Max-Forwards: 999999999",
    ],
  },
];

for (const row of ROWS) {
  test(`forwarding: ${row.name} (RFC ${row.rfc})`, () => {
    const { peer = "192.0.2.1" } = row;
    const policyOf = () => {
      const policy = new RequestPolicy(
        asciiBytes(`${VIA}\r\n`),
        asciiBytes("http"),
        asciiBytes("backend"),
        { ...OFF, ...row.options },
        (row.options?.requestId ?? "off") === "off" ? null : new UnguessableIds(new Uint8Array(SEED_BYTES)),
      );
      policy.trusted = row.trusted === true;
      policy.upgrade = row.upgrade === true;
      policy.peerStart = PEER;
      policy.peerEnd = PEER + peer.length;
      return policy;
    };
    const memory = new Uint8Array(OUT_LIMIT + 100).fill(POISON);
    const wire = asciiBytes(`${row.in.join("\r\n")}\r\n\r\n`);
    memory.set(wire, IN);
    memory.set(asciiBytes(peer), PEER);
    const head = new MessageHead();
    assert.equal(parseRequestHead(memory, IN, IN + wire.length, head, LIMITS), IN + wire.length);
    const before = memory.slice();
    const write = (limit: number) => writeRequestHead(memory, viewOf(memory), OUT, limit, head, policyOf());
    const end = write(OUT_LIMIT);
    const found = textOf(memory, OUT, end).replace(/(?<=X-Request-Id: )[0-9a-f]{32}\r/, "#\r");
    const isOld = row.in[0]!.endsWith("HTTP/1.0");
    const own = (row.own ?? OWN).map((line) => (isOld && line === VIA ? "Via: 1.0 hp" : line));
    assert.equal(found, `${[...row.out, ...own].join("\r\n")}\r\n\r\n`);
    for (let limit = OUT; limit < end + 1500; limit += 7) {
      memory.set(before);
      const result = write(limit);
      assert.ok(result === NO_ROOM || (result === end && end <= limit), "it fits, or it is said");
      for (let i = 0; i < memory.length; i++) {
        if (memory[i] !== before[i]) assert.ok(i >= OUT && i < limit, "nothing is written outside");
      }
    }
    const again = parseRequestHead(memory, OUT, end, new MessageHead(), LIMITS);
    assert.equal(again, end, "what is written parses");
  });
}
