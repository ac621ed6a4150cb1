/** Response heads, each fed whole, byte by byte and with the next message behind it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { feedAll, LIMITS, surround } from "../../test/http1/feeds.ts";
import { textOf } from "../base/bytes.ts";
import { FAULTS, Fault } from "./fault.ts";
import { MessageHead, NEED_MORE, persists } from "./message-head.ts";
import { parseResponseHead } from "./response-head.ts";

const NEXT = "HTTP/1.1 404 Not Found\r\n\r\n";

const REFUSALS: { name: string; rfc: string; wire: string; fault: Fault }[] = [
  { name: "something else", rfc: "9112 §4", wire: "SSH-2.0-OpenSSH\r\n", fault: Fault.badStatusLine },
  { name: "HTTP/2", rfc: "9112 §2.3", wire: "HTTP/2 200 OK\r\n", fault: Fault.badStatusLine },
  { name: "HTTP/1.2", rfc: "9112 §2.3", wire: "HTTP/1.2 200 OK\r\n", fault: Fault.badStatusLine },
  {
    name: "an empty line first",
    rfc: "9112 §4",
    wire: "\r\nHTTP/1.1 200 OK\r\n",
    fault: Fault.badStatusLine,
  },
  { name: "two spaces", rfc: "9112 §4", wire: "HTTP/1.1  200 OK\r\n", fault: Fault.badStatusLine },
  { name: "a short status", rfc: "9112 §4", wire: "HTTP/1.1 20\r\n\r\n\r\n", fault: Fault.badStatusLine },
  { name: "a long status", rfc: "9112 §4", wire: "HTTP/1.1 2000 OK\r\n", fault: Fault.badStatusLine },
  { name: "a status below 100", rfc: "9110 §15", wire: "HTTP/1.1 099 OK\r\n", fault: Fault.badStatusLine },
  { name: "a signed status", rfc: "9112 §4", wire: "HTTP/1.1 -20 OK\r\n", fault: Fault.badStatusLine },
  { name: "LF behind the reason", rfc: "9112 §2.2", wire: "HTTP/1.1 200 OK\nA: b\r\n", fault: Fault.bareLf },
  { name: "CR in the reason", rfc: "9112 §2.2", wire: "HTTP/1.1 200 O\rK\r\n", fault: Fault.bareCr },
  {
    name: "a control in the reason",
    rfc: "9112 §4",
    wire: "HTTP/1.1 200 O\x01K\r\n",
    fault: Fault.badStatusLine,
  },
  { name: "folded", rfc: "9112 §5.2", wire: "HTTP/1.1 200 OK\r\nA: b\r\n c", fault: Fault.obsFold },
  { name: "LF ends a field", rfc: "9112 §2.2", wire: "HTTP/1.1 200 OK\r\nA: b\nC: d", fault: Fault.bareLf },
  {
    name: "too large, before its end",
    rfc: "6585 §5",
    wire: `HTTP/1.1 200 OK\r\nA: ${"b".repeat(LIMITS.headBytesMax)}`,
    fault: Fault.headTooLarge,
  },
];

for (const { name, rfc, wire, fault } of REFUSALS) {
  test(`response refused: ${name} (RFC ${rfc})`, () => {
    const result = feedAll(parseResponseHead, new MessageHead(), wire, NEXT);
    assert.equal(result < NEED_MORE ? FAULTS[result as Fault].name : result, FAULTS[fault].name);
  });
}

const LINES: { name: string; rfc: string; line: string; status: number; reason: string; minor?: number }[] = [
  { name: "usual", rfc: "9112 §4", line: "HTTP/1.1 200 OK", status: 200, reason: "OK" },
  {
    name: "HTTP/1.0",
    rfc: "9112 §2.3",
    line: "HTTP/1.0 404 Not Found",
    status: 404,
    reason: "Not Found",
    minor: 0,
  },
  { name: "an empty reason", rfc: "9112 §4", line: "HTTP/1.1 204 ", status: 204, reason: "" },
  { name: "no reason and no space", rfc: "9112 §4", line: "HTTP/1.1 204", status: 204, reason: "" },
  {
    name: "obs-text in the reason",
    rfc: "9112 §4",
    line: "HTTP/1.1 500 F\xe4il\t!",
    status: 500,
    reason: "F\xe4il\t!",
  },
  { name: "a status nobody knows", rfc: "9110 §15", line: "HTTP/1.1 999 Odd", status: 999, reason: "Odd" },
];
for (const { name, rfc, line, status, reason, minor = 1 } of LINES) {
  test(`status line: ${name} (RFC ${rfc})`, () => {
    const head = new MessageHead();
    const wire = `${line}\r\nHost: a\r\nHost: b/c\r\n\r\n`;
    assert.equal(feedAll(parseResponseHead, head, wire, NEXT), wire.length, "and Host means nothing here");
    assert.equal(head.status, status);
    assert.equal(textOf(surround(wire, "\x00", "\x00"), head.reasonStart, head.reasonEnd), reason);
    assert.equal(head.versionMinor, minor);
    assert.equal(head.fieldCount, 2);
  });
}

test("the shortest head has no fields", () => {
  const wire = "HTTP/1.1 200\r\n\r\n";
  const head = new MessageHead();
  assert.equal(feedAll(parseResponseHead, head, wire, NEXT), wire.length);
  assert.equal(head.fieldCount, 0);
  assert.ok(persists(head));
});

const TYPES: { value: string; expect: boolean }[] = [
  { value: "text/event-stream", expect: true },
  { value: "Text/Event-Stream; charset=utf-8", expect: true },
  { value: "text/event-stream;charset=utf-8", expect: true },
  { value: "text/event-streams", expect: false },
  { value: "text/event", expect: false },
  { value: "text/html", expect: false },
];
for (const { value, expect } of TYPES) {
  test(`event stream: ${value} is ${expect ? "" : "not "}one`, () => {
    const head = new MessageHead();
    const wire = `HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: ${value}\r\n\r\n`;
    assert.equal(feedAll(parseResponseHead, head, wire, NEXT), wire.length);
    assert.equal(head.eventStream, expect);
    assert.equal(head.dateIndex, 0);
  });
}
