/** UTF-8 as the platform encodes it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Bytes } from "./utf8.ts";

for (const text of [
  "",
  "plain",
  "Grüße",
  "€ 5",
  "\u{1f600}!",
  "\u07ff\u0800\uffff\u{10ffff}",
  "\ud800x",
  "\udc00",
]) {
  test(`utf8: ${JSON.stringify(text)}`, () => {
    assert.deepEqual([...utf8Bytes(text)], [...new TextEncoder().encode(text)]);
  });
}
