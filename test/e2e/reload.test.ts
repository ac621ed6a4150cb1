/** `hp-proxy reload`, SIGHUP, `--watch`, `hp-proxy healthcheck` and the admin listener, with the real command. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { Counter } from "../../src/contract/counters.ts";
import { METRICS } from "../../src/control/metrics.ts";
import { hashPassword } from "../../src/hooks/password.ts";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { statsOf } from "../harness/proxy.ts";
import { freePort } from "../harness/servers.ts";
import { noServiceManager, startServiceManager } from "../harness/service-manager.ts";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, runToEnd, temporaryFolder } from "./proxy-process.ts";

const timeout = 40_000;
const BACKEND = "127.0.0.1:1";
const BASE = { listen: ["127.0.0.1:0"], backends: [BACKEND], workers: 1, health: { kind: "off" } };

/** `hp-proxy COMMAND …` for the runtime folder of `proxy`. */
function ask(t: { after(fn: () => void): void }, proxy: ProxyProcess, argv: readonly string[]) {
  return runToEnd(t, argv, { XDG_RUNTIME_DIR: proxy.runtimeFolder });
}

const IN_FORCE = /^hp-proxy reload: the new configuration is in force\n/;

test("reload tells what has changed; by itself, by process, by path", { timeout }, async (t) => {
  const proxy = await ConfiguredProxy.start(t, BASE);
  const same = await ask(t, proxy.process, ["reload"]);
  assert.deepEqual([same.status, same.stdout], [0, "hp-proxy reload: nothing has changed\n"]);
  proxy.write({ ...BASE, backends: [BACKEND, "127.0.0.1:2"], timeouts: { connect: "5s" } });
  const byPid = await ask(t, proxy.process, ["reload", `${proxy.process.child.pid}`]);
  assert.equal(byPid.status, 0, byPid.stderr);
  assert.match(byPid.stdout, IN_FORCE);
  assert.match(
    byPid.stdout,
    /^ {2}clusters\.default\.backends: 127\.0\.0\.1:1 → 127\.0\.0\.1:1, 127\.0\.0\.1:2$/m,
  );
  assert.match(byPid.stdout, /^ {2}timeouts\.connect: 3s → 5s$/m);
  assert.equal((await statsOf(proxy.process)).endpoints.length, 2);
  proxy.write(BASE);
  const byPath = await ask(t, proxy.process, ["reload", "--control", proxy.controlPath]);
  assert.match(byPath.stdout, IN_FORCE);
  assert.equal((await statsOf(proxy.process)).endpoints.length, 1);
});

test("a wrong configuration changes nothing, and all errors are told", { timeout }, async (t) => {
  const FEW = { ...BASE, limits: { clients: 100 } };
  const proxy = await ConfiguredProxy.start(t, FEW);
  const before = await statsOf(proxy.process);
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await once(taken, "listening");
  const takenPort = (taken.address() as { port: number }).port;
  for (const [wrong, ...patterns] of [
    [{ ...FEW, limts: {}, workers: 0 }, /limts: is not a key/, /workers "0": is out of range/],
    ["{", /hp-proxy\.config\.json/],
    [{ ...FEW, mode: "tcp", engine: "net" }, /mode "tcp": was http when/, /engine "net": was auto/],
    [{ ...FEW, backends: ["no.such.name.invalid:80"] }, /no backend has an address: no\.such\.name/],
    [
      { ...FEW, listen: [`127.0.0.1:${takenPort}`], backends: ["127.0.0.1:9"] },
      /is in use by another program/,
    ],
    [
      { ...FEW, admin: takenPort, backends: ["127.0.0.1:9"] },
      /^ {2}admin .* is in use .*; choose another port/,
    ],
    [
      { ...FEW, limits: { clients: 2_000 } },
      /limits\.clients: "2000" is more than this process began with; write at most 100,/,
    ],
  ] as const) {
    proxy.write(wrong);
    const { status, stderr } = await ask(t, proxy.process, ["reload"]);
    assert.equal(status, 1);
    assert.match(stderr, /^hp-proxy reload: nothing was changed, the old one stays in force\n/);
    for (const pattern of patterns) assert.match(stderr, new RegExp(pattern, "m"));
    assert.deepEqual((await statsOf(proxy.process)).endpoints, before.endpoints);
  }
  assert.deepEqual((await statsOf(proxy.process)).addresses, before.addresses);
});

