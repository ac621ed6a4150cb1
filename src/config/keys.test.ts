import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDocument } from "./check.ts";
import { configJsonSchema } from "./json-schema.ts";
import { KEYS, keysAt, keyText, suggestion } from "./keys.ts";
import { filePlace, locate, pathText } from "./located.ts";

test("every key has a text, and a flag of its own at most", () => {
  for (const { path, text } of KEYS) {
    assert.match(text.text, /^.{10,}[^.]$/, keyText(path));
    assert.match(text.danger, /^$|\.$/, keyText(path));
  }
  const flags = KEYS.filter(({ path }) => !path.includes("NAME")).flatMap(({ text }) => text.flag ?? []);
  assert.deepEqual(flags, [...new Set(flags)]);
});

test("every default is what a user could have written", () => {
  for (const { path, text } of KEYS) {
    if (text.initial === undefined || path.includes("NAME")) continue;
    const value = path.reduceRight<unknown>((below, name) => ({ [name]: below }), text.initial);
    const root = locate({ backends: ["a:1"], ...(value as object) }, (at) => filePlace(pathText(at)));
    assert(!("errors" in checkDocument(root)), keyText(path));
  }
});

test("the JSON Schema knows every key of the first two levels", () => {
  type Node = { properties?: Record<string, Node> };
  const schema = configJsonSchema() as Node;
  for (const { path } of KEYS) {
    if (path.length > 2) continue;
    const found = path.reduce<Node | undefined>((node, name) => node?.properties?.[name], schema);
    assert(found !== undefined, keyText(path));
  }
});

const PLACES: readonly [path: (string | number)[], first: string | undefined][] = [
  [[], "listen"],
  [["timeouts"], "connect"],
  [["listen", 3], "address"],
  [["clusters"], undefined],
  [["clusters", "app"], "backends"],
  [["clusters", "app", "health"], "kind"],
  [["mode"], undefined],
  [["nothing", "here"], undefined],
];

for (const [path, first] of PLACES)
  test(`keys at ${pathText(path) || "the top"}`, () => assert.equal(keysAt(path)[0], first));

const SUGGESTIONS: readonly [path: string[], name: string, text: RegExp][] = [
  [[], "bakends", /^did you mean backends\?$/],
  [[], "maxBodyBytes", /^did you mean limits\.body\?$/],
  [[], "trustedProxies", /^did you mean policy\.trustedProxies\?$/],
  [["timeouts"], "backends", /^did you mean backends\?$/],
  [["clusters", "app"], "xyz", /^write one of backends, health$/],
];

for (const [path, name, text] of SUGGESTIONS)
  test(`instead of ${name}`, () => assert.match(suggestion(path, name), text));
