/** What `include` brings together, and in which order. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load-config.ts";
import { plainOf } from "../../src/config/located.ts";

/** A variable in a text. */
const PART = `$${"{PART}"}`;

/** What editors on Windows begin a file with. */
const MARK = "\ufeff";

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly value: unknown;
  /** In the order in which they are read. */
  readonly read: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "groups are joined, lists are joined in order, the file's values win",
    files: {
      "main.yaml":
        "include: [a.yaml, b.yaml]\nlisten: [':3']\nmode: http\nclusters: { x: { backends: [c:1] } }",
      "a.yaml":
        "listen: [':1']\nmode: tcp\nviaName: a\nclusters: { x: { backends: [a:1], health: { fall: 1 } } }",
      "b.yaml":
        "listen: [':2']\nviaName: b\nclusters: { x: { health: { rise: 2 } }, y: { backends: [y:1] } }",
    },
    value: {
      listen: [":1", ":2", ":3"],
      mode: "http",
      viaName: "b",
      clusters: {
        x: { backends: ["a:1", "c:1"], health: { fall: 1, rise: 2 } },
        y: { backends: ["y:1"] },
      },
    },
    read: ["main.yaml", "a.yaml", "b.yaml"],
  },
  {
    name: "a pattern gives files by name, relative to the file, of every kind",
    files: {
      "main.yaml": "include: parts/all.json",
      "parts/all.json": '{ "include": "clusters/*", "backends": ["d:1"] }',
      "parts/clusters/2.mjs": "export default { backends: ['b:1'] };",
      "parts/clusters/10.yml": "backends: [a:1]",
      "parts/clusters/3.ts": "const one: string = 'c:1'; export default () => ({ backends: [one] });",
    },
    value: { backends: ["a:1", "b:1", "c:1", "d:1"] },
    read: [
      "main.yaml",
      "parts/all.json",
      "parts/clusters/10.yml",
      "parts/clusters/2.mjs",
      "parts/clusters/3.ts",
    ],
  },
  {
    name: "a file counts once, and a pattern does not find who asks",
    files: {
      "main.yaml": "include: [a.yaml, '*.yaml']\nlisten: [main]",
      "a.yaml": "include: b.yaml\nlisten: [a]",
      "b.yaml": "listen: [b]",
    },
    value: { listen: ["b", "a", "main"] },
    read: ["main.yaml", "a.yaml", "b.yaml"],
  },
  {
    name: "a pattern may find nothing; one text with commas is a list",
    files: { "main.yaml": "include: 'none/*.yaml, a.yaml'", "a.yaml": "mode: tcp" },
    value: { mode: "tcp" },
    read: ["main.yaml", "a.yaml"],
  },
  {
    name: "variables, anchors and nothing at all",
    files: {
      "main.yaml": `include: "${PART}.yaml"\nhealth: &h { fall: 2 }\nclusters: { a: { health: *h } }\nlog:\nlimits: ~`,
      "part.yaml": "# nothing",
    },
    value: { health: { fall: 2 }, clusters: { a: { health: { fall: 2 } } } },
    read: ["main.yaml", "part.yaml"],
  },
  {
    name: "a byte order mark is no part of a file",
    files: {
      "main.yaml": `${MARK}include: [a.json, b.yaml]`,
      "a.json": `${MARK}{ "listen": ["a"] }`,
      "b.yaml": `${MARK}# first\nlisten: [b]`,
    },
    value: { listen: ["a", "b"] },
    read: ["main.yaml", "a.json", "b.yaml"],
  },
];

for (const { name, files, value, read } of CASES) {
  test(`include: ${name}`, async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-include-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    }
    const named = { file: "main.yaml", source: "--config" };
    const loaded = await loadConfig(folder, named, { PART: "part" }, () => {});
    assert.deepEqual(loaded?.errors, []);
    assert.deepEqual(plainOf(loaded!.root), value);
    assert.deepEqual(loaded?.files, read);
  });
}

test("a byte order mark moves no place, and UTF-16 is told as that", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-include-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const errorFor = async (file: string) => {
    const loaded = await loadConfig(folder, { file, source: "--config" }, {}, () => {});
    return loaded?.errors.map(({ source, reason }) => `${source} ${reason}`).join();
  };
  writeFileSync(path.join(folder, "a.json"), `${MARK}{ "listen": [,] }`);
  assert.match((await errorFor("a.json"))!, /^a\.json:1:14 is not JSON: /);
  writeFileSync(path.join(folder, "a.yaml"), `${MARK}listen: *a`);
  assert.match((await errorFor("a.yaml"))!, /^a\.yaml:1:9 /);
  for (const text of ["\xff\xfel\0", "\xfe\xff\0l"]) {
    writeFileSync(path.join(folder, "b.yaml"), text, "latin1");
    assert.equal(await errorFor("b.yaml"), "--config is UTF-16");
  }
});

test("include: a file by two names is one file", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-include-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, "main.yaml"), "include: [a.yaml, b.yaml]");
  writeFileSync(path.join(folder, "a.yaml"), "backends: [a:1]");
  symlinkSync("a.yaml", path.join(folder, "b.yaml"));
  const loaded = await loadConfig(folder, { file: "main.yaml", source: "--config" }, {}, undefined);
  assert.deepEqual(plainOf(loaded!.root), { backends: ["a:1"] });
});

test("a proxy that runs reads nothing but what it found at its start", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-include-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const errorFor = async (begunWith: string) => {
    const loaded = await loadConfig(folder, undefined, {}, undefined, begunWith);
    return loaded?.errors.map(({ source, reason }) => `${source} ${reason}`).join();
  };
  assert.equal(await errorFor(""), undefined);
  assert.match((await errorFor("hp-proxy.config.ts"))!, /^hp-proxy\.config\.ts is not there any more/);
  writeFileSync(path.join(folder, "hp-proxy.config.yaml"), "backends: [a:1]");
  assert.equal(await errorFor("hp-proxy.config.yaml"), "");
  assert.match((await errorFor(""))!, /^hp-proxy\.config\.yaml was not there when/);
  rmSync(folder, { recursive: true });
  assert.match((await errorFor("hp-proxy.config.yaml"))!, /^hp-proxy\.config\.yaml is not there any more/);
  const named = { file: "main.yaml", source: "--config" };
  const loaded = await loadConfig(folder, named, {}, undefined, "");
  assert.equal(loaded?.errors[0]?.reason, "does not exist");
});

test("no file is found where there is none", async () => {
  assert.equal(
    await loadConfig(path.join(import.meta.dirname, "broken"), undefined, {}, undefined),
    undefined,
  );
});
