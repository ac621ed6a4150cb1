/**
 * Which length a body has, and every message that is refused because two readers could disagree (RFC 9112
 * §6).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { feedAll } from "../../test/http1/feeds.ts";
import { FAULTS, Fault } from "./fault.ts";
import { Framing, leavesConnectionClean, requestFraming, responseFraming } from "./framing.ts";
import { MessageHead, Method } from "./message-head.ts";
import { parseRequestHead } from "./request-head.ts";
import { parseResponseHead } from "./response-head.ts";

const CL = (value: string) => `Content-Length: ${value}\r\n`;
const TE = (value: string) => `Transfer-Encoding: ${value}\r\n`;

/** Fields that are refused on both sides. */
const REFUSALS: { name: string; rfc: string; fields: string; fault: Fault }[] = [
  { name: "a list of equal lengths", rfc: "9112 §6.3", fields: CL("5, 5"), fault: Fault.badContentLength },
  { name: "a sign", rfc: "9110 §8.6", fields: CL("+5"), fault: Fault.badContentLength },
  { name: "a minus", rfc: "9110 §8.6", fields: CL("-5"), fault: Fault.badContentLength },
  { name: "hexadecimal", rfc: "9110 §8.6", fields: CL("0x5"), fault: Fault.badContentLength },
  { name: "a hexadecimal digit", rfc: "9110 §8.6", fields: CL("5a"), fault: Fault.badContentLength },
  { name: "space inside", rfc: "9110 §8.6", fields: CL("5 5"), fault: Fault.badContentLength },
  { name: "an empty length", rfc: "9110 §8.6", fields: CL(""), fault: Fault.badContentLength },
  { name: "a fraction", rfc: "9110 §8.6", fields: CL("5.0"), fault: Fault.badContentLength },
  { name: "obs-text digits", rfc: "9110 §8.6", fields: CL("\xb2"), fault: Fault.badContentLength },
  { name: "a leading zero", rfc: "9110 §8.6", fields: CL("010"), fault: Fault.badContentLength },
  { name: "two zeros", rfc: "9110 §8.6", fields: CL("00"), fault: Fault.badContentLength },
  { name: "2^53", rfc: "9110 §8.6", fields: CL("9007199254740992"), fault: Fault.badContentLength },
  { name: "2^64 + 5", rfc: "9110 §8.6", fields: CL("18446744073709551621"), fault: Fault.badContentLength },
  {
    name: "equal lengths twice",
    rfc: "9112 §6.3",
    fields: CL("5") + CL("5"),
    fault: Fault.duplicateContentLength,
  },
  { name: "two lengths", rfc: "9112 §6.3", fields: CL("5") + CL("6"), fault: Fault.duplicateContentLength },
  {
    name: "length and chunked",
    rfc: "9112 §6.1",
    fields: CL("5") + TE("chunked"),
    fault: Fault.contentLengthWithTransferEncoding,
  },
  {
    name: "chunked and length 0",
    rfc: "9112 §6.1",
    fields: TE("chunked") + CL("0"),
    fault: Fault.contentLengthWithTransferEncoding,
  },
  {
    name: "chunked twice",
    rfc: "9112 §6.3",
    fields: TE("chunked, chunked"),
    fault: Fault.badTransferEncoding,
  },
  {
    name: "two lines",
    rfc: "9112 §6.3",
    fields: TE("chunked") + TE("chunked"),
    fault: Fault.badTransferEncoding,
  },
  {
    name: "two lines, one empty",
    rfc: "9112 §6.3",
    fields: TE("chunked") + TE(""),
    fault: Fault.badTransferEncoding,
  },
  { name: "an empty coding", rfc: "9112 §6.1", fields: TE(""), fault: Fault.badTransferEncoding },
  { name: "identity", rfc: "9112 §6.3", fields: TE("identity"), fault: Fault.badTransferEncoding },
  {
    name: "chunked not last",
    rfc: "9112 §6.3",
    fields: TE("chunked, gzip"),
    fault: Fault.badTransferEncoding,
  },
  { name: "a name like chunked", rfc: "9112 §6.3", fields: TE("xchunked"), fault: Fault.badTransferEncoding },
  {
    name: "chunked with a parameter",
    rfc: "9112 §7",
    fields: TE("chunked;q=1"),
    fault: Fault.badTransferEncoding,
  },
  { name: "chunked in quotes", rfc: "9112 §7", fields: TE('"chunked"'), fault: Fault.badTransferEncoding },
  { name: "a comma behind", rfc: "9112 §7", fields: TE("chunked,"), fault: Fault.badTransferEncoding },
  {
    name: "gzip, chunked",
    rfc: "9112 §6.1",
    fields: TE("gzip, chunked"),
    fault: Fault.unsupportedTransferCoding,
  },
];

