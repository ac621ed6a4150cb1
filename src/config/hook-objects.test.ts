import assert from "node:assert/strict";
import { test } from "node:test";
import { Moment } from "../contract/interception.ts";
import { describeHooks } from "./hook-objects.ts";

class Hooks {
  readonly cache = new Map();
  onRequest(): void {
    this.cache.clear();
  }
}

const REFUSING = {
  get onRequest(): never {
    throw new Error("no");
  },
};

const CASES: readonly [name: string, hooks: object, moments: number, problems: readonly string[]][] = [
  ["a function", { onRequest() {} }, Moment.request, []],
  ["an instance of a class", new Hooks(), Moment.request, []],
  [
    "a function that is inherited",
    Object.assign(Object.create({ onError() {} }), { onLog() {} }),
    Moment.error | Moment.log,
    [],
  ],
  ["no function", { onRequest: 5 }, 0, ["onRequest is not a function"]],
  ["null", { onRequest: null, onLog() {} }, Moment.log, ["onRequest is not a function"]],
  ["another name", { onRequset() {} }, 0, ["onRequset is no hook"]],
  ["nothing", {}, 0, [" has no hooks"]],
  ["a getter that throws", REFUSING, 0, [" cannot be read: Error: no"]],
  [
    "a setting that is no text",
    { onLog() {}, budget: Object.create(null) },
    0,
    [" cannot be read: TypeError"],
  ],
];

for (const [name, hooks, moments, expected] of CASES)
  test(`an object of hooks with ${name}`, () => {
    const { link, problems } = describeHooks(hooks as Record<string, unknown>, { given: 0 });
    assert.equal(link.moments, moments);
    const told = problems.map(({ key, reason }) => `${key} ${reason}`);
    assert.equal(told.length, expected.length);
    for (const [index, text] of expected.entries()) assert.ok(told[index]!.startsWith(text), told[index]);
  });
