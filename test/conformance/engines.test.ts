/** Every engine that runs on real sockets, under one contract. */
import { createNetEngine } from "../../src/engine/net/net-engine.ts";
import { engineContract } from "./engine-cases.ts";
import { socketArenas } from "./socket-arena.ts";

engineContract(
  "net",
  socketArenas((options) => createNetEngine(options)),
  {
    hasSockets: true,
    isRequired: true,
  },
);
engineContract(
  "net, data events",
  socketArenas((options) => createNetEngine(options, "data")),
  {
    hasSockets: true,
    isRequired: true,
  },
);
