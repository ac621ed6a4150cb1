/**
 * SIGTERM while clients connect without a pause: a connection that was made is served, and whoever comes too
 * late is refused or hears nothing. Nobody is first let in and then thrown out.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { loadHost } from "../../src/control/host.ts";
import { testEachEngine } from "../harness/engines.ts";
import { startProxy } from "../harness/proxy.ts";
import { startEcho } from "../harness/servers.ts";

const timeout = 60_000;
const CLIENTS = 16;
const VISITS_BEFORE = 200;
const REQUEST = "GET /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

type Fate = "served" | "refused" | "thrown out";

/** One connection with one request. */
async function visit(port: number): Promise<Fate> {
  const socket = connect({ port, host: "127.0.0.1" });
  let isIn = false;
  let text = "";
  socket.setEncoding("latin1");
  socket.on("connect", () => {
    isIn = true;
    socket.write(REQUEST);
  });
  socket.on("data", (piece: string) => {
    text += piece;
  });
  let code = "";
  socket.on("error", (error: NodeJS.ErrnoException) => {
    code = error.code ?? "unknown";
  });
  await once(socket, "close").catch(() => {});
  if (!isIn && code === "ECONNREFUSED") return "refused";
  return code === "" && text.startsWith("HTTP/1.1 200 ") && text.includes('"target"')
    ? "served"
    : "thrown out";
}

testEachEngine(
  "SIGTERM while clients connect: none is let in and thrown out",
  { timeout },
  async (t, engine) => {
    const host = await loadHost();
    if (typeof host === "string") return t.skip(`listening sockets are the workers' own: ${host}`);
    const echo = await startEcho(t);
    const fates = { served: 0, refused: 0, "thrown out": 0 };
    const proxy = await startProxy(t, engine, [echo.address], ["--workers", "2"]);
    let visits = 0;
    const client = async () => {
      for (let fate: Fate = "served"; fate === "served"; ) {
        fate = await visit(proxy.port);
        fates[fate]++;
        if (++visits === VISITS_BEFORE) proxy.kill("SIGTERM");
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    assert.equal((await proxy.ended).status, 0);
    t.diagnostic(JSON.stringify(fates));
    assert.equal(fates["thrown out"], 0);
    assert.equal(fates.refused, CLIENTS);
  },
);
