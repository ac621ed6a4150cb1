// Invariant: any flags, variables and file content give a configuration that the data plane can trust, or a
// list of errors that each say where, why and what to do; never an exception.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runs } from "../../test/differential/runs.ts";
import { RECEIVE_BYTES } from "../base/buffer-pool.ts";
import { errorsText } from "../config/config-error.ts";
import { filePlace, locate, pathText } from "../config/located.ts";
import { readArguments } from "./arguments.ts";
import { flagOf, OPTIONS, variableOf } from "./options.ts";
import { PROXY_FLAGS, readConfiguration } from "./read-configuration.ts";

const name = fc.constantFrom(...OPTIONS.map((option) => option.name));
const number = fc.oneof(fc.integer(), fc.double()).map(String);
const unit = fc.constantFrom("", "ms", "s", "m", "h", "KiB", "MiB", "GiB", "%", " s");
const word = fc.constantFrom(
  "on",
  "off",
  "auto",
  "http",
  "tcp",
  "drop",
  "pass",
  "reject",
  "abort",
  "127.0.0.1:1",
  "[::1]:2",
  "localhost:3",
  "unix:/x",
  "10.0.0.0/8",
  "::/129",
  ":70000",
  "0",
  "-1",
  "",
  ",",
  "__proto__",
  "constructor",
);
const value = fc.oneof(
  word,
  fc.tuple(number, unit).map((parts) => parts.join("")),
  fc.array(word, { maxLength: 3 }).map((all) => all.join(",")),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const argument = fc.oneof(
  fc.tuple(name, value).map(([flag, text]) => [flagOf(flag), text]),
  fc.tuple(name, value).map(([flag, text]) => [`${flagOf(flag)}=${text}`]),
  fc
    .constantFrom("--", "-", "--help", "-v", "-xyz", "--no-such", "--workers", "--=", "---")
    .map((text) => [text]),
  value.map((text) => [text]),
);
const argv = fc.array(argument, { maxLength: 6 }).map((parts) => parts.flat());
const environment = fc.dictionary(
  fc.oneof(
    name.map(variableOf),
    fc.constantFrom("HP_PROXY_PORTS", "HP_PROXY_", "HP_PROXY_PORT_80_TCP", "PATH"),
  ),
  value,
  { maxKeys: 4 },
);

const keys = OPTIONS.flatMap(({ path }) => [...path]);
const key = fc.constantFrom(
  ...new Set(keys),
  "name",
  "host",
  "port",
  "cluster",
  "clusters",
  "a",
  "__proto__",
  "include",
);
/** Data as a file may hold it, under the names of real keys and others. */
const { content } = fc.letrec<{ content: unknown }>((tie) => ({
  content: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(value, fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.array(tie("content"), { maxLength: 3 }),
    fc.dictionary(key, tie("content"), { maxKeys: 4 }),
  ),
}));
/** One that is right, with something laid into it anywhere. */
const file = fc
  .tuple(
    fc.constantFrom(...OPTIONS.map(({ path }) => path)),
    content,
    fc.dictionary(key, content, { maxKeys: 3 }),
  )
  .map(([path, leaf, rest]) => {
    const nested = path.reduceRight<unknown>((inner, part) => ({ [part]: inner }), leaf);
    return { backends: ["127.0.0.1:1"], ...rest, ...(nested as object) };
  });

function judge(words: readonly string[], variables: Record<string, string>, data?: unknown): boolean {
  const located = data === undefined ? undefined : locate(data, (path) => filePlace(pathText(path)));
  const result = readConfiguration(readArguments(words, PROXY_FLAGS), variables, located);
  if ("errors" in result) {
    assert.ok(result.errors.length > 0);
    for (const { source, reason, remedy } of result.errors) {
      assert.ok(source !== "" || reason !== "", "it says where");
      for (const text of [reason, remedy]) assert.doesNotMatch(text, /^$|undefined|\[object|NaN/);
    }
    assert.equal(typeof errorsText("hp-proxy", result.errors), "string");
    return false;
  }
  const { configuration } = result;
  assert.deepEqual(JSON.parse(JSON.stringify(configuration)), configuration, "it crosses to another process");
  const { timeouts, limits, listeners, clusters } = configuration;
  for (const number of [...Object.values(timeouts), ...Object.values(limits)]) {
    assert.ok(Number.isSafeInteger(number) && number >= 0, `a bound is a whole number: ${number}`);
  }
  assert.ok(limits.headBytesMax > 0 && limits.headBytesMax <= RECEIVE_BYTES && limits.fieldCountMax > 0);
  assert.ok(listeners.length > 0);
  for (const { port, cluster } of listeners) {
    assert.ok(Number.isInteger(port) && port >= 0 && port <= 65_535);
    assert.ok(clusters[cluster] !== undefined, "a listener has its cluster");
  }
  return true;
}

test("any flags and variables: a configuration, or what is wrong", () => {
  let goodCount = 0;
  const property = fc.property(argv, environment, fc.boolean(), (words, variables, withBackend) => {
    const all = withBackend ? ["--backends", "127.0.0.1:1", ...words] : words;
    if (judge(all, variables)) goodCount++;
  });
  fc.assert(property, runs(1500));
  assert.ok(goodCount > 0, "some are right");
});

test("any content of a file: a configuration, or what is wrong", () => {
  let goodCount = 0;
  const property = fc.property(file, fc.constantFrom<string[]>([], ["--port", "1"]), (data, words) => {
    if (judge(words, {}, data)) goodCount++;
  });
  fc.assert(property, runs(1500));
  assert.ok(goodCount > 0, "some are right");
});