test("a file that was found at the start and has gone changes nothing", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const routes = [{ name: "secret", prefix: "/admin", deny: "0.0.0.0/0" }, { name: "all" }];
  const flags = ["--listen", "127.0.0.1:0", "--backends", origin.address, "--workers", "1"];
  const proxy = await ConfiguredProxy.start(t, { routes }, [...flags, "--watch"]);
  const gone =
    /hp-proxy\.config\.json: is not there any more, and this proxy was started with it; put it back/;
  const isRefused = async () => (await fetch(`${proxy.process.url}/admin`)).status === 403;
  rmSync(proxy.file);
  await proxy.process.log(({ msg }) => /^a file has changed: the configuration is wrong/.test(msg));
  const { status, stderr } = await ask(t, proxy.process, ["reload"]);
  assert.equal(status, 1);
  assert.match(stderr, gone);
  proxy.process.kill("SIGHUP");
  await proxy.process.log(({ msg }) => /^SIGHUP: the configuration is wrong/.test(msg));
  const upgraded = await ask(t, proxy.process, ["upgrade"]);
  assert.equal(upgraded.status, 1);
  assert.match(upgraded.stderr, gone);
  writeFileSync(path.join(path.dirname(proxy.file), "hp-proxy.config.yaml"), "viaName: other");
  const moved = await ask(t, proxy.process, ["reload"]);
  assert.match(moved.stderr, /put it back, or restart the proxy to read hp-proxy\.config\.yaml$/m);
  assert.ok(await isRefused());
  rmSync(path.join(path.dirname(proxy.file), "hp-proxy.config.yaml"));
  proxy.write({ routes, viaName: "back" });
  await proxy.process.log(({ msg }) => msg === "  viaName: hp-proxy → back");
  assert.ok(await isRefused());
});

test("a proxy that was started without a file stays without, also when upgraded", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  const control = path.join(temporaryFolder(t), "control.sock");
  const argv = ["run", "--listen", "127.0.0.1:0", "--backends", BACKEND, "--workers", "1"];
  const proxy = new ProxyProcess(t, [...argv, "--control", control, "--log-format", "json"], {}, folder);
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  assert.equal((await ask(t, proxy, ["reload", "--control", control])).status, 0);
  assert.equal((await ask(t, proxy, ["upgrade", "--control", control])).status, 0);
  writeFileSync(path.join(folder, "hp-proxy.config.yaml"), "viaName: other");
  for (const command of ["reload", "upgrade"]) {
    const { status, stderr } = await ask(t, proxy, [command, "--control", control]);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^ {2}hp-proxy\.config\.yaml: was not there when this proxy was started, and is not read;/m,
    );
  }
});

test("SIGHUP reads again and goes on; SIGQUIT ends as SIGTERM does", { timeout }, async (t) => {
  const proxy = await ConfiguredProxy.start(t, BASE);
  proxy.process.kill("SIGHUP");
  await proxy.process.log(({ msg }) => msg === "SIGHUP: nothing has changed");
  proxy.write({ ...BASE, viaName: "other" });
  proxy.process.kill("SIGHUP");
  await proxy.process.log(({ msg }) => msg === "SIGHUP: the new configuration is in force");
  await proxy.process.log(({ msg }) => msg === "  viaName: hp-proxy → other");
  const response = await fetch(proxy.process.url);
  assert.match(response.headers.get("proxy-status") ?? "", /^other;/);
  proxy.process.kill("SIGQUIT");
  assert.equal((await proxy.process.ended).status, 0);
});

test("the level of the log follows", { timeout }, async (t) => {
  const proxy = await ConfiguredProxy.start(t, BASE);
  proxy.write({ ...BASE, log: { level: "debug" } });
  assert.equal((await proxy.reload()).done, true);
  const [worker] = (await statsOf(proxy.process)).workers;
  process.kill(worker!.pid, "SIGKILL");
  await proxy.process.log(({ msg, level }) => msg === "worker accepts" && level === 20);
});

test("--watch reads again when a file changes, a module and what it imports too", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  const replace = (name: string, text: string) => {
    writeFileSync(path.join(folder, `${name}.new`), text);
    renameSync(path.join(folder, `${name}.new`), path.join(folder, name));
  };
  mkdirSync(path.join(folder, "parts"));
  replace("names.ts", `export const name: string = "first";`);
  replace(
    "hp-proxy.config.ts",
    `import { name } from "./names.ts";
     export default { listen: "127.0.0.1:0", backends: "${BACKEND}", workers: 1, viaName: name };`,
  );
  const proxy = new ProxyProcess(t, ["run", "--watch", "--log-format", "json"], {}, folder);
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  for (const [before, after] of [
    ["first", "second"],
    ["second", "third"],
  ]) {
    replace("names.ts", `export const name: string = "${after}";`);
    await proxy.log(({ msg }) => msg === `  viaName: ${before} → ${after}`);
  }
  replace("hp-proxy.config.ts", "export default {");
  await proxy.log(({ msg }) => msg.includes("the configuration is wrong, the old one stays in force"));
  const response = await fetch(proxy.url);
  assert.match(response.headers.get("proxy-status") ?? "", /^third;/);
});

