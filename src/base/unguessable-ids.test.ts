/** Identifiers: the cipher against a published vector, their form, and that none comes twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { textOf } from "./bytes.ts";
import { ID_BYTES, SEED_BYTES, UnguessableIds } from "./unguessable-ids.ts";

function take(ids: UnguessableIds, count: number): string[] {
  const memory = new Uint8Array(ID_BYTES + 2).fill(0xee);
  return Array.from({ length: count }, () => {
    assert.equal(ids.write(memory, 1), 1 + ID_BYTES);
    assert.equal(memory[0], 0xee);
    assert.equal(memory[1 + ID_BYTES], 0xee);
    return textOf(memory, 1, 1 + ID_BYTES);
  });
}

test("the first block is that of ChaCha8 with a 128-bit key of zeros", () => {
  // draft-strombergson-chacha-test-vectors-00, TC1, 8 rounds, 128-bit key: the key stream as bytes.
  const stream =
    "e28a5fa4a67f8c5defed3e6fb7303486aa8427d31419a729572d777953491120" +
    "b64ab8e72b8deb85cd6aea7cb6089a101824beeb08814a428aab1fa2c816081b";
  const words = stream.match(/.{8}/g)!.map((word) => word.match(/../g)!.toReversed().join(""));
  assert.deepEqual(take(new UnguessableIds(new Uint8Array(SEED_BYTES)), 4).join(""), words.join(""));
});

test("no two are equal, of one seed or of two", () => {
  const one = take(new UnguessableIds(new Uint8Array(SEED_BYTES)), 10_000);
  const other = take(new UnguessableIds(new Uint8Array(SEED_BYTES).fill(1)), 10_000);
  assert.equal(new Set([...one, ...other]).size, 20_000);
  for (const id of one) assert.match(id, /^[0-9a-f]{32}$/);
});
