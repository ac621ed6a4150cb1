/** Request heads that are refused, each fed whole, byte by byte and with the next message behind it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { feedAll, LIMITS } from "../../test/http1/feeds.ts";
import { FAULTS, Fault } from "./fault.ts";
import { MessageHead, NEED_MORE } from "./message-head.ts";
import { parseRequestHead } from "./request-head.ts";

const NEXT = "GET /next HTTP/1.1\r\nHost: n\r\n\r\n";

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
    name: "CONNECT with an empty port",
    rfc: "9110 §9.3.6",
    wire: "CONNECT a: HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  {
    name: "CONNECT with userinfo",
    rfc: "9112 §3.2.3",
    wire: "CONNECT u@a:443 HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  {
    name: "CONNECT in absolute-form",
    rfc: "9112 §3.2.3",
    wire: "CONNECT http://a:443/ HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  {
    name: "CONNECT to every port",
    rfc: "9112 §3.2.3",
    wire: "CONNECT a:65536 HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  {
    name: "authority-form with GET",
    rfc: "9112 §3.2.3",
    wire: "GET a:443 HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  { name: "* with TRACE", rfc: "9112 §3.2.4", wire: "TRACE * HTTP/1.1\r\n", fault: Fault.badTarget },
  { name: "** with OPTIONS", rfc: "9112 §3.2.4", wire: "OPTIONS ** HTTP/1.1\r\n", fault: Fault.badTarget },
  { name: "*/a with OPTIONS", rfc: "9112 §3.2.4", wire: "OPTIONS */a HTTP/1.1\r\n", fault: Fault.badTarget },
  {
    name: "a scheme without //",
    rfc: "9112 §3.2.2",
    wire: "GET http:/a HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  {
    name: "an authority with a bad port",
    rfc: "3986 §3.2.3",
    wire: "GET http://a:8x/ HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  {
    name: "an authority that is a port alone",
    rfc: "9110 §4.2.1",
    wire: "GET http://:80/ HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  {
    name: "an authority with a backslash",
    rfc: "3986 §3.2.2",
    wire: "GET http://a\\@b/ HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  {
    name: "an open bracket in the authority",
    rfc: "3986 §3.2.2",
    wire: "GET http://[::1/ HTTP/1.1\r\n",
    fault: Fault.badTarget,
  },
  { name: "NUL in the target", rfc: "9112 §3.2", wire: "GET /a\x00b", fault: Fault.badTarget },
  { name: "CR in the target", rfc: "9112 §2.2", wire: "GET /a\rb", fault: Fault.badRequestLine },
  { name: "NUL in the method", rfc: "9112 §3.1", wire: "G\x00T / ", fault: Fault.badMethod },
  {
    name: "Max-Forwards twice",
    rfc: "9110 §7.6.2",
    wire: "OPTIONS * HTTP/1.1\r\nMax-Forwards: 1\r\nMax-Forwards: 1\r\n",
    fault: Fault.badMaxForwards,
  },
  {
    name: "Max-Forwards with a sign",
    rfc: "9110 §7.6.2",
    wire: "TRACE / HTTP/1.1\r\nMax-Forwards: -1\r\n",
    fault: Fault.badMaxForwards,
  },
  {
    name: "Max-Forwards as a list",
    rfc: "9110 §7.6.2",
    wire: "TRACE / HTTP/1.1\r\nMax-Forwards: 1, 1\r\n",
    fault: Fault.badMaxForwards,
  },
  {
    name: "an empty Max-Forwards",
    rfc: "9110 §7.6.2",
    wire: "TRACE / HTTP/1.1\r\nMax-Forwards:\r\n",
    fault: Fault.badMaxForwards,
  },
  {
    name: "an endless Max-Forwards",
    rfc: "9110 §7.6.2",
    wire: `TRACE / HTTP/1.1\r\nMax-Forwards: ${"0".repeat(17)}\r\n`,
    fault: Fault.badMaxForwards,
  },
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
  {
    name: "Transfer-Encoding with a space before its colon",
    rfc: "9112 §5.1",
    lines: "Transfer-Encoding : chunked",
    fault: Fault.spaceBeforeColon,
  },
  {
    name: "Transfer-Encoding folded",
    rfc: "9112 §5.2",
    lines: "Transfer-Encoding:\r\n chunked",
    fault: Fault.obsFold,
  },
  {
    name: "Transfer-Encoding behind a bare LF",
    rfc: "9112 §2.2",
    lines: "X: 1\nTransfer-Encoding: chunked",
    fault: Fault.bareLf,
  },
  {
    name: "Transfer-Encoding behind a bare CR",
    rfc: "9112 §2.2",
    lines: "X: 1\rTransfer-Encoding: chunked",
    fault: Fault.bareCr,
  },
  {
    name: "Transfer-Encoding with NUL",
    rfc: "9110 §5.5",
    lines: "Transfer-Encoding: chunked\x00",
    fault: Fault.badFieldValue,
  },
  {
    name: "Content-Length with a vertical tab",
    rfc: "9110 §5.5",
    lines: "Content-Length: \x0b5",
    fault: Fault.badFieldValue,
  },
  { name: "a name with _ and a space", rfc: "9112 §5.1", lines: "a_b : 1", fault: Fault.spaceBeforeColon },
  { name: "a name with _ and no colon", rfc: "9112 §5", lines: "a_b\r\n", fault: Fault.badFieldName },
  { name: "a name with _ that LF ends", rfc: "9112 §2.2", lines: "a_\nb: 1", fault: Fault.bareLf },
  { name: "a name with _ that is no token", rfc: "9112 §5", lines: "a_(b: 1", fault: Fault.badFieldName },
  { name: "a second Host, empty", rfc: "9112 §3.2", lines: "Host: a\r\nHost:", fault: Fault.duplicateHost },
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
  {
    name: "Host of 1,025 bytes",
    rfc: "9110 §7.2",
    lines: `Host: ${"h".repeat(1022)}:80`,
    fault: Fault.badHost,
  },
  { name: "a broken percent escape", rfc: "3986 §2.1", lines: "Host: a%2", fault: Fault.badHost },
  {
    name: "one field too many",
    rfc: "6585 §5",
    lines: Array.from({ length: LIMITS.fieldCountMax + 1 }, (_, i) => `F${i}: x`).join("\r\n"),
    fault: Fault.tooManyFields,
  },
  {
    name: "33 fields that Connection names",
    rfc: "9110 §7.6.1",
    lines: `Connection: close, ${"b,".repeat(33)}`,
    fault: Fault.tooManyConnectionOptions,
  },
  {
    name: "33 fields that Connection names, on two lines",
    rfc: "9110 §7.6.1",
    lines: `Connection: ${"b ".repeat(32)}\r\nConnection: c`,
    fault: Fault.tooManyConnectionOptions,
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