for (const { name, rfc, fields, fault } of REFUSALS) {
  test(`refused: ${name} (RFC ${rfc})`, () => {
    assert.equal(framingName(framingOfRequest(`POST / HTTP/1.1\r\n${fields}`)), FAULTS[fault].name);
    assert.equal(framingName(framingOfResponse(`HTTP/1.1 200 OK\r\n${fields}`)), FAULTS[fault].name);
  });
}

test("refused: Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)", () => {
  const fault = Fault.transferEncodingInHttp10;
  assert.equal(framingOfRequest(`POST / HTTP/1.0\r\n${TE("chunked")}`), fault);
  assert.equal(framingOfResponse(`HTTP/1.0 200 OK\r\n${TE("chunked")}`), fault);
});

test("a vertical tab in front of chunked never gets here (RFC 9110 §5.5)", () => {
  const wire = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n";
  assert.equal(feedAll(parseRequestHead, new MessageHead(), wire, ""), Fault.badFieldValue);
});

const REQUESTS: { name: string; rfc: string; fields: string; framing: number; length: number }[] = [
  { name: "nothing", rfc: "9112 §6.3", fields: "", framing: Framing.none, length: -1 },
  { name: "length 0", rfc: "9112 §6.3", fields: CL("0"), framing: Framing.none, length: 0 },
  { name: "a length", rfc: "9112 §6.3", fields: CL(" 42 "), framing: Framing.length, length: 42 },
  {
    name: "2^53 - 1",
    rfc: "9110 §8.6",
    fields: CL("9007199254740991"),
    framing: Framing.length,
    length: Number.MAX_SAFE_INTEGER,
  },
  { name: "chunked", rfc: "9112 §7.1", fields: TE("chunked"), framing: Framing.chunked, length: -1 },
  { name: "Chunked", rfc: "9112 §7", fields: TE("\tChunked "), framing: Framing.chunked, length: -1 },
];
for (const { name, rfc, fields, framing, length } of REQUESTS) {
  test(`request: ${name} (RFC ${rfc})`, () => {
    const head = new MessageHead();
    assert.equal(framingOfRequest(`POST / HTTP/1.1\r\n${fields}`, head), framing);
    assert.equal(head.contentLength, length);
  });
}

