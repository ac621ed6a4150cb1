/**
 * Workers that stand still in an endless hook: they are found and replaced, nobody else notices, and neither a reload
 * nor the end waits for them for ever. Workers that only sleep are left alone.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { testEachEngine } from "../harness/engines.ts";
import { statsOf, statsWhen } from "../harness/proxy.ts";
import { startOrigin } from "./origin.ts";
import { type LogRecord, type ProxyProcess, type Scope, temporaryFolder } from "./proxy-process.ts";

const timeout = 60_000;

/** As good as endless: where a test fails, nothing is left behind for long. */
const HANG_MS = 60_000;

const hooks = (version: number) => `export default {
  onRequest(request) {
    if (request.path === "/hang") for (const endMs = Date.now() + ${HANG_MS}; Date.now() < endMs; );
  },
  onResponse(response) { response.headers.set("x-version", "${version}"); },
};`;

interface Started {
  readonly proxy: ConfiguredProxy;
  readonly configuration: object;
  readonly hooksFile: string;
}

async function start(scope: Scope, more: object): Promise<Started> {
  const origin = await startOrigin(scope, (_request, response) => response.end("ok"));
  const hooksFile = path.join(temporaryFolder(scope), "hang.hooks.ts");
  writeFileSync(hooksFile, hooks(1));
  const configuration = {
    listen: ["127.0.0.1:0"],
    clusters: { app: { backends: [origin.address], health: { kind: "off" } } },
    routes: [{ name: "shop", to: "app", hooks: hooksFile }],
    workers: 2,
    ...more,
  };
  return { proxy: await ConfiguredProxy.start(scope, configuration), configuration, hooksFile };
}

const isStall = ({ msg }: LogRecord) => msg.includes("has not turned for");

/** A client that keeps its connection, and what became of it. */
class Client {
  readonly socket: Socket;
  /** What it has been sent so far. */
  text = "";
  /** Nothing more will come. */
  readonly ended: Promise<unknown>;

  static async open(port: number): Promise<Client> {
    const client = new Client(port);
    await once(client.socket, "connect");
    return client;
  }

  private constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    // A reset is an end as well.
    this.socket.on("error", () => {});
    this.socket.on("data", (bytes: Buffer) => {
      this.text += bytes.toString();
    });
    this.ended = new Promise((resolve) => this.socket.once("close", resolve));
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  ask(target: string): void {
    this.socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
  }

  async answer(): Promise<void> {
    await once(this.socket, "data");
  }
}

/** Each on a connection of its own, so that all workers have their share. */
async function versionsSeen(proxy: ProxyProcess, count: number): Promise<string[]> {
  const seen: string[] = [];
  for (let i = 0; i < count; i++) {
    const response = await fetch(proxy.url, { headers: { connection: "close" } });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "ok");
    seen.push(response.headers.get("x-version") ?? "");
  }
  return [...new Set(seen)];
}

testEachEngine("who sleeps is left alone, who hangs is replaced", { timeout }, async (t, engine) => {
  const { proxy, hooksFile } = await start(t, { engine, stallTimeout: "500ms", statsInterval: "500ms" });
  const pids = (await statsOf(proxy.process)).workers.map(({ pid }) => pid);
  // No request, for several times the limit.
  await proxy.process.printed(/^(?:.+ RPS .+\n){3}/m);
  assert.equal(proxy.process.logs.find(isStall), undefined);
  const client = await Client.open(proxy.process.port);
  client.ask("/hang");
  await client.ended;
  assert.equal(client.text, "");
  const record = await proxy.process.log(isStall);
  const { worker, silentMs, level: _level, time: _time, msg, ...rest } = record;
  const pid = pids[Number(worker)];
  assert.deepEqual(rest, {
    pid,
    hook: "onRequest",
    source: "hang.hooks.ts",
    file: hooksFile,
    routes: ["shop"],
    isOver: false,
  });
  assert.ok(Number(silentMs) >= 500);
  assert.match(
    msg,
    /^worker [01] has not turned for [\d.]+ s, in hook onRequest of hang\.hooks\.ts \(route shop\): it is killed$/,
  );
  await proxy.process.log(({ msg }) => msg.startsWith("worker died"));
  assert.deepEqual(await versionsSeen(proxy.process, 8), ["1"]);
  const after = await statsWhen(proxy.process, ({ workers }) => workers.every(({ pid }) => pid > 0));
  assert.deepEqual([after.restarts, after.stalls], [1, 1]);
  const replaced = after.workers.filter((each, index) => each.pid !== pids[index]);
  assert.equal(replaced.length, 1);
  assert.equal(proxy.process.logs.filter(({ level }) => level === 50).length, 1, "one error");
});

