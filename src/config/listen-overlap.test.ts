import assert from "node:assert/strict";
import { test } from "node:test";
import { listenText, overlapsOf } from "./listen-overlap.ts";
import { readListenAddress } from "./values.ts";

/** Where to listen, and which of it is a part of, or the same as, which. */
const CASES: readonly [written: string, ...expected: string[]][] = [
  ["0.0.0.0:80 [::]:80"],
  ["[::]:80 0.0.0.0:80"],
  ["127.0.0.1:80 127.0.0.2:80 [::1]:80 localhost:80"],
  [":80 127.0.0.1:81 :81", "127.0.0.1:81 of :81"],
  ["127.0.0.1:0 127.0.0.1:0 :0"],
  ["127.0.0.1:80 127.0.0.1:80 127.0.0.1:80", "127.0.0.1:80 as 127.0.0.1:80", "127.0.0.1:80 as 127.0.0.1:80"],
  ["[::1]:80 [0:0:0:0:0:0:0:1]:80", "[0:0:0:0:0:0:0:1]:80 as [::1]:80"],
  [":80 127.0.0.1:80", "127.0.0.1:80 of :80"],
  ["localhost:80 :80", "localhost:80 of :80"],
  [":80 0.0.0.0:80", "0.0.0.0:80 of :80"],
  [":80 [::]:80", "[::]:80 of :80"],
  ["0.0.0.0:80 127.0.0.1:80 [::1]:80", "127.0.0.1:80 of 0.0.0.0:80"],
  ["[::]:80 127.0.0.1:80", "127.0.0.1:80 of [::]:80"],
  ["[0::0]:80 localhost:80", "localhost:80 of [0::0]:80"],
  ["[::]:80 0.0.0.0:80 127.0.0.1:80 [::1]:80", "127.0.0.1:80 of 0.0.0.0:80", "[::1]:80 of [::]:80"],
  ["0.0.0.0:80 localhost:80"],
];

for (const [written, ...expected] of CASES) {
  const places = written.split(" ").map((text) => readListenAddress(text) as { host: string; port: number });
  test(`overlaps of ${written}: ${expected.join(", ") || "none"}`, () => {
    const found = overlapsOf(places).map(({ narrow, wide, isSame }) => {
      return `${listenText(places[narrow]!)} ${isSame ? "as" : "of"} ${listenText(places[wide]!)}`;
    });
    assert.deepEqual(found, expected);
  });
}
