import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { FakeExchange } from "../../test/hooks/fake-exchange.ts";
import { BLOCK_BYTES } from "../contract/counters.ts";
import type { CodeLink, Hooking } from "../contract/hooking.ts";
import { type Chain, Moment } from "../contract/interception.ts";
import { HookRuntime } from "./hook-runtime.ts";
import { ModuleLoader } from "./import-module.ts";

const cells = new Float64Array(BLOCK_BYTES / 8);

function folder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const made = mkdtempSync(path.join(tmpdir(), "hp-proxy-test-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  write(made, files);
  return made;
}

function write(at: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(at, name)), { recursive: true });
    writeFileSync(path.join(at, name), text);
  }
}

function hooking(version: number, source: CodeLink["source"], moments: number = Moment.request): Hooking {
  const link: CodeLink = {
    kind: "code",
    source,
    moments,
    budgetMs: 5,
    timeoutMs: 1_000,
    onFailure: "closed",
  };
  return { version, chains: [[link]] };
}

/** What a chain's hook says. */
function said([chain]: readonly Chain[]): string {
  const exchange = new FakeExchange();
  chain!.request(exchange);
  return exchange.answerLines.trim();
}

const ANSWER = (word: string) => `{ onRequest: () => ({ status: 200, headers: { said: ${word} } }) }`;

test("a module is loaded by file and path, its default export called where it is a function", async (t) => {
  const at = folder(t, {
    "plain.ts": `const word: string = "plain"; export default ${ANSWER("word")};`,
    "made.mjs": `export default async () => ({ routes: [{ hooks: ${ANSWER('"made"')} }] });`,
    "named.ts": `import { defineHooks } from "hp-proxy"; export default defineHooks(${ANSWER('"named"')});`,
  });
  const runtime = new HookRuntime(cells, () => {});
  const from = (name: string) => path.join(at, name);
  assert.equal(said(await runtime.load(hooking(1, { file: from("plain.ts"), path: [] }))), "said: plain");
  const steps = { file: from("made.mjs"), path: ["routes", 0, "hooks"] };
  assert.equal(said(await runtime.load(hooking(2, steps))), "said: made");
  assert.equal(said(await runtime.load(hooking(3, { file: from("named.ts"), path: [] }))), "said: named");
});

test("another version loads the module and what it imports by relative names anew, and no package", async (t) => {
  const at = folder(t, {
    "a.ts": `import { b } from "./lib/b.ts"; import { p } from "p"; export default ${ANSWER("b + p()")};`,
    "lib/b.ts": `export { c as b } from "./c.ts";`,
    "lib/c.ts": `export const c = "first";`,
    "node_modules/p/package.json": `{ "name": "p", "type": "module", "exports": "./p.js" }`,
    "node_modules/p/p.js": `let calls = 0; export const p = () => String(++calls);`,
  });
  const runtime = new HookRuntime(cells, () => {});
  const source = { file: path.join(at, "a.ts"), path: [] };
  const first = await runtime.load(hooking(1, source));
  assert.equal(said(first), "said: first1");
  write(at, { "lib/c.ts": `export const c = "second";` });
  assert.equal(await runtime.load(hooking(1, source)), first, "the same version is the same chain");
  assert.equal(said(await runtime.load(hooking(2, source))), "said: second2");
  assert.equal(said(first), "said: first3", "exchanges of before go on with what they had");
});

const UNAVAILABLE: readonly [name: string, text: string, error: RegExp][] = [
  ["throws", "throw new Error('no database');", /cannot be run by a worker: Error: no database/],
  ["is wrong", "export default {;", /cannot be run by a worker: SyntaxError/],
  ["has no default", "export const a = 1;", /it has no default export/],
  ["has other hooks", "export default { onLog() {} };", /gives other hooks in a worker/],
  ["has none", "export default 5;", /gives other hooks in a worker/],
];

for (const [name, text, error] of UNAVAILABLE)
  test(`a module that ${name} is refused with the reason`, async (t) => {
    const file = path.join(folder(t, { "a.ts": text }), "a.ts");
    const runtime = new HookRuntime(cells, () => {});
    await assert.rejects(runtime.load(hooking(1, { file, path: [] })), {
      name: "HooksUnavailable",
      message: error,
    });
    // What failed is tried again, not remembered.
    writeFileSync(file, `export default ${ANSWER('"well"')};`);
    assert.equal(said(await runtime.load(hooking(2, { file, path: [] }))), "said: well");
  });

test("hooks that were given are found by number", async () => {
  const runtime = new HookRuntime(cells, () => {}, [{}, { onRequest: () => ({ status: 204 }) }]);
  const [chain] = await runtime.load(hooking(1, { given: 1 }));
  const exchange = new FakeExchange();
  chain!.request(exchange);
  assert.deepEqual(exchange.verdicts, ["answer 204"]);
  await assert.rejects(runtime.load(hooking(2, { given: 2 })), /number 2 were not given/);
});

test("files of a module are its own and what it imports, but packages", async (t) => {
  const at = folder(t, {
    "a.ts": `import "./b.ts"; import "p"; import "node:fs"; export default {};`,
    "b.ts": `import "./c.ts";`,
    "c.ts": "",
    "d.ts": `import "./b.ts";`,
    "node_modules/p/package.json": `{ "type": "module", "exports": "./p.js" }`,
    "node_modules/p/p.js": "",
  });
  const loader = new ModuleLoader();
  t.after(() => loader.release());
  await loader.load(path.join(at, "a.ts"), 0);
  await loader.load(path.join(at, "d.ts"), 0);
  const names = (file: string) => loader.filesOf(path.join(at, file)).map((each) => path.basename(each));
  assert.deepEqual(names("a.ts"), ["a.ts", "b.ts", "c.ts"]);
  assert.deepEqual(names("d.ts"), ["b.ts", "c.ts", "d.ts"]);
});
