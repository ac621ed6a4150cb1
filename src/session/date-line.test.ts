/** The Date line against the platform's own calendar. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DateLine, imfFixdate } from "./date-line.ts";

const LAST_S = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000;

const MOMENTS = [
  [0, "Thu, 01 Jan 1970 00:00:00 GMT"],
  [784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"],
  [951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"],
  [LAST_S, "Fri, 31 Dec 9999 23:59:59 GMT"],
] as const;

for (const [second, text] of MOMENTS) {
  test(`date line: ${text} (RFC 9110 §5.6.7)`, () => assert.equal(imfFixdate(second), text));
}

test("date line: every second is the one of the platform's calendar", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: LAST_S }), (second) => {
      assert.equal(imfFixdate(second), new Date(second * 1000).toUTCString());
    }),
    { numRuns: 5_000 },
  );
});

test("date line: it follows the clock by whole seconds", () => {
  const line = new DateLine();
  const text = (unixMs: number): string => Buffer.from(line.at(unixMs)).toString("latin1");
  assert.equal(text(784_111_777_000), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  assert.equal(text(784_111_777_999.9), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  assert.equal(text(784_111_778_000), "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
});
