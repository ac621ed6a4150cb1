/**
 * What a burst touched is given back in the calm behind it: memory of received bytes that nobody read, and of
 * buffers that were offered to the kernel. (On `net` such memory is V8's, which gives back when it likes.)
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { whyNot } from "../harness/engines.ts";
import { treeResources } from "../harness/process-resources.ts";
import { startProxy, statsOf, statsWhen } from "../harness/proxy.ts";
import { startEcho } from "../harness/servers.ts";

const timeout = 60_000;
const MIB = 1 << 20;
/** Each reads nothing of its answer, so that some slots of 65 KiB wait for it. */
const CLIENTS = 400;
const ANSWERED = "GET /bytes/10 HTTP/1.1\r\nHost: test\r\n\r\n";
const UNREAD = "GET /bytes/20000000 HTTP/1.1\r\nHost: test\r\n\r\n";
const BURST_MIB_MIN = 30;
/** V8 keeps some of it: from 5 to 15 MiB were seen. */
const LEFT_MIB_MAX = 22;

/** Opens `CLIENTS` connections; resolves when each has the first bytes of an answer to `request`. */
async function open(port: number, request: string): Promise<Socket[]> {
  const sockets = Array.from({ length: CLIENTS }, () => connect(port, "127.0.0.1"));
  await Promise.all(
    sockets.map(async (socket) => {
      socket.on("error", () => {});
      socket.write(request);
      await once(socket, "readable");
    }),
  );
  return sockets;
}

for (const engine of ["uring", "epoll"] as const) {
  test(`${engine}: memory comes back after a burst`, { timeout }, async (t) => {
    const reason = await whyNot(engine);
    if (reason !== "") return t.skip(reason);
    const echo = await startEcho(t);
    const proxy = await startProxy(t, engine, [echo.address], ["--pool-idle-timeout", "200ms"]);
    const ownMib = () => treeResources(proxy.child.pid!).ownBytes / MIB;
    const leave = async (sockets: readonly Socket[]) => {
      for (const socket of sockets) socket.destroy();
      await statsWhen(proxy, ({ total }) => total.clients.open === 0 && total.origins.open === 0);
    };
    // What every connection once needs of V8 is there from now on.
    await leave(await open(proxy.port, ANSWERED));
    await leave(await open(proxy.port, ANSWERED));
    const before = ownMib();
    const readers = await open(proxy.port, UNREAD);
    const full = await statsWhen(proxy, () => ownMib() > before + BURST_MIB_MIN);
    assert.equal(full.total.clients.open, CLIENTS);
    const atMost = ownMib();
    await leave(readers);
    await statsWhen(proxy, () => ownMib() < before + LEFT_MIB_MAX);
    t.diagnostic(`own memory: ${[before, atMost, ownMib()].map((mib) => mib.toFixed(1)).join(", ")} MiB`);
    assert.equal((await statsOf(proxy)).restarts, 0);
    assert.equal((await fetch(`${proxy.url}/bytes/5`)).status, 200);
  });
}
