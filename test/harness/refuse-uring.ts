/**
 * Loaded with `--import` into a process: io_uring is refused there (and, with its environment, in those that it
 * starts), with the errno in `HP_TEST_REFUSE_URING_ERRNO`.
 */
import { refuseCall, SYS_IO_URING_SETUP } from "./refuse-call.ts";

/** The variable that holds the errno, a positive number. */
export const REFUSE_URING_ERRNO = "HP_TEST_REFUSE_URING_ERRNO";

const errno = process.env[REFUSE_URING_ERRNO];
if (errno !== undefined) refuseCall(SYS_IO_URING_SETUP, Number(errno));
