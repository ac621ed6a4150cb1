/** An end of a virtual connection as clients and backends use it: it writes all that it is given, in its time. */
import { END_OF_STREAM, NOTHING_YET, type WireEnd, type WireOwner } from "../engine/sim/wire.ts";

export interface SocketEvents {
  connected(errno: number): void;
  received(bytes: Uint8Array): void;
  /** `errno`: 0 for FIN. Once. */
  ended(errno: number): void;
}

const SCRATCH = new Uint8Array(65_536);

export class VirtualSocket implements WireOwner {
  readonly #events: SocketEvents;
  #end: WireEnd | undefined;
  #unsent: Uint8Array[] = [];
  #isShut = false;
  #isOver = false;

  constructor(events: SocketEvents) {
    this.#events = events;
  }

  attach(end: WireEnd): void {
    this.#end = end;
  }

  get isClosed(): boolean {
    return this.#end === undefined || this.#end.isClosed;
  }

  send(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#unsent.push(bytes);
    this.#flush();
  }

  /** FIN behind all that was sent. */
  shutdown(): void {
    this.#isShut = true;
    this.#flush();
  }

  close(): void {
    this.#end?.close();
  }

  reset(): void {
    this.#end?.reset();
  }

  wireConnected(end: WireEnd): void {
    this.#events.connected(end.errno);
    this.#flush();
  }

  wireReadable(end: WireEnd): void {
    while (!end.isClosed && !this.#isOver) {
      const count = end.read(SCRATCH, 0, SCRATCH.length);
      if (count === NOTHING_YET) return;
      if (count > 0) this.#events.received(SCRATCH.slice(0, count));
      else {
        this.#isOver = true;
        this.#events.ended(count === END_OF_STREAM ? 0 : count);
      }
    }
  }

  wireWritable(): void {
    this.#flush();
  }

  #flush(): void {
    const end = this.#end;
    if (end === undefined || end.isClosed || !end.isConnected || end.errno !== 0) return;
    while (this.#unsent.length > 0) {
      const bytes = this.#unsent[0]!;
      const count = end.write(bytes, 0, bytes.length);
      if (count < 0) return;
      if (count < bytes.length) {
        this.#unsent[0] = bytes.subarray(count);
        return;
      }
      this.#unsent.shift();
    }
    if (this.#isShut) end.shutdown();
  }
}
