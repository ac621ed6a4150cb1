/** The net engine under the contract: both ways in which it may read accepted sockets. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { createNetEngine } from "../../src/engine/net/net-engine.ts";
import { engineContract } from "./engine-cases.ts";
import { socketArenas } from "./socket-arena.ts";
import { Witness } from "./witness.ts";

for (const reading of ["landing", "data"] as const) {
  engineContract(
    `net, ${reading}`,
    socketArenas((options) => createNetEngine(options, reading)),
    { hasSockets: true, canWatch: false, isRequired: true },
  );
}

test("net: few connections wait for a number, and more are closed, so that descriptors last", {
  timeout: 20_000,
}, async (t) => {
  const engine = await createNetEngine({
    listeners: [{ host: "127.0.0.1", port: 0 }],
    connectionsMax: 2,
    smallSlots: 16,
    largeSlots: 16,
  });
  t.after(() => engine.stop());
  const witness = new Witness(engine, () => {});
  engine.start(witness);
  const [host, port] = engine.listenerAddresses[0]!.split(":");
  const waitingMax = 16;
  const sockets = Array.from({ length: 2 + waitingMax + 30 }, () => connect(Number(port), host));
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  let closed = 0;
  await new Promise<void>((resolve) => {
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.on("close", () => {
        if (++closed === 30) resolve();
      });
    }
  });
  assert.equal(closed, 30);
  assert.equal(witness.turnedAwayCount, 30, "and the handler is told of each");
});
