import assert from "node:assert/strict";
import { test } from "node:test";
import { errorsText } from "../config/config-error.ts";
import { readArguments } from "./arguments.ts";
import type { Configuration } from "./configuration.ts";
import type { Environment } from "./options.ts";
import { PROXY_FLAGS, readConfiguration } from "./read-configuration.ts";

const BACKENDS = ["--backends", "127.0.0.1:3001"];

function read(argv: readonly string[], environment: Environment = {}) {
  return readConfiguration(readArguments(argv, PROXY_FLAGS), environment);
}

function good(argv: readonly string[], environment: Environment = {}): Configuration {
  const result = read(argv, environment);
  if ("errors" in result) assert.fail(errorsText("test", result.errors));
  return result.configuration;
}

function bad(argv: readonly string[], environment: Environment = {}): string[] {
  const result = read(argv, environment);
  if (!("errors" in result)) assert.fail("these options are refused");
  return result.errors.map(
    ({ source, value, reason, remedy }) => `${source} ${value ?? "-"}: ${reason}; ${remedy}`,
  );
}

test("the defaults are a complete proxy on :8080", () => {
  const configuration = good(BACKENDS);
  assert.deepEqual(configuration.listeners, [{ host: "", port: 8080, cluster: 0 }]);
  assert.equal(configuration.mode, "http");
  assert.equal(configuration.workers, "auto");
  assert.equal(configuration.engine, "auto");
  assert.equal(configuration.drainTimeoutMs, 30_000);
  assert.deepEqual(configuration.log, { level: "info", format: "text" });
});

test("backends are a list, and the flag may be repeated", () => {
  const { clusters } = good(["--backends", "a:1, b:2", "--backends=unix:/c,[::1]:4"]);
  assert.deepEqual(
    clusters[0]!.backends.map(({ name }) => name),
    ["a:1", "b:2", "unix:/c", "[::1]:4"],
  );
});

test("--port and every --listen are listeners", () => {
  const { listeners } = good([
    ...BACKENDS,
    "--listen",
    "[::1]:81",
    "--port",
    "80",
    "--listen",
    "127.0.0.1:82",
  ]);
  assert.deepEqual(
    listeners.map(({ host, port }) => `${host} ${port}`),
    [" 80", "::1 81", "127.0.0.1 82"],
  );
});

test("a variable stands in for every flag, and the flag wins", () => {
  const environment = {
    HP_PROXY_BACKENDS: "a:1,b:2",
    HP_PROXY_PORT: "81",
    HP_PROXY_POOL_SIZE: "7",
    HP_PROXY_DRAIN_TIMEOUT: "5s",
    HP_PROXY_LOG_LEVEL: "warn",
    HP_PROXY_MAX_HEAD_BYTES: "16KiB",
  };
  const configuration = good(["--port", "82", "--pool-size=8"], environment);
  assert.equal(configuration.clusters[0]!.backends.length, 2);
  assert.equal(configuration.listeners[0]!.port, 82);
  assert.equal(configuration.limits.poolSizePerEndpoint, 8);
  assert.equal(configuration.limits.headBytesMax, 16_384);
  assert.equal(configuration.drainTimeoutMs, 5_000);
  assert.equal(configuration.log.level, "warn");
  assert.deepEqual(bad(BACKENDS, { HP_PROXY_WORKERS: "-1" }), [
    "HP_PROXY_WORKERS -1: is not a whole number; write a number from 1 to 256, or auto",
  ]);
});

const LISTENERS: readonly [argv: string[], environment: Environment, listeners: string[]][] = [
  [["--listen", "127.0.0.1:82"], { HP_PROXY_PORT: "81" }, ["127.0.0.1 82"]],
  [["--listen", "127.0.0.1:82"], { HP_PROXY_PORT: "tcp://10.0.0.1:80" }, ["127.0.0.1 82"]],
  [["--port", "82"], { HP_PROXY_LISTEN: "127.0.0.1:81", HP_PROXY_PORT: "83" }, [" 82"]],
  [["--port", "82", "--listen", "[::1]:83"], { HP_PROXY_LISTEN: "127.0.0.1:81" }, [" 82", "::1 83"]],
  [["--listen", "0.0.0.0:82,[::]:82"], {}, ["0.0.0.0 82", ":: 82"]],
  [[], { HP_PROXY_LISTEN: "127.0.0.1:81", HP_PROXY_PORT: "82" }, [" 82", "127.0.0.1 81"]],
];

for (const [argv, environment, expected] of LISTENERS) {
  const said = [...argv, ...Object.entries(environment).map((pair) => pair.join("="))].join(" ");
  test(`${said} listens on ${expected.join(" and ")}`, () => {
    const { listeners } = good([...BACKENDS, ...argv], environment);
    assert.deepEqual(
      listeners.map(({ host, port }) => `${host} ${port}`),
      expected,
    );
  });
}

const WHERE =
  'write where requests go, like --backends "localhost:3001,localhost:3002", or try hp-proxy demo';

const HEALTH: readonly [argv: string[], kind: string, path: string, expect: string][] = [
  [[], "http", "/health", "any"],
  [["--mode", "tcp"], "tcp", "/health", "any"],
  [["--health", "http"], "http", "/health", "success"],
  [["--health-path", "/up"], "http", "/up", "success"],
  [["--mode", "tcp", "--health-path", "/up"], "http", "/up", "success"],
  [["--health", "tcp"], "tcp", "/health", "any"],
  [["--health", "off"], "off", "/health", "any"],
];

