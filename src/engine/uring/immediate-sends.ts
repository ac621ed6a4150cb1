/**
 * Sends that are done when they have been handed over.
 *
 * A send on a socket with room completes while its entry is submitted, and a completion that says no more than
 * that costs an entry in the queue, a look at it, and the wait that it ends too early. So a send is first tried
 * without waiting, whole or not at all as far as success goes (MSG_DONTWAIT, MSG_WAITALL), and its success is
 * not told (IOSQE_CQE_SKIP_SUCCESS). What the kernel did not take whole it tells before the call returns; all
 * others in this list have left.
 *
 * @hot
 */
import { InFlight } from "../native/connection-table.ts";
import { Operation } from "./operation.ts";
import { type Ring, CQE_WORDS as WORDS_OF_CQE } from "./ring.ts";

const CQE_WORDS = WORDS_OF_CQE;
const IMMEDIATE_SEND = Operation.immediateSend;
const IMMEDIATE = InFlight.immediate;

/**
 * Takes `InFlight.immediate` from the connections whose immediate send an unread completion tells of; in
 * `inFlight` by connection.
 */
export function noteRefused(ring: Ring, inFlight: Uint8Array): void {
  const { cqes, cqHead, cqMask } = ring;
  const ready = ring.cqReady();
  for (let i = 0; i < ready; i++) {
    const at = ((cqHead + i) & cqMask) * CQE_WORDS;
    if (cqes[at + 1] !== IMMEDIATE_SEND) continue;
    const connection = cqes[at]!;
    inFlight[connection] = inFlight[connection]! & ~IMMEDIATE;
  }
}

export class ImmediateSends {
  readonly #connections: Int32Array;
  /**
   * By connection: while completions are held back, one that was told of its refusal may stand here a second
   * time, and its older entry must not count the newer one's bytes.
   */
  readonly #bytes: Int32Array;
  #count = 0;

  /** Connections are numbered below `connectionsMax`; room for so many sends. */
  constructor(connectionsMax: number) {
    this.#connections = new Int32Array(connectionsMax);
    this.#bytes = new Int32Array(connectionsMax);
  }

  get count(): number {
    return this.#count;
  }

  isFull(): boolean {
    return this.#count === this.#connections.length;
  }

  /** An entry that sends `bytes` to `connection` has been written. */
  add(connection: number, bytes: number): void {
    this.#connections[this.#count++] = connection;
    this.#bytes[connection] = bytes;
  }

  connectionAt(index: number): number {
    return this.#connections[index]!;
  }

  /** Bytes of the last send of `connection`. */
  bytesOf(connection: number): number {
    return this.#bytes[connection]!;
  }

  clear(): void {
    this.#count = 0;
  }
}
