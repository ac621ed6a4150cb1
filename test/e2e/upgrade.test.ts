/** `hp-proxy upgrade` and SIGUSR2, with the real command: who serves when, and what is handed over. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { askReload, askUpgrade, readStats } from "../../src/control/control-socket.ts";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { ENGINES, testEachEngine, whyNot } from "../harness/engines.ts";
import { once as askOnce, connectAgainAndAgain } from "../harness/newcomers.ts";
import { Program } from "../harness/program.ts";
import { freePort } from "../harness/servers.ts";
import { noServiceManager, startServiceManager } from "../harness/service-manager.ts";
import { Moment, startOrigin } from "./origin.ts";
import { ProxyProcess, runToEnd, temporaryFolder } from "./proxy-process.ts";

const timeout = 120_000;
const SERVED = /^HTTP\/1\.1 200 /;

/** A configuration with a control socket that everybody finds. */
async function setting(t: TestContext) {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const control = path.join(temporaryFolder(t), "control.sock");
  const base = {
    listen: ["127.0.0.1:0"],
    backends: [origin.address],
    workers: 1,
    health: { kind: "off" },
    control,
    drainTimeout: "20s",
  };
  return { origin, control, base };
}

/** `hp-proxy upgrade` of the proxy that has `control`. */
function upgrade(t: TestContext, control: string) {
  return runToEnd(t, ["upgrade", "--control", control]);
}

testEachEngine(
  "another process takes over; what is in flight is finished",
  { timeout },
  async (t, engine) => {
    const asked = new Moment();
    const release = new Moment();
    const origin = await startOrigin(t, async (request, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("first");
      if (request.url === "/slow") {
        asked.reach();
        await release.reached;
      }
      response.end(" half");
    });
    const { control, base } = await setting(t);
    const configuration = { ...base, backends: [origin.address], engine };
    const proxy = await ConfiguredProxy.start(t, configuration);
    const old = (await readStats(control)).pid;
    const slow = fetch(`${proxy.process.url}/slow`);
    await asked.reached;
    proxy.process.kill("SIGUSR2");
    await proxy.process.log(({ msg }) => msg.startsWith("another process has taken over"));
    const { pid } = await readStats(control);
    assert.deepEqual(proxy.process.successors, [pid]);
    assert.notEqual(pid, old);
    assert.match(await askOnce(proxy.ports[0]!), SERVED);
    release.reach();
    assert.equal(await (await slow).text(), "first half");
    assert.equal(await proxy.process.exited, 0);
    const { status, stdout } = await upgrade(t, control);
    const next = (await readStats(control)).pid;
    assert.equal(
      stdout,
      `hp-proxy upgrade: process ${next} has taken over; ${pid} finishes what is in flight\n`,
    );
    assert.equal(status, 0);
    assert.match(await askOnce(proxy.ports[0]!), SERVED);
  },
);

test("workers, listeners and engine change with an upgrade", { timeout }, async (t) => {
  const reasons = await Promise.all(ENGINES.map(whyNot));
  const engines = ENGINES.filter((_, index) => reasons[index] === "");
  const { control, base } = await setting(t);
  const [first, second] = [await freePort(), await freePort()];
  const at = (port: number) => ["127.0.0.1:0", `127.0.0.1:${port}`];
  const begin = { ...base, engine: engines[0], workers: 3, listen: at(first) };
  const proxy = await ConfiguredProxy.start(t, begin);
  const newcomers = connectAgainAndAgain(proxy.ports[0]!);
  for (const [index, workers] of [1, 2].entries()) {
    const engine = engines[(index + 1) % engines.length];
    proxy.write({ ...base, engine, workers, listen: at(second) });
    assert.deepEqual((await askUpgrade(control)).errors, []);
    const report = await readStats(control);
    assert.deepEqual([report.engine, report.workers.length], [engine, workers]);
    assert.deepEqual(report.addresses, [`127.0.0.1:${proxy.ports[0]}`, `127.0.0.1:${second}`]);
    assert.match(await askOnce(second), SERVED);
  }
  const ended = () => proxy.process.logs.filter(({ msg }) => msg === "ended").length;
  await proxy.process.log(() => ended() === 2);
  await assert.rejects(askOnce(first), { code: "ECONNREFUSED" });
  assert.ok((await newcomers.stop()) > 0);
});

