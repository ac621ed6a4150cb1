/** Against the vectors of its authors: key 00 01 … 07, texts 00 01 …. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HalfSipHash } from "./half-sip-hash.ts";

const VECTORS = [
  "218d1f59b9b83cc8",
  "be552412f8387315",
  "064f39ef7c50eb57",
  "ce0f1a45f7060679",
  "d5e78a175be52ea1",
  "cb9d7c3f2f3db580",
  "ce3e91358aa2bc25",
];

const memory = Uint8Array.from({ length: 64 }, (_, index) => index);

function hashed(hash: HalfSipHash, length: number): string {
  hash.begin();
  hash.addRange(memory, 0, length);
  hash.end();
  const bytes = Buffer.alloc(8);
  bytes.writeInt32LE(hash.low, 0);
  bytes.writeInt32LE(hash.high, 4);
  return bytes.toString("hex");
}

test("HalfSipHash-2-4 of 64 bits is that of its authors", () => {
  const hash = new HalfSipHash(0x0302_0100, 0x0706_0504);
  for (const [length, expected] of VECTORS.entries()) assert.equal(hashed(hash, length), expected);
});

test("a hash does not depend on how its bytes are added, but on each of them and on the key", () => {
  const hash = new HalfSipHash(1, 2);
  const whole = hashed(hash, 13);
  hash.begin();
  hash.addByte(0);
  hash.addRange(memory, 1, 5);
  hash.addWord(0x0807_0605);
  hash.addRange(memory, 9, 13);
  hash.end();
  const { low, high } = hash;
  assert.equal(hashed(hash, 13), whole);
  assert.deepEqual([hash.low, hash.high], [low, high]);
  const seen = new Set(Array.from({ length: 64 }, (_, length) => hashed(hash, length)));
  assert.equal(seen.size, 64);
  assert.notEqual(hashed(new HalfSipHash(1, 3), 13), whole);
  assert.notEqual(hashed(new HalfSipHash(0, 2), 13), whole);
});
