import assert from "node:assert/strict";
import { test } from "node:test";
import { BodySender } from "./body-sender.ts";

test("an answer without a body stops whoever writes one, until it is over", () => {
  const sender = new BodySender({ isLive: true, mark() {} }, null, -1);
  let isAborted = false;
  sender.onAborted = () => {
    isAborted = true;
  };
  sender.discards = true;
  assert.equal(sender.write(Uint8Array.of(1)), false);
  assert.equal(sender.pendingBytes, 0);
  sender.abort();
  assert.equal(isAborted, true);
});
