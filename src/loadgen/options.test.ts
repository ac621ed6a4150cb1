import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { helpText, type LoadConfiguration, parseCommandLine } from "./options.ts";

const REFUSALS: readonly { name: string; argv: string[]; errors: RegExp[] }[] = [
  { name: "nothing", argv: [], errors: [/^TARGET: is missing; write hp-bench 127/] },
  { name: "https", argv: ["https://localhost/"], errors: [/https is not supported/] },
  { name: "other scheme", argv: ["ftp://localhost/"], errors: [/scheme "ftp" is not supported; write http/] },
  { name: "port out of range", argv: ["localhost:70000"], errors: [/is not an address; write 127/] },
  { name: "port 0", argv: ["localhost:0"], errors: [/port 0 cannot be connected to/] },
  { name: "user in URL", argv: ["http://me:pw@localhost/"], errors: [/user name or password; use --header/] },
  { name: "control character", argv: ["localhost/a\nb"], errors: [/percent-encode/] },
  { name: "relative socket path", argv: ["unix:run/a.sock"], errors: [/absolute path/] },
  { name: "too many arguments", argv: ["h:1", "1", "1", "x"], errors: [/^"x": one argument too many/] },
  {
    name: "not a number",
    argv: ["h:1", "abc"],
    errors: [/^--connections: "abc" is not a number from 1 to 60000/],
  },
  { name: "half a connection", argv: ["h:1", "-c", "1.5"], errors: [/^--connections: "1.5"/] },
  { name: "no connections", argv: ["h:1", "-c", "0"], errors: [/^--connections: "0"/] },
  { name: "no rate", argv: ["h:1", "--rate", "0"], errors: [/^--rate: "0" .*; write --rate 5000/] },
  {
    name: "bad time",
    argv: ["h:1", "--duration", "ten"],
    errors: [/^--duration: "ten" is not a time.*10s, 250ms/],
  },
  { name: "no time", argv: ["h:1", "--duration", "0"], errors: [/^--duration: "0"/] },
  { name: "twice", argv: ["h:1", "5", "-c", "6"], errors: [/^"5" and --connections: both give/] },
  {
    name: "unknown",
    argv: ["h:1", "--conections", "5"],
    errors: [/^--conections: unknown option; did you mean --connections\?/],
  },
  { name: "unknown, far from all", argv: ["h:1", "--zebra"], errors: [/hp-bench --help lists all options/] },
  { name: "no value", argv: ["h:1", "--rate"], errors: [/^--rate: needs a value; write --rate N/] },
  { name: "value for a switch", argv: ["h:1", "--help=yes"], errors: [/^--help: takes no value/] },
  {
    name: "header without colon",
    argv: ["h:1", "-H", "abc"],
    errors: [/^--header: "abc" is not a header field/],
  },
  { name: "header name", argv: ["h:1", "-H", "a b: c"], errors: [/^--header: "a b: c"/] },
  { name: "header injection", argv: ["h:1", "-H", "a: b\r\nc: d"], errors: [/^--header/] },
  { name: "own length", argv: ["h:1", "-H", "Content-Length: 3"], errors: [/follows from --body-file/] },
  { name: "upgrade", argv: ["h:1", "-H", "Upgrade: websocket"], errors: [/^--header: Upgrade asks/] },
  { name: "method", argv: ["h:1", "-m", "GE T"], errors: [/^--method: "GE T"/] },
  { name: "tunnel", argv: ["h:1", "-m", "CONNECT"], errors: [/^--method: CONNECT opens a tunnel/] },
  {
    name: "no body file",
    argv: ["h:1", "-b", "/nowhere/at/all"],
    errors: [/cannot be read \(ENOENT\); check the path/],
  },
  {
    name: "engine",
    argv: ["h:1", "-e", "kqueue"],
    errors: [/^--engine: "kqueue" .* auto, uring, epoll or net/],
  },
  {
    name: "pipelining on a connection for one request",
    argv: ["h:1", "-p", "2", "-H", "connection: Keep-Alive, CLOSE"],
    errors: [/^--pipeline: cannot be more than 1/],
  },
  {
    name: "all at once",
    argv: ["https://h", "x", "y", "--rate", "z", "--speed", "1"],
    errors: [/^--speed: unknown/, /https/, /^--connections: "x"/, /^--duration: "y"/, /^--rate: "z"/],
  },
];

