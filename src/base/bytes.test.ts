/** Copies and numbers at every length and value where the way of doing it changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiBytes, ConstantBytes, copy, move, textOf, viewOf, writeConstant, writeHex } from "./bytes.ts";

test("copy moves exactly its range, at every length around its thresholds", () => {
  const lengths = [...new Array(40).keys(), 319, 320, 321, 327, 328, 1000];
  for (const length of lengths) {
    for (let skew = 0; skew < 8; skew++) {
      const memory = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7 + (i >> 8)) & 255);
      const expected = memory.slice();
      const from = 100 + skew;
      const to = 2000 - skew;
      for (let i = 0; i < length; i++) expected[to + i] = memory[from + i]!;
      assert.equal(copy(viewOf(memory), memory, from, from + length, to), to + length);
      assert.deepEqual(memory, expected, `${length} bytes`);
    }
  }
});

test("copy keeps bytes that would be a NaN", () => {
  const memory = new Uint8Array(64);
  memory.set([1, 0, 0, 0, 0, 0, 0xf0, 0x7f, 1, 0, 0, 0, 0, 0, 0xf4, 0xff]);
  copy(viewOf(memory), memory, 0, 16, 32);
  assert.deepEqual(memory.slice(32, 48), memory.slice(0, 16));
});

test("a constant is written whole, and at most 7 bytes behind it", () => {
  for (let length = 0; length < 40; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => i + 1);
    const memory = new Uint8Array(64).fill(255);
    assert.equal(writeConstant(viewOf(memory), 3, new ConstantBytes(bytes)), 3 + length);
    assert.deepEqual(memory.slice(3, 3 + length), bytes);
    const untouched = [...memory.slice(0, 3), ...memory.slice(3 + length + 7)];
    assert.ok(untouched.every((byte) => byte === 255));
  }
});

test("move may overlap, both ways", () => {
  const memory = asciiBytes("abcdefgh......");
  assert.equal(move(memory, 0, 8, 3), 11);
  assert.equal(textOf(memory, 3, 11), "abcdefgh");
  assert.equal(move(memory, 3, 11, 1), 9);
  assert.equal(textOf(memory, 1, 9), "abcdefgh");
});

test("numbers are written as JavaScript writes them", () => {
  const values = [0, 1, 9, 10, 15, 16, 255, 256, 99_999, 100_000, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];
  for (let power = 1; power < 53; power++) values.push(2 ** power - 1, 2 ** power);
  const memory = new Uint8Array(40);
  for (const value of values) {
    assert.equal(textOf(memory, 2, writeHex(memory, 2, value)), value.toString(16));
  }
});

test("a view is of the memory asked for", () => {
  const a = Uint8Array.of(1, 2);
  const b = new Uint8Array(a.buffer, 1);
  assert.equal(viewOf(a).getUint8(0), 1);
  assert.equal(viewOf(b).getUint8(0), 2);
  assert.equal(viewOf(b).byteLength, 1);
  assert.equal(viewOf(a).getUint8(0), 1);
});