test("code that ends its process ends no running proxy", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "hp-proxy.config.yaml");
  const base = `listen: 127.0.0.1:0\nbackends: ${BACKEND}\nworkers: 1\n`;
  writeFileSync(file, base);
  const proxy = new ProxyProcess(t, ["run", "--log-format", "json"], {}, folder);
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  writeFileSync(path.join(folder, "hooks.ts"), "process.exit(0);");
  writeFileSync(file, `${base}hooks: hooks.ts\n`);
  proxy.kill("SIGHUP");
  await proxy.log(({ msg }) => msg.includes("hooks.ts: ends its process"));
  writeFileSync(file, `${base}viaName: later\n`);
  proxy.kill("SIGHUP");
  await proxy.log(({ msg }) => msg === "  viaName: hp-proxy → later");
});

test("healthcheck: ready, not ready, and nobody there", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const admin = await freePort();
  const health = { interval: "50ms" };
  const proxy = await ConfiguredProxy.start(t, { ...BASE, backends: [origin.address], admin, health });
  for (const flags of [[], [`${proxy.process.child.pid}`], ["--admin", `${admin}`]]) {
    const { status, stdout } = await ask(t, proxy.process, ["healthcheck", ...flags]);
    assert.deepEqual([status, stdout], [0, "ready\n"]);
  }
  origin.server.closeAllConnections();
  origin.server.close();
  await proxy.process.log(({ msg }) => msg === "backend is down");
  for (const flags of [[], ["--admin", `127.0.0.1:${admin}`]]) {
    const { status, stderr } = await ask(t, proxy.process, ["healthcheck", ...flags]);
    assert.deepEqual([status, stderr], [1, "hp-proxy healthcheck: no backend is up in default\n"]);
  }
  const nobody = await runToEnd(t, ["healthcheck", "--admin", `${await freePort()}`]);
  assert.equal(nobody.status, 1);
  assert.match(nobody.stderr, /no proxy answers at 127\.0\.0\.1:\d+: ECONNREFUSED/);
});

test("admin: alive, ready, figures, and nothing that changes; a reload moves it", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const [first, second] = [await freePort(), await freePort()];
  const configuration = { ...BASE, backends: [origin.address] };
  const proxy = await ConfiguredProxy.start(t, { ...configuration, admin: first });
  const at = (port: number, target: string, method = "GET") =>
    fetch(`http://127.0.0.1:${port}${target}`, { method });
  for (const target of ["/", "/missing"]) await (await fetch(proxy.process.url + target)).text();
  assert.equal((await at(first, "/healthz")).status, 200);
  assert.equal((await at(first, "/readyz")).status, 200);
  assert.equal((await at(first, "/stats")).status, 404);
  assert.equal((await at(first, "/reload", "POST")).status, 405);
  const metrics = await at(first, "/metrics");
  assert.equal(metrics.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const values = parseMetrics(await metrics.text());
  const { total } = await statsOf(proxy.process);
  assert.equal(values.get("hp_proxy_requests_total"), total.requests);
  assert.equal(values.get("hp_proxy_requests_total"), 2);
  assert.equal(values.get('hp_proxy_responses_total{class="2xx"}'), total.responses["2xx"]);
  assert.equal(values.get("hp_proxy_client_sent_bytes_total"), total.bytes.clientOut);
  assert.equal(values.get("hp_proxy_request_seconds_count"), total.timesUs.request.count);
  assert.equal(values.get('hp_proxy_request_seconds_bucket{le="+Inf"}'), 2);
  const where = `cluster="default",backend="${origin.address}",address="${origin.address}"`;
  assert.equal(values.get(`hp_proxy_backend_up{${where}}`), 1);
  proxy.write({ ...configuration, admin: second });
  assert.deepEqual((await proxy.reload()).errors, []);
  assert.equal(
    parseMetrics(await (await at(second, "/metrics")).text()).get('hp_proxy_reloads_total{result="done"}'),
    1,
  );
  await assert.rejects(at(first, "/healthz"));
  proxy.write(configuration);
  assert.deepEqual((await proxy.reload()).errors, []);
  await assert.rejects(at(second, "/healthz"));
});

