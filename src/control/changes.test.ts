import assert from "node:assert/strict";
import { test } from "node:test";
import { filePlace, locate } from "../config/located.ts";
import { readArguments } from "./arguments.ts";
import { changesBetween, changeText, restartErrors } from "./changes.ts";
import { PROXY_FLAGS, type ReadConfiguration, readConfiguration } from "./read-configuration.ts";

function read(value: object): ReadConfiguration {
  const root = locate({ backends: "app:80", ...value }, () => filePlace("test.json"));
  const result = readConfiguration(readArguments([], PROXY_FLAGS), {}, root);
  assert(!("errors" in result), JSON.stringify(result));
  return result;
}

const CASES: readonly { name: string; before: object; after: object; texts: readonly string[] }[] = [
  { name: "nothing", before: {}, after: {}, texts: [] },
  { name: "a default that is written", before: {}, after: { timeouts: { connect: "3s" } }, texts: [] },
  {
    name: "a value",
    before: {},
    after: { timeouts: { connect: "5s" } },
    texts: ["timeouts.connect: 3s → 5s"],
  },
  {
    name: "a list",
    before: {},
    after: { backends: ["app:80", "db:80"] },
    texts: ["clusters.default.backends: app:80 → app:80, db:80"],
  },
  {
    name: "a listener in front of another",
    before: { listen: ":80" },
    after: { listen: [":81", ":80"] },
    texts: ["listen[:81].address: added, :81", "listen[:81].cluster: added, default"],
  },
  {
    name: "a cluster that goes",
    before: {
      clusters: { api: { backends: "api:80", health: { kind: "off" } } },
      listen: [{ port: 80 }, { port: 81, cluster: "api" }],
    },
    after: { listen: [{ port: 80 }] },
    texts: ["clusters.api.backends: removed, was api:80", "clusters.api.health.kind: removed, was off"],
  },
];

for (const { name, before, after, texts } of CASES) {
  test(`changes: ${name}`, () => {
    const found = changesBetween(read(before), read(after)).map(changeText);
    for (const text of texts) assert.ok(found.includes(text), `${text} in ${JSON.stringify(found)}`);
    if (texts.length === 0) assert.deepEqual(found, []);
  });
}

test("changes: what only a new process can follow is an error each", () => {
  const changes = changesBetween(
    read({}),
    read({ mode: "tcp", engine: "net", viaName: "x", control: "/run/x" }),
  );
  const errors = restartErrors(changes, "make another");
  assert.deepEqual(
    errors.map(({ source }) => source),
    ["mode", "engine", "control"],
  );
  assert.match(errors[0]!.reason, /^was http when this proxy began/);
  assert.equal(errors[0]!.remedy, "make another, or put the old value back");
});
