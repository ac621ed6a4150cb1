/**
 * The addresses of clients as text, in memory: written when a request first needs one, then only copied.
 *
 * Strategy: each connection number has its place in a small slot that it shares with its neighbours, so that
 * a text is found without being looked for. The slots are never given back.
 *
 * @hot
 */
import { assert } from "../base/assert.ts";
import { PEER_ADDRESS_BYTES, type Port } from "../contract/port.ts";
import type { ClientLeg } from "./legs.ts";

const PEERS_PER_SLOT = 80;
const PEER_STRIDE = 48;

export class PeerTexts {
  readonly #port: Port;
  /** By connection number / `PEERS_PER_SLOT`; -1: not needed yet. */
  readonly #slots: Int32Array;

  constructor(port: Port) {
    this.#port = port;
    this.#slots = new Int32Array(Math.ceil(port.connectionsMax / PEERS_PER_SLOT)).fill(-1);
  }

  /** Sets `peerStart` and `peerEnd`, valid until the connection closes; they stay -1 without a slot. */
  ensure(leg: ClientLeg): void {
    if (leg.peerStart >= 0) return;
    const index = (leg.connection / PEERS_PER_SLOT) | 0;
    let slot = this.#slots[index]!;
    if (slot < 0) {
      slot = this.#port.buffers.acquireSmall();
      if (slot < 0) return;
      this.#slots[index] = slot;
    }
    leg.peerStart = slot + (leg.connection - index * PEERS_PER_SLOT) * PEER_STRIDE;
    leg.peerEnd = this.#port.writePeerAddress(leg.connection, leg.peerStart);
    assert(leg.peerEnd - leg.peerStart <= PEER_ADDRESS_BYTES, "an address fits its place");
  }
}