test("admin and a listener do not change places in one reload: which of ours has the port", {
  timeout,
}, async (t) => {
  const [web, figures, free] = [await freePort(), await freePort(), await freePort()];
  const configuration = { ...BASE, listen: `127.0.0.1:${web}`, admin: figures };
  const proxy = await ConfiguredProxy.start(t, configuration);
  proxy.write({ ...configuration, listen: `127.0.0.1:${free}`, admin: web });
  assert.deepEqual((await proxy.reload()).errors, [
    `admin 127.0.0.1:${web} is in use by the listener 127.0.0.1:${web} of this proxy; ` +
      "choose another port, or admin: off",
  ]);
  proxy.write({ ...configuration, listen: `127.0.0.1:${figures}`, admin: free });
  assert.deepEqual((await proxy.reload()).errors, [
    `127.0.0.1:${figures} is in use by admin 127.0.0.1:${figures} of this proxy; ` +
      "take admin away from there with one reload, and listen there with the next",
  ]);
  // Another address with that port is somebody else's.
  const other = createServer().listen(figures, "127.0.0.2");
  t.after(() => other.close());
  await once(other, "listening");
  proxy.write({ ...configuration, listen: `127.0.0.2:${figures}`, admin: free });
  assert.match((await proxy.reload()).errors.join(), /^127\.0\.0\.2:\d+ is in use by another program;/);
  for (const admin of ["off", free]) {
    proxy.write({ ...configuration, listen: `127.0.0.1:${admin === "off" ? web : figures}`, admin });
    assert.deepEqual((await proxy.reload()).errors, []);
  }
});

test("a file of passwords that has changed is told as that, without hashes", { timeout }, async (t) => {
  const file = path.join(temporaryFolder(t), "users");
  const hash = await hashPassword("sesame", 10);
  writeFileSync(file, `ada:${hash}\n`);
  const routes = [{ name: "shop", basicAuth: { file } }];
  const proxy = await ConfiguredProxy.start(t, { ...BASE, routes });
  writeFileSync(file, `ada:${hash}\nbob:${hash}\n`);
  const { changes, errors } = await proxy.reload();
  assert.deepEqual(errors, []);
  assert.deepEqual(changes, [`routes[shop].basicAuth.file: ${file} is another one: 1 user added`]);
});

/** Every line is a comment or a value with a known name; buckets never fall. */
function parseMetrics(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const types = new Map<string, string>();
  let last = { name: "", value: 0 };
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) types.set(type[1]!, type[2]!);
    if (line.startsWith("#")) continue;
    const match = /^([a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? (\S+)$/.exec(line);
    assert(match !== null, line);
    const [, name = "", labels = "", value] = match;
    const family = name.replace(/_(bucket|sum|count)$/, "");
    assert(types.has(name) || types.get(family) === "histogram", line);
    assert(!values.has(name + labels), `${line} twice`);
    assert(Number.isFinite(Number(value)), line);
    if (name.endsWith("_bucket") && last.name === name) assert(Number(value) >= last.value, line);
    last = { name, value: Number(value) };
    values.set(name + labels, Number(value));
  }
  return values;
}

test("metrics have every counter, once", () => {
  const cells = METRICS.flatMap(({ lines }) => lines.map(({ cell }) => cell));
  const all = Object.values(Counter).filter(
    (cell) => cell !== Counter.workerPid && cell !== Counter.clientsRefused,
  );
  assert.deepEqual(
    cells.toSorted((a, b) => a - b),
    all.toSorted((a, b) => a - b),
  );
});

test("a service manager is told", {
  timeout,
  skip: noServiceManager,
}, async (t) => {
  const folder = temporaryFolder(t);
  const { manager, environment } = await startServiceManager(t);
  writeFileSync(path.join(folder, "hp-proxy.config.json"), JSON.stringify(BASE));
  const proxy = new ProxyProcess(t, ["run", "--log-format", "json"], environment, folder);
  await manager.printed(/\[READY=1\|STATUS=listening on 127\.0\.0\.1:\d+\]/);
  proxy.kill("SIGHUP");
  await manager.printed(/\[RELOADING=1\|MONOTONIC_USEC=\d+\]\n\[READY=1\|/);
  proxy.kill("SIGTERM");
  await manager.printed(/\[STOPPING=1\]/);
  assert.equal((await proxy.ended).status, 0);
});
