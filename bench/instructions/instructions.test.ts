import assert from "node:assert/strict";
import { test } from "node:test";
import { attribute } from "./attribute.ts";
import { readCallgrind } from "./callgrind.ts";
import { type CompiledCode, readJitDump } from "./jit-dump.ts";

const LINES = [
  { address: 0x1000, file: "file:///x/dist/session/plane.js:9:3", line: 12 },
  { address: 0x1010, file: "file:///x/dist/base/bytes.js:1:1", line: 29 },
];
const CODE: readonly CompiledCode[] = [
  { name: "JS:*'count file:///x/dist/session/plane.js:9:3", address: 0x1000, bytes: 0x20, lines: LINES },
  { name: "JS:wasm-function[0]-0-turbofan", address: 0x2000, bytes: 0x10, lines: [] },
  { name: "JS:~'slow file:///x/dist/session/plane.js:20:3", address: 0x3000, bytes: 0x10, lines: LINES },
];

test("callgrind: relative addresses, and what a call took is not counted where it was made", () => {
  const text = ["positions: instr line", "ob=(1) x", "fn=(1) y", "0x1000 0 3", "+4 0 2", "calls=1 0x2000 0"];
  const rest = ["* 0 500", "* 0 2", "-4 0 1", "+12 0 7", "totals: 515", ""];
  assert.deepEqual(
    [...readCallgrind([...text, ...rest].join("\n"))],
    [
      [0x1000, 4],
      [0x1004, 4],
      [0x100c, 7],
    ],
  );
});

test("instructions are those of a function, a file and a line; what was not optimised is one row", () => {
  const counts = new Map([
    [0x0fff, 1],
    [0x1000, 10],
    [0x100f, 20],
    [0x1010, 30],
    [0x1020, 2],
    [0x2004, 40],
    [0x3004, 4],
  ]);
  const { all, byFunction, byFile, byLine } = attribute(counts, CODE);
  assert.equal(all, 107);
  assert.deepEqual(Object.fromEntries(byFunction), {
    "Node.js, libraries, unoptimised code": 7,
    "count session/plane.js": 60,
    "wasm-function[0]-0-turbofan": 40,
  });
  assert.deepEqual(Object.fromEntries(byFile), {
    "session/plane.js": 30,
    "base/bytes.js": 30,
    "wasm-function[0]-0-turbofan": 40,
  });
  assert.deepEqual(Object.fromEntries(byLine), { "session/plane.js:12": 30, "base/bytes.js:29": 30 });
});

test("jitdump: code with its lines, and the rest of a file behind a record with a wrong length", () => {
  const dump = Buffer.concat([
    header(),
    debugInfo(0x1000, [
      [0x1010, 29, "b.js"],
      [0x1000, 12, "a.js"],
    ]),
    codeLoad("one", 0x1000, 0x20),
    // Its length is one that no record has, and behind it lie bytes that are none.
    Buffer.from("0200000003000000aabb", "hex"),
    codeLoad("two", 0x2000, 8),
    codeLoad("another", 0x1000, 16),
  ]);
  assert.deepEqual(readJitDump(dump), [
    { name: "another", address: 0x1000, bytes: 16, lines: [] },
    { name: "two", address: 0x2000, bytes: 8, lines: [] },
  ]);
  const first = readJitDump(dump.subarray(0, dump.indexOf("0200000003000000aabb", "hex")));
  assert.deepEqual(first, [
    {
      name: "one",
      address: 0x1000,
      bytes: 0x20,
      lines: [
        { address: 0x1000, file: "a.js", line: 12 },
        { address: 0x1010, file: "b.js", line: 29 },
      ],
    },
  ]);
  assert.throws(() => readJitDump(Buffer.from("something else altogether")), /no file of --perf-prof/);
});

function header(): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.write("DTiJ", "latin1");
  bytes.writeUInt32LE(40, 8);
  return bytes;
}

function record(kind: number, content: Buffer): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(kind);
  bytes.writeUInt32LE(16 + content.length, 4);
  return Buffer.concat([bytes, content]);
}

function codeLoad(name: string, address: number, bytes: number): Buffer {
  const fields = Buffer.alloc(40);
  fields.writeBigUInt64LE(BigInt(address), 16);
  fields.writeBigUInt64LE(BigInt(bytes), 24);
  return record(0, Buffer.concat([fields, Buffer.from(`${name}\0`), Buffer.alloc(bytes, 0x90)]));
}

function debugInfo(address: number, lines: readonly (readonly [number, number, string])[]): Buffer {
  const fields = Buffer.alloc(16);
  fields.writeBigUInt64LE(BigInt(address));
  fields.writeBigUInt64LE(BigInt(lines.length), 8);
  const entries = lines.map(([at, line, file]) => {
    const entry = Buffer.alloc(16);
    entry.writeBigUInt64LE(BigInt(at));
    entry.writeUInt32LE(line, 8);
    return Buffer.concat([entry, Buffer.from(`${file}\0`)]);
  });
  return record(2, Buffer.concat([fields, ...entries]));
}
