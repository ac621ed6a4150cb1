/**
 * Whose request it is, for notices and hooks: the peer's, or that of the client whom proxies that are believed
 * name (`route/client-address.ts`).
 *
 * Strategy: noted when the request comes, since its head may be gone when somebody asks; as bytes that stay with
 * the leg, so that a name which nobody reads costs no string. Of a peer that is not believed nothing is noted.
 *
 * @hot
 */
import { textOf } from "../base/bytes.ts";
import { PEER_ADDRESS_BYTES } from "../contract/port.ts";
import type { MessageHead } from "../http1/message-head.ts";
import { ClientAddress } from "../route/client-address.ts";
import type { ClientLeg } from "./legs.ts";
import type { Plane } from "./plane.ts";

const NAME_BYTES_MAX = PEER_ADDRESS_BYTES;
/** `ClientLeg.namedLength`: it cannot be said who it is. */
const UNKNOWN = -1;

export class ClientNames {
  readonly #plane: Plane;
  readonly #address = new ClientAddress();

  constructor(plane: Plane) {
    this.#plane = plane;
  }

  /** The request with `head` is that of `leg`, whose peer is believed. Its bytes lie where they were parsed. */
  note(leg: ClientLeg, head: MessageHead): void {
    leg.namedLength = UNKNOWN;
    // What stands in front of a line that is not here yet may be the client's own word.
    if (head.end <= head.start) return;
    const { memory, snapshot } = this.#plane;
    const { peerStart, peerEnd, address } = leg;
    const { trustedProxies, forwarded } = snapshot.policy;
    const found = this.#address;
    found.usePeer(peerStart, peerEnd, address);
    found.follow(memory, head, trustedProxies, forwarded);
    const { start, end } = found;
    const length = end - start;
    if (start === peerStart) leg.namedLength = 0;
    else if (length <= NAME_BYTES_MAX) {
      if (leg.named.length === 0) leg.named = new Uint8Array(NAME_BYTES_MAX);
      for (let i = 0; i < length; i++) leg.named[i] = memory[start + i]!;
      leg.namedLength = length;
    }
  }

  /** The client's address as text; "" where it is not known. Allocates. */
  clientOf(leg: ClientLeg): string {
    if (!leg.trusted || leg.namedLength === 0) return this.peerOf(leg);
    return leg.namedLength < 0 ? "" : textOf(leg.named, 0, leg.namedLength);
  }

  /** The address of whoever is connected, as text; "" where it is not known. Allocates. */
  peerOf({ peerStart, peerEnd }: ClientLeg): string {
    return peerStart < 0 ? "" : textOf(this.#plane.memory, peerStart, peerEnd);
  }
}
