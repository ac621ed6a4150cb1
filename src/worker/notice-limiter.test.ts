import assert from "node:assert/strict";
import { test } from "node:test";
import { NoticeLimiter } from "./notice-limiter.ts";

test("a few of each reason pass, the rest is counted by reason", () => {
  const limiter = new NoticeLimiter(2);
  const passed = ["a", "a", "b", "a", "a", "b"].map((reason) => limiter.pass(reason));
  assert.deepEqual(passed, [true, true, true, false, false, true]);
  const reports: string[] = [];
  limiter.endWindow((reason, count) => reports.push(`${reason} ${count}`));
  assert.deepEqual(reports, ["a 2"]);
});

test("a new window lets notices pass again and has nothing to report", () => {
  const limiter = new NoticeLimiter(1);
  limiter.pass("a");
  limiter.pass("a");
  limiter.endWindow(() => {});
  assert.equal(limiter.pass("a"), true);
  limiter.endWindow(() => assert.fail("nothing was left out"));
});
