/** The command line as a user meets it: refusals, help, environment. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { test } from "node:test";
import { freePort } from "../harness/servers.ts";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, runToEnd, temporaryFolder } from "./proxy-process.ts";

const timeout = 30_000;

test("bad flags: all errors at once, exit 1", { timeout }, async (t) => {
  const { status, stderr, stdout } = await runToEnd(t, ["--prot", "1", "--workers", "x", "--mode=udp"], {
    HP_PROXY_ENGINE: "fast",
  });
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^hp-proxy: 5 errors in the options, nothing was started$/m);
  assert.match(stderr, /--prot: is not a flag; did you mean --port\?/);
  assert.match(stderr, /--workers "x": is not a whole number; write a number from 1 to 256, or auto/);
  assert.match(stderr, /--mode "udp": is not a choice; write http or tcp/);
  assert.match(stderr, /HP_PROXY_ENGINE "fast": is not a choice/);
  assert.match(stderr, /--backends: is missing/);
});

test("an unknown command is answered with the nearest, exit 1", { timeout }, async (t) => {
  const { status, stderr } = await runToEnd(t, ["stat"]);
  assert.equal(status, 1);
  assert.match(stderr, /stat is not a command; did you mean hp-proxy stats\?/);
});

for (const argv of [["--help"], ["help"], ["-h"]]) {
  test(`${argv.join(" ")} prints the help on standard output, exit 0`, { timeout }, async (t) => {
    const { status, stdout } = await runToEnd(t, argv);
    assert.equal(status, 0);
    assert.match(stdout, /--backends LIST/);
    assert.match(stdout, /--drain-timeout TIME/);
  });
}

test("--version prints the version, exit 0", { timeout }, async (t) => {
  const { status, stdout } = await runToEnd(t, ["--version"]);
  assert.equal(status, 0);
  assert.match(stdout, /^hp-proxy \d+\.\d+\.\d+\n$/);
});

test("without anything: the help on standard error, exit 1", { timeout }, async (t) => {
  const { status, stderr } = await runToEnd(t, []);
  assert.equal(status, 1);
  assert.match(stderr, /--backends LIST/);
});

test("without flags, a bad variable: what is wrong with the options, exit 1", { timeout }, async (t) => {
  const { status, stderr } = await runToEnd(t, [], { HP_PROXY_WORKERS: "0" });
  assert.equal(status, 1);
  assert.match(stderr, /^hp-proxy: 2 errors in the options, nothing was started$/m);
  assert.match(stderr, /HP_PROXY_WORKERS "0": is out of range/);
  assert.match(stderr, /--backends: is missing/);
});

test("without flags, a misspelt variable: what it should be, exit 1", { timeout }, async (t) => {
  const { status, stderr } = await runToEnd(t, [], { HP_PROXY_BAKENDS: "127.0.0.1:1" });
  assert.equal(status, 1);
  assert.match(stderr, /HP_PROXY_BAKENDS: is not an option; did you mean HP_PROXY_BACKENDS\?/);
});

test("a port in use: one sentence, exit 1", { timeout }, async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const argv = ["--listen", `127.0.0.1:${port}`, "--backends", "127.0.0.1:1"];
  const { status, stderr } = await runToEnd(t, argv);
  assert.equal(status, 1);
  assert.equal(
    stderr,
    `hp-proxy: 127.0.0.1:${port} is in use by another program; stop that one, or choose another port\n`,
  );
});

test("two names of one address are told as that", { timeout }, async (t) => {
  const port = await freePort();
  const argv = ["--listen", `127.0.0.1:${port},localhost:${port}`, "--backends", "127.0.0.1:1"];
  const { status, stderr } = await runToEnd(t, argv);
  assert.equal(status, 1);
  assert.equal(stderr, `hp-proxy: localhost:${port} is the same as 127.0.0.1:${port}; keep one of them\n`);
});

test("an admin listener where a listener of another name is: which one has the port", {
  timeout,
}, async (t) => {
  const port = await freePort();
  const argv = ["--listen", `127.0.0.1:${port}`, "--admin", `localhost:${port}`, "--backends", "127.0.0.1:1"];
  const { status, stderr } = await runToEnd(t, argv);
  assert.equal(status, 1);
  const sentence = `admin localhost:${port} is in use by the listener 127.0.0.1:${port} of this proxy`;
  assert.ok(stderr.includes(`hp-proxy: ${sentence}; choose another port, or admin: off\n`), stderr);
});

test("a port that another hp-proxy has is in use as well", { timeout }, async (t) => {
  const first = await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "2"]);
  const argv = ["--listen", `127.0.0.1:${first.port}`, "--backends", "127.0.0.1:1", "--workers", "2"];
  const { status, stderr } = await runToEnd(t, argv);
  assert.equal(status, 1);
  assert.match(stderr, /is in use by another program/);
});

test("a port that another hp-proxy of the same user has: which one it is", { timeout }, async (t) => {
  const XDG_RUNTIME_DIR = temporaryFolder(t);
  const first = await ProxyProcess.start(t, ["127.0.0.1:1"], ["--workers", "1"], { XDG_RUNTIME_DIR });
  const argv = ["--listen", `127.0.0.1:${first.port}`, "--backends", "127.0.0.1:1"];
  const { status, stderr } = await runToEnd(t, argv, { XDG_RUNTIME_DIR });
  assert.equal(status, 1);
  assert.equal(
    stderr,
    `hp-proxy: 127.0.0.1:${first.port} is in use by another hp-proxy, process ${first.child.pid}; ` +
      "stop that one, or choose another port\n",
  );
});

test("every option may come from the environment", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("from the origin"));
  const proxy = new ProxyProcess(t, [], {
    HP_PROXY_LISTEN: "127.0.0.1:0",
    HP_PROXY_BACKENDS: origin.address,
    HP_PROXY_WORKERS: "1",
    HP_PROXY_LOG_FORMAT: "json",
    HP_PROXY_VIA_NAME: "from-environment",
  });
  await proxy.log((record) => record.msg.startsWith("listening on "));
  const response = await fetch(proxy.url);
  assert.equal(await response.text(), "from the origin");
  assert.equal(response.headers.get("via"), "1.1 from-environment");
});

test("several listeners, IPv6 among them", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const proxy = await ProxyProcess.start(t, [origin.address], ["--listen", "[::1]:0", "--workers", "1"]);
  const [, first, second] = /listening on (\S+), (\S+), /.exec(proxy.listening) ?? [];
  assert.match(first!, /^127\.0\.0\.1:\d+$/);
  assert.match(second!, /^\[::1\]:\d+$/);
  for (const address of [first, second]) assert.equal(await (await fetch(`http://${address}/`)).text(), "ok");
});
