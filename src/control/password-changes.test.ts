import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { filePlace, locate } from "../config/located.ts";
import { changesBetween, changeText } from "./changes.ts";
import { passwordChanges } from "./password-changes.ts";
import { NO_ARGUMENTS, type ReadConfiguration, readConfiguration } from "./read-configuration.ts";

const folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-passwords-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const FILE = path.join(folder, "users");

/** A hash of nothing, which differs by `letter`. */
function hashOf(letter: string): string {
  return `$scrypt$ln=10,r=8,p=1$${letter.repeat(22)}$${letter.repeat(43)}`;
}

/** With `users` in the file: `ada:A bob:B`. */
function read(users: string, value: object): ReadConfiguration {
  const lines = users.split(" ").map((user) => user.replace(/:(.)$/, (_, letter) => `:${hashOf(letter)}`));
  writeFileSync(FILE, lines.join("\n"));
  const root = locate({ backends: "app:80", ...value }, () => filePlace("test.json"));
  const result = readConfiguration(NO_ARGUMENTS, {}, root);
  assert(!("errors" in result), JSON.stringify(result));
  return result;
}

const WHOLE = { basicAuth: { file: FILE } };
const OWN = { basicAuth: { file: FILE, users: { eve: hashOf("E") } } };
const ROUTES = {
  routes: [
    { name: "shop", basicAuth: { file: FILE } },
    { prefix: "/a", basicAuth: { file: FILE } },
  ],
};

const CASES: readonly (readonly [name: string, value: object, old: string, now: string, texts: string[]])[] =
  [
    ["nothing", WHOLE, "ada:A", "ada:A", []],
    ["another order", WHOLE, "ada:A bob:B", "bob:B ada:A", []],
    ["one more", WHOLE, "ada:A", "ada:A bob:B", [`basicAuth.file: ${FILE} is another one: 1 user added`]],
    [
      "all at once",
      WHOLE,
      "ada:A bob:B cat:C",
      "ada:X dan:D fay:F",
      [`basicAuth.file: ${FILE} is another one: 2 users added, 1 changed, 2 removed`],
    ],
    [
      "beside own users",
      OWN,
      "ada:A",
      "bob:B",
      [`basicAuth.file: ${FILE} is another one: 1 user added, 1 removed`],
    ],
    [
      "of routes",
      ROUTES,
      "ada:A",
      "ada:B",
      [
        `routes[shop].basicAuth.file: ${FILE} is another one: 1 user changed`,
        `routes[1].basicAuth.file: ${FILE} is another one: 1 user changed`,
      ],
    ],
  ];

for (const [name, value, old, now, texts] of CASES) {
  test(`changes in a file of passwords: ${name}`, () => {
    assert.deepEqual(passwordChanges(read(old, value), read(now, value)), texts);
  });
}

test("changes of users in the configuration: told without hashes, and not as those of the file", () => {
  const before = read("ada:A", { basicAuth: { file: FILE, users: { bob: hashOf("B"), eve: hashOf("E") } } });
  const now = read("ada:A", { basicAuth: { file: FILE, users: { bob: hashOf("X"), fay: hashOf("F") } } });
  assert.deepEqual(passwordChanges(before, now), []);
  assert.deepEqual(changesBetween(before, now).map(changeText), [
    "basicAuth.users.bob: changed",
    "basicAuth.users.eve: removed",
    "basicAuth.users.fay: added",
  ]);
});
