/** What a proxy does to the process that it lives in: it keeps it alive while it listens, and nothing else. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { testEachEngine } from "../harness/engines.ts";
import { startOrigin } from "./origin.ts";

const timeout = 30_000;
const INDEX = pathToFileURL(path.join(import.meta.dirname, "../../src/index.ts")).href;

/** What can be seen of a process, before and after. */
const LOOK = `
import { readFileSync } from "node:fs";
const look = () => ({
  title: process.title,
  umask: process.umask(),
  cwd: process.cwd(),
  environment: JSON.stringify(process.env),
  signals: ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"].map((name) => process.listenerCount(name)),
  uncaught: process.listenerCount("uncaughtException") + process.listenerCount("unhandledRejection"),
  limits: process.platform === "linux" ? readFileSync("/proc/self/limits", "utf8") : "",
  affinity: process.platform === "linux" ? /^Cpus_allowed:.*$/m.exec(readFileSync("/proc/self/status", "utf8"))[0] : "",
});`;

testEachEngine("it changes nothing, prints nothing, and lets it end", { timeout }, async (t, engine) => {
  const folder = mkdtempSync(path.join(tmpdir(), "hp-library-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const script = `
import { createServer } from "node:http";
import { createProxy } from ${JSON.stringify(INDEX)};
${LOOK}
const origin = createServer((_, response) => response.end("x")).listen(0, "127.0.0.1");
await new Promise((resolve) => origin.once("listening", resolve));
const before = look();
const backends = ["127.0.0.1:" + origin.address().port];
const proxy = createProxy({ listen: "127.0.0.1:0", backends, engine: ${JSON.stringify(engine)} });
const [address] = await proxy.listen();
const text = await (await fetch("http://" + address)).text();
const during = look();
await proxy.close();
origin.closeAllConnections();
origin.close();
console.log(JSON.stringify({ text, engine: proxy.stats().engine, before, during, after: look() }));
`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    timeout: 20_000,
    env: { ...process.env, TMPDIR: folder, XDG_RUNTIME_DIR: folder, HP_PROXY_ENGINE: "nonsense" },
  });
  assert.deepEqual([status, stderr], [0, ""]);
  const { text: body, engine: used, before, during, after } = JSON.parse(stdout);
  assert.deepEqual([body, used], ["x", engine]);
  assert.deepEqual(during, before);
  assert.deepEqual(after, before);
  assert.deepEqual(readdirSync(folder), [], "no socket, no cache");
});

test("in a worker thread, engines that need the main one are passed over", { timeout }, async (t) => {
  const origin = await startOrigin(t);
  const script = `
import { parentPort } from "node:worker_threads";
import { createProxy } from ${JSON.stringify(INDEX)};
const proxy = createProxy({ listen: "127.0.0.1:0", backends: [${JSON.stringify(origin.address)}] });
const [address] = await proxy.listen();
const text = await (await fetch("http://" + address + "/thread")).text();
parentPort.postMessage([text, proxy.stats().engine]);
await proxy.close();
`;
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), { stderr: true });
  const printed = text(thread.stderr);
  const said = new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  const ended = new Promise((resolve) => thread.once("exit", resolve));
  assert.deepEqual(await said, ["/thread", "net"]);
  assert.equal(await ended, 0);
  assert.equal(await printed, "");
});
