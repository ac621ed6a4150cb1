/**
 * The epoll engine under the contract where the kernel has no `io_setup`: each socket is read and written by itself.
 */
import assert from "node:assert/strict";
import { createEpollEngine } from "../../src/engine/epoll/epoll-engine.ts";
import { SocketBatch } from "../../src/engine/epoll/socket-batch.ts";
import { refuseCall, SYS_IO_SETUP } from "../harness/refuse-call.ts";
import { engineContract } from "./engine-cases.ts";
import { socketArenas } from "./socket-arena.ts";

const ENOSYS = 38;
let isRefused = false;

engineContract(
  "epoll, one by one",
  socketArenas(async (options) => {
    // Not before: where there is no FFI library each case is skipped for that reason.
    if (!isRefused) refuseCall(SYS_IO_SETUP, ENOSYS);
    isRefused = true;
    assert.equal(SocketBatch.open(), null);
    return createEpollEngine(options);
  }),
  { hasSockets: true, canWatch: true, isRequired: process.platform === "linux" },
);
