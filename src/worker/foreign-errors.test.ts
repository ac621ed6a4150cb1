import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isForeign } from "./foreign-errors.ts";

const OURS = fileURLToPath(new URL("../", import.meta.url));

const TRACES: readonly [name: string, foreign: boolean, trace: readonly string[]][] = [
  ["of a hook", true, ["at onRequest (file:///etc/auth.hooks.ts?hp-proxy-version=2:4:7)"]],
  ["of ours", false, [`at assert (file://${OURS}base/assert.ts:4:7)`, "at hook (file:///etc/a.ts:1:1)"]],
  [
    "of a hook that we call",
    true,
    ["at Timeout._onTimeout (file:///etc/a.ts:1:1)", `at x (${OURS}hooks/a.ts:1:1)`],
  ],
  ["through our edge", true, [`at pump (${OURS}hooks/web-stage.ts:9:1)`, "at async a (/etc/a.ts:1:1)"]],
  [
    "of Node for a hook",
    true,
    ["at Socket.emit (node:events:519:28)", "at node:internal/process/task_queues:95:5"],
  ],
  [
    "of Node, then ours",
    false,
    ["at Socket.emit (node:events:519:28)", `at file://${OURS}session/legs.ts:1:1`],
  ],
];

for (const [name, foreign, trace] of TRACES)
  test(`an error ${name} is ${foreign ? "foreign" : "our own"}`, () => {
    const error = new Error("x");
    error.stack = ["Error: x", ...trace.map((line) => `    ${line}`)].join("\n");
    assert.equal(isForeign(error), foreign);
  });

test("what is no error is foreign: we throw none of that", () => {
  for (const thrown of ["text", undefined, null, { stack: 5 }]) assert.equal(isForeign(thrown), true);
});

test("what cannot be looked at is foreign", () => {
  const refuse = () => {
    throw new Error("no");
  };
  const stack = { get: refuse };
  const thrown = [
    new Proxy({}, { get: refuse, getPrototypeOf: refuse }),
    Object.defineProperty(new Error("x"), "stack", stack),
  ];
  for (const each of thrown) assert.equal(isForeign(each), true);
});
