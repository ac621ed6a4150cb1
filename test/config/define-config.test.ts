/** `defineConfig` as TypeScript sees it: each line below a `@ts-expect-error` must be refused by `tsc -b`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Config, type Duration, defineConfig } from "../../src/config/define-config.ts";

const good: Config[] = [
  { backends: ["localhost:3001"] },
  { backends: "localhost:3001,localhost:3002", listen: 8080 },
  {
    listen: [":8080", { address: ":8081", cluster: "app" }, { port: 8082, cluster: "api" }],
    clusters: {
      app: { backends: ["a:1"], health: { kind: "http", path: "/up", interval: "1.5s", fall: 2 } },
      api: { backends: ["b:1"] },
    },
    timeouts: { connect: "250ms", request: 0, tunnel: "1h" },
    limits: { body: "10MiB", head: 16_384, clients: 1000 },
    policy: { forwarded: true, rejectPaths: ["nul"], trustedProxies: ["10.0.0.0/8"], requestId: "keep" },
    workers: "auto",
    log: { level: "warn" },
  },
];

const bad: Config[] = [
  // @ts-expect-error: there is no such key
  { backend: ["localhost:3001"] },
  // @ts-expect-error: nor in a group
  { timeouts: { conect: "5s" } },
  // @ts-expect-error: a cluster has backends
  { clusters: { app: {} } },
  // @ts-expect-error: a time has a unit
  { timeouts: { connect: "5" } },
  // @ts-expect-error: and is no number
  { timeouts: { connect: 5000 } },
  // @ts-expect-error: kibibytes are KiB
  { limits: { body: "10KB" } },
  // @ts-expect-error: not a choice
  { mode: "udp" },
  // @ts-expect-error: a listener has an address or a port
  { listen: { cluster: "app" } },
  // @ts-expect-error: a known word
  { policy: { rejectPaths: ["dots"] } },
];

test("defineConfig gives its argument back", async () => {
  for (const config of [...good, ...bad]) assert.equal(defineConfig(config), config);
  const later = defineConfig(async () => ({
    backends: ["localhost:3001"],
    timeouts: { connect: (process.env.NO_SUCH_VARIABLE ?? "5s") as Duration },
  }));
  assert(typeof later === "function");
  assert.deepEqual(await later(), { backends: ["localhost:3001"], timeouts: { connect: "5s" } });
});

test("defineConfig refuses what has no default in a function", () => {
  // @ts-expect-error: a time has a unit
  assert(defineConfig(() => ({ timeouts: { connect: "5" } })));
  // @ts-expect-error: there is no such key
  assert(defineConfig({ backends: [], workes: 2 }));
});
