/** Samples as perf writes them: which part they belong to, and how they are drawn. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawFlames } from "./flame.ts";
import { outermostFirst, type Part, parseStacks, partOf, readable } from "./stacks.ts";

const TEXT = `node-MainThread 42
	ffffffff82019116 tcp_ack ([kernel.kallsyms])
	ffffffff821ed511 do_syscall_64 ([kernel.kallsyms])
	          101829 syscall (/usr/lib/libc.so.6)
	           9bb44 [unknown] (/x/node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node)

node-MainThread 42
	    7f0000000001 JS:*'parseFieldLines file:///x/src/http1/field-lines.ts:53:32 (/tmp/perf-42.map)
	    7f0000000002 JS:+#deliver file:///x/src/engine/uring/uring-engine.ts:385:11 (/tmp/perf-42.map)
	               1 [unknown] ([unknown])
`;

test("stacks: innermost frame first, blocks apart, the kernel's cut at its entry", () => {
  const stacks = parseStacks(TEXT);
  assert.deepEqual(stacks.map(partOf), ["kernel", "hp-proxy's JavaScript"]);
  assert.deepEqual(stacks.map(outermostFirst), [
    ["do_syscall_64", "tcp_ack"],
    ["#deliver (engine/uring/uring-engine.ts:385)", "parseFieldLines (http1/field-lines.ts:53)"],
  ]);
  assert.deepEqual(parseStacks(""), []);
});

const PARTS: readonly [symbol: string, object: string, part: Part][] = [
  [
    "JS:~processTicksAndRejections node:internal/process:1:1",
    "/tmp/perf-9.map",
    "other JavaScript and stubs",
  ],
  ["JS:*'send file:///x/dist/session/relay.js:9:1", "/tmp/perf-9.map", "hp-proxy's JavaScript"],
  ["JS:wasm-function[2]-2-turbofan", "/tmp/perf-9.map", "hp-proxy's JavaScript"],
  ["Builtins_KeyedLoadIC", "/x/bin/node", "V8 builtins"],
  ["v8::internal::compiler::GraphReducer::ReduceTop", "/x/bin/node", "V8 compiling"],
  ["v8::internal::Scavenger::Process", "/x/bin/node", "V8 collecting garbage"],
  ["uv__io_poll", "/x/bin/node", "Node.js"],
  ["[unknown]", "/x/koffi.node", "foreign calls (koffi)"],
  ["memcpy", "/usr/lib/libc.so.6", "libc and others"],
];
for (const [symbol, object, part] of PARTS)
  test(`part: ${symbol} is ${part}`, () => assert.equal(partOf([{ symbol, object }]), part));

test("readable: what is no function of ours keeps its name", () => {
  assert.equal(readable({ symbol: "tcp_ack", object: "" }), "tcp_ack");
  assert.equal(
    readable({ symbol: "JS:* file:///x/src/base/a.ts:1:2", object: "" }),
    "(anonymous) (base/a.ts:1)",
  );
  assert.equal(readable({ symbol: "JS:*'b file:///x/dist/base/a.js:1:2", object: "" }), "b (base/a.js:1)");
});

test("flames: widths are shares, names are escaped, nothing is drawn of nothing", () => {
  const svg = drawFlames("t", "n", [
    ["kernel", "<a>"],
    ["kernel", "<a>"],
    ["kernel", "b"],
    ["js", "c (x.ts:1)"],
  ]);
  assert.match(svg, /kernel: 75\.0 %/);
  assert.match(svg, /&lt;a&gt;: 50\.0 %/);
  assert.doesNotMatch(svg, /NaN/);
  assert.doesNotMatch(drawFlames("t", "n", []), /NaN|<g>/);
});
