/** Sends bytes that lie outside the pool. */
import { LARGE_SLOT_BYTES, SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import type { Port } from "../contract/port.ts";

/**
 * Copies `bytes` into slots and sends them. Returns false when the pool ran out: the connection is broken in
 * the middle.
 */
export function sendBytes(port: Port, connection: number, bytes: Uint8Array): boolean {
  for (let from = 0; from < bytes.length; ) {
    const rest = bytes.length - from;
    const isSmall = rest <= SMALL_SLOT_BYTES;
    const start = isSmall ? port.buffers.acquireSmall() : port.buffers.acquireLarge();
    if (start < 0) return false;
    const count = isSmall ? rest : Math.min(rest, LARGE_SLOT_BYTES);
    port.buffers.memory.set(bytes.subarray(from, from + count), start);
    port.send(connection, start, start + count);
    from += count;
  }
  return true;
}
