/** Sockets that a service manager has opened: who accepts from them, and that they outlive the proxy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { askUpgrade, readStats } from "../../src/control/control-socket.ts";
import { loadHost } from "../../src/control/host.ts";
import { testEachEngine } from "../harness/engines.ts";
import { once as askOnce } from "../harness/newcomers.ts";
import { freePort } from "../harness/servers.ts";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, type Scope, temporaryFolder } from "./proxy-process.ts";

const timeout = 120_000;
const SERVED = /^HTTP\/1\.1 200 /;
const found = await loadHost();
const host = typeof found === "string" ? undefined : found;
const skip = host === undefined ? String(found) : false;

/** A listening socket that nobody accepts from here. */
function openSocket(scope: Scope): { fd: number; address: string; port: number } {
  const fd = host!.openListener({ host: "127.0.0.1", port: 0 }, { reusePort: false });
  scope.after(() => closeSync(fd));
  const address = host!.listenerAddress(fd);
  return { fd, address, port: Number(address.slice(address.lastIndexOf(":") + 1)) };
}

async function startActivated(t: TestContext, fds: readonly number[], argv: readonly string[]) {
  const origin = await startOrigin(t, (_request, response) => response.end("ok"));
  const control = path.join(temporaryFolder(t), "control.sock");
  const all = ["--backends", origin.address, "--control", control, "--log-format", "json", ...argv];
  const proxy = new ProxyProcess(t, all, {}, process.cwd(), fds);
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  return { proxy, control };
}

testEachEngine(
  "all workers accept from a passed socket, which outlives them",
  { timeout },
  async (t, engine) => {
    if (host === undefined) return t.skip(String(found));
    const socket = openSocket(t);
    const argv = ["--listen", socket.address, "--workers", "2", "--engine", engine];
    const { proxy, control } = await startActivated(t, [socket.fd], argv);
    assert.match(await askOnce(socket.port), SERVED);
    assert.equal((await readStats(control)).workers.length, 2);
    proxy.kill("SIGTERM");
    assert.equal((await proxy.ended).status, 0);
    // Who comes while no proxy runs waits for the next one.
    const early = connect(socket.port, "127.0.0.1");
    await once(early, "connect");
    early.write("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    await startActivated(t, [socket.fd], argv);
    const [answer] = (await once(early, "data")) as [Buffer];
    assert.match(answer.toString(), SERVED);
    early.destroy();
  },
);

test("a passed socket stays the same when processes are replaced", { timeout, skip }, async (t) => {
  const socket = openSocket(t);
  const argv = ["--listen", socket.address, "--workers", "2"];
  const { proxy, control } = await startActivated(t, [socket.fd], argv);
  const { workers } = await readStats(control);
  for (const { pid } of workers)
    assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, "latin1"), /LISTEN_/);
  process.kill(workers[0]!.pid, "SIGKILL");
  await proxy.log(({ msg }) => msg.startsWith("worker died"));
  assert.match(await askOnce(socket.port), SERVED);
  const { errors, newPid } = await askUpgrade(control);
  assert.deepEqual(errors, []);
  assert.equal(await proxy.exited, 0);
  assert.match(await askOnce(socket.port), SERVED);
  process.kill(newPid, "SIGTERM");
  await proxy.ended;
  const late = connect(socket.port, "127.0.0.1");
  await once(late, "connect");
  late.destroy();
});

test("one passed socket, one socket of its own", { timeout, skip }, async (t) => {
  const socket = openSocket(t);
  const port = await freePort();
  const listen = ["--listen", `127.0.0.1:${port}`, "--listen", socket.address];
  await startActivated(t, [socket.fd], [...listen, "--workers", "1"]);
  assert.match(await askOnce(socket.port), SERVED);
  assert.match(await askOnce(port), SERVED);
});

test("a passed socket that cannot be used is an error with its remedy", { timeout, skip }, async (t) => {
  const [one, two] = [openSocket(t), openSocket(t)];
  const argv = ["--listen", one.address, "--backends", "127.0.0.1:1", "--workers", "1"];
  const unwanted = new ProxyProcess(t, argv, { LISTEN_FDNAMES: "web:other" }, process.cwd(), [
    one.fd,
    two.fd,
  ]);
  const { status, stderr } = await unwanted.ended;
  assert.equal(status, 1);
  assert.equal(
    stderr,
    `hp-proxy: ${two.address} was passed (other) and no listener is there; ` +
      "add it to listen, or take it out of the .socket unit\n",
  );
  const [pipe] = host!.openPassage();
  t.after(() => closeSync(pipe));
  const unfit = await new ProxyProcess(t, argv, {}, process.cwd(), [one.fd, pipe]).ended;
  assert.equal(unfit.status, 1);
  assert.match(unfit.stderr, /^hp-proxy: the passed descriptor 4 is no listening socket; take .* out of /);
  const hook = new URL("without-ffi.ts", import.meta.url).href;
  const NODE_OPTIONS = `--import ${hook}`;
  const without = await new ProxyProcess(t, argv, { NODE_OPTIONS }, process.cwd(), [one.fd]).ended;
  assert.equal(without.status, 1);
  assert.match(
    without.stderr,
    /^hp-proxy: sockets were passed \(LISTEN_FDS\), which needs the foreign function/,
  );
});
