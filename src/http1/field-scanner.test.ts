import assert from "node:assert/strict";
import { test } from "node:test";
import { isPlainHost, isScanned, SCANNER } from "../../test/http1/scanned.ts";
import { asciiBytes, textOf } from "../base/bytes.ts";
import { linearMemory, WORK_BYTES } from "../base/linear-memory.ts";
import { fieldScannerOf, placedConstant } from "./field-scanner.ts";
import { MessageHead } from "./message-head.ts";

const FIELD_LINES: readonly { name: string; lines: string; taken: boolean }[] = [
  { name: "no line", lines: "\r\n", taken: true },
  { name: "one", lines: "Host: a\r\n\r\n", taken: true },
  { name: "no space before the value", lines: "Host:a\r\n\r\n", taken: true },
  { name: "an empty value", lines: "Accept:\r\n\r\n", taken: true },
  { name: "spaces and nothing else", lines: "Accept: \t \r\n\r\n", taken: true },
  { name: "HTAB inside a value", lines: "Accept: a\tb\r\n\r\n", taken: true },
  { name: "bytes beyond ASCII in a value", lines: "X: \xe4\xff\x80\r\n\r\n", taken: true },
  { name: "every byte of a token but _", lines: "!#$%&'*+-.^`|~09azAZ: a\r\n\r\n", taken: true },
  { name: "a value of 15, 16, 17 bytes", lines: `${[15, 16, 17].map(lineOf).join("")}\r\n`, taken: true },
  { name: "a name of 15, 16, 17, 31, 32, 33 bytes", lines: names(15, 16, 17, 31, 32, 33), taken: true },
  { name: "128 lines", lines: `${"a: b\r\n".repeat(128)}\r\n`, taken: true },
  { name: "129 lines", lines: `${"a: b\r\n".repeat(129)}\r\n`, taken: false },
  { name: "_ in a name (judged by a policy)", lines: "a_b: c\r\n\r\n", taken: false },
  { name: "no colon (RFC 9112 §5)", lines: "Host\r\n\r\n", taken: false },
  { name: "an empty name", lines: ": a\r\n\r\n", taken: false },
  { name: "space before the colon (RFC 9112 §5.1)", lines: "Host : a\r\n\r\n", taken: false },
  { name: "a folded line (RFC 9112 §5.2)", lines: "a: b\r\n c\r\n\r\n", taken: false },
  { name: "bare LF behind a value (RFC 9112 §2.2)", lines: "a: b\n\r\n", taken: false },
  { name: "bare CR in a value (RFC 9112 §2.2)", lines: "a: b\rc\r\n\r\n", taken: false },
  { name: "bare LF for the empty line", lines: "a: b\r\n\n", taken: false },
  { name: "NUL in a value (RFC 9110 §5.5)", lines: "a: b\0c\r\n\r\n", taken: false },
  { name: "DEL in a value", lines: "a: b\x7f\r\n\r\n", taken: false },
  { name: "a byte beyond ASCII in a name", lines: "\xe4: b\r\n\r\n", taken: false },
  { name: "the empty line is not there", lines: "a: b\r\n", taken: false },
  { name: "half of the empty line is not there", lines: "a: b\r\n\r", taken: false },
];

for (const { name, lines, taken } of FIELD_LINES) {
  test(`the scanner ${taken ? "reads" : "leaves to TypeScript"}: ${name}`, () => {
    assert.equal(isScanned(lines), taken);
  });
}

test("without its memory there is no scanner, and no head asks it about other memory", () => {
  assert.equal(fieldScannerOf(new Uint8Array(100), null), null);
  assert.notEqual(SCANNER.memory, new Uint8Array(SCANNER.memory.buffer, 0, SCANNER.memory.length));
});

test("a head for which the scanner has no room left is read without it", () => {
  const linear = linearMemory(1)!;
  const scanner = fieldScannerOf(new Uint8Array(linear.buffer, 0, 1), linear);
  assert.equal(linear.buffer.byteLength - linear.workStart, WORK_BYTES);
  assert.equal(new MessageHead(1000, scanner).scanner, scanner);
  assert.equal(new MessageHead(100_000, scanner).scanner, null);
  assert.equal(new MessageHead(1000, scanner).scanner, scanner, "a smaller one still fits");
});

test("a copy of any length has every byte, and touches none beside it", () => {
  const { memory } = SCANNER;
  for (let length = 0; length <= 100; length++) {
    for (let i = 0; i < 400; i++) memory[i] = (i * 7 + length) & 0xff;
    const expected = memory.slice(0, 400);
    expected.copyWithin(200, 13, 13 + length);
    assert.equal(SCANNER.copy(13, 13 + length, 200), 200 + length);
    assert.deepEqual(memory.subarray(0, 400), expected, `${length} bytes`);
  }
});

test("constants have a place in the memory once, until there is no room", () => {
  const linear = linearMemory(100)!;
  const scanner = fieldScannerOf(new Uint8Array(linear.buffer, 0, 100), linear)!;
  const at = scanner.place(asciiBytes("Via: 1.1 a\r\n"));
  assert.equal(textOf(new Uint8Array(linear.buffer), at, at + 12), "Via: 1.1 a\r\n");
  assert.equal(scanner.place(asciiBytes("Via: 1.1 a\r\n")), at);
  assert.notEqual(scanner.place(asciiBytes("Via: 1.1 b\r\n")), at);
  assert.equal(scanner.place(new Uint8Array(WORK_BYTES)), -1);
  assert.equal(placedConstant(new Uint8Array(WORK_BYTES), scanner).at, -1);
  assert.equal(placedConstant(asciiBytes("Via: 1.1 a\r\n"), null).at, -1);
});

const HOSTS: readonly { host: string; isPlain: boolean }[] = [
  { host: "a", isPlain: true },
  { host: "127.0.0.1:8080", isPlain: true },
  { host: "www.example.com", isPlain: true },
  { host: `${"a".repeat(250)}:1`, isPlain: true },
  { host: "a".repeat(256), isPlain: true },
  { host: "a".repeat(257), isPlain: false },
  { host: "sixteen-bytes.de:443", isPlain: true },
  { host: "a:00001", isPlain: true },
  { host: "a:59999", isPlain: true },
  { host: "a:60000", isPlain: false },
  { host: "a:65535", isPlain: false },
  { host: "a:5999x", isPlain: false },
  { host: "a:/0000", isPlain: false },
  { host: "a:000001", isPlain: false },
  { host: "a:", isPlain: false },
  { host: "", isPlain: false },
  { host: ":80", isPlain: false },
  { host: "a:8x", isPlain: false },
  { host: "a:8:0", isPlain: false },
  { host: "[::1]", isPlain: false },
  { host: "a%41", isPlain: false },
  { host: "user@host", isPlain: false },
  { host: "a b", isPlain: false },
  { host: "a/b", isPlain: false },
];
for (const { host, isPlain } of HOSTS) {
  const what = isPlain ? "knows" : "leaves to TypeScript";
  test(`the scanner ${what} the host ${JSON.stringify(host)} (RFC 3986 §3.2)`, () => {
    assert.equal(isPlainHost(host), isPlain);
  });
}

function lineOf(bytes: number): string {
  return `a: ${"v".repeat(bytes)}\r\n`;
}

function names(...lengths: readonly number[]): string {
  return `${lengths.map((bytes) => `${"n".repeat(bytes)}: v\r\n`).join("")}\r\n`;
}
