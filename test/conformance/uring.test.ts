/** The io_uring engine under the contract. */
import { createUringEngine } from "../../src/engine/uring/uring-engine.ts";
import { engineContract } from "./engine-cases.ts";
import { socketArenas } from "./socket-arena.ts";

engineContract(
  "uring",
  socketArenas(async (options) => createUringEngine(options)),
  {
    hasSockets: true,
    canWatch: true,
    isRequired: process.platform === "linux",
  },
);
