/** What `npm pack` makes, and how it runs where it is installed. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { linksOf } from "../docs/links.ts";
import { folderOfOlderNode } from "./other-nodes.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const COMMANDS = ["hp-proxy", "hp-echo", "hp-bench"];
const VERSION = (JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string })
  .version;

const folder = mkdtempSync(path.join(tmpdir(), "hp-pack-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Packs a copy, so that the checkout's dist/ stays as it is. */
function pack(): { tarball: string; files: string[] } {
  const copy = path.join(folder, "checkout");
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
  });
  for (const file of listed.toString().split("\0")) {
    if (!/^(?:src|bin|docs|examples|schema|packaging|tools\/pinned-node)\/|^[^/]+$/.test(file) || file === "")
      continue;
    mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
    cpSync(path.join(ROOT, file), path.join(copy, file));
  }
  symlinkSync(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"));
  const output = npm(copy, "pack", "--json", "--pack-destination", folder);
  // npm 12 gives an object by package name, earlier ones a list.
  const reports = Object.values(JSON.parse(output.slice(output.search(/^[[{]/m))) as object);
  const report = reports[0] as { filename: string; files: { path: string }[] };
  return { tarball: path.join(folder, report.filename), files: report.files.map((file) => file.path) };
}

/** Runs npm in `cwd`; returns its standard output. */
function npm(cwd: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd, encoding: "utf8" });
  assert.ok(status === 0, `npm ${args[0]} failed:\n${stdout}\n${stderr}`);
  return stdout;
}

const prefix = path.join(folder, "user");
let files: string[] = [];

before(() => {
  const packed = pack();
  files = packed.files;
  mkdirSync(prefix);
  writeFileSync(path.join(prefix, "package.json"), "{}\n");
  npm(prefix, "install", "--prefer-offline", "--no-audit", "--no-fund", packed.tarball);
});

/** Runs an installed command with the `node` of `nodeFolder` first on PATH. */
function run(command: string, args: readonly string[], nodeFolder: string) {
  return spawnSync(path.join(prefix, "node_modules/.bin", command), args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, PATH: `${nodeFolder}${path.delimiter}${process.env.PATH}` },
  });
}

test("package: holds commands, compiled code with types and maps, and documents", () => {
  for (const file of [
    "bin/hp-proxy",
    "bin/hp-echo",
    "bin/hp-bench",
    "bin/launch.js",
    "bin/package.json",
    "dist/cli/hp-echo.js",
    "dist/cli/hp-echo.js.map",
    "dist/contract/port.d.ts",
    "dist/index.d.ts",
    "dist/testing.d.ts",
    "docs/configuration.md",
    "docs/dependencies.md",
    "schema/hp-proxy.schema.json",
    "packaging/systemd/hp-proxy.service",
    "packaging/systemd/hp-proxy.socket",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
  ])
    assert.ok(files.includes(file), `${file} is in the package`);
});

test("package: no document that it holds leads to a file that it lacks", () => {
  const there = new Set(files);
  for (const file of files)
    for (let at = path.dirname(file); at !== "."; at = path.dirname(at)) there.add(at);
  const documents = files.filter((file) => file.endsWith(".md"));
  const dead = documents.flatMap((document) =>
    linksOf(document, readFileSync(path.join(ROOT, document), "utf8"))
      .filter(({ file }) => !there.has(file))
      .map(({ file, line }) => `${document}:${line} ${file}`),
  );
  assert.ok(documents.length > 20, `${documents.length} documents`);
  assert.deepEqual(dead, []);
});

test("package: holds neither sources nor tests nor a Node", () => {
  const folders = /^(?:bin|dist|docs|examples|packaging|schema)\//;
  const alone = /^(?:package\.json|LICENSE|(?:README|ARCHITECTURE|CHANGELOG|CONTRIBUTING)\.md)$/;
  // An example may be of a test.
  const isTest = /^(?!examples\/).*\.(?:test|fuzz|bench)\./;
  assert.deepEqual(
    files.filter((file) => !(folders.test(file) || alone.test(file)) || isTest.test(file)),
    [],
  );
  const installed = readFileSync(path.join(prefix, "package-lock.json"), "utf8");
  assert.doesNotMatch(
    installed,
    /node_modules\/node-(?:linux|darwin|win|bin)/,
    "no pinned Node is installed",
  );
});

