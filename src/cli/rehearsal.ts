/**
 * One request played through the data plane without a network: what it would send to which backend, or answer.
 * The code is that of a worker, so what comes out is what would be sent, to the byte.
 */
import { randomBytes } from "node:crypto";
import { BufferPool, HEADROOM_BYTES } from "../base/buffer-pool.ts";
import { textOf, writeBytes } from "../base/bytes.ts";
import { BLOCK_BYTES } from "../contract/counters.ts";
import type { FailureNotice } from "../contract/notices.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import { NullPort } from "../engine/null-port.ts";
import { createHttpSession } from "../session/http-session.ts";

/** What became of the request. */
export interface Rehearsal {
  /** The head that goes to the backend; "" where it is answered here. */
  readonly request: string;
  /** Address of that backend. */
  readonly address: string;
  /** Our own answer; "" where a backend is asked. */
  readonly answer: string;
  readonly failure: FailureNotice | undefined;
}

const CLIENT = 0;
const ORIGIN = 1;
const SEED_BYTES = 16;
const CONNECTIONS_MAX = 4;
const SLOTS = 64;

/** Keeps what is sent as text, connects to nobody. */
class RehearsalPort extends NullPort {
  readonly sent = new Map<number, string>();
  address = "";

  constructor(clientAddress: string) {
    const buffers = new BufferPool(
      new Uint8Array(BufferPool.regionBytes(SLOTS, SLOTS / 4)),
      SLOTS,
      SLOTS / 4,
    );
    super(buffers, CONNECTIONS_MAX, Buffer.from(clientAddress, "latin1"));
  }

  connect(address: string): number {
    this.address = address;
    return ORIGIN;
  }

  send(connection: number, start: number, end: number): void {
    const text = textOf(this.buffers.memory, start, end);
    this.sent.set(connection, (this.sent.get(connection) ?? "") + text);
    this.buffers.release(start);
  }
}

/** Plays `head`, a whole request head, from a client at `clientAddress` on the listener with the number `listener`. */
export function rehearse(
  snapshot: Snapshot,
  head: string,
  clientAddress: string,
  listener: number,
): Rehearsal {
  const port = new RehearsalPort(clientAddress);
  let failure: FailureNotice | undefined;
  const notices = {
    admits: () => true,
    failure: (notice: FailureNotice) => {
      failure = notice;
    },
    endpoint: () => {},
    drained: () => {},
  };
  const counters = new Float64Array(BLOCK_BYTES / 8);
  const session = createHttpSession(port, snapshot, counters, notices, 0, randomBytes(SEED_BYTES));
  session.begin(1000);
  session.accepted(CLIENT, listener);
  const start = port.buffers.acquireLarge() + HEADROOM_BYTES;
  session.received(CLIENT, start, writeBytes(port.buffers.memory, start, Buffer.from(head, "latin1")));
  if (port.address !== "" && !port.sent.has(CLIENT)) session.connected(ORIGIN);
  session.end();
  return {
    request: port.sent.get(ORIGIN) ?? "",
    address: port.address,
    answer: port.sent.get(CLIENT) ?? "",
    failure,
  };
}
