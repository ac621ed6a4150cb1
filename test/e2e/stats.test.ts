/** `hp-proxy stats` and `--stats-interval` against a running proxy. */
import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../src/control/stats-report.ts";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, runToEnd, temporaryFolder } from "./proxy-process.ts";

const timeout = 30_000;

test("stats finds the only proxy that runs and tells its figures", { timeout }, async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === "/missing") response.statusCode = 404;
    response.end("ok");
  });
  const XDG_RUNTIME_DIR = temporaryFolder(t);
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "2"], { XDG_RUNTIME_DIR });
  for (const target of ["/", "/", "/missing"]) await (await fetch(proxy.url + target)).text();
  const { status, stdout } = await runToEnd(t, ["stats", "--json"], { XDG_RUNTIME_DIR });
  assert.equal(status, 0);
  const report = JSON.parse(stdout) as StatsReport;
  assert.equal(report.pid, proxy.child.pid);
  assert.equal(report.workers.length, 2);
  assert.equal(report.total.requests, 3);
  assert.equal(report.total.responses["2xx"], 2);
  assert.equal(report.total.responses["4xx"], 1);
  assert.equal(report.total.timesUs.request.count, 3);
  assert(report.total.timesUs.request.p50 > 0, "a request takes time");
  assert(report.total.bytes.clientOut > 0, "bytes are counted");
  assert.deepEqual(report.endpoints, [
    { cluster: "default", name: origin.address, address: origin.address, healthy: true },
  ]);
  const table = await runToEnd(t, ["stats", `${proxy.child.pid}`], { XDG_RUNTIME_DIR });
  assert.match(table.stdout, /^worker +pid +req\/s +requests/m);
  assert.match(table.stdout, /^total .* 3 /m);
  assert.match(table.stdout, new RegExp(`^${origin.address} +${origin.address} +up$`, "m"));
});

test("the control socket is its owner's alone, and goes with the proxy", { timeout }, async (t) => {
  const proxy = await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "1"]);
  const socket = path.join(proxy.runtimeFolder, "hp-proxy", `${proxy.child.pid}.sock`);
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal(statSync(path.dirname(socket)).mode & 0o777, 0o700);
  proxy.kill("SIGTERM");
  await proxy.ended;
  assert.equal(statSync(socket, { throwIfNoEntry: false }), undefined);
});

test("stats without a proxy, and with several: a sentence and exit 1", { timeout }, async (t) => {
  const XDG_RUNTIME_DIR = temporaryFolder(t);
  const none = await runToEnd(t, ["stats"], { XDG_RUNTIME_DIR });
  assert.equal(none.status, 1);
  assert.match(none.stderr, /no proxy of this user is running/);
  const control = path.join(XDG_RUNTIME_DIR, "named.sock");
  const first = await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "1"], { XDG_RUNTIME_DIR });
  const second = await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "1"], { XDG_RUNTIME_DIR });
  const several = await runToEnd(t, ["stats"], { XDG_RUNTIME_DIR });
  assert.equal(several.status, 1);
  for (const { child } of [first, second])
    assert.match(several.stderr, new RegExp(`--control \\S+ +pid ${child.pid},`));
  const third = await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "1", "--control", control]);
  const named = await runToEnd(t, ["stats", "--json", "--control", control]);
  assert.equal((JSON.parse(named.stdout) as StatsReport).pid, third.child.pid);
});

test("a control socket left by a proxy that was killed is replaced", { timeout }, async (t) => {
  const control = path.join(temporaryFolder(t), "control.sock");
  const killed = await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "1", "--control", control]);
  killed.kill("SIGKILL");
  await killed.ended;
  await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "1", "--control", control]);
  const argv = [
    "--listen",
    "127.0.0.1:0",
    "--backends",
    "127.0.0.1:1",
    "--workers",
    "1",
    "--control",
    control,
  ];
  const { status, stderr } = await runToEnd(t, argv);
  assert.equal(status, 1);
  assert.match(stderr, /process \d+ has its control socket at/);
});

test("sockets of proxies that were killed are swept away, others stay", { timeout }, async (t) => {
  const XDG_RUNTIME_DIR = temporaryFolder(t);
  const start = () => ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "1"], { XDG_RUNTIME_DIR });
  const socketOf = ({ child }: ProxyProcess) => path.join(XDG_RUNTIME_DIR, "hp-proxy", `${child.pid}.sock`);
  const exists = (file: string) => statSync(file, { throwIfNoEntry: false }) !== undefined;
  const killed = await start();
  const living = await start();
  const stranger = path.join(XDG_RUNTIME_DIR, "hp-proxy", "notes.sock");
  writeFileSync(stranger, "");
  killed.kill("SIGKILL");
  await killed.ended;
  assert.equal(exists(socketOf(killed)), true);
  const next = await start();
  assert.equal(exists(socketOf(killed)), false);
  for (const file of [socketOf(living), socketOf(next), stranger]) assert.equal(exists(file), true, file);
});

test("in mode tcp, stats counts connections", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const XDG_RUNTIME_DIR = temporaryFolder(t);
  const argv = ["--mode", "tcp", "--workers", "1", "--stats-interval", "50ms"];
  const proxy = await ProxyProcess.start(t, [origin.address], argv, { XDG_RUNTIME_DIR });
  await (await fetch(proxy.url, { headers: { connection: "close" } })).text();
  await proxy.printed(/^[\d,]+ CPS \| 1 total \| \d conns \| 0 errors \| \d+\.\d MB\/s$/m);
  const json = await runToEnd(t, ["stats", "--json"], { XDG_RUNTIME_DIR });
  const { total } = JSON.parse(json.stdout) as StatsReport;
  assert.equal(total.clients.accepted, 1);
  assert.equal(total.requests, 0);
  const table = await runToEnd(t, ["stats", `${proxy.child.pid}`], { XDG_RUNTIME_DIR });
  assert.match(table.stdout, /^worker +pid +conn\/s +connections +errors/m);
  assert.doesNotMatch(table.stdout, /req\/s/);
});

test("stats --watch goes on until it is told to stop", { timeout }, async (t) => {
  const XDG_RUNTIME_DIR = temporaryFolder(t);
  await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "1"], { XDG_RUNTIME_DIR });
  const watch = new ProxyProcess(t, ["stats", "--watch", "--json"], { XDG_RUNTIME_DIR });
  await watch.printed(/\{.*\}\n\{.*\}\n/);
  watch.kill("SIGINT");
  assert.equal((await watch.ended).status, 0);
});

test("--stats-interval prints lines of figures on standard output", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1", "--stats-interval", "50ms"]);
  await proxy.printed(/^0 RPS \| 0 total \| 0 conns \| 0 errors \| 0\.0 MB\/s$/m);
  await (await fetch(proxy.url)).text();
  await proxy.printed(/^[\d,]+ RPS \| 1 total \| \d conns \| 0 errors \| \d+\.\d MB\/s$/m);
});
