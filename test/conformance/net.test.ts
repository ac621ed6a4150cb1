/** The net engine under the contract: both ways in which it may read accepted sockets. */
import { createNetEngine } from "../../src/engine/net/net-engine.ts";
import { engineContract } from "./engine-cases.ts";
import { socketArenas } from "./socket-arena.ts";

for (const reading of ["landing", "data"] as const) {
  engineContract(
    `net, ${reading}`,
    socketArenas((options) => createNetEngine(options, reading)),
    { hasSockets: true, canWatch: false, isRequired: true },
  );
}
