// Invariant: what `hp-proxy print` shows, as YAML and as JSON, means the same configuration when it is read.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ReadConfiguration, readConfiguration } from "../control/read-configuration.ts";
import { filePlace, locate } from "./located.ts";
import { effective, shownData, shownYaml } from "./print-config.ts";
import { readYaml } from "./read-yaml.ts";

/** Looks like a variable of the environment, and is none. */
const VARIABLE = `$${"{A}"}`;
const time = fc.constantFrom("10ms", "1.5s", "2m", "1h", "30s");
const size = fc.constantFrom(8192, "8192", "16KiB", "20000B");
const count = fc.constantFrom(1, "7", 300);
const name = fc.constantFrom("app", "a-1", "true", "null", "007", "x.y_z");
const backends = fc.constantFrom("a:1,b:2", ["a:1"], ["unix:/run/a b#c.sock", "[::1]:80"], "localhost:3001");
const health = fc.record(
  {
    kind: fc.constantFrom("auto", "http"),
    path: fc.constantFrom("/up", "/#x", `/${VARIABLE}`),
    interval: time,
    fall: count,
  },
  { requiredKeys: [] },
);
const address = fc.constantFrom(":8080", "127.0.0.1:0", "[::1]:8081", 8082, { port: "8083" });
const common = {
  health,
  timeouts: fc.record({ connect: time, tunnel: time }, { requiredKeys: [] }),
  limits: fc.record({ head: size, clients: count }, { requiredKeys: [] }),
  policy: fc.record(
    {
      forwarded: fc.constantFrom(true, "off"),
      rejectPaths: fc.constantFrom("nul", [], ["nul", "dot-segment"]),
      trustedProxies: fc.constantFrom([], ["10.0.0.0/8", "::1"]),
    },
    { requiredKeys: [] },
  ),
  viaName: fc.constantFrom("hp-proxy", "a'b", "~", "1.5", "0x1"),
  control: fc.constantFrom("/run/x.sock", "a: b", "- x"),
  log: fc.record({ level: fc.constantFrom("silent", "warn") }, { requiredKeys: [] }),
  workers: fc.constantFrom("auto", 2, "3"),
};
const oneCluster = fc.record({ backends, listen: address, ...common }, { requiredKeys: ["backends"] });
const named = fc.record({
  name,
  cluster: fc.record({ backends, health }),
  address,
  common: fc.record(common),
});
const namedCluster = named.map(({ name: cluster, cluster: content, address: at, common: rest }) => ({
  ...rest,
  listen: [typeof at === "object" ? { ...at, cluster } : at],
  clusters: { [cluster]: content },
}));

const NOTHING = { values: new Map(), switches: new Set<string>(), words: [], errors: [] };

function read(text: string): ReadConfiguration {
  const file = readYaml(text, "a.yaml", {});
  assert.deepEqual(file.errors, [], text);
  const result = readConfiguration(NOTHING, {}, file.root);
  assert(!("errors" in result), JSON.stringify(result));
  return result;
}

test("print, read again", () => {
  fc.assert(
    fc.property(fc.oneof(oneCluster, namedCluster), (value) => {
      const first = readConfiguration(
        NOTHING,
        {},
        locate(value, () => filePlace("a.ts")),
      );
      assert(!("errors" in first), JSON.stringify(first));
      const shown = effective(first.written, first.document);
      assert.deepEqual(read(shownYaml(shown)).configuration, first.configuration);
      assert.deepEqual(read(JSON.stringify(shownData(shown))).configuration, first.configuration);
    }),
  );
});
