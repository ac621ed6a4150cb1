/** The example of docs/routing.md: each request of its table takes the route that stands there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { filePlace } from "../../src/config/located.ts";
import { readYaml } from "../../src/config/read-yaml.ts";
import { readArguments } from "../../src/control/arguments.ts";
import { PROXY_FLAGS, readConfiguration } from "../../src/control/read-configuration.ts";
import { RouteTable } from "../../src/route/route-table.ts";
import { VARIABLE_NAMES } from "../../src/route/template.ts";
import { request } from "../route/asking.ts";
import { documentedRows } from "./tables.ts";

const TEXT = readFileSync(new URL("../../docs/routing.md", import.meta.url), "utf8");
const EXAMPLE = /```yaml\n([\s\S]*?)```/.exec(TEXT)![1]!;

const { root, errors } = readYaml(EXAMPLE, "docs/routing.md", {});
assert.deepEqual(errors, []);
const read = readConfiguration(
  readArguments([], PROXY_FLAGS),
  {},
  { ...root, place: filePlace("docs/routing.md") },
);
assert(!("errors" in read), "the example is right");
const { routes } = read.configuration.routing!;
const table = new RouteTable(routes, 1);

for (const [asked, expected] of documentedRows("routing.md", ["request", "route", "why"])) {
  test(`docs/routing.md: ${asked} takes ${expected}`, () => {
    const [, method, host, path, field] = /^(\S+) ([^/]+)(\/\S*)(?: (.*))?$/.exec(asked!)!;
    const fields = field === undefined ? [] : [field];
    const { memory, head } = request(`${method} ${path}`, `Host: ${host}`, ...fields);
    assert.equal(routes[table.match(memory, head, null)]?.name ?? "none", expected);
  });
}

test("docs/routing.md names every variable", () => {
  for (const name of VARIABLE_NAMES) assert.ok(TEXT.includes(`$${name}\``), name);
});