const RESPONSES: {
  name: string;
  status: number;
  method?: number;
  fields: string;
  framing: number;
  minor?: number;
}[] = [
  { name: "nothing", status: 200, fields: "", framing: Framing.untilClose },
  { name: "nothing, HTTP/1.0", status: 200, minor: 0, fields: "", framing: Framing.untilClose },
  { name: "a length", status: 200, fields: CL("5"), framing: Framing.length },
  { name: "length 0", status: 200, fields: CL("0"), framing: Framing.none },
  { name: "chunked", status: 500, fields: TE("chunked"), framing: Framing.chunked },
  { name: "HEAD with length", status: 200, method: Method.HEAD, fields: CL("5"), framing: Framing.none },
  {
    name: "HEAD with chunked",
    status: 200,
    method: Method.HEAD,
    fields: TE("chunked"),
    framing: Framing.none,
  },
  {
    name: "HEAD with chunked and a length",
    status: 200,
    method: Method.HEAD,
    fields: TE("chunked") + CL("5"),
    framing: Fault.contentLengthWithTransferEncoding,
  },
  {
    name: "304 with a length and chunked",
    status: 304,
    fields: CL("5") + TE("chunked"),
    framing: Fault.contentLengthWithTransferEncoding,
  },
  {
    name: "HEAD with chunked, HTTP/1.0",
    status: 200,
    minor: 0,
    method: Method.HEAD,
    fields: TE("chunked"),
    framing: Fault.transferEncodingInHttp10,
  },
  { name: "304 with length", status: 304, fields: CL("5"), framing: Framing.none },
  { name: "204", status: 204, fields: "", framing: Framing.none },
  { name: "204 with chunked", status: 204, fields: TE("chunked"), framing: Framing.none },
  { name: "204 with length", status: 204, fields: CL("5"), framing: Framing.none },
  {
    name: "204, 204 with length to HEAD",
    status: 204,
    method: Method.HEAD,
    fields: CL("5"),
    framing: Framing.none,
  },
  { name: "205 with length 0", status: 205, fields: CL("0"), framing: Framing.none },
  { name: "205 is framed as any other", status: 205, fields: TE("chunked"), framing: Framing.chunked },
  { name: "304 with chunked", status: 304, fields: TE("chunked"), framing: Framing.none },
  { name: "100 with length 0", status: 100, fields: CL("0"), framing: Framing.none },
  { name: "100 with length", status: 100, fields: CL("5"), framing: Fault.contentInInterim },
  { name: "103 with chunked", status: 103, fields: TE("chunked"), framing: Fault.contentInInterim },
  {
    name: "100 with two lengths",
    status: 100,
    fields: CL("5") + CL("5"),
    framing: Fault.duplicateContentLength,
  },
  { name: "101 with chunked", status: 101, fields: TE("chunked"), framing: Framing.none },
  {
    name: "CONNECT, 200 with chunked",
    status: 200,
    method: Method.CONNECT,
    fields: TE("chunked"),
    framing: Framing.none,
  },
  { name: "100", status: 100, fields: "", framing: Framing.none },
  { name: "101", status: 101, fields: CL("5"), framing: Framing.none },
  { name: "CONNECT, 200", status: 200, method: Method.CONNECT, fields: CL("5"), framing: Framing.none },
  { name: "CONNECT, 407", status: 407, method: Method.CONNECT, fields: CL("5"), framing: Framing.length },
];
for (const { name, status, method = Method.GET, fields, framing, minor = 1 } of RESPONSES) {
  test(`response: ${name} (RFC 9112 §6.3)`, () => {
    assert.equal(framingOfResponse(`HTTP/1.${minor} ${status} X\r\n${fields}`, method), framing);
  });
}

const CLEAN: { name: string; status: number; fields: string; clean: boolean }[] = [
  { name: "a length", status: 200, fields: CL("5"), clean: true },
  { name: "chunked", status: 200, fields: TE("chunked"), clean: true },
  { name: "until close", status: 200, fields: "", clean: false },
  { name: "204", status: 204, fields: "", clean: true },
  { name: "204 with length 0", status: 204, fields: CL("0"), clean: true },
  { name: "204 with length", status: 204, fields: CL("5"), clean: false },
  { name: "204 with chunked", status: 204, fields: TE("chunked"), clean: false },
  { name: "304 with length", status: 304, fields: CL("5"), clean: true },
];
for (const { name, status, fields, clean } of CLEAN) {
  test(`connection ${clean ? "" : "not "}used again behind: ${name} (RFC 9112 §6.3, §9.3)`, () => {
    const head = new MessageHead();
    const framing = framingOfResponse(`HTTP/1.1 ${status} X\r\n${fields}`, Method.GET, head);
    assert.equal(leavesConnectionClean(head, framing), clean);
  });
}

function framingOfRequest(text: string, head = new MessageHead()): number {
  const wire = `${text}Host: a\r\n\r\n`;
  assert.equal(feedAll(parseRequestHead, head, wire, "GET / HTTP/1.1\r\n\r\n"), wire.length);
  return requestFraming(head);
}

function framingOfResponse(text: string, method: number = Method.GET, head = new MessageHead()): number {
  const wire = `${text}\r\n`;
  assert.equal(feedAll(parseResponseHead, head, wire, "HTTP/1.1 200 OK\r\n\r\n"), wire.length);
  return responseFraming(head, method);
}

function framingName(framing: number): string {
  return framing < 0 ? FAULTS[framing as Fault].name : `framing ${framing}`;
}