for (const command of COMMANDS) {
  test(`package: ${command} runs under a current Node, without warnings`, () => {
    const here = path.dirname(process.execPath);
    const version = run(command, ["--version"], here);
    assert.deepEqual([version.status, version.stdout, version.stderr], [0, `${command} ${VERSION}\n`, ""]);
    const help = run(command, ["--help"], here);
    assert.equal(help.status, 0);
    assert.match(help.stdout, new RegExp(`${command} `));
    assert.equal(help.stderr, "");
  });

  test(`package: ${command} tells an older Node in one sentence what it needs`, (t) => {
    const older = folderOfOlderNode(24);
    if (older === undefined) return t.skip("no Node older than 24 is on PATH");
    const { status, stdout, stderr } = run(command, ["--version"], older);
    assert.equal(status, 1);
    assert.equal(stdout, "");
    assert.match(stderr, new RegExp(`^${command} needs Node\\.js 24 or newer, and this is v\\d+[^\\n]*\\n$`));
  });
}

const PROGRAM = `
import { createProxy, ConfigurationError, type EmbeddedProxy } from "hp-proxy";
import { simulate } from "hp-proxy/testing";
const proxy: EmbeddedProxy = createProxy({ listen: 0, backends: "a:1" }, { workers: 2, log: "warn" });
proxy.on("endpoint", ({ address, up }) => address + up);
proxy.on("failure", ({ reason }) => reason.length);
// @ts-expect-error: there is no such event
proxy.on("failed", () => {});
const open: readonly string[] = await proxy.listen();
await proxy.reload(() => ({ backends: open })).catch((error: unknown) => {
  if (error instanceof ConfigurationError) for (const { path, remedy } of error.errors) path + remedy;
});
await proxy.close({ drainTimeout: "1s" });
const simulation = await simulate({ backends: "a:1" }, { upstreams: { "a:1": (request) => ({ body: request.path }) } });
const text: string = await (await simulation.fetch("http://site/")).text();
`;

test("package: a configuration in TypeScript has types and runs", () => {
  const file = path.join(prefix, "hp-proxy.config.ts");
  const program = path.join(prefix, "program.mts");
  writeFileSync(program, PROGRAM);
  const text = `import { type Config, defineConfig } from "hp-proxy";
const good: Config = { listen: "127.0.0.1:0", backends: ["localhost:3001"] };
// @ts-expect-error: a time has a unit
export const bad: Config = { timeouts: { connect: "5" } };
export default defineConfig(good);
`;
  writeFileSync(file, text);
  const compiler = path.join(ROOT, "node_modules/typescript/bin/tsc");
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--types", "", "--ignoreConfig"];
  const checked = spawnSync(process.execPath, [compiler, ...options, file, program], {
    cwd: prefix,
    encoding: "utf8",
  });
  assert.deepEqual([checked.status, checked.stdout], [0, ""]);
  const here = path.dirname(process.execPath);
  const ran = run("hp-proxy", ["check", "-c", file], here);
  assert.equal(ran.status, 0, ran.stderr);
  assert.match(ran.stdout, /is right: 1 listener, 1 cluster, 1 backend\n$/);
  const printed = run("hp-proxy", ["print", "-c", file, "--via-name", "x"], here);
  assert.match(printed.stdout, /^viaName: x {2}# --via-name$/m);
});

test("package: hp-proxy can be imported, and its schema is there", () => {
  const script = `
    import { createServer } from "node:http";
    import { createProxy, defineConfig } from "hp-proxy";
    import { simulate } from "hp-proxy/testing";
    import schema from "hp-proxy/schema" with { type: "json" };
    console.log(defineConfig({ backends: "a:1" }).backends, schema.title);
    const origin = createServer((_, response) => response.end("proxied")).listen(0, "127.0.0.1");
    await new Promise((resolve) => origin.once("listening", resolve));
    const backends = ["127.0.0.1:" + origin.address().port];
    const proxy = createProxy({ listen: "127.0.0.1:0", backends });
    const [address] = await proxy.listen();
    console.log(await (await fetch("http://" + address)).text());
    await proxy.close();
    origin.closeAllConnections();
    origin.close();
    const simulation = await simulate({ backends: "a:1" });
    console.log(await (await simulation.fetch("http://site/")).text());`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: prefix,
    encoding: "utf8",
  });
  assert.equal(stdout, "a:1 Configuration of hp-proxy\nproxied\na:1\n", stderr);
});

for (const engine of ["uring", "epoll", "net"]) {
  test(`package: hp-echo serves with --engine ${engine} from where it is installed`, async () => {
    const script = `
      import { startEcho } from ${JSON.stringify(path.join(prefix, "node_modules/hp-proxy/dist/echo/start-echo.js"))};
      try {
        const echo = await startEcho({ engine: ${JSON.stringify(engine)} });
        console.log(await (await fetch("http://" + echo.address + "/health")).text());
        await echo.close();
      } catch (error) {
        console.log(error.name + ": " + error.message);
      }`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      encoding: "utf8",
      timeout: 30_000,
    });
    // Where the kernel forbids an engine, it must be the kernel that is named.
    assert.match(stdout, /^ok\n|^EngineUnavailable: (?!.*is not there)/, stderr);
  });
}
