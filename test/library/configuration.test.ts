/** What `createProxy` takes as a configuration, and what it says to a wrong one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { type Config, ConfigurationError, createProxy } from "../../src/index.ts";
import { startOrigin, textOf } from "./origin.ts";

const timeout = 30_000;
const LISTEN = "127.0.0.1:0";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "hp-library-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const WRONG: readonly { name: string; config: unknown; message: string }[] = [
  {
    name: "a value, by its path",
    config: { backends: ["a:1"], timeouts: { connect: "5" } },
    message: 'timeouts.connect "5": has no unit; write a number with ms, s, m or h, like 500ms or 30s',
  },
  {
    name: "an item of a list",
    config: { backends: ["a:1", "b"] },
    message: 'backends[1] "b": is not a backend; write host:port, [v6 address]:port or unix:/path',
  },
  {
    name: "a key that there is not",
    config: { backends: ["a:1"], limts: {} },
    message: "limts: is not a key of a configuration; did you mean limits?",
  },
  {
    name: "nothing at all",
    config: {},
    message: "backends: is missing; write where requests go, like backends: [localhost:3001, localhost:3002]",
  },
  {
    name: "no configuration",
    config: undefined,
    message: "the configuration: is not a group of keys; write keys",
  },
];

for (const { name, config, message } of WRONG) {
  test(`wrong: ${name}`, { timeout }, async () => {
    const proxy = createProxy(config as Config);
    await assert.rejects(proxy.listen(), (error: Error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.equal(error.message.slice(0, message.length), message);
      assert.equal(error.errors.length, 1);
      assert.equal("source" in error.errors[0]!, false);
      return true;
    });
    await proxy.close();
  });
}

test("all that is wrong is told at once, as data", { timeout }, async () => {
  const config = { backends: ["a:1"], engine: "fast", workers: "many" } as unknown as Config;
  await assert.rejects(createProxy(config).listen(), (error: ConfigurationError) => {
    assert.match(error.message, /^2 errors in the configuration\n {2}\w+ "\w+": /);
    assert.deepEqual(error.errors.map(({ path, value }) => [path, value]).sort(), [
      ["engine", "fast"],
      ["workers", "many"],
    ]);
    return true;
  });
});

test("a refused reload leaves the old configuration in force", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const good: Config = { listen: LISTEN, backends: [origin.address] };
  await using proxy = createProxy(good);
  const [address] = await proxy.listen();
  const reloads: readonly [Config, string][] = [
    [{ ...good, timeouts: { connect: "5" as "5s" } }, "ConfigurationError"],
    [{ ...good, mode: "tcp" }, "ConfigurationError"],
    [{ ...good, backends: ["nowhere.invalid:1"] }, "ProxyError"],
    [{ ...good, listen: origin.address }, "ProxyError"],
  ];
  for (const [wrong, name] of reloads) {
    await assert.rejects(proxy.reload(wrong), { name });
    assert.equal(await textOf(address!, "/still"), "/still");
  }
  await assert.rejects(proxy.reload({ ...good, mode: "tcp" }), (error: ConfigurationError) => {
    const remedy = "close this proxy and make another with createProxy, or put the old value back";
    assert.equal(error.errors[0]?.remedy, remedy);
    return true;
  });
  assert.deepEqual((await proxy.reload()).changes, [], "what is read again is the last that was right");
});

test("a function is called at each reading; what it throws comes through", { timeout }, async (t) => {
  const [one, two] = [await startOrigin(t), await startOrigin(t, (_, response) => response.end("two"))];
  let backends: string[] | undefined;
  await using proxy = createProxy(async () => {
    if (backends === undefined) throw new Error("not yet");
    return { listen: LISTEN, backends };
  });
  await assert.rejects(proxy.listen(), /^Error: not yet$/);
  backends = [one.address];
  const [address] = await proxy.listen();
  assert.equal(await textOf(address!, "/one"), "/one");
  backends = [two.address];
  await proxy.reload();
  assert.equal(await textOf(address!, "/"), "two");
});

test("a file, by path or URL, with its variables and includes; a reload reads it anew", {
  timeout,
}, async (t) => {
  const origin = await startOrigin(t);
  const folder = folderOf(t);
  const file = path.join(folder, "proxy.yaml");
  process.env.LIBRARY_TEST_BACKEND = origin.address;
  process.env.HP_PROXY_VIA_NAME = "not-an-option-here";
  t.after(() => {
    delete process.env.LIBRARY_TEST_BACKEND;
    delete process.env.HP_PROXY_VIA_NAME;
  });
  writeFileSync(file, `listen: 127.0.0.1:0\ninclude: more.yaml\n`);
  writeFileSync(path.join(folder, "more.yaml"), `backends: ["$\{LIBRARY_TEST_BACKEND}"]\n`);
  await using proxy = createProxy(pathToFileURL(file));
  const [address] = await proxy.listen();
  const response = await fetch(`http://${address}/`);
  assert.equal(response.headers.get("via"), "1.1 hp-proxy");
  writeFileSync(path.join(folder, "more.yaml"), `backends: ["${origin.address}"]\nviaName: other\n`);
  assert.deepEqual((await proxy.reload()).changes, ["viaName: hp-proxy → other"]);
  writeFileSync(path.join(folder, "more.yaml"), `backends: ["${origin.address}"]\nviaNam: other\n`);
  await assert.rejects(proxy.reload(), (error: ConfigurationError) => {
    assert.deepEqual(error.errors[0], {
      source: `${path.join(folder, "more.yaml")}:2:1`,
      path: "viaNam",
      reason: "is not a key of a configuration",
      remedy: "did you mean viaName?",
    });
    return true;
  });
});

test("a module that has changed is run anew", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const folder = folderOf(t);
  const file = path.join(folder, "proxy.config.ts");
  const text = (name: string) => `import { defineConfig } from "hp-proxy";
const viaName: string = ${JSON.stringify(name)};
export default defineConfig({ listen: "127.0.0.1:0", backends: ["${origin.address}"], viaName });
`;
  writeFileSync(file, text("first"));
  await using proxy = createProxy(file);
  await proxy.listen();
  writeFileSync(file, text("second"));
  assert.deepEqual((await proxy.reload()).changes, ["viaName: first → second"]);
});

test("a file that is not there is told without a flag", { timeout }, async (t) => {
  const folder = folderOf(t);
  writeFileSync(path.join(folder, "proxy.yaml"), "");
  const file = path.join(folder, "prox.yaml");
  await assert.rejects(createProxy(file).listen(), {
    message: `the configuration "${file}": does not exist; did you mean ${folder}/proxy.yaml?`,
  });
});

test("a value may include files, from the working directory", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const file = path.join(folderOf(t), "backends.yaml");
  writeFileSync(file, `backends: ["${origin.address}"]\n`);
  await using proxy = createProxy({ listen: LISTEN, include: [file] });
  const [address] = await proxy.listen();
  assert.equal(await textOf(address!, "/included"), "/included");
});
