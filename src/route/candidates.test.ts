/** Every route that matches, in the order in which they would be asked, and why. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { conditionOf, request, route } from "../../test/route/asking.ts";
import { candidatesOf, reasonBetween } from "./candidates.ts";

const ROUTES = [
  route(""),
  route("/a/b", { fields: [conditionOf("x")] }),
  route("/a/b"),
  route("/a/:x"),
  route("/:x/b"),
  route("prefix /a"),
  route("prefix /"),
  route("regex /a.*"),
  route("regex /a/.*"),
  route("/a/b", { hosts: ["*.example"] }),
  route("/a/b", { hosts: ["other"] }),
];

test("candidates: all that match, the winner first, each with a reason", () => {
  const { memory, head } = request("GET /a/b", "Host: x.example", "X: 1");
  const found = candidatesOf(ROUTES, memory, head, null);
  assert.deepEqual(
    found.map((entry) => entry.route),
    [9, 1, 2, 3, 4, 5, 6, 7, 8, 0],
  );
  const reasons = found.slice(1).map((entry, at) => reasonBetween(ROUTES, found[at]!, entry));
  assert.deepEqual(reasons, [
    "its host (any) is less specific",
    "it has fewer conditions (0 against 1)",
    "a template comes behind an exact path",
    "its template (/:x/b) is less specific",
    "a prefix comes behind a template",
    "its prefix (/) is less specific",
    "a regex comes behind a prefix",
    "its regex stands further down in the file",
    "any path comes behind a regex",
  ]);
});
