/** The address of a client as text, for a notice about a connection that nobody keeps it for. */
import { assert } from "../base/assert.ts";
import { textOf } from "../base/bytes.ts";
import { PEER_ADDRESS_BYTES } from "../contract/port.ts";
import type { Plane } from "./plane.ts";

/** "" where the kernel has forgotten it already, or no slot is free to write it to. */
export function peerText({ buffers, port, memory }: Plane, connection: number): string {
  const slot = buffers.acquireSmall();
  if (slot < 0) return "";
  const end = port.writePeerAddress(connection, slot);
  assert(end - slot <= PEER_ADDRESS_BYTES, "an address fits its place");
  const text = textOf(memory, slot, end);
  buffers.release(slot);
  return text;
}
