/** `hp-proxy demo`, as `npm start` runs it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { ProxyProcess, runToEnd } from "./proxy-process.ts";

const timeout = 30_000;

test("the demo answers from three backends, and takes them with it when it ends", { timeout }, async (t) => {
  const control = path.join(mkdtempSync(path.join(tmpdir(), "demo-")), "control");
  t.after(() => rmSync(path.dirname(control), { recursive: true }));
  const demo = new ProxyProcess(t, [
    "demo",
    "--listen",
    "127.0.0.1:0",
    "--workers",
    "1",
    "--control",
    control,
  ]);
  const [, url, list] = await demo.printed(/hp-proxy demo: (http:\S+) in front of (.*)\n/);
  await demo.printed(/curl -i http:\S+\n +\S*hp-bench 127\.0\.0\.1:\d+ 100 10\n/);
  await demo.printed(new RegExp(`hp-proxy stats --watch --control ${control}\n`));
  const backends = list!.split(", ");
  assert.equal(backends.length, 3);
  const servers = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const answer = (await (await fetch(`${url}hello`)).json()) as { server: string; target: string };
    assert.equal(answer.target, "/hello");
    servers.add(answer.server);
  }
  assert.deepEqual([...servers].sort(), [...backends].sort());
  demo.kill("SIGINT");
  assert.equal((await demo.ended).status, 0);
  for (const backend of backends) {
    const socket = connect(Number(backend.split(":")[1]), "127.0.0.1");
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    assert.equal(error.code, "ECONNREFUSED");
  }
});

test("a demo whose port is in use says so in one sentence, exit 1", { timeout }, async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { status, stderr, stdout } = await runToEnd(t, ["demo", "--listen", `127.0.0.1:${port}`]);
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^hp-proxy: 127\.0\.0\.1:\d+ is in use by another program; .*\n$/);
});

test("the demo has its own backends, and says so", { timeout }, async (t) => {
  const { status, stderr } = await runToEnd(t, ["demo", "--backends", "127.0.0.1:1", "--prot", "1"]);
  assert.equal(status, 1);
  assert.match(stderr, /^hp-proxy demo: 2 errors in the options/);
  assert.match(stderr, /--backends: has no place here/);
  assert.match(stderr, /--prot: is not a flag; did you mean --port\?/);
});
