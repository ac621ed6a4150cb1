/** A port that takes everything, tells nothing and remembers what was sent: a session without an engine. */
import { BufferPool, HEADROOM_BYTES } from "../../src/base/buffer-pool.ts";
import { textOf, writeBytes } from "../../src/base/bytes.ts";
import type { Port } from "../../src/contract/port.ts";
import type { Session } from "../../src/session/session.ts";

export class QuietPort implements Port {
  readonly connectionsMax = 4096;
  readonly buffers = new BufferPool(new Uint8Array(BufferPool.regionBytes(4096, 64)), 4096, 64);
  readonly sent = new Map<number, string>();
  readonly closed: number[] = [];
  /** Connections that were asked for. */
  connectedCount = 0;
  readonly #firstOrigin: number;

  /** Connections to backends are numbered from `firstOrigin`. */
  constructor(firstOrigin: number) {
    this.#firstOrigin = firstOrigin;
  }

  connect(): number {
    return this.#firstOrigin + this.connectedCount++;
  }

  send(connection: number, start: number, end: number): void {
    const text = textOf(this.buffers.memory, start, end);
    this.sent.set(connection, (this.sent.get(connection) ?? "") + text);
    this.buffers.release(start);
  }

  queuedBytes(): number {
    return 0;
  }

  wantDrained(): void {}
  pause(): void {}
  resume(): void {}
  setBackground(_connection: number, _isBackground: boolean): void {}
  shutdown(): void {}

  close(connection: number): void {
    this.closed.push(connection);
  }

  reset(connection: number): void {
    this.closed.push(connection);
  }

  writePeerAddress(_connection: number, offset: number): number {
    return writeBytes(this.buffers.memory, offset, Buffer.from("127.0.0.1"));
  }

  /** Everything sent to `connection` since it was last taken. */
  take(connection: number): string {
    const text = this.sent.get(connection) ?? "";
    this.sent.delete(connection);
    return text;
  }

  deliver(session: Session, connection: number, text: string): void {
    const start = this.buffers.acquireLarge() + HEADROOM_BYTES;
    session.received(connection, start, writeBytes(this.buffers.memory, start, Buffer.from(text)));
  }
}
