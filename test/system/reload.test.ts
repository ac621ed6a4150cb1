/**
 * Reloads while requests keep coming and WebSockets are open: nothing fails, and what did not change is not
 * touched. `RELOADS=1000` for more of them.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { type SocketEngine, testEachEngine } from "../harness/engines.ts";
import { connectAgainAndAgain, once } from "../harness/newcomers.ts";
import { OpenWebSockets, startWebSocketEcho } from "../harness/open-web-sockets.ts";
import { statsOf, statsWhen } from "../harness/proxy.ts";
import { freePort, type Server, startEcho } from "../harness/servers.ts";
import { SteadyClients } from "../harness/steady-clients.ts";

const RELOADS = Number(process.env.RELOADS ?? 100);
const timeout = 60_000 + RELOADS * 1_000;
const CLIENTS = 24;
const WEB_SOCKETS = 8;

interface World {
  readonly echoes: readonly [Server, Server];
  readonly webSocketEcho: string;
  /** Free until a configuration has it. */
  readonly extraPort: number;
}

async function startWorld(t: TestContext): Promise<World> {
  const echoes = [await startEcho(t), await startEcho(t)] as const;
  return { echoes, webSocketEcho: await startWebSocketEcho(t), extraPort: await freePort() };
}

interface Wish {
  readonly backends: readonly Server[];
  readonly hasExtra?: boolean;
  readonly workers?: number;
  readonly connect?: string;
}

function configurationOf({ webSocketEcho, extraPort }: World, engine: SocketEngine, wish: Wish): object {
  const listen = [
    { address: "127.0.0.1:0", cluster: "main" },
    { address: "127.0.0.1:0", cluster: "chat" },
    ...(wish.hasExtra === true ? [{ address: `127.0.0.1:${extraPort}`, cluster: "main" }] : []),
  ];
  return {
    listen,
    engine,
    workers: wish.workers ?? 2,
    clusters: {
      main: { backends: wish.backends.map(({ address }) => address) },
      chat: { backends: [webSocketEcho] },
    },
    timeouts: { connect: wish.connect ?? "3s" },
  };
}

testEachEngine(`${RELOADS} reloads: no request fails, no WebSocket drops`, { timeout }, async (t, engine) => {
  const world = await startWorld(t);
  const [one, two] = world.echoes;
  const proxy = await ConfiguredProxy.start(t, configurationOf(world, engine, { backends: [one] }));
  const [port, chatPort] = proxy.ports;
  const clients = await SteadyClients.start({ port: port!, clients: CLIENTS });
  t.after(() => clients.destroy());
  const newcomers = connectAgainAndAgain(port!);
  const chats = await OpenWebSockets.open(t, chatPort!, WEB_SOCKETS);
  const accepted = (await statsOf(proxy.process)).total.clients.accepted;
  const beginMs = performance.now();
  for (let count = 1; count <= RELOADS; count++) {
    const backends = count % 2 === 1 ? [one, two] : [two];
    const hasExtra = count % 10 >= 5;
    proxy.write(configurationOf(world, engine, { backends, hasExtra, connect: `${count}s` }));
    const { done, errors } = await proxy.reload();
    assert.deepEqual(errors, []);
    assert.equal(done, true);
    await chats.echo();
    if (count % 10 === 5) assert.match(await once(world.extraPort), /^HTTP\/1\.1 200 /);
    if (count % 10 === 0) await assert.rejects(once(world.extraPort), { code: "ECONNREFUSED" });
  }
  const seconds = (performance.now() - beginMs) / 1000;
  await clients.eachAnswers(1);
  await clients.stop();
  const served = await newcomers.stop();
  const report = await statsOf(proxy.process);
  assert.deepEqual(clients.statuses, [200]);
  for (const figure of ["broken", "cut", "unanswered", "crossed", "closed"] as const)
    assert.equal(clients.total(figure), 0, figure);
  assert.equal(chats.dropped, 0);
  assert.equal(report.total.errorsTotal, 0);
  assert.equal(report.restarts, 0);
  assert.ok(report.total.clients.accepted > accepted, "newcomers were let in");
  const rate = Math.round((clients.total("answered") + served) / seconds);
  t.diagnostic(
    `${RELOADS} reloads in ${seconds.toFixed(1)} s; ${rate} requests a second, ${served} newcomers`,
  );
});

