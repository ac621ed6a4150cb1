/** Hooks of an embedded proxy: functions of the program itself, and those of modules. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { type Config, createProxy, type Hooks } from "../../src/index.ts";
import { testEachEngine } from "../harness/engines.ts";
import { nextEvent, startOrigin, textOf } from "./origin.ts";

const timeout = 30_000;
const LISTEN = "127.0.0.1:0";

testEachEngine("functions of the program see its own variables", { timeout }, async (t, engine) => {
  const origin = await startOrigin(t, (request, response) => response.end(`${request.headers["x-seen"]}`));
  const seen: string[] = [];
  const hooks: Hooks = {
    async onRequest(request) {
      seen.push(request.path);
      request.headers.set("x-seen", `${seen.length}`);
      // Whatever the program awaits: Node's loop runs beside the engine's.
      await fetch(`http://${origin.address}/aside`);
      if (request.path === "/own") return { status: 200, body: "own answer" };
      return undefined;
    },
  };
  const config: Config = { listen: LISTEN, backends: [origin.address], engine, hooks };
  await using proxy = createProxy(config);
  const [address] = await proxy.listen();
  assert.equal(await textOf(address!, "/a"), "1");
  assert.equal(await textOf(address!, "/own"), "own answer");
  assert.deepEqual(seen, ["/a", "/own"]);
  assert.equal(proxy.stats().total.hooks.calls, 2);
  assert.deepEqual(
    (await proxy.reload({ ...config, hooks: { ...hooks } })).changes,
    [],
    "the same functions",
  );
  const other: Hooks = { onRequest: () => ({ status: 200, body: "other" }) };
  assert.deepEqual((await proxy.reload({ ...config, hooks: other })).changes, ["hooks: given 0 → given 1"]);
  assert.equal(await textOf(address!, "/a"), "other");
});

test("a hook that throws is told, and the program goes on", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const hooks: Hooks = {
    onRequest() {
      throw new TypeError("my mistake");
    },
  };
  await using proxy = createProxy({ listen: LISTEN, backends: [origin.address], hooks });
  const [address] = await proxy.listen();
  const failed = nextEvent(proxy, "failure");
  const told = nextEvent(proxy, "log", ({ level }) => level === "warn");
  assert.equal((await fetch(`http://${address}/`)).status, 500);
  assert.equal((await failed).reason, "hook_threw");
  assert.match((await told).message, /my mistake|hook/);
});

test("worker processes cannot be given functions, and load modules", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const folder = mkdtempSync(path.join(tmpdir(), "hp-library-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const module = path.join(folder, "own.hooks.ts");
  writeFileSync(module, `export default { onRequest: () => ({ status: 200, body: "from a module" }) };\n`);
  const config: Config = { listen: LISTEN, backends: [origin.address] };
  const inline = createProxy({ ...config, hooks: { onLog() {} } }, { workers: 1 });
  await assert.rejects(inline.listen(), /^ConfigurationError: hooks\S*: is no path of a module of hooks; /);
  for (const workers of ["inline", 1] as const) {
    await using proxy = createProxy({ ...config, hooks: [module] }, { workers });
    const [address] = await proxy.listen();
    assert.equal(await textOf(address!, "/"), "from a module");
  }
});
