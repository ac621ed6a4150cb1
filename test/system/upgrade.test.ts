/**
 * Upgrades in a row while requests keep coming and WebSockets are open: nothing fails, and a process ends only
 * when its last WebSocket has. `UPGRADES=50` for more of them.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { askUpgrade } from "../../src/control/control-socket.ts";
import { temporaryFolder } from "../e2e/proxy-process.ts";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { testEachEngine } from "../harness/engines.ts";
import { connectAgainAndAgain } from "../harness/newcomers.ts";
import { OpenWebSockets, startWebSocketEcho } from "../harness/open-web-sockets.ts";
import { startEcho } from "../harness/servers.ts";
import { SteadyClients } from "../harness/steady-clients.ts";

const UPGRADES = Number(process.env.UPGRADES ?? 3);
const timeout = 120_000 + UPGRADES * 15_000;
const CLIENTS = 24;
const WEB_SOCKETS = 8;
/** Of the log: what would say that something went wrong. */
const WARN = 40;

testEachEngine(
  `${UPGRADES} upgrades: no request fails, no WebSocket drops`,
  { timeout },
  async (t, engine) => {
    const echo = await startEcho(t);
    const control = path.join(temporaryFolder(t), "control.sock");
    const proxy = await ConfiguredProxy.start(t, {
      listen: [
        { address: "127.0.0.1:0", cluster: "main" },
        { address: "127.0.0.1:0", cluster: "chat" },
      ],
      clusters: { main: { backends: [echo.address] }, chat: { backends: [await startWebSocketEcho(t)] } },
      engine,
      workers: 2,
      control,
      drainTimeout: "1h",
    });
    const [port, chatPort] = proxy.ports as [number, number];
    const newcomers = connectAgainAndAgain(port);
    const chats = await OpenWebSockets.open(t, chatPort, WEB_SOCKETS);
    const laterChats: OpenWebSockets[] = [];
    const all: SteadyClients[] = [];
    const beginMs = performance.now();
    for (let count = 1; count <= UPGRADES; count++) {
      const clients = await SteadyClients.start({ port, clients: CLIENTS });
      t.after(() => clients.destroy());
      all.push(clients);
      const { done, errors } = await askUpgrade(control);
      assert.deepEqual(errors, []);
      assert.equal(done, true);
      await chats.echo();
      if (count % 5 === 2) laterChats.push(await OpenWebSockets.open(t, chatPort, WEB_SOCKETS));
      for (const later of laterChats) await later.echo();
      await clients.when(
        "all were told to go",
        () => clients.clients.every(({ isDone }) => isDone) || undefined,
      );
    }
    const seconds = (performance.now() - beginMs) / 1000;
    const served = await newcomers.stop();
    for (const clients of all) {
      assert.deepEqual(clients.statuses, [200]);
      assert.equal(clients.total("closed"), CLIENTS);
      for (const figure of ["broken", "cut", "unanswered", "crossed"] as const)
        assert.equal(clients.total(figure), 0, figure);
    }
    assert.equal(chats.dropped + laterChats.reduce((sum, { dropped }) => sum + dropped, 0), 0);
    assert.equal(proxy.process.successors.length, UPGRADES);
    const ended = () => proxy.process.logs.filter(({ msg }) => msg === "ended").length;
    assert.ok(ended() <= UPGRADES - 1 - laterChats.length, "those with WebSockets go on");
    for (const each of [chats, ...laterChats]) each.close();
    await proxy.process.log(() => ended() === UPGRADES);
    assert.equal(await proxy.process.exited, 0);
    const wrong = proxy.process.logs.filter(({ level }) => Number(level) >= WARN);
    assert.deepEqual(wrong, []);
    const answered = all.reduce((sum, clients) => sum + clients.total("answered"), 0);
    const rate = Math.round((answered + served) / seconds);
    t.diagnostic(
      `${UPGRADES} upgrades in ${seconds.toFixed(1)} s; ${rate} requests a second, ${served} newcomers`,
    );
  },
);
