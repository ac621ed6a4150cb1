/** The byte classes, against the grammar written a second way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  equalsIgnoreCase,
  equalsKnown,
  FIELD_VALUE,
  HEX_VALUE,
  KnownText,
  LOWER_CASE,
  REG_NAME,
  rangesEqualIgnoreCase,
  TARGET,
  TOKEN,
} from "./ascii.ts";
import { asciiBytes } from "./bytes.ts";

const CLASSES: { name: string; rfc: string; table: Uint8Array; pattern: RegExp }[] = [
  { name: "tchar", rfc: "9110 §5.6.2", table: TOKEN, pattern: /[!#$%&'*+.^_`|~\-0-9A-Za-z]/ },
  { name: "field value", rfc: "9110 §5.5", table: FIELD_VALUE, pattern: /[\t\x20-\x7e\x80-\xff]/ },
  { name: "target", rfc: "9112 §3.2", table: TARGET, pattern: /[\x21-\x22\x24-\x7e]/ },
  { name: "reg-name", rfc: "3986 §3.2.2", table: REG_NAME, pattern: /[A-Za-z0-9\-._~!$&'()*+,;=]/ },
];
for (const { name, rfc, table, pattern } of CLASSES) {
  test(`class: ${name} (RFC ${rfc})`, () => {
    for (let byte = 0; byte < 256; byte++) {
      assert.equal(table[byte] === 1, pattern.test(String.fromCharCode(byte)), `byte ${byte}`);
    }
  });
}

test("hexadecimal digits and lower case", () => {
  for (let byte = 0; byte < 256; byte++) {
    const text = String.fromCharCode(byte);
    assert.equal(HEX_VALUE[byte], /[0-9a-fA-F]/.test(text) ? Number.parseInt(text, 16) : 255);
    assert.equal(LOWER_CASE[byte], /[A-Z]/.test(text) ? byte + 32 : byte);
  }
});

test("equality ignores ASCII case and nothing else", () => {
  const memory = asciiBytes("..Keep-Alive..keep\x0dalive..KEEP-alive");
  const word = asciiBytes("keep-alive");
  assert.ok(equalsIgnoreCase(memory, 2, 12, word));
  assert.ok(!equalsIgnoreCase(memory, 14, 24, word));
  assert.ok(!equalsIgnoreCase(memory, 2, 11, word));
  assert.ok(rangesEqualIgnoreCase(memory, 2, 12, 26, 36));
  assert.ok(!rangesEqualIgnoreCase(memory, 2, 12, 14, 24));
});

for (const text of ["close", "keep-alive", "upgrade", "100-continue", "text/event-stream", "four"]) {
  test(`of all bytes of a value, only those of ${JSON.stringify(text)} in either case are equal to them`, () => {
    const known = new KnownText(text);
    const bytes = asciiBytes(`..${text.toUpperCase()}..`);
    const view = new DataView(bytes.buffer);
    const end = 2 + text.length;
    assert.ok(equalsKnown(view, 2, end, known));
    assert.ok(!equalsKnown(view, 2, end + 1, known));
    assert.ok(!equalsKnown(view, 1, end, known));
    for (let at = 2; at < end; at++) {
      const original = bytes[at]!;
      for (let byte = 0; byte < 256; byte++) {
        if (FIELD_VALUE[byte] === 0) continue;
        bytes[at] = byte;
        assert.equal(equalsKnown(view, 2, end, known), LOWER_CASE[byte] === LOWER_CASE[original], `${byte}`);
      }
      bytes[at] = original;
    }
  });
}
