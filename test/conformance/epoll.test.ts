/** The epoll engine under the contract. */
import { createEpollEngine } from "../../src/engine/epoll/epoll-engine.ts";
import { engineContract } from "./engine-cases.ts";
import { socketArenas } from "./socket-arena.ts";

engineContract(
  "epoll",
  socketArenas(async (options) => createEpollEngine(options)),
  { hasSockets: true, canWatch: true, isRequired: process.platform === "linux" },
);
