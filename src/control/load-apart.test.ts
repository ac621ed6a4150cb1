/** Code that gives no configuration: whatever it does instead, there is an answer, and this process lives on. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { errorText } from "../config/config-error.ts";
import { loadApart } from "./load-apart.ts";
import { loadConfiguration } from "./load-configuration.ts";
import { NO_ARGUMENTS } from "./read-configuration.ts";

/** For those that never end. */
const LATE_MS = 300;
/** For the others: more than they need on any machine. */
const MODULE_MS_MAX = 60_000;

const RIGHT = `export default { backends: "127.0.0.1:1" };`;
const HOOKS = "backends: 127.0.0.1:1\nhooks: hooks.ts\n";
const LATE = /^(\S+): does not come to an end within 10 s, or what it imports does not; take out the endless/;
const EXITS = /^(\S+): ends its process instead of giving a configuration, or what it imports does; take out/;

const CASES: readonly [name: string, files: Readonly<Record<string, string>>, message: RegExp, of: string][] =
  [
    ["a loop", { "c.ts": `for (;;);\n${RIGHT}` }, LATE, "c.ts"],
    [
      "a loop in what it imports",
      { "c.ts": `import "./d.ts";\n${RIGHT}`, "d.ts": "for (;;);" },
      LATE,
      "c.ts",
    ],
    ["a wait for nothing", { "c.ts": `await new Promise(() => {});\n${RIGHT}` }, LATE, "c.ts"],
    ["a loop in its function", { "c.mjs": "export default () => { for (;;); };" }, LATE, "c.mjs"],
    ["a wait in its function", { "c.js": "module.exports = () => new Promise(() => {});" }, LATE, "c.js"],
    ["an exit", { "c.ts": `process.exit(0);\n${RIGHT}` }, EXITS, "c.ts"],
    ["an exit in its function", { "c.ts": "export default () => process.exit(1);" }, EXITS, "c.ts"],
    [
      "an error that nobody catches",
      { "c.ts": `setImmediate(() => { throw new Error("no"); });\nawait new Promise(() => {});\n${RIGHT}` },
      /^(\S+): cannot be run: Error: no \(at .*c\.ts:1:\d+\)\); correct the code$/,
      "c.ts",
    ],
    ["hooks with a loop", { "c.yaml": HOOKS, "hooks.ts": "for (;;);" }, LATE, "hooks.ts"],
    ["hooks with an exit", { "c.yaml": HOOKS, "hooks.ts": "process.exit(0);" }, EXITS, "hooks.ts"],
    [
      "hooks with a loop behind a module that is right",
      { "c.ts": `export default { backends: "127.0.0.1:1", hooks: "hooks.ts" };`, "hooks.ts": "for (;;);" },
      LATE,
      "hooks.ts",
    ],
  ];

for (const [name, files, message, of] of CASES) {
  test(`refused: ${name}`, async (t) => {
    const { folder, given } = written(t, files);
    const moduleMsMax = message === LATE ? LATE_MS : MODULE_MS_MAX;
    const result = await loadApart({ folder, given, environment: {}, variables: {} }, moduleMsMax);
    assert("errors" in result);
    assert.equal(result.errors.length, 1);
    const text = errorText(result.errors[0]!);
    assert.match(text, message);
    assert.equal(message.exec(text)?.[1], of);
  });
}

test("what is right is read, each time as it is then, and nothing of it runs in this thread", async (t) => {
  const config = (via: string) =>
    `import { env } from "node:process"; env.RAN_HERE = "1"; export default { backends: "b:1", viaName: "${via}" };`;
  const { folder, given } = written(t, { "c.ts": config("first") });
  for (const via of ["first", "second"]) {
    writeFileSync(path.join(folder, "c.ts"), config(via));
    const result = await loadConfiguration(folder, given, {});
    assert(!("errors" in result));
    assert.equal(result.configuration.viaName, via);
    assert.deepEqual(result.files, ["c.ts"]);
    assert.equal(process.env.RAN_HERE, undefined);
  }
});

function written(t: { after(fn: () => void): void }, files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-apart-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, file), text);
  return { folder, given: { ...NO_ARGUMENTS, values: new Map([["config", [Object.keys(files)[0]!]]]) } };
}