for (const { name, argv, errors } of REFUSALS) {
  test(`refused: ${name}`, () => {
    const parsed = parseCommandLine(argv);
    assert.equal(parsed.kind, "errors");
    const found = parsed.kind === "errors" ? parsed.errors : [];
    for (const error of errors)
      assert.ok(
        found.some((text) => error.test(text)),
        `${error} in ${found.join("\n")}`,
      );
    for (const text of found) assert.match(text, /[;:?]/, "every error has a remedy");
  });
}

test("the all-at-once case has no error beside the expected ones", () => {
  const parsed = parseCommandLine(["https://h", "x", "y", "--rate", "z", "--speed"]);
  assert.equal(parsed.kind === "errors" && parsed.errors.length, 5);
});

function configurationOf(argv: string[]): LoadConfiguration {
  const parsed = parseCommandLine(argv);
  assert.equal(parsed.kind, "run", JSON.stringify(parsed));
  return (parsed as { configuration: LoadConfiguration }).configuration;
}

const TARGETS: readonly {
  text: string;
  host: string;
  port: number;
  socketPath: string;
  authority: string;
  requestTarget: string;
}[] = [
  {
    text: "127.0.0.1:8080",
    host: "127.0.0.1",
    port: 8080,
    socketPath: "",
    authority: "127.0.0.1:8080",
    requestTarget: "/",
  },
  {
    text: "localhost",
    host: "localhost",
    port: 80,
    socketPath: "",
    authority: "localhost",
    requestTarget: "/",
  },
  {
    text: "http://h:81/a/b?c=d&e#f",
    host: "h",
    port: 81,
    socketPath: "",
    authority: "h:81",
    requestTarget: "/a/b?c=d&e",
  },
  {
    text: "[::1]:8080/x",
    host: "::1",
    port: 8080,
    socketPath: "",
    authority: "[::1]:8080",
    requestTarget: "/x",
  },
  {
    text: "unix:/run/a.sock",
    host: "",
    port: 0,
    socketPath: "/run/a.sock",
    authority: "localhost",
    requestTarget: "/",
  },
  {
    text: "unix:/run/a.sock:/b?c",
    host: "",
    port: 0,
    socketPath: "/run/a.sock",
    authority: "localhost",
    requestTarget: "/b?c",
  },
  {
    text: "http://unix:/a.sock:/b",
    host: "",
    port: 0,
    socketPath: "/a.sock",
    authority: "localhost",
    requestTarget: "/b",
  },
];
for (const expected of TARGETS) {
  test(`target ${expected.text}`, () => assert.deepEqual(configurationOf([expected.text]).target, expected));
}

test("three bare arguments are target, connections and seconds", () => {
  const configuration = configurationOf(["127.0.0.1:8080", "100", "10"]);
  assert.equal(configuration.connections, 100);
  assert.equal(configuration.durationMs, 10_000);
  assert.equal(configuration.ratePerSecond, 0);
  assert.equal(configuration.method, "GET");
});

test("every option arrives", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "hp-bench-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const bodyPath = join(folder, "body");
  writeFileSync(bodyPath, "hello");
  const configuration = configurationOf(
    `h:1 -c 7 -d 250ms -w 2s -t 1m --rate 2.5k -p 3 --engine net --json - --svg p.svg -b ${bodyPath}`
      .split(" ")
      .concat(["-H", "X-A:  b c ", "--header=X-B:"]),
  );
  assert.deepEqual(
    { ...configuration, target: undefined, body: Buffer.from(configuration.body).toString() },
    {
      target: undefined,
      connections: 7,
      durationMs: 250,
      warmupMs: 2000,
      timeoutMs: 60_000,
      ratePerSecond: 2500,
      pipeline: 3,
      engine: "net",
      jsonPath: "-",
      svgPath: "p.svg",
      body: "hello",
      method: "POST",
      fields: [
        ["X-A", "b c"],
        ["X-B", ""],
      ],
    },
  );
});

test("help names every option and fits a terminal", () => {
  for (const name of ["connections", "rate", "pipeline", "body-file", "warmup", "json", "svg"]) {
    assert.match(helpText(), new RegExp(`--${name}\\b`));
  }
  for (const line of helpText().split("\n")) assert.ok(line.length <= 100, line);
  assert.equal(parseCommandLine(["-h"]).kind, "help");
  assert.equal(parseCommandLine(["--version"]).kind, "version");
});
