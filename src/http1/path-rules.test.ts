/** Paths that are refused, each by its rule and by no other; and those that are not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiBytes } from "../base/bytes.ts";
import { breaksPathRule, PathRule } from "./path-rules.ts";

const { encodedSlash, dotSegment, encodedNul } = PathRule;
const ALL = encodedSlash | dotSegment | encodedNul;

/** `breaks`: the rules that the path breaks. */
const ROWS: { path: string; breaks: number; why?: string }[] = [
  { path: "/", breaks: 0 },
  { path: "/a/b.c", breaks: 0 },
  { path: "//a///b", breaks: 0 },
  { path: "/a%20b%3F%25", breaks: 0 },
  { path: "", breaks: 0, why: "absolute-form without path" },
  { path: "?a/../b%2f%00", breaks: 0, why: "a query alone" },
  { path: "/a?/../%2F\\%00", breaks: 0, why: "the query is not looked at" },
  { path: "/a%2Fb", breaks: encodedSlash },
  { path: "/a%2fb", breaks: encodedSlash },
  { path: "/a%5Cb", breaks: encodedSlash },
  { path: "/a%5cb", breaks: encodedSlash },
  { path: "/a\\b", breaks: encodedSlash, why: "a backslash is a slash to some" },
  { path: "/a%2F", breaks: encodedSlash, why: "at the end" },
  { path: "/a%3F/%2f", breaks: encodedSlash, why: "an encoded ? begins no query" },
  { path: "/%252F", breaks: 0, why: "decoded once" },
  { path: "/.", breaks: dotSegment },
  { path: "/..", breaks: dotSegment },
  { path: "/./a", breaks: dotSegment },
  { path: "/a/../b", breaks: dotSegment },
  { path: "/a/..?x", breaks: dotSegment },
  { path: "/%2e%2E/a", breaks: dotSegment },
  { path: "/.%2e", breaks: dotSegment },
  { path: "/%2e", breaks: dotSegment },
  { path: "/..;x=1/a", breaks: dotSegment, why: "path parameters are cut off" },
  { path: "/.%3b/a", breaks: dotSegment },
  { path: "/a/..%2Fb", breaks: dotSegment | encodedSlash },
  { path: "/a\\..\\b", breaks: dotSegment | encodedSlash },
  { path: "/a%2f..", breaks: dotSegment | encodedSlash },
  { path: "/...", breaks: 0 },
  { path: "/..a", breaks: 0 },
  { path: "/a..", breaks: 0 },
  { path: "/.a/b.", breaks: 0 },
  { path: "/.well-known/x", breaks: 0 },
  { path: "/;../x", breaks: 0 },
  { path: "/%252e%252e/", breaks: 0, why: "decoded once" },
  { path: "/a%00", breaks: encodedNul },
  { path: "/%00/../%2f", breaks: ALL },
  { path: "/%000", breaks: encodedNul },
  { path: "/%", breaks: 0, why: "no escape" },
  { path: "/%0", breaks: 0, why: "no escape" },
  { path: "/%2", breaks: 0, why: "no escape" },
  { path: "/%zz%2x", breaks: 0, why: "no escape" },
  { path: "/%%2f", breaks: encodedSlash, why: "an escape behind a lone percent sign" },
];

for (const { path, breaks, why } of ROWS) {
  test(`path ${JSON.stringify(path)} breaks ${breaks}${why === undefined ? "" : `: ${why}`} (RFC 3986 §3.3)`, () => {
    // What follows must not be looked at.
    for (const behind of ["", "/../%2f%00\\", "2f", "e", "00"]) {
      const memory = asciiBytes(`%2${path}${behind}`);
      const breaksOne = (rules: number) => breaksPathRule(memory, 2, 2 + path.length, rules);
      for (const rule of [encodedSlash, dotSegment, encodedNul]) {
        assert.equal(breaksOne(rule), (breaks & rule) !== 0, `rule ${rule}`);
      }
      assert.equal(breaksOne(ALL), breaks !== 0);
      assert.equal(breaksOne(0), false);
    }
  });
}
