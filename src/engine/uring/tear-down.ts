/**
 * The end of a ring: every operation is cancelled, and its last completion waited for, so that the kernel
 * touches neither buffers nor descriptors afterwards.
 */
import { type ConnectionTable, InFlight } from "../native/connection-table.ts";
import type { NativeListener } from "../native/listener-table.ts";
import type { Syscalls } from "../native/syscalls.ts";
import { Operation } from "./operation.ts";
import { prepCancelAll } from "./prep.ts";
import { CQE_WORDS, CqeFlag, type Ring } from "./ring.ts";

const ROUNDS_MAX = 100;
const WAIT_MS = 20;

/** Ends what `ring` works on; `watches` descriptors are watched. Gives up after two seconds. */
export function endOperations(
  ring: Ring,
  table: ConnectionTable,
  listeners: readonly NativeListener[],
  watches: number,
  calls: Syscalls,
): void {
  ring.gather(1, 0);
  prepCancelAll(ring.sqes, ring.nextSqe(), Operation.silent);
  ring.submit();
  // An immediate send has ended by now, one way or the other, and need not have said so.
  for (let i = 0; i < table.capacity; i++) {
    if ((table.inFlight[i]! & InFlight.immediate) !== 0) ended(table, i, InFlight.immediate | InFlight.send);
  }
  let watched = watches;
  const isBusy = () =>
    watched > 0 || listeners.some(({ armed }) => armed) || table.inFlight.some((bits) => bits !== 0);
  for (let round = 0; round < ROUNDS_MAX && isBusy(); round++) {
    for (let left = ring.submitAndWait(WAIT_MS); left > 0; left--) {
      const at = (ring.cqHead & ring.cqMask) * CQE_WORDS;
      const index = ring.cqes[at]!;
      const kind = ring.cqes[at + 1]!;
      const last = (ring.cqes[at + 3]! & CqeFlag.more) === 0;
      ring.cqHead = (ring.cqHead + 1) | 0;
      if (kind === Operation.accept) {
        if (last) listeners[index]!.armed = false;
        if (ring.cqes[at + 2]! >= 0) calls.close(ring.cqes[at + 2]!);
      } else if (kind === Operation.watch) watched--;
      else if (kind === Operation.receive && last) ended(table, index, InFlight.receive);
      else if (kind === Operation.send) ended(table, index, InFlight.send);
      else if (kind === Operation.breakPoll && last) ended(table, index, InFlight.breakPoll);
      else if (kind === Operation.readPoll) ended(table, index, InFlight.readPoll);
      else if (kind === Operation.connect) ended(table, index, InFlight.connect);
    }
    ring.cqAdvance();
  }
}

function ended(table: ConnectionTable, connection: number, bits: number): void {
  table.inFlight[connection] = table.inFlight[connection]! & ~bits;
}
