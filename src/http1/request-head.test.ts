/** Request heads, each fed whole, byte by byte and with the next message behind it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { feedAll, LIMITS, START, surround } from "../../test/http1/feeds.ts";
import { asciiBytes, textOf } from "../base/bytes.ts";
import { FAULTS, Fault } from "./fault.ts";
import { Field } from "./field-names.ts";
import {
  ConnectionOption,
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

const REFUSALS: { name: string; rfc: string; wire: string; fault: Fault }[] = [
  {
    name: "a TLS ClientHello",
    rfc: "9112 §3",
    wire: "\x16\x03\x01\x02\x00\x01",
    fault: Fault.badRequestLine,
  },
  { name: "a space in front of the method", rfc: "9112 §3", wire: " GET / ", fault: Fault.badRequestLine },
  { name: "two empty lines first", rfc: "9112 §2.2", wire: "\r\n\r\nGET /", fault: Fault.badRequestLine },
  { name: "a bare LF first", rfc: "9112 §2.2", wire: "\nGET / ", fault: Fault.badRequestLine },
  { name: "a CR without LF first", rfc: "9112 §2.2", wire: "\rGET / ", fault: Fault.badRequestLine },
  { name: "a method that is no token", rfc: "9112 §3.1", wire: "G(T / HTTP/1.1\r\n", fault: Fault.badMethod },
  { name: "an endless method", rfc: "9112 §3.1", wire: "A".repeat(66), fault: Fault.badMethod },
  { name: "two spaces before the target", rfc: "9112 §3", wire: "GET  / H", fault: Fault.badRequestLine },
  { name: "two spaces after the target", rfc: "9112 §3", wire: "GET /  H", fault: Fault.badRequestLine },
  { name: "a tab for a space", rfc: "9112 §3", wire: "GET\t/ ", fault: Fault.badMethod },
  { name: "HTTP/0.9", rfc: "9112 §3", wire: "GET /\r\n", fault: Fault.badRequestLine },
  { name: "no version", rfc: "9112 §3", wire: "GET / \r\n", fault: Fault.badRequestLine },
  { name: "HTTP/2.0", rfc: "9112 §2.3", wire: "PRI * HTTP/2.0\r\n", fault: Fault.versionNotSupported },
  { name: "HTTP/1.2", rfc: "9112 §2.3", wire: "GET / HTTP/1.2\r\n", fault: Fault.versionNotSupported },
  { name: "a lower-case version", rfc: "9112 §2.3", wire: "GET / http/1.1\r\n", fault: Fault.badRequestLine },
  { name: "a long version", rfc: "9112 §2.3", wire: "GET / HTTP/1.10\r\n", fault: Fault.badRequestLine },
  {
    name: "a space behind the version",
    rfc: "9112 §3",
    wire: "GET / HTTP/1.1 \r\n",
    fault: Fault.badRequestLine,
  },
  { name: "LF behind the version", rfc: "9112 §2.2", wire: "GET / HTTP/1.1\nHost: a", fault: Fault.bareLf },
  { name: "CR behind the version", rfc: "9112 §2.2", wire: "GET / HTTP/1.1\rHost: a", fault: Fault.bareCr },
  { name: "a control in the target", rfc: "9112 §3.2", wire: "GET /\x01abcdef", fault: Fault.badTarget },
  { name: "DEL in the target", rfc: "9112 §3.2", wire: "GET /abc\x7f", fault: Fault.badTarget },
  {
    name: "a raw high byte in the target",
    rfc: "9112 §3.2",
    wire: "GET /abc\xe4efgh",
    fault: Fault.badTarget,
  },
  { name: "a fragment", rfc: "9112 §3.2", wire: "GET /abc#efgh", fault: Fault.badTarget },
  { name: "LF in the target", rfc: "9112 §2.2", wire: "GET /abc\nHost", fault: Fault.bareLf },
  { name: "no slash", rfc: "9112 §3.2.1", wire: "GET abc HTTP/1.1\r\n", fault: Fault.badTarget },
  { name: "* with GET", rfc: "9112 §3.2.4", wire: "GET * HTTP/1.1\r\n", fault: Fault.badTarget },
  { name: "another scheme", rfc: "9112 §3.2.2", wire: "GET ftp://a/ HTTP/1.1\r\n", fault: Fault.badTarget },
  { name: "userinfo", rfc: "9110 §4.2.4", wire: "GET http://u@a/ HTTP/1.1\r\n", fault: Fault.badTarget },
  {
    name: "an empty authority",
    rfc: "9110 §4.2.1",
    wire: "GET http:///x HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  {
    name: "CONNECT without port",
    rfc: "9110 §9.3.6",
    wire: "CONNECT a HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  { name: "CONNECT to a path", rfc: "9112 §3.2.3", wire: "CONNECT /a HTTP/1.1\r\n", fault: Fault.badTarget },
  {
    name: "a long target, before its end",
    rfc: "9110 §15.5.15",
    wire: `GET /${"x".repeat(LIMITS.targetBytesMax)}`,
    fault: Fault.targetTooLong,
  },
];

const FIELD_REFUSALS: { name: string; rfc: string; lines: string; fault: Fault }[] = [
  { name: "space before the colon", rfc: "9112 §5.1", lines: "Foo : 1", fault: Fault.spaceBeforeColon },
  { name: "tab before the colon", rfc: "9112 §5.1", lines: "Foo\t: 1", fault: Fault.spaceBeforeColon },
  { name: "folded", rfc: "9112 §5.2", lines: "Foo: 1\r\n 2", fault: Fault.obsFold },
  { name: "folded by a tab", rfc: "9112 §5.2", lines: "Foo: 1\r\n\t2", fault: Fault.obsFold },
  {
    name: "space in front of the first field",
    rfc: "9112 §2.2",
    lines: " Foo: 1",
    fault: Fault.badFieldName,
  },
  { name: "an empty name", rfc: "9112 §5", lines: ": 1", fault: Fault.badFieldName },
  { name: "no colon", rfc: "9112 §5", lines: "Foo\r\n", fault: Fault.badFieldName },
  { name: "a name that is no token", rfc: "9112 §5", lines: "F(o: 1", fault: Fault.badFieldName },
  { name: "a high byte in a name", rfc: "9112 §5", lines: "F\xe4o: 1", fault: Fault.badFieldName },
  { name: "NUL in a name", rfc: "9112 §5", lines: "F\x00o: 1", fault: Fault.badFieldName },
  { name: "LF ends a value", rfc: "9112 §2.2", lines: "Foo: 12345\nBar: 1", fault: Fault.bareLf },
  { name: "LF ends a name", rfc: "9112 §2.2", lines: "Foo\nBar: 1", fault: Fault.bareLf },
  { name: "LF ends the head", rfc: "9112 §2.2", lines: "Foo: 1\r\n\n", fault: Fault.bareLf },
  { name: "CR in a value", rfc: "9112 §2.2", lines: "Foo: 123\r45", fault: Fault.bareCr },
  { name: "CR CR LF", rfc: "9112 §2.2", lines: "Foo: 1\r\r\n", fault: Fault.bareCr },
  { name: "CR without LF at the end", rfc: "9112 §2.2", lines: "Foo: 1\r\n\rX", fault: Fault.bareCr },
  { name: "NUL in a value", rfc: "9110 §5.5", lines: "Foo: 123\x004567", fault: Fault.badFieldValue },
  { name: "DEL in a value", rfc: "9110 §5.5", lines: "Foo: 12345\x7f", fault: Fault.badFieldValue },
  {
    name: "DEL inside a value",
    rfc: "9110 §5.5",
    lines: "Foo: 1234567\x7f12345678",
    fault: Fault.badFieldValue,
  },
  { name: "a control in a value", rfc: "9110 §5.5", lines: "Foo: \x1b[2J", fault: Fault.badFieldValue },
  { name: "a second Host", rfc: "9112 §3.2", lines: "Host: a\r\nHOST: a", fault: Fault.duplicateHost },
  { name: "Host with a path", rfc: "9112 §3.2", lines: "Host: a/b", fault: Fault.badHost },
  { name: "Host with userinfo", rfc: "9112 §3.2", lines: "Host: u@a", fault: Fault.badHost },
  { name: "Host with a space", rfc: "9112 §3.2", lines: "Host: a b", fault: Fault.badHost },
  { name: "a list of hosts", rfc: "9112 §3.2", lines: "Host: a, b", fault: Fault.badHost },
  { name: "a port that is no number", rfc: "9112 §3.2", lines: "Host: a:8x", fault: Fault.badHost },
  { name: "a port beyond 65535", rfc: "9112 §3.2", lines: "Host: a:65536", fault: Fault.badHost },
  { name: "a port alone", rfc: "9112 §3.2", lines: "Host: :80", fault: Fault.badHost },
  { name: "an IPv6 address without brackets", rfc: "9112 §3.2", lines: "Host: ::1", fault: Fault.badHost },
  { name: "a name in brackets", rfc: "9112 §3.2", lines: "Host: [a]", fault: Fault.badHost },
  { name: "an open bracket", rfc: "9112 §3.2", lines: "Host: [::1", fault: Fault.badHost },
  { name: "text behind a bracket", rfc: "9112 §3.2", lines: "Host: [::1]x", fault: Fault.badHost },
  { name: "a broken percent escape", rfc: "3986 §2.1", lines: "Host: a%2", fault: Fault.badHost },
  {
    name: "one field too many",
    rfc: "6585 §5",
    lines: Array.from({ length: LIMITS.fieldCountMax + 1 }, (_, i) => `F${i}: x`).join("\r\n"),
    fault: Fault.tooManyFields,
  },
  {
    name: "a head too large, before its end",
    rfc: "6585 §5",
    lines: `Foo: ${"x".repeat(LIMITS.headBytesMax)}`,
    fault: Fault.headTooLarge,
  },
];

for (const { name, rfc, wire, fault } of REFUSALS) {
  test(`request line refused: ${name} (RFC ${rfc})`, () => {
    assert.equal(describe(feedAll(parseRequestHead, new MessageHead(), wire, NEXT)), FAULTS[fault].name);
  });
}

for (const { name, rfc, lines, fault } of FIELD_REFUSALS) {
  test(`field refused: ${name} (RFC ${rfc})`, () => {
    const wire = `GET / HTTP/1.1\r\n${lines}\r\n`;
    assert.equal(describe(feedAll(parseRequestHead, new MessageHead(), wire, NEXT)), FAULTS[fault].name);
  });
}

test("HTTP/1.1 without Host is refused, HTTP/1.0 is not (RFC 9112 §3.2)", () => {
  const head = new MessageHead();
  const modern = feedAll(parseRequestHead, head, "GET / HTTP/1.1\r\nA: b\r\n\r\n", NEXT);
  assert.equal(modern, Fault.missingHost);
  const old = "GET / HTTP/1.0\r\n\r\n";
  assert.equal(feedAll(parseRequestHead, head, old, NEXT), old.length);
  assert.equal(head.versionMinor, 0);
  assert.equal(head.hostIndex, -1);
});

function describe(result: number): string {
  return result === NEED_MORE ? "need more" : result >= 0 ? "parsed" : FAULTS[result as Fault].name;
}

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
    "GET http://b/ HTTP/1.0\r\nUpgrade: x\r\nConnection: close, y\r\nExpect: 100-continue\r\nDate: x\r\n";
  feedAll(parseRequestHead, head, `${rich}Content-Length: 4\r\nTransfer-Encoding: x\r\n\r\n`, NEXT);
  const plain = `GET / HTTP/1.1\r\n${HOST}\r\n`;
  feedAll(parseRequestHead, head, plain, NEXT);
  const fresh = new MessageHead();
  feedAll(parseRequestHead, fresh, plain, NEXT);
  const scalars = ({ fields: _fields, fieldIds: _ids, ...rest }: MessageHead) => rest;
  assert.deepEqual(scalars(head), scalars(fresh));
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
