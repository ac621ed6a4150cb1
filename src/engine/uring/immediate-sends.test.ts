/** What is known of sends that say nothing when they are done. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ImmediateSends } from "./immediate-sends.ts";

test("immediate sends: an older entry of a connection counts the bytes of its newest", () => {
  const sends = new ImmediateSends(4);
  sends.add(3, 100);
  sends.add(1, 7);
  sends.add(3, 40);
  const entries = Array.from({ length: sends.count }, (_, index) => sends.connectionAt(index));
  assert.deepEqual(entries, [3, 1, 3]);
  assert.deepEqual(
    entries.map((connection) => sends.bytesOf(connection)),
    [40, 7, 40],
  );
});
