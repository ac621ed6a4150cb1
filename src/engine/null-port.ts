/**
 * A port of which every connection takes everything at once and tells nothing: for playing a session without
 * an engine. Who extends it says what connecting means and what becomes of what is sent.
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import { writeBytes } from "../base/bytes.ts";
import type { Port } from "../contract/port.ts";

export abstract class NullPort implements Port {
  readonly connectionsMax: number;
  readonly buffers: BufferPool;
  readonly #clientAddress: Uint8Array;

  /** `clientAddress`: the text that `writePeerAddress` gives for every connection. */
  constructor(buffers: BufferPool, connectionsMax: number, clientAddress: Uint8Array) {
    this.buffers = buffers;
    this.connectionsMax = connectionsMax;
    this.#clientAddress = clientAddress;
  }

  abstract connect(address: string): number;

  /** Must release the range's slot. */
  abstract send(connection: number, start: number, end: number): void;

  queuedBytes(): number {
    return 0;
  }

  wantDrained(): void {}
  pause(): void {}
  resume(): void {}
  setBackground(): void {}
  shutdown(): void {}
  close(): void {}
  reset(): void {}

  writePeerAddress(_connection: number, offset: number): number {
    return writeBytes(this.buffers.memory, offset, this.#clientAddress);
  }
}
