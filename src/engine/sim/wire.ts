/**
 * One end of a virtual connection: what a socket is to a program, with its kernel's two buffers.
 *
 * Nobody is called back from within a call: owners hear of changes from the world's events only.
 */
import { assert } from "../../base/assert.ts";
import { Errno } from "../../contract/errno.ts";
import type { World } from "./world.ts";

/** Who is told about an end. What has changed is read from the end. */
export interface WireOwner {
  /** It is connected, or `errno` says why not. */
  wireConnected(end: WireEnd): void;
  /** There is something to read: bytes, the end, or an error. */
  wireReadable(end: WireEnd): void;
  /** After a `write` that took less than it was given: there is room again, or an error. */
  wireWritable(end: WireEnd): void;
}

/** `read` found nothing, and more may come. */
export const NOTHING_YET = -1_000_001;
/** `read` found the peer's FIN. */
export const END_OF_STREAM = 0;

/** A loop copies so few bytes faster than `set` does. */
const COPIED_BYTES_MAX = 64;

const OPEN = 0;
const FIN = 1;

export class WireEnd {
  /** As the other side is called from here. */
  readonly remoteAddress: string;
  /** 0, or what `read` and `write` answer. */
  errno = 0;
  isConnected = false;
  isClosed = false;
  readonly #world: World;
  #owner: WireOwner | null;
  #peer: WireEnd | null = null;
  /** Written, not yet on the wire. */
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #isShut = false;
  #isFinSent = false;
  #isWriterWaiting = false;
  #isSendPlanned = false;
  /** On the wire; arrives in order. */
  #flightBytes = 0;
  #lastArrivalMs = 0;
  /** Arrived, not yet read. */
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #inboxState: typeof OPEN | typeof FIN = OPEN;

  constructor(world: World, remoteAddress: string, owner: WireOwner | null) {
    this.#world = world;
    this.remoteAddress = remoteAddress;
    this.#owner = owner;
  }

