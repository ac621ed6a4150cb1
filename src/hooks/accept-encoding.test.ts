import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContentCoding } from "../contract/hooking.ts";
import { chooseCoding } from "./accept-encoding.ts";

const OFFERED: readonly ContentCoding[] = ["zstd", "br", "gzip"];

const CASES: readonly (readonly [accepted: string | null, chosen: string, why: string])[] = [
  [null, "identity", "nothing is said: anything would do, and plain is the safest"],
  ["", "identity", "an empty list: plain alone"],
  ["gzip", "gzip", "one"],
  ["gzip, deflate, br, zstd", "zstd", "equal weights: our order"],
  ["gzip, deflate, br", "br", "equal weights: our order"],
  ["gzip;q=1.0, br;q=0.5", "gzip", "the greater weight"],
  ["gzip;q=0.1, br;q=0.101", "br", "three decimals"],
  ["*", "zstd", "whatever is there"],
  ["*;q=0", "identity", "none is acceptable: plain all the same"],
  ["zstd;q=0, *", "br", "* is about those that are not named"],
  ["gzip;q=0", "identity", "0: not acceptable"],
  ["identity;q=0, gzip;q=0.1", "gzip", "plain is not acceptable"],
  ["identity;q=0", "identity", "nothing is acceptable"],
  ["identity, gzip;q=0.5", "identity", "plain is preferred"],
  ["identity;q=0.5, gzip;q=0.5", "gzip", "as good as plain"],
  ["identity;q=0.5, gzip;q=0.4", "identity", "plain is preferred"],
  ["*;q=0, gzip;q=0.001", "gzip", "the least that counts"],
  ["deflate, compress", "identity", "codings that we have not"],
  ["GZip;Q=1", "gzip", "names have no case"],
  ["x-gzip", "gzip", "the old name (RFC 9110 §8.4.1.3)"],
  [" gzip ; q=0.5 ,, br ;q=0.6", "br", "blanks and empty elements"],
  ["gzip;q=2, br;q=1.5", "identity", "weights beyond 1 are none"],
  ["gzip;q=0.1234", "identity", "four decimals are none"],
  ["gzip;q=", "identity", "no weight where there should be one"],
  ["gzip;q=0;q=1", "identity", "two weights are none"],
  ["gzip;level=9", "identity", "there are no other parameters"],
  ["gzip;q=0., br;q=1.", "br", "a dot without decimals is allowed"],
  ["notgzip, gzipx", "identity", "whole names"],
];

for (const [accepted, chosen, why] of CASES)
  test(`Accept-Encoding ${accepted === null ? "is absent" : JSON.stringify(accepted)}: ${chosen} (${why})`, () => {
    assert.equal(chooseCoding(OFFERED, accepted), chosen);
  });

test("only what is offered", () => {
  assert.equal(chooseCoding(["gzip"], "zstd, br, gzip;q=0.1"), "gzip");
  assert.equal(chooseCoding(["gzip", "zstd"], "zstd, br, gzip"), "gzip");
});