test("the sibling goes on, and a reload waits no longer than the limit", { timeout }, async (t) => {
  const { proxy, configuration, hooksFile } = await start(t, { stallTimeout: "500ms" });
  const clients: Client[] = [];
  t.after(() => clients.forEach(({ socket }) => void socket.destroy()));
  // Connections are spread by hash: as many as it takes until each worker has one beside the one that hangs.
  for (;;) {
    const client = await Client.open(proxy.process.port);
    client.ask("/");
    await client.answer();
    clients.push(client);
    const { workers } = await statsOf(proxy.process);
    if (workers.every(({ clients: { open } }) => open > 1)) break;
  }
  const open = (await statsOf(proxy.process)).workers.map(({ clients }) => clients.open);
  const [hanging, ...others] = clients as [Client, ...Client[]];
  hanging.ask("/hang");
  await statsWhen(proxy.process, ({ total }) => total.requestsInFlight === 1);
  const answers = others.map((client) => client.answer().then(() => client));
  for (const client of others) client.ask("/");
  const lucky = await Promise.race(answers);
  writeFileSync(hooksFile, hooks(2));
  proxy.write({ ...configuration, stallTimeout: "600ms" });
  const { done, errors } = await proxy.reload();
  assert.deepEqual([done, errors], [true, []]);
  const { worker } = await proxy.process.log(isStall);
  await hanging.ended;
  // A worker that had just died begins with what counted then.
  while ((await versionsSeen(proxy.process, 8)).join() !== "2");
  assert.ok(lucky.isOpen);
  const alive = clients.filter(({ isOpen }) => isOpen);
  assert.equal(alive.length, open[1 - Number(worker)]);
  assert.ok(
    alive.every(({ text }) => text.split("HTTP/1.1 200").length === 3),
    "all of them are answered",
  );
});

test("the end waits for a worker that hangs no longer than the limit", { timeout }, async (t) => {
  const { proxy } = await start(t, { stallTimeout: "500ms", drainTimeout: "1h" });
  const client = await Client.open(proxy.process.port);
  client.ask("/hang");
  await statsWhen(proxy.process, ({ total }) => total.requestsInFlight === 1);
  proxy.process.kill("SIGTERM");
  assert.equal(await proxy.process.exited, 0);
  await client.ended;
  assert.ok(proxy.process.logs.some(isStall));
});

test("without a limit a worker that hangs is left alone; a reload may set one", { timeout }, async (t) => {
  const { proxy, configuration } = await start(t, { stallTimeout: "0", statsInterval: "500ms" });
  const client = await Client.open(proxy.process.port);
  client.ask("/hang");
  await statsWhen(proxy.process, ({ total }) => total.requestsInFlight === 1);
  await proxy.process.printed(/^(?:.+ RPS .+\n){3}/m);
  assert.equal(proxy.process.logs.find(isStall), undefined);
  assert.ok(client.isOpen);
  proxy.write({ ...configuration, stallTimeout: "500ms" });
  const { done } = await proxy.reload();
  assert.ok(done);
  await client.ended;
  assert.equal((await statsOf(proxy.process)).stalls, 1);
});
