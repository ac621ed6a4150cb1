/** Lines are found wherever their LF lies in its word, and names whatever their case. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiBytes, viewOf } from "../base/bytes.ts";
import { isNamed, nextLine } from "./written-lines.ts";

test("the next line begins behind the first LF, however far away", () => {
  for (let length = 0; length < 24; length++) {
    for (let start = 0; start < 8; start++) {
      // Bytes beside LF, of which one borrows from the next.
      const text = `${"\n".repeat(start)}${"\x0b\x09".repeat(12).slice(0, length)}\nx: y\n`;
      const memory = asciiBytes(text);
      assert.equal(nextLine(memory, viewOf(memory), start, memory.length), text.indexOf("\n", start) + 1);
    }
  }
});

test("without an LF before the end the next line is past it", () => {
  for (let end = 0; end < 12; end++) {
    const memory = asciiBytes(`${"x".repeat(end)}\n\n\n\n`);
    assert.equal(nextLine(memory, viewOf(memory), 0, end), end + 1);
  }
});

for (const { line, name, is } of [
  { line: "X-User: a", name: "x-user", is: true },
  { line: "x-user:", name: "x-user", is: true },
  { line: "x-users: a", name: "x-user", is: false },
  { line: "x-use: a", name: "x-user", is: false },
  { line: "x-usex: a", name: "x-user", is: false },
  { line: "x\rUSER: a", name: "x-user", is: false },
  { line: "x_user: a", name: "x-user", is: false },
]) {
  test(`"${line.replace("\r", "\\r")}" ${is ? "has" : "does not have"} the name ${name}`, () => {
    assert.equal(isNamed(asciiBytes(line), 0, asciiBytes(name)), is);
  });
}