test("what is installed now is what runs", { timeout }, async (t) => {
  const origin = await startOrigin(t, (request, response) => response.end(request.headers.via));
  const folder = temporaryFolder(t);
  const control = path.join(folder, "control.sock");
  const launcher = path.join(import.meta.dirname, "..", "..", "bin", "launch.js");
  for (const version of ["v1", "v2"]) {
    mkdirSync(path.join(folder, version));
    const text = `process.env.HP_PROXY_VIA_NAME = "${version}"; require(${JSON.stringify(launcher)})("hp-proxy");`;
    writeFileSync(path.join(folder, version, "hp-proxy"), text);
  }
  const current = path.join(folder, "current");
  symlinkSync("v1", current);
  const flags = ["--listen", "127.0.0.1:0", "--backends", origin.address, "--control", control];
  const proxy = new Program(t, [
    process.execPath,
    path.join(current, "hp-proxy"),
    ...flags,
    "--workers",
    "1",
  ]);
  const [, address] = await proxy.printed(/listening on (\S+),/);
  assert.equal(await (await fetch(`http://${address}`)).text(), "1.1 v1");
  rmSync(current);
  symlinkSync("v2", current);
  rmSync(path.join(folder, "v1"), { recursive: true });
  assert.deepEqual((await askUpgrade(control)).errors, []);
  await proxy.printed(/INFO: ended/);
  assert.equal(await (await fetch(`http://${address}`)).text(), "1.1 v2");
});

test("a new process that cannot begin leaves the old one as it was", { timeout }, async (t) => {
  const { control, base } = await setting(t);
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await once(taken, "listening");
  const takenAt = `127.0.0.1:${(taken.address() as { port: number }).port}`;
  const proxy = await ConfiguredProxy.start(t, base);
  const { pid } = await readStats(control);
  for (const [wrong, pattern] of [
    [
      { ...base, limts: {} },
      /^\S*hp-proxy\.config\.json:1:\d+ limts: is not a key .*did you mean limits\?$/m,
    ],
    [{ ...base, listen: ["127.0.0.1:0", takenAt] }, /^127\.0\.0\.1:\d+ is in use by another program;/m],
    [{ ...base, control: "/no/such/folder/control.sock" }, /cannot open the control socket .*: EACCES;/],
  ] as const) {
    proxy.write(wrong);
    const { done, oldPid, errors } = await askUpgrade(control);
    assert.deepEqual([done, oldPid], [false, pid]);
    assert.match(errors.join("\n"), pattern);
    assert.equal((await readStats(control)).pid, pid);
    assert.match(await askOnce(proxy.ports[0]!), SERVED);
  }
  const told = await upgrade(t, control);
  assert.equal(told.status, 1);
  const sentence = `hp-proxy upgrade: process ${pid} goes on as before\n  cannot open the control socket`;
  assert.ok(told.stderr.startsWith(sentence), told.stderr);
  proxy.process.kill("SIGUSR2");
  await proxy.process.log(({ msg }) => msg === "SIGUSR2: no upgrade, this process goes on as before");
  proxy.write(base);
  assert.deepEqual((await askUpgrade(control)).errors, []);
  assert.match(await askOnce(proxy.ports[0]!), SERVED);
});

/** A proxy whose successors do what the file `flag` says while they read their configuration. */
async function startReading(t: TestContext) {
  const { control, base } = await setting(t);
  const folder = temporaryFolder(t);
  const flag = path.join(folder, "flag");
  writeFileSync(
    path.join(folder, "hp-proxy.config.ts"),
    `import { existsSync, readFileSync } from "node:fs";
     const flag = ${JSON.stringify(flag)};
     while (existsSync(flag)) {
       if (readFileSync(flag, "utf8") === "end") process.kill(process.pid, "SIGKILL");
       await new Promise((resolve) => setTimeout(resolve, 10));
     }
     export default ${JSON.stringify(base)};`,
  );
  const proxy = new ProxyProcess(t, ["run", "--log-format", "json"], {}, folder);
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  return { proxy, control, flag };
}

test("a new process that dies is told of", { timeout }, async (t) => {
  const { proxy, control, flag } = await startReading(t);
  writeFileSync(flag, "end");
  const { done, newPid, errors } = await askUpgrade(control);
  assert.deepEqual([done, newPid], [false, 0]);
  assert.match(errors.join(), /^the new process ended before it accepted, with SIGKILL; its log says why$/);
  assert.match(await askOnce(proxy.port), SERVED);
});

