/** Configuration files as a user meets them: each kind serves, what wins, what is refused, the commands. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, runToEnd, type Scope, temporaryFolder } from "./proxy-process.ts";

const timeout = 30_000;

function write(folder: string, name: string, text: string): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

async function started(scope: Scope, folder: string, argv: readonly string[] = [], environment = {}) {
  const proxy = new ProxyProcess(scope, [...argv, "--log-format", "json"], environment, folder);
  await proxy.log((record) => record.msg.startsWith("listening on "));
  return proxy;
}

const listen = "127.0.0.1:0";
const KINDS: Readonly<Record<string, (backend: string) => string>> = {
  "hp-proxy.config.yaml": (backend) =>
    `listen: ${listen}\nworkers: 1\nviaName: file\nbackends: [${backend}]\n`,
  "hp-proxy.config.yml": (backend) => `{listen: ${listen}, workers: 1, viaName: file, backends: ${backend}}`,
  "hp-proxy.config.json": (backend) =>
    JSON.stringify({ listen, workers: 1, viaName: "file", backends: [backend] }),
  "hp-proxy.config.ts": (backend) => `
    import { type Config, defineConfig } from "hp-proxy";
    const backends: string[] = ["${backend}"];
    const config: Config = { listen: "${listen}", workers: 1, viaName: "file", backends };
    export default defineConfig(config);`,
  "hp-proxy.config.mts": (backend) => `
    import { defineConfig } from "hp-proxy";
    export default defineConfig(async () => {
      const { readFile } = await import("node:fs/promises");
      const viaName = await readFile(new URL("name.txt", import.meta.url), "utf8");
      return { listen: "${listen}", workers: 1, viaName, backends: ["${backend}"] };
    });`,
  "hp-proxy.config.js": (backend) =>
    `module.exports = { listen: "${listen}", workers: 1, viaName: "file", backends: "${backend}" };`,
  "hp-proxy.config.mjs": (backend) =>
    `export default () => ({ listen: ["${listen}"], workers: "1", viaName: "file", backends: "${backend}" });`,
};

for (const [name, text] of Object.entries(KINDS)) {
  test(`${name} in the working directory is found and serves`, { timeout }, async (t) => {
    const origin = await startOrigin(t, (_request, response) => response.end("from the origin"));
    const folder = temporaryFolder(t);
    write(folder, name, text(origin.address));
    write(folder, "name.txt", "file");
    const proxy = await started(t, folder);
    assert.equal(proxy.logs[0]?.msg, `configuration: ${name}`);
    const response = await fetch(proxy.url);
    assert.equal(await response.text(), "from the origin");
    assert.equal(response.headers.get("via"), "1.1 file");
  });
}

test("two clusters: each listener has its own", { timeout }, async (t) => {
  const app = await startOrigin(t, (_request, response) => response.end("app"));
  const api = await startOrigin(t, (_request, response) => response.end("api"));
  const folder = temporaryFolder(t);
  const file = write(
    folder,
    "two.yaml",
    `listen: [{ address: "${listen}", cluster: app }, { address: "${listen}", cluster: api }]
workers: 1
clusters:
  api: { backends: ["${api.address}"], health: { kind: "off" } }
  app: { backends: ["${app.address}"] }
`,
  );
  const proxy = await started(t, folder, ["run", "-c", file]);
  const [, first, second] = /listening on (\S+), (\S+), /.exec(proxy.listening) ?? [];
  assert.equal(await (await fetch(`http://${first}/`)).text(), "app");
  assert.equal(await (await fetch(`http://${second}/`)).text(), "api");
});

test("flags win over variables, variables over the file, that over its includes", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const folder = temporaryFolder(t);
  write(folder, "parts/1.yaml", "viaName: included\ndrainTimeout: 1s\nmode: tcp\nbackends: []\n");
  write(folder, "parts/2.json", '{ "drainTimeout": "2s", "statsInterval": "2s" }');
  write(
    folder,
    "main.yaml",
    `include: parts/*
viaName: \${NAME:-file}
statsInterval: "\${NONE:-3s}"
mode: http
workers: 2
engine: net
backends: ["${origin.address}"]
timeouts: { connect: 1s, send: 1s }
`,
  );
  const environment = {
    HP_PROXY_CONFIG: "main.yaml",
    HP_PROXY_WORKERS: "3",
    HP_PROXY_ENGINE: "epoll",
    HP_PROXY_SEND_TIMEOUT: "2s",
    NAME: "variable",
  };
  const argv = ["print", "--format", "json", "--engine", "uring", "--listen", listen];
  const { status, stdout, stderr } = await runToEnd(t, argv, environment, folder);
  assert.equal(status, 0, stderr);
  const printed = JSON.parse(stdout);
  assert.deepEqual(printed.listen, [{ address: listen, cluster: "default" }]);
  assert.deepEqual(printed.clusters.default.backends, [origin.address]);
  const { viaName, drainTimeout, statsInterval, mode, workers, engine, timeouts } = printed;
  assert.deepEqual(
    [viaName, drainTimeout, statsInterval, mode, workers, engine],
    ["variable", "2s", "3s", "http", 3, "uring"],
  );
  assert.deepEqual([timeouts.connect, timeouts.send, timeouts.response], ["1s", "2s", "1m"]);

  const yaml = await runToEnd(t, ["print", "--engine", "uring"], environment, folder);
  assert.match(yaml.stdout, /^engine: uring {2}# --engine$/m);
  assert.match(yaml.stdout, /^workers: 3 {2}# HP_PROXY_WORKERS$/m);
  assert.match(yaml.stdout, /^drainTimeout: 2s {2}# parts\/2\.json:1:19$/m);
  assert.match(yaml.stdout, /^affinity: auto {2}# default$/m);
  assert.match(yaml.stdout, /^ {2}connect: 1s {2}# main\.yaml:8:22$/m);
});

test("--backends replaces those of the cluster default", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  write(folder, "a.yaml", "clusters: { default: { backends: [a:1], health: { fall: 9 } } }\n");
  const argv = ["print", "-c", "a.yaml", "--format", "json", "--backends", "b:1,c:1"];
  const { clusters } = JSON.parse((await runToEnd(t, argv, {}, folder)).stdout);
  assert.deepEqual(clusters.default.backends, ["b:1", "c:1"]);
  assert.equal(clusters.default.health.fall, 9);
});

const REFUSED: readonly [name: string, files: Record<string, string>, argv: string[], stderr: RegExp][] = [
  [
    "a named file is not there",
    { "hp.yaml": "" },
    ["-c", "hp.yml"],
    /--config "hp\.yml": does not exist; did you mean hp\.yaml\?/,
  ],
  [
    "two files in the folder",
    { "hp-proxy.config.json": "{}", "hp-proxy.config.ts": "" },
    [],
    /hp-proxy\.config\.ts, hp-proxy\.config\.json: are all configurations of this folder; keep one/,
  ],
  [
    "a file in the folder is wrong",
    { "hp-proxy.config.yaml": "backend: [a:1]\n" },
    [],
    /hp-proxy\.config\.yaml:1:1 backend: is not a key of a configuration; did you mean backends\?/,
  ],
  [
    "file and flags are wrong",
    { "hp-proxy.config.yaml": "backends: [a]\n" },
    ["--workers", "x"],
    /2 errors in the configuration, nothing was started\n {2}--workers "x": .*\n {2}hp-proxy\.config\.yaml:1:12 /,
  ],
  [
    "types do not hold at run time",
    { "a.ts": 'import { defineConfig } from "hp-proxy";\nexport default defineConfig({ backends: 7 });\n' },
    ["-c", "a.ts"],
    /a\.ts:2:31 backends "7": is not a list/,
  ],
  [
    "code that throws",
    { "a.mjs": "\n\nthrow new Error('no');\n" },
    ["-c", "a.mjs"],
    /a\.mjs:3:7: cannot be run: Error: no; correct the code/,
  ],
  [
    "code that ends its process",
    { "a.ts": "process.exit(0);\nexport default { backends: 'a:1' };\n" },
    ["-c", "a.ts"],
    /a\.ts: ends its process instead of giving a configuration/,
  ],
  [
    "check: hooks that end their process",
    { "a.yaml": "backends: a:1\nhooks: h.ts\n", "h.ts": "process.exit(0);\n" },
    ["check", "-c", "a.yaml"],
    /h\.ts: ends its process instead of giving a configuration/,
  ],
  [
    "code that is none",
    { "a.ts": "export default {\n  listen: ][\n};\n" },
    ["-c", "a.ts"],
    /a\.ts:2(?::\d+)?: cannot be run: SyntaxError/,
  ],
  [
    "an ES module where package.json says CommonJS",
    { "package.json": '{ "type": "commonjs" }', "a.ts": "export default { backends: 'a:1' };\n" },
    ["-c", "a.ts"],
    /a\.ts:1:1: cannot be run: SyntaxError: [^;]+; rename it to a\.mts, or set "type": "module" in package\.json/,
  ],
  [
    "hooks as an ES module where package.json says CommonJS",
    {
      "package.json": '{ "type": "commonjs" }',
      "a.yaml": "backends: a:1\nhooks: h.ts\n",
      "h.ts": "export default { onLog() {} };",
    },
    ["-c", "a.yaml"],
    /a\.yaml:2:8 hooks "h\.ts": cannot be run: [^;]+ \(at h\.ts:1:1\); rename it to h\.mts, or set "type"/,
  ],
  [
    "TypeScript that is none in what code imports",
    { "a.ts": 'import "./lib/b.ts";\nexport default {};\n', "lib/b.ts": "\nexport const v = ;\n" },
    ["-c", "a.ts"],
    /^ {2}lib\/b\.ts:2:18: cannot be run: SyntaxError: /m,
  ],
  [
    "JavaScript that is none in what code imports",
    { "a.mjs": 'import "./b.mjs";\nexport default {};\n', "b.mjs": "\nexport const v = ;\n" },
    ["-c", "a.mjs"],
    /^ {2}b\.mjs:2: cannot be run: SyntaxError: /m,
  ],
  [
    "TypeScript that is none in what hooks import",
    {
      "a.yaml": "backends: a:1\nhooks: h.ts\n",
      "h.ts": 'import "./b.ts";',
      "b.ts": "\nexport const v = ;\n",
    },
    ["-c", "a.yaml"],
    /a\.yaml:2:8 hooks "h\.ts": cannot be run: SyntaxError: [^(]+ \(at b\.ts:2:18\); correct the code/,
  ],
  [
    "JavaScript that is none in what hooks import",
    {
      "a.yaml": "backends: a:1\nhooks: h.mjs\n",
      "h.mjs": 'import "./b.mjs";',
      "b.mjs": "\nexport const v = ;\n",
    },
    ["-c", "a.yaml"],
    /a\.yaml:2:8 hooks "h\.mjs": cannot be run: SyntaxError: [^(]+ \(at b\.mjs:2\); correct the code/,
  ],
];

for (const [name, files, argv, expected] of REFUSED) {
  test(`refused, exit 1: ${name}`, { timeout }, async (t) => {
    const folder = temporaryFolder(t);
    for (const [file, text] of Object.entries(files)) write(folder, file, text);
    const { status, stdout, stderr } = await runToEnd(t, argv, {}, folder);
    assert.equal(status, 1);
    assert.equal(stdout, "");
    assert.match(stderr, expected);
  });
}

test("check: one line and exit 0, or the errors and exit 1", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  write(
    folder,
    "hp-proxy.config.yaml",
    `backends: [no-such-name.invalid:1, 'unix:/no/such/socket', '127.0.0.1:1']
forwardAuth: http://127.0.0.1:1/check
routes:
  - { path: /a, forwardAuth: http://no-such-name.invalid:4000/check }
  - path: /b
    forwardAuth:
      timeout: 1s
      url: http://no-such-name.invalid:4000/
  - { path: /c, forwardAuth: "http://[::1]:1/" }
  - { path: /d, forwardAuth: off }
`,
  );
  const good = await runToEnd(t, ["check"], {}, folder);
  assert.deepEqual(
    [good.status, good.stdout, good.stderr],
    [0, "hp-proxy check: hp-proxy.config.yaml is right: 1 listener, 4 routes, 1 cluster, 3 backends\n", ""],
  );
  const deep = await runToEnd(t, ["check", "--deep", "--listen", "192.0.2.1:80"], {}, folder);
  assert.equal(deep.status, 1);
  const NO_NAME = "has a name without address (E…); correct the name";
  assert.equal(
    deep.stderr.replaceAll(/\(E(?!ADDR)\w+\)/g, "(E…)"),
    `hp-proxy check: 5 errors in the configuration
  hp-proxy.config.yaml:1:12 backends[0] "no-such-name.invalid:1": ${NO_NAME}
  hp-proxy.config.yaml:1:36 backends[1] "/no/such/socket": does not exist; start what listens there
  hp-proxy.config.yaml:4:30 routes[0].forwardAuth "http://no-such-name.invalid:4000/check": ${NO_NAME}
  hp-proxy.config.yaml:8:12 routes[1].forwardAuth.url "http://no-such-name.invalid:4000/": ${NO_NAME}
  --listen "192.0.2.1:80": cannot be listened on here (EADDRNOTAVAIL); write an address of this machine
`,
  );
  const bad = await runToEnd(t, ["check", "--pool-size", "x"], {}, folder);
  assert.equal(bad.status, 1);
  assert.match(bad.stderr, /^hp-proxy check: an error in the options\n {2}--pool-size "x": /);
});

for (const [format, ending, type] of [
  ["yaml", "yaml", "commonjs"],
  ["ts", "ts", "module"],
  ["ts", "mts", "commonjs"],
  ["json", "json", "module"],
] as const) {
  test(`init --format ${format}, package.json "${type}": a file that is right, and never over another`, {
    timeout,
  }, async (t) => {
    const folder = temporaryFolder(t);
    write(folder, "package.json", JSON.stringify({ type }));
    const file = `hp-proxy.config.${ending}`;
    const made = await runToEnd(t, ["init", "--format", format], {}, folder);
    assert.equal(made.status, 0, made.stderr);
    const text = readFileSync(path.join(folder, file), "utf8");
    const checked = await runToEnd(t, ["check"], {}, folder);
    assert.deepEqual([checked.status, checked.stderr], [0, ""]);
    const again = await runToEnd(t, ["init"], {}, folder);
    assert.equal(again.status, 1);
    assert.match(again.stderr, new RegExp(`${file}: is there already`));
    assert.equal(readFileSync(path.join(folder, file), "utf8"), text);
  });
}

for (const command of ["check", "print", "init", "run"]) {
  test(`${command} --help: on standard output, exit 0`, { timeout }, async (t) => {
    const { status, stdout } = await runToEnd(t, [command, "--help"]);
    assert.equal(status, 0);
    assert.match(stdout, /hp-proxy/);
  });
}
