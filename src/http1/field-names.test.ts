/** Known names are recognised in any case, and nothing that differs in a single byte is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN } from "../base/ascii.ts";
import { asciiBytes, viewOf } from "../base/bytes.ts";
import { Field, fieldIdOf, fieldName, underscoredIdOf } from "./field-names.ts";

function idOf(name: string): number {
  const memory = asciiBytes(`:${name}:`);
  return fieldIdOf(memory, viewOf(memory), 1, 1 + name.length);
}

for (let id = 1; id < Field.xForwardedOther; id++) {
  const name = fieldName(id as Field);
  test(`field name: ${name} (RFC 9110 §5.1)`, () => {
    assert.equal(idOf(name), id);
    assert.equal(idOf(name.toUpperCase()), id);
    assert.notEqual(idOf(`${name}x`), id);
    assert.notEqual(idOf(name.slice(1)), id);
    for (let at = 0; at < name.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const changed = String.fromCharCode(byte);
        if (TOKEN[byte] === 0 || changed.toLowerCase() === name[at]) continue;
        assert.notEqual(idOf(name.slice(0, at) + changed + name.slice(at + 1)), id);
      }
    }
  });
}

const FORWARDED_OTHER = [
  "X-Forwarded",
  "x-forwarded-",
  "X-Forwarded-Port",
  "X-FORWARDED-PREFIX",
  "x-forwarded-by",
  "X-Forwarded-Fox",
  "X-Forwarded-Hosts",
  "X-ForwardedFor",
  `X-Forwarded-${"y".repeat(60)}`,
];

test("every other name that begins with x-forwarded is one of those", () => {
  for (const name of FORWARDED_OTHER) assert.equal(idOf(name), Field.xForwardedOther, name);
  for (const name of ["X-Forwarde", "X-Forward-For", "Y-Forwarded-Port", "AX-Forwarded-Port"]) {
    assert.equal(idOf(name), Field.other, name);
  }
});

test("names with _ are told by what CGI makes of them", () => {
  for (const [name, id] of [
    ["X_Forwarded_For", Field.underscoredForwarded],
    ["x-forwarded_port", Field.underscoredForwarded],
    ["X_FORWARDED-PROTO", Field.underscoredForwarded],
    ["X-Forwarded-For_", Field.underscoredForwarded],
    ["X_Forwarde", Field.underscored],
    ["_X_Forwarded_For", Field.underscored],
    ["Content_Length", Field.underscored],
    ["_", Field.underscored],
  ] as const) {
    assert.equal(underscoredIdOf(asciiBytes(`:${name}:`), 1, 1 + name.length), id, name);
  }
});

test("long names are none of them", () => {
  for (let length = 20; length < 80; length++) assert.equal(idOf("h".repeat(length)), 0);
});
