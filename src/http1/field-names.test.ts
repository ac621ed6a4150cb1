/** Known names are recognised in any case, and nothing that differs in a single byte is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN } from "../base/ascii.ts";
import { asciiBytes, viewOf } from "../base/bytes.ts";
import { Field, fieldIdOf, fieldName } from "./field-names.ts";

function idOf(name: string): number {
  const memory = asciiBytes(`:${name}:`);
  return fieldIdOf(memory, viewOf(memory), 1, 1 + name.length);
}

for (let id = 1; id < Field.underscored; id++) {
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

test("long names are none of them", () => {
  for (let length = 20; length < 80; length++) assert.equal(idOf("h".repeat(length)), 0);
});
