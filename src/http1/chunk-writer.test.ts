/** What is written around payload reads back as the same payload. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readBody } from "../../test/http1/bodies.ts";
import { asciiBytes, textOf } from "../base/bytes.ts";
import { BodyMode } from "./body.ts";
import { CHUNK_PREFIX_BYTES_MAX, prefixChunk, writeLastChunk } from "./chunk-writer.ts";
import { Framing } from "./framing.ts";

test("pieces of any size become chunks (RFC 9112 §7.1)", () => {
  const sizes = [1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 65_536];
  let wire = "";
  let payload = "";
  for (const [index, size] of sizes.entries()) {
    const memory = new Uint8Array(CHUNK_PREFIX_BYTES_MAX + size);
    const text = String.fromCharCode(97 + index).repeat(size);
    memory.set(asciiBytes(text), CHUNK_PREFIX_BYTES_MAX);
    const start = prefixChunk(memory, CHUNK_PREFIX_BYTES_MAX, size, index === 0);
    wire += textOf(memory, start, memory.length);
    payload += text;
  }
  const memory = new Uint8Array(16);
  wire += textOf(memory, 2, writeLastChunk(memory, 2, false));
  assert.ok(wire.startsWith("1\r\na\r\n9\r\nbbb"));
  const read = readBody([wire], Framing.chunked, 0, BodyMode.payload);
  assert.deepEqual([read.out, read.done, read.result], [payload, true, wire.length]);
});

test("an empty body is the last chunk alone", () => {
  const memory = new Uint8Array(16);
  assert.equal(textOf(memory, 3, writeLastChunk(memory, 3, true)), "0\r\n\r\n");
});
