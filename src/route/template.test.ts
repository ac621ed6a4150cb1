/** Texts with variables: what is refused. What they write is in test/session/routing.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Template, TemplateError } from "./template.ts";

const NAMES = new Map([["id", 1]]);

const REFUSED: readonly (readonly [text: string, reason: RegExp, offset: number])[] = [
  ["a$", /begins no variable/, 1],
  ["a$-", /begins no variable/, 1],
  ["$", /begins no variable/, 0],
  ["x${id", /begins no variable/, 1],
  ["$nothing", /variable nothing/, 0],
  ["$toString", /variable toString/, 0],
  ["$ids", /variable ids/, 0],
  ["/$3", /part 3 .* has 2/, 1],
  ["/$0", /part 0/, 1],
];

for (const [text, reason, offset] of REFUSED) {
  test(`template: ${text} is refused`, () => {
    assert.throws(
      () => new Template(text, NAMES, 2),
      (error) => error instanceof TemplateError && reason.test(error.message) && error.offset === offset,
    );
  });
}

test("template: what it uses is known", () => {
  const facts = (text: string) => {
    const { isConstant, usesCaptures, usesRequestId } = new Template(text, NAMES, 2);
    return { isConstant, usesCaptures, usesRequestId };
  };
  assert.deepEqual(facts("$$5 plain"), { isConstant: true, usesCaptures: false, usesRequestId: false });
  assert.deepEqual(facts("$2"), { isConstant: false, usesCaptures: true, usesRequestId: false });
  assert.deepEqual(facts(`$${"{id}"}s`), { isConstant: false, usesCaptures: true, usesRequestId: false });
  assert.deepEqual(facts("$request_id"), { isConstant: false, usesCaptures: false, usesRequestId: true });
  assert.deepEqual(facts("$host"), { isConstant: false, usesCaptures: false, usesRequestId: false });
});
