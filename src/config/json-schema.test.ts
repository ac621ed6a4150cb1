import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { configJsonSchema } from "./json-schema.ts";

/** What an editor that follows the JSON Schema says. */
const editor = z.fromJSONSchema(configJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);

const VARIABLE = `$${"{NAME}"}`;

const CASES: readonly [name: string, value: unknown, isGood: boolean][] = [
  ["backends", { backends: ["a:1"] }, true],
  ["the schema itself", { $schema: "x", backends: "a:1,b:1", include: ["a.yaml"] }, true],
  ["an unknown key", { backend: ["a:1"] }, false],
  ["listeners of all kinds", { listen: [":80", 81, { port: 82, cluster: "x" }, { address: ":83" }] }, true],
  ["an unknown key of a listener", { listen: { adress: ":80" } }, false],
  ["clusters", { clusters: { x: { backends: "a:1", health: { fall: 2, interval: "1.5s" } } } }, true],
  ["a cluster without backends", { clusters: { x: {} } }, false],
  ["an unknown key of a cluster", { clusters: { x: { backends: [], helth: {} } } }, false],
  ["times and sizes", { timeouts: { connect: "5s", request: 0 }, limits: { head: "8KiB", body: 7 } }, true],
  ["an admin port", { admin: 9900 }, true],
  ["an admin address", { admin: ":9900" }, true],
  ["an admin port out of range", { admin: 70_000 }, false],
  ["a section with nothing in it", { timeouts: null, log: null }, true],
  ["a time without unit", { timeouts: { connect: "5" } }, false],
  ["a number for a time", { timeouts: { connect: 5000 } }, false],
  ["a size of another kind", { limits: { body: "5MB" } }, false],
  ["a number out of range", { limits: { clients: 0 } }, false],
  ["a choice", { mode: "tcp", policy: { forwarded: true, rejectPaths: ["nul"] } }, true],
  ["not a choice", { mode: "udp" }, false],
  ["a word that is none", { policy: { rejectPaths: ["dots"] } }, false],
  ["variables", { mode: VARIABLE, timeouts: { connect: VARIABLE }, limits: { clients: VARIABLE } }, true],
];

for (const [name, value, isGood] of CASES)
  test(`JSON Schema: ${name} is ${isGood ? "right" : "wrong"}`, () =>
    assert.equal(editor.safeParse(value).success, isGood));
