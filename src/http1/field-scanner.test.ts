import assert from "node:assert/strict";
import { test } from "node:test";
import { isScanned, SCANNER } from "../../test/http1/scanned.ts";
import { linearMemory, WORK_BYTES } from "../base/linear-memory.ts";
import { fieldScannerOf } from "./field-scanner.ts";
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

function lineOf(bytes: number): string {
  return `a: ${"v".repeat(bytes)}\r\n`;
}

function names(...lengths: readonly number[]): string {
  return `${lengths.map((bytes) => `${"n".repeat(bytes)}: v\r\n`).join("")}\r\n`;
}
