import assert from "node:assert/strict";
import { test } from "node:test";
import {
  at,
  filePlace,
  type Located,
  locate,
  nearestAt,
  overlay,
  pathText,
  plainOf,
  withAt,
  withoutAt,
} from "./located.ts";

const tree = (value: unknown, source = "a"): Located =>
  locate(value, (path) => filePlace(`${source} ${pathText(path)}`));

const OVERLAYS: readonly [
  name: string,
  base: unknown,
  over: unknown,
  replaced: unknown,
  appended: unknown,
][] = [
  ["keys of both", { a: 1 }, { b: 2 }, { a: 1, b: 2 }, { a: 1, b: 2 }],
  ["the same key", { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }],
  [
    "groups",
    { a: { b: 1, c: 1 } },
    { a: { c: 2, d: 2 } },
    { a: { b: 1, c: 2, d: 2 } },
    { a: { b: 1, c: 2, d: 2 } },
  ],
  ["lists", { a: [1, 2] }, { a: [3] }, { a: [3] }, { a: [1, 2, 3] }],
  ["lists in groups", { a: { b: [1] } }, { a: { b: [2] } }, { a: { b: [2] } }, { a: { b: [1, 2] } }],
  ["a list and a text", { a: [1] }, { a: "2" }, { a: "2" }, { a: "2" }],
  ["a group and a value", { a: { b: 1 } }, { a: 2 }, { a: 2 }, { a: 2 }],
  [
    "a key like a prototype's",
    { a: 1 },
    JSON.parse('{"__proto__": 2}'),
    JSON.parse('{"a": 1, "__proto__": 2}'),
    JSON.parse('{"a": 1, "__proto__": 2}'),
  ],
];

for (const [name, base, over, replaced, appended] of OVERLAYS) {
  test(`overlay: ${name}`, () => {
    assert.deepEqual(plainOf(overlay(tree(base), tree(over), "replace")), replaced);
    assert.deepEqual(plainOf(overlay(tree(base), tree(over), "append")), appended);
  });
}

test("overlay: values keep their places", () => {
  const both = overlay(tree({ a: [1], b: 1, c: { d: 1 } }), tree({ a: [2], c: { e: 2 } }, "b"), "append");
  const source = (...path: (string | number)[]) => at(both, path)?.place.source;
  assert.deepEqual(
    [source("a", 0), source("a", 1), source("b"), source("c", "d"), source("c", "e")],
    ["a a[0]", "b a[0]", "a b", "a c.d", "b c.e"],
  );
});

test("locate: nothing is left out of data but undefined and null, and circles end", () => {
  assert.deepEqual(plainOf(tree({ a: undefined, b: null, c: [null], d: false })), { c: [null], d: false });
  const circle: { self?: unknown } = {};
  circle.self = circle;
  assert(plainOf(tree(circle)) instanceof Object);
});

test("nearestAt: the longest part of a path that is there", () => {
  const root = tree({ a: { b: [1] } });
  assert.deepEqual(nearestAt(root, ["a", "b", 0]).path, ["a", "b", 0]);
  assert.deepEqual(nearestAt(root, ["a", "b", 1, "c"]).path, ["a", "b"]);
  assert.deepEqual(nearestAt(root, ["x"]).path, []);
});

test("withAt and withoutAt change one path", () => {
  const root = withAt(tree({ a: { b: 1 } }), ["a", "c", "d"], tree(2));
  assert.deepEqual(plainOf(root), { a: { b: 1, c: { d: 2 } } });
  assert.deepEqual(plainOf(withoutAt(root, ["a", "b"])), { a: { c: { d: 2 } } });
  assert.deepEqual(plainOf(withoutAt(root, ["x", "b"])), plainOf(root));
});

test("paths as people write them", () => {
  assert.equal(pathText(["clusters", "my app", "backends", 2]), 'clusters["my app"].backends[2]');
  assert.equal(pathText([]), "");
});