testEachEngine(
  "workers become more and fewer under load: no request fails",
  { timeout },
  async (t, engine) => {
    const world = await startWorld(t);
    const backends = [world.echoes[0]];
    const configuration = (workers: number) => configurationOf(world, engine, { backends, workers });
    const proxy = await ConfiguredProxy.start(t, configuration(1));
    const newcomers = connectAgainAndAgain(proxy.ports[0]!);
    const all = [];
    for (const workers of [3, 1, 2, 1]) {
      const clients = await SteadyClients.start({ port: proxy.ports[0]!, clients: CLIENTS });
      t.after(() => clients.destroy());
      all.push(clients);
      proxy.write(configuration(workers));
      assert.deepEqual((await proxy.reload()).errors, []);
      assert.equal((await statsOf(proxy.process)).workers.length, workers);
      await clients.eachAnswers(20);
    }
    await newcomers.stop();
    for (const clients of all) {
      await clients.stop();
      assert.deepEqual(clients.statuses, [200]);
      for (const figure of ["broken", "cut", "unanswered", "crossed"] as const)
        assert.equal(clients.total(figure), 0, figure);
    }
  },
);

testEachEngine(
  "a worker that dies is replaced by one with the newest listeners",
  { timeout },
  async (t, engine) => {
    const world = await startWorld(t);
    const backends = [world.echoes[0]];
    const configuration = (hasExtra: boolean) =>
      configurationOf(world, engine, { backends, hasExtra, workers: 1 });
    const proxy = await ConfiguredProxy.start(t, configuration(false));
    proxy.write(configuration(true));
    assert.equal((await proxy.reload()).done, true);
    const [worker] = (await statsOf(proxy.process)).workers;
    process.kill(worker!.pid, "SIGKILL");
    await proxy.process.log(({ msg }) => msg.startsWith("worker died"));
    assert.match(await once(world.extraPort), /^HTTP\/1\.1 200 /);
    await statsWhen(proxy.process, ({ workers }) =>
      workers.every(({ pid }) => pid > 0 && pid !== worker!.pid),
    );
    proxy.write(configuration(false));
    assert.deepEqual((await proxy.reload()).errors, []);
    await assert.rejects(once(world.extraPort), { code: "ECONNREFUSED" });
  },
);

test("without FFI, workers open and close listeners themselves", { timeout }, async (t) => {
  const world = await startWorld(t);
  const backends = [world.echoes[0]];
  const configuration = (hasExtra: boolean, workers: number) =>
    configurationOf(world, "net", { backends, hasExtra, workers });
  const hook = new URL("../e2e/without-ffi.ts", import.meta.url).href;
  const environment = { NODE_OPTIONS: `--import ${hook}` };
  const proxy = await ConfiguredProxy.start(t, configuration(false, 1), [], environment);
  for (const workers of [2, 1, 3]) {
    proxy.write(configuration(true, workers));
    assert.deepEqual((await proxy.reload()).errors, []);
    for (let i = 0; i < 8; i++) {
      assert.match(await once(world.extraPort), /^HTTP\/1\.1 200 /);
      assert.match(await once(proxy.ports[0]!), /^HTTP\/1\.1 200 /);
    }
    proxy.write(configuration(false, workers));
    assert.deepEqual((await proxy.reload()).errors, []);
    await assert.rejects(once(world.extraPort), { code: "ECONNREFUSED" });
  }
});

test("health checks go on over a reload: what is down stays down", { timeout }, async (t) => {
  const world = await startWorld(t);
  const dead = `127.0.0.1:${await freePort()}`;
  const configuration = (connect: string, extra: readonly string[]) => ({
    listen: ["127.0.0.1:0"],
    workers: 1,
    backends: [world.echoes[0].address, dead, ...extra],
    health: { interval: "50ms", fall: 2 },
    timeouts: { connect },
  });
  const proxy = await ConfiguredProxy.start(t, configuration("1s", []));
  const isDown = async () =>
    (await statsOf(proxy.process)).endpoints.some(({ address, healthy }) => address === dead && !healthy);
  await proxy.process.log(({ msg, address }) => msg === "backend is down" && address === dead);
  for (const [connect, extra] of [
    ["2s", []],
    ["2s", [world.echoes[1].address]],
    ["3s", []],
  ] as const) {
    proxy.write(configuration(connect, extra));
    assert.equal((await proxy.reload()).done, true);
    assert.equal(await isDown(), true);
  }
  const verdicts = proxy.process.logs.filter(({ address }) => address === dead);
  assert.equal(verdicts.length, 1, "told once");
});