for (const [argv, kind, path, expect] of HEALTH) {
  test(`health with ${argv.join(" ") || "nothing said"} is ${kind}, ${expect}`, () => {
    const { health } = good([...BACKENDS, ...argv]).clusters[0]!;
    assert.deepEqual([health.kind, health.path, health.expect], [kind, path, expect]);
  });
}

test("a stall timeout is never, or long enough for a pulse", () => {
  const stallTimeoutMs = (written: string) => good([...BACKENDS, "--stall-timeout", written]).stallTimeoutMs;
  assert.deepEqual(["0", "0s", "500ms", "1h"].map(stallTimeoutMs), [0, 0, 500, 3_600_000]);
  assert.equal(good(BACKENDS).stallTimeoutMs, 10_000);
  const refused = (written: string) => bad([...BACKENDS, "--stall-timeout", written]);
  const range = "is out of range; write something from 500ms to 24h, or 0: never";
  assert.deepEqual(refused("499ms"), [`--stall-timeout 499ms: ${range}`]);
  assert.deepEqual(refused("25h"), [`--stall-timeout 25h: ${range}`]);
  assert.deepEqual(refused("off"), [
    "--stall-timeout off: is not a duration; write a number with ms, s, m or h, like 500ms or 30s",
  ]);
});

test("everything that is wrong is told at once", () => {
  const errors = bad(
    [
      "--prot",
      "80",
      "--workers",
      "many",
      "--engine=iouring",
      "--listen",
      "80",
      "--log-level",
      "--mode",
      "udp",
      "x",
    ],
    { HP_PROXY_POOL_SIZE: "lots" },
  );
  assert.deepEqual(errors, [
    "--prot -: is not a flag; did you mean --port?",
    "--log-level -: has no value; write --log-level VALUE or --log-level=VALUE",
    "x -: stands where a flag was expected; flags begin with --",
    "--listen 80: has no host; write :80 for every address",
    "--mode udp: is not a choice; write http or tcp",
    "--workers many: is not a whole number; write a number from 1 to 256, or auto",
    "--engine iouring: is not a choice; write auto, uring, epoll or net",
    "HP_PROXY_POOL_SIZE lots: is not a whole number; write a number from 0 to 65536",
    `--backends -: is missing; ${WHERE}`,
  ]);
});

const REFUSED: readonly [name: string, argv: string[], environment: Environment, source: RegExp][] = [
  ["a flag twice", [...BACKENDS, "--port", "1", "--port", "2"], {}, /^--port .* more than once/],
  ["a backend twice", [...BACKENDS, ...BACKENDS], {}, /^--backends 127.0.0.1:3001: is there twice/],
  ["a listener twice", [...BACKENDS, "--port", "80", "--listen", ":80"], {}, /^--listen :80: is there twice/],
  [
    "a health path without http",
    [...BACKENDS, "--health=off", "--health-path=/x"],
    {},
    /^--health-path \/x: has no use/,
  ],
  [
    "a target beyond the head",
    [...BACKENDS, "--max-target-bytes=64KiB"],
    {},
    /^--max-target-bytes 65536: is more/,
  ],
  ["a value for a switch", [...BACKENDS, "--version=1"], {}, /^--version 1: takes no value/],
  [
    "a misspelt variable",
    BACKENDS,
    { HP_PROXY_WORKER: "2" },
    /^HP_PROXY_WORKER -: .* did you mean HP_PROXY_WORKERS\?/,
  ],
  [
    "a Kubernetes service link",
    BACKENDS,
    { HP_PROXY_PORT: "tcp://10.0.0.1:80" },
    /^HP_PROXY_PORT .*enableServiceLinks/,
  ],
  [
    "a part of a listener",
    [...BACKENDS, "--port", "80", "--listen", "127.0.0.1:80"],
    {},
    /^--listen 127\.0\.0\.1:80: is a part of :80, which is there as well; keep one of them$/,
  ],
  [
    "an admin listener where a listener is",
    [...BACKENDS, "--listen", ":80", "--admin", "80"],
    {},
    /^--admin 127\.0\.0\.1:80: takes connections of the listener :80; choose another port, or admin: off$/,
  ],
  [
    "an admin listener on every address where a listener has all of IPv4",
    [...BACKENDS, "--listen", "0.0.0.0:80", "--admin", "[::]:80"],
    {},
    /^--admin \[::\]:80: cannot share the port of the listener 0\.0\.0\.0:80; choose another port, or admin: off$/,
  ],
  [
    "an admin listener on all of IPv4 where a listener has every address",
    [...BACKENDS, "--listen", "[::]:80", "--admin", "0.0.0.0:80"],
    {},
    /^--admin 0\.0\.0\.0:80: cannot share the port of the listener \[::\]:80;/,
  ],
  ["an admin listener at the default", [...BACKENDS, "--admin", "8080"], {}, /^--admin .* listener :8080;/],
  ["no listener", [...BACKENDS, "--listen", ""], {}, /^--listen -: is empty/],
  ["an unknown short flag", [...BACKENDS, "-x"], {}, /^-x -: is not a flag/],
];

for (const [name, argv, environment, expected] of REFUSED) {
  test(`refused: ${name}`, () => {
    const errors = bad(argv, environment);
    assert.equal(errors.length, 1, errors.join("\n"));
    assert.match(errors[0]!, expected);
  });
}

test("other variables under our prefix are nobody's mistake", () => {
  good(BACKENDS, { HP_PROXY_PORT_8080_TCP_ADDR: "10.0.0.1", HP_PROXY_SERVICE_HOST: "10.0.0.1" });
});

test("an empty variable is no variable", () => {
  assert.equal(good(BACKENDS, { HP_PROXY_PORT: "" }).listeners[0]!.port, 8080);
});
