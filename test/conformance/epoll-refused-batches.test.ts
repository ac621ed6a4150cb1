/** The epoll engine under the contract where no batch is carried out: `io_submit` always fails. */
import { createEpollEngine } from "../../src/engine/epoll/epoll-engine.ts";
import { refuseCall, SYS_IO_SUBMIT } from "../harness/refuse-call.ts";
import { engineContract } from "./engine-cases.ts";
import { socketArenas } from "./socket-arena.ts";

const EAGAIN = 11;
let isRefused = false;

engineContract(
  "epoll, batches refused",
  socketArenas(async (options) => {
    // Not before: where there is no FFI library each case is skipped for that reason.
    if (!isRefused) refuseCall(SYS_IO_SUBMIT, EAGAIN);
    isRefused = true;
    return createEpollEngine(options);
  }),
  { hasSockets: true, canWatch: true, isRequired: process.platform === "linux" },
);