test("one upgrade at a time, and no reload meanwhile", { timeout }, async (t) => {
  const { proxy, control, flag } = await startReading(t);
  writeFileSync(flag, "wait");
  const first = askUpgrade(control);
  await proxy.log(({ successor }) => successor !== undefined);
  const busy = ["an upgrade is under way; wait for its end"];
  assert.deepEqual((await askUpgrade(control)).errors, busy);
  assert.deepEqual((await askReload(control)).errors, busy);
  rmSync(flag);
  assert.equal((await first).done, true);
  assert.match(await askOnce(proxy.port), SERVED);
});

test("SIGTERM during an upgrade ends both", { timeout }, async (t) => {
  const { proxy, control, flag } = await startReading(t);
  writeFileSync(flag, "wait");
  const first = askUpgrade(control);
  await proxy.log(({ successor }) => successor !== undefined);
  proxy.kill("SIGTERM");
  assert.deepEqual((await first).errors, ["a signal has ended the old process"]);
  // All that had its standard streams.
  assert.equal((await proxy.ended).status, 0);
});

test("the service manager is told who the service is now", {
  timeout,
  skip: noServiceManager,
}, async (t) => {
  const { control, base } = await setting(t);
  const { manager, environment } = await startServiceManager(t);
  const proxy = await ConfiguredProxy.start(t, base, [], environment);
  const { newPid } = await askUpgrade(control);
  await manager.printed(new RegExp(`READY=1[^]*\\[MAINPID=${newPid}\\]\n\\[READY=1\\|STATUS=listening on`));
  assert.equal(await proxy.process.exited, 0);
  process.kill(newPid, "SIGTERM");
  await manager.printed(/\[STOPPING=1\]/);
  await proxy.process.ended;
  assert.equal(manager.output.match(/STOPPING/g)?.length, 1, "the old one did not say that the service ends");
});

test("control socket and admin listener are never missing", { timeout }, async (t) => {
  const { control, base } = await setting(t);
  const admin = await freePort();
  const proxy = await ConfiguredProxy.start(t, { ...base, admin });
  let isOver = false;
  const pids = new Set<number>();
  const watching = (async () => {
    while (!isOver) {
      pids.add((await readStats(control)).pid);
      assert.equal((await fetch(`http://127.0.0.1:${admin}/healthz`)).status, 200);
    }
  })();
  assert.deepEqual((await askUpgrade(control)).errors, []);
  const { pid } = await readStats(control);
  isOver = true;
  await watching;
  assert.ok(pids.size > 1, "both were asked");
  await proxy.process.exited;
  assert.equal((await readStats(control)).pid, pid);
  assert.equal(await (await fetch(`http://127.0.0.1:${admin}/readyz`)).text(), "ready\n");
});

test("who was let in by the old process and asks only afterwards is answered", { timeout }, async (t) => {
  const { control, base } = await setting(t);
  const admin = await freePort();
  const proxy = await ConfiguredProxy.start(t, { ...base, admin });
  const { pid } = await readStats(control);
  const early = [connect(control), connect(admin, "127.0.0.1")];
  t.after(() => {
    for (const each of early) each.destroy();
  });
  await Promise.all(early.map((each) => once(each, "connect")));
  assert.deepEqual((await askUpgrade(control)).errors, []);
  for (const each of early) each.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  for (const answer of await Promise.all(early.map((each) => text(each))))
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n/i);
  assert.notEqual((await readStats(control)).pid, pid);
  assert.equal(await proxy.process.exited, 0);
});

test("what cannot be upgraded says so", { timeout }, async (t) => {
  const { control, base } = await setting(t);
  const hook = new URL("without-ffi.ts", import.meta.url).href;
  await ConfiguredProxy.start(t, base, [], { NODE_OPTIONS: `--import ${hook}` });
  const opened = await askUpgrade(control);
  assert.match(
    opened.errors.join(),
    /opened their sockets themselves, for want of the foreign function package;/,
  );
  const demo = new ProxyProcess(t, ["demo", "--port", `${await freePort()}`, "--control", `${control}.demo`]);
  await demo.printed(/./);
  const refused = await askUpgrade(`${control}.demo`);
  assert.match(refused.errors.join(), /^only what hp-proxy run has started can be upgraded/);
});