  /** Takes an accepted end over. */
  adopt(owner: WireOwner): void {
    assert(this.#owner === null, "an end has one owner");
    this.#owner = owner;
    if (this.isReadable()) this.#world.after(0, () => this.#tellReadable());
  }

  /**
   * Copies up to `end - start` bytes. Returns how many it took (0: full, `wireWritable` will follow), or a
   * negative errno.
   */
  write(bytes: Uint8Array, start: number, end: number): number {
    assert(!this.isClosed && !this.#isShut, "an end that is written to is open");
    if (this.errno !== 0) return this.errno;
    const count = Math.min(end - start, this.#world.socketBytesMax - this.#unsentBytes);
    if (count < end - start) this.#isWriterWaiting = true;
    if (count === 0) return 0;
    this.#unsent.push(bytes.slice(start, start + count));
    this.#unsentBytes += count;
    this.#planSend();
    return count;
  }

  /**
   * Moves arrived bytes to `target[start, start + countMax)`. Returns their number, `END_OF_STREAM`,
   * `NOTHING_YET`, or a negative errno. Bytes that arrived come before the error that broke the connection.
   */
  read(target: Uint8Array, start: number, countMax: number): number {
    let count = 0;
    while (count < countMax && this.#inbox.length > 0) {
      const chunk = this.#inbox[0]!;
      const part = Math.min(chunk.length, countMax - count);
      if (part <= COPIED_BYTES_MAX) for (let i = 0; i < part; i++) target[start + count + i] = chunk[i]!;
      else target.set(part === chunk.length ? chunk : chunk.subarray(0, part), start + count);
      if (part === chunk.length) this.#inbox.shift();
      else this.#inbox[0] = chunk.subarray(part);
      count += part;
    }
    if (count > 0) {
      this.#inboxBytes -= count;
      if (this.#peer !== null) this.#peer.#planSend();
      return count;
    }
    if (this.errno !== 0) return this.errno;
    return this.#inboxState === FIN ? END_OF_STREAM : NOTHING_YET;
  }

  isReadable(): boolean {
    return this.#inbox.length > 0 || this.#inboxState === FIN || this.errno !== 0;
  }

  /** The peer's FIN is here, whatever lies in front of it. */
  get hasFin(): boolean {
    return this.#inboxState === FIN;
  }

  /** FIN behind what is written. */
  shutdown(): void {
    if (this.#isShut || this.isClosed) return;
    this.#isShut = true;
    this.#planSend();
  }

  /** Gives the end up: what is written still leaves, then FIN; or RST when bytes were not read. */
  close(): void {
    if (this.isClosed) return;
    if (this.#inbox.length > 0) {
      this.reset();
      return;
    }
    this.isClosed = true;
    this.#owner = null;
    this.#isShut = true;
    this.#planSend();
  }

  /** Gives the end up with an RST: what is written and not on the wire is dropped. */
  reset(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#owner = null;
    this.#sendReset();
  }

  // ── For the world
  // ─────────────────────────────────────────────────────────────────────────────────────────────────

  join(far: WireEnd): void {
    this.#peer = far;
    far.#peer = this;
    far.isConnected = true;
  }

  establish(): void {
    this.isConnected = true;
    this.#planSend();
    if (this.isClosed) return;
    this.#owner?.wireConnected(this);
    if (this.isReadable()) this.#tellReadable();
  }

  refuse(): void {
    if (this.isClosed) return;
    this.errno = Errno.ECONNREFUSED;
    this.#owner?.wireConnected(this);
  }

  // ── The wire
  // ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #planSend(): void {
    if (this.#isSendPlanned || !this.isConnected) return;
    this.#isSendPlanned = true;
    this.#world.after(0, () => {
      this.#isSendPlanned = false;
      this.#send();
    });
  }

  /** Puts on the wire what the other side has room for. */
  #send(): void {
    const peer = this.#peer;
    if (peer === null || this.errno !== 0) return;
    const world = this.#world;
    while (this.#unsent.length > 0) {
      const room = world.socketBytesMax - peer.#inboxBytes - this.#flightBytes;
      if (room <= 0) break;
      const chunk = this.#unsent[0]!;
      const count = Math.min(chunk.length, room, world.prng.between(1, world.segmentBytesMax));
      const segment = count === chunk.length ? chunk : chunk.subarray(0, count);
      if (count === chunk.length) this.#unsent.shift();
      else this.#unsent[0] = chunk.subarray(count);
      this.#unsentBytes -= count;
      this.#flightBytes += count;
      world.at(this.#arrivalMs(), () => {
        this.#flightBytes -= count;
        peer.#arrive(segment);
      });
    }
    if (this.#unsent.length === 0 && this.#isShut && !this.#isFinSent) {
      this.#isFinSent = true;
      world.at(this.#arrivalMs(), () => peer.#arriveFin());
    }
    if (this.#isWriterWaiting && this.#unsentBytes < world.socketBytesMax) {
      this.#isWriterWaiting = false;
      this.#owner?.wireWritable(this);
    }
  }

  #arrive(segment: Uint8Array): void {
    if (this.isClosed) {
      // Nobody is there to read it: RFC 9293 §3.10.7.1.
      this.#sendReset();
      return;
    }
    this.#inbox.push(segment);
    this.#inboxBytes += segment.length;
    this.#tellReadable();
  }

  #arriveFin(): void {
    this.#inboxState = FIN;
    if (!this.isClosed) this.#tellReadable();
  }

  #sendReset(): void {
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#inbox = [];
    this.#inboxBytes = 0;
    const peer = this.#peer;
    if (peer === null || this.errno !== 0) return;
    this.errno = Errno.ECONNRESET;
    this.#world.at(this.#arrivalMs(), () => peer.#arriveReset());
  }

  #arriveReset(): void {
    if (this.errno !== 0) return;
    this.errno = Errno.ECONNRESET;
    this.#unsent = [];
    this.#unsentBytes = 0;
    if (this.#world.resetFlushes) {
      this.#inbox = [];
      this.#inboxBytes = 0;
    }
    if (this.isClosed) return;
    this.#tellReadable();
    if (this.#isWriterWaiting) this.#owner?.wireWritable(this);
  }

  #tellReadable(): void {
    if (this.isConnected) this.#owner?.wireReadable(this);
  }

  /** When the next segment arrives: never before the one sent last. */
  #arrivalMs(): number {
    const world = this.#world;
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, world.nowMs + world.latencyMs());
    return this.#lastArrivalMs;
  }
}
