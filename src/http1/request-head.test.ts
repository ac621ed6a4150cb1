/** Request heads that are read, each fed whole, byte by byte and with the next message behind it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { feedAll, LIMITS, START, surround } from "../../test/http1/feeds.ts";
import { asciiBytes, textOf } from "../base/bytes.ts";
import { Fault } from "./fault.ts";
import { Field } from "./field-names.ts";
import {
  ConnectionOption,
  HeadNote,
  MessageHead,
  Method,
  NEED_MORE,
  persists,
  TargetForm,
  upgrades,
} from "./message-head.ts";
import { findHeadEnd, parseRequestHead } from "./request-head.ts";

const NEXT = "GET /next HTTP/1.1\r\nHost: n\r\n\r\n";
const HOST = "Host: a\r\n";

interface Expected {
  method?: number;
  methodText?: string;
  target?: string;
  form?: number;
  path?: string;
  authority?: string;
  minor?: number;
}
const LINES: { name: string; rfc: string; line: string; expect: Expected }[] = [
  {
    name: "origin-form",
    rfc: "9112 §3.2.1",
    line: "GET /a/b?c=%20d HTTP/1.1",
    expect: { method: Method.GET, target: "/a/b?c=%20d", form: TargetForm.origin, path: "/a/b?c=%20d" },
  },
  { name: "HTTP/1.0", rfc: "9112 §2.3", line: "GET / HTTP/1.0", expect: { minor: 0 } },
  { name: "two slashes", rfc: "9112 §3.2.1", line: "GET //x HTTP/1.1", expect: { path: "//x" } },
  { name: "what browsers do not escape", rfc: "3986 §2", line: 'GET /{"a|b"}^` HTTP/1.1', expect: {} },
  {
    name: "absolute-form",
    rfc: "9112 §3.2.2",
    line: "GET HTTP://b.example:80/x?y HTTP/1.1",
    expect: { form: TargetForm.absolute, authority: "b.example:80", path: "/x?y" },
  },
  {
    name: "absolute-form without path",
    rfc: "9112 §3.2.2",
    line: "GET https://b HTTP/1.1",
    expect: { form: TargetForm.absolute, authority: "b", path: "" },
  },
  {
    name: "absolute-form with query alone",
    rfc: "9112 §3.2.2",
    line: "GET http://b?q HTTP/1.1",
    expect: { form: TargetForm.absolute, authority: "b", path: "?q" },
  },
  {
    name: "authority-form",
    rfc: "9112 §3.2.3",
    line: "CONNECT [::1]:443 HTTP/1.1",
    expect: { method: Method.CONNECT, form: TargetForm.authority, authority: "[::1]:443", path: "" },
  },
  {
    name: "asterisk-form",
    rfc: "9112 §3.2.4",
    line: "OPTIONS * HTTP/1.1",
    expect: { method: Method.OPTIONS, form: TargetForm.asterisk, path: "" },
  },
  {
    name: "another method",
    rfc: "9110 §9.1",
    line: "PROPFIND / HTTP/1.1",
    expect: { method: Method.other, methodText: "PROPFIND" },
  },
  {
    name: "a method in lower case is another one",
    rfc: "9110 §9.1",
    line: "get / HTTP/1.1",
    expect: { method: Method.other },
  },
];
for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] as const) {
  LINES.push({
    name: method,
    rfc: "9110 §9.3",
    line: `${method} / HTTP/1.1`,
    expect: { method: Method[method], methodText: method, target: "/" },
  });
}

for (const { name, rfc, line, expect } of LINES) {
  test(`request line: ${name} (RFC ${rfc})`, () => {
    const head = new MessageHead();
    const wire = `${line}\r\n${HOST}\r\n`;
    assert.equal(feedAll(parseRequestHead, head, wire, NEXT), wire.length);
    const memory = surround(wire, "\x00", "\x00");
    const text = (start: number, end: number) => (start < 0 ? "" : textOf(memory, start, end));
    const found: Required<Expected> = {
      method: head.method,
      methodText: text(head.methodStart, head.methodEnd),
      target: text(head.targetStart, head.targetEnd),
      form: head.targetForm,
      path: text(head.pathStart, head.targetEnd),
      authority: text(head.authorityStart, head.authorityEnd),
      minor: head.versionMinor,
    };
    assert.deepEqual({ ...found, ...expect }, found);
  });
}

test("one empty line before the request line is skipped (RFC 9112 §2.2)", () => {
  const head = new MessageHead();
  const wire = `\r\nGET / HTTP/1.1\r\n${HOST}\r\n`;
  assert.equal(feedAll(parseRequestHead, head, wire, NEXT), wire.length);
  assert.equal(head.start, START + 2);
  assert.equal(head.end, START + wire.length);
});

const HOSTS = [
  "a",
  "a:80",
  "a:",
  "127.0.0.1:8080",
  "[::1]",
  "[2001:db8::1]:443",
  "x_y.z",
  "a%2Fb",
  "a:65535",
  "",
];
for (const host of HOSTS) {
  test(`host accepted: "${host}" (RFC 9110 §7.2)`, () => {
    const wire = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    assert.equal(feedAll(parseRequestHead, new MessageHead(), wire, NEXT), wire.length);
  });
}

test("fields: offsets, whitespace around values, ids in any case (RFC 9110 §5.5)", () => {
  const head = new MessageHead();
  const lines = [
    "hOsT:a",
    "Foo: \t b  c\td \t ",
    "Empty:",
    "Spaces:   ",
    "X-FORWARDED-FOR: \xe4",
    "Te: x",
    "vIA: y",
  ];
  const wire = `GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
  assert.equal(feedAll(parseRequestHead, head, wire, NEXT), wire.length);
  const memory = surround(wire, "\x00", "\x00");
  const found = lines.map((_, i) => [
    textOf(memory, head.fields[i * 4]!, head.fields[i * 4 + 1]!),
    textOf(memory, head.fields[i * 4 + 2]!, head.fields[i * 4 + 3]!),
  ]);
  assert.deepEqual(found, [
    ["hOsT", "a"],
    ["Foo", "b  c\td"],
    ["Empty", ""],
    ["Spaces", ""],
    ["X-FORWARDED-FOR", "\xe4"],
    ["Te", "x"],
    ["vIA", "y"],
  ]);
  const ids = [Field.host, 0, 0, 0, Field.xForwardedFor, Field.te, Field.via];
  assert.deepEqual([...head.fieldIds.subarray(0, head.fieldCount)], ids);
});

const NOTES: {
  name: string;
  rfc: string;
  minor?: number;
  lines: string[];
  check: (head: MessageHead) => boolean;
}[] = [
  { name: "close", rfc: "9112 §9.6", lines: ["Connection: Close"], check: (head) => !persists(head) },
  { name: "1.1 persists", rfc: "9112 §9.3", lines: ["A: b"], check: (head) => persists(head) },
  { name: "1.0 does not", rfc: "9112 §9.3", minor: 0, lines: ["A: b"], check: (head) => !persists(head) },
  {
    name: "1.0 with keep-alive does",
    rfc: "9112 §9.3",
    minor: 0,
    lines: ["Connection: Keep-Alive"],
    check: (head) => persists(head),
  },
  {
    name: "close wins over keep-alive, on another line",
    rfc: "9112 §9.3",
    lines: ["Connection: keep-alive,  foo", "connection: ,close"],
    check: (head) => !persists(head) && (head.connectionOptions & ConnectionOption.nominated) !== 0,
  },
  {
    name: "hop-by-hop fields are no nominations",
    rfc: "9110 §7.6.1",
    lines: ["Connection: TE, Trailer, keep-alive, close, upgrade"],
    check: (head) => (head.connectionOptions & ConnectionOption.nominated) === 0,
  },
  {
    name: "hop-by-hop fields and elements that are no tokens do not count as nominations",
    rfc: "9110 §7.6.1",
    lines: [`Connection: ${"b,".repeat(32)}`, `Connection: ${"te,close,(".repeat(100)}`],
    check: (head) => head.nominationCount === 32,
  },
  {
    name: "Upgrade",
    rfc: "9110 §7.8",
    lines: ["Connection: keep-alive, Upgrade", "Upgrade: websocket"],
    check: (head) => upgrades(head) && head.upgradeIndex === 2,
  },
  {
    name: "Upgrade to HTTP/2, which would carry requests past the proxy",
    rfc: "9113 §3.1",
    lines: ["Connection: Upgrade, HTTP2-Settings", "Upgrade: H2C"],
    check: (head) => !upgrades(head),
  },
  {
    name: "Upgrade to HTTP/2 among others",
    rfc: "9113 §3.1",
    lines: ["Connection: Upgrade", "Upgrade: websocket", "Upgrade: x/1, h2c"],
    check: (head) => !upgrades(head),
  },
  ...["h2", "H2", "HTTP/2.0", "http/2", "x, HTTP/3", "HTTP/10.0", "HTTP", "HTTP/", "h2c/1", "h2/2, x"].map(
    (protocols) => ({
      name: `Upgrade to HTTP/2 or later as ${protocols}`,
      rfc: "9110 §7.8",
      lines: ["Connection: Upgrade", `Upgrade: ${protocols}`],
      check: (head: MessageHead) => !upgrades(head),
    }),
  ),
  ...["HTTP/1.1", "TLS/1.0, HTTP/1", "HTTPS/2", "h2x", "xh2", "x/2.0"].map((protocols) => ({
    name: `Upgrade to ${protocols}`,
    rfc: "9110 §7.8",
    lines: ["Connection: Upgrade", `Upgrade: ${protocols}`],
    check: (head: MessageHead) => upgrades(head),
  })),
  {
    name: "Upgrade without its option",
    rfc: "9110 §7.8",
    lines: ["Upgrade: x"],
    check: (head) => !upgrades(head),
  },
  {
    name: "the option without Upgrade",
    rfc: "9110 §7.8",
    lines: ["Connection: upgrade"],
    check: (head) => !upgrades(head),
  },
  {
    name: "Upgrade in HTTP/1.0",
    rfc: "9110 §7.8",
    minor: 0,
    lines: ["Connection: Upgrade", "Upgrade: websocket"],
    check: (head) => !upgrades(head),
  },
  {
    name: "Expect",
    rfc: "9110 §10.1.1",
    lines: ["Expect: 100-Continue"],
    check: (head) => head.expectContinue,
  },
  {
    name: "a name with _, and it is no other",
    rfc: "9110 §5.1",
    lines: ["Transfer_Encoding: chunked", "Content_Length: 4", "HOST_: b", "_: "],
    check: (head) =>
      head.notes === HeadNote.underscoredName && head.transferCoding === 0 && head.contentLength === -1,
  },
  {
    name: "a forwarding name with _ is one, too, without a value",
    rfc: "9110 §5.1",
    lines: ["X_Forwarded_For:"],
    check: (head) => head.notes === HeadNote.underscoredName,
  },
  { name: "_ in a value alone", rfc: "9110 §5.1", lines: ["a: _"], check: (head) => head.notes === 0 },
  {
    name: "TE with trailers",
    rfc: "9110 §10.1.4",
    lines: ["TE: deflate;q=0.5,TRAILERS"],
    check: (head) => head.notes === HeadNote.acceptsTrailers,
  },
  { name: "TE without", rfc: "9110 §10.1.4", lines: ["TE: xtrailers"], check: (head) => head.notes === 0 },
  {
    name: "forwarding fields that say something",
    rfc: "7239 §4",
    lines: ["Via: 1.1 x", "Forwarded: ", "X-Forwarded-For: 1", "X-Request-Id:"],
    check: (head) => head.notes === (HeadNote.via | HeadNote.xForwardedFor),
  },
  {
    name: "Max-Forwards of a GET",
    rfc: "9110 §7.6.2",
    lines: ["Max-Forwards: x", "Max-Forwards: 0"],
    check: (head) => head.maxForwards === -1,
  },
  {
    name: "another Expect",
    rfc: "9110 §10.1.1",
    lines: ["Expect: 100"],
    check: (head) => !head.expectContinue,
  },
];
for (const { name, rfc, minor = 1, lines, check } of NOTES) {
  test(`noted: ${name} (RFC ${rfc})`, () => {
    const head = new MessageHead();
    const wire = `GET / HTTP/1.${minor}\r\n${[HOST.trim(), ...lines].join("\r\n")}\r\n\r\n`;
    assert.equal(feedAll(parseRequestHead, head, wire, NEXT), wire.length);
    assert.ok(check(head));
  });
}

test("a record does not remember the message before", () => {
  const head = new MessageHead();
  const rich =
    "GET http://b/ HTTP/1.0\r\nUpgrade: x\r\nConnection: close, y\r\nExpect: 100-continue\r\nDate: x\r\nA_b: 1\r\n";
  feedAll(parseRequestHead, head, `${rich}Content-Length: 4\r\nTransfer-Encoding: x\r\n\r\n`, NEXT);
  const plain = `GET / HTTP/1.1\r\n${HOST}\r\n`;
  feedAll(parseRequestHead, head, plain, NEXT);
  const fresh = new MessageHead();
  feedAll(parseRequestHead, fresh, plain, NEXT);
  const scalars = ({ fields: _fields, fieldIds: _ids, nominations: _names, ...rest }: MessageHead) => rest;
  assert.deepEqual(scalars(head), scalars(fresh));
});

test("a host of 1,024 bytes with its port passes (RFC 9110 §7.2)", () => {
  const wire = `GET / HTTP/1.1\r\nHost: ${"h".repeat(1_021)}:80\r\n\r\n`;
  assert.equal(feedAll(parseRequestHead, new MessageHead(), wire, NEXT), wire.length);
});

test("exactly the allowed number of fields and bytes passes", () => {
  const fields = Array.from({ length: LIMITS.fieldCountMax - 1 }, (_, i) => `F${i}: x`).join("\r\n");
  const wire = `GET / HTTP/1.1\r\n${HOST}${fields}\r\n\r\n`;
  const head = new MessageHead();
  assert.equal(
    feedAll(parseRequestHead, head, wire, NEXT, { ...LIMITS, headBytesMax: wire.length }),
    wire.length,
  );
  assert.equal(head.fieldCount, LIMITS.fieldCountMax);
  const one = { ...LIMITS, headBytesMax: wire.length - 1 };
  assert.equal(feedAll(parseRequestHead, head, wire, NEXT, one), Fault.headTooLarge);
  const cut = wire.slice(0, -1);
  assert.equal(feedAll(parseRequestHead, head, cut, "", one), Fault.headTooLarge, "full and not complete");
});

const ENDS: { wire: string; end: number }[] = [
  { wire: "", end: NEED_MORE },
  { wire: "\r\n\r\n", end: 4 },
  { wire: "a\r\n\r\nb", end: 5 },
  { wire: "a\r\n\r", end: NEED_MORE },
  { wire: "a\r\nb\r\rc\r\n\r", end: NEED_MORE },
  { wire: "a\r\nb\r\rc\r\n\r\n", end: 11 },
  { wire: "abc\r\r\n\r\n", end: 8 },
  { wire: "a\nb", end: Fault.bareLf },
  { wire: "a\r\n\n", end: Fault.bareLf },
  { wire: "a\r\nb\n\r\n\r\n", end: Fault.bareLf },
];
for (const { wire, end } of ENDS) {
  test(`head end of ${JSON.stringify(wire)} (RFC 9112 §2.2)`, () => {
    for (let pad = 0; pad < 5; pad++) {
      const bytes = asciiBytes("x".repeat(pad) + wire);
      const expected = end < 0 ? end : end + pad;
      assert.equal(findHeadEnd(bytes, 0, bytes.length), expected);
      let found = NEED_MORE;
      for (let until = 1, from = 0; until <= bytes.length && found === NEED_MORE; until++) {
        found = findHeadEnd(bytes, from, until);
        from = Math.max(0, until - 3);
      }
      assert.equal(found, expected, "byte by byte");
    }
  });
}

test("head end: the byte before the range does not count", () => {
  for (const before of ["\r", "\n", "a"]) {
    assert.equal(findHeadEnd(asciiBytes(`${before}\n\r\n\r\n`), 1, 6), 6);
    assert.equal(findHeadEnd(asciiBytes(`\r\n${before}\r\n`), 2, 5), NEED_MORE);
  }
});
