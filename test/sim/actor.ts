/**
 * One end of a simulated connection in the hands of a simulation: writes as the wire takes it, in pieces and
 * pauses that chance decides, and hands on what comes. Clients and backends are actors.
 */
import { END_OF_STREAM, NOTHING_YET, type WireEnd, type WireOwner } from "../../src/engine/sim/wire.ts";
import type { World } from "../../src/engine/sim/world.ts";
import type { Trace } from "./trace.ts";

const READ_BYTES = 65_536;
const SLOW_READ_BYTES = 4_096;
/** Shared by all: what was read is used before anybody reads again. */
const SCRATCH = Buffer.alloc(READ_BYTES);

/** How fast an end reads and writes. */
export interface Pace {
  /** Reads this long after bytes came; 0: at once. */
  readonly readMs: number;
  /** Writes at most so much at once, `writeMs` apart; 0: all at once. */
  readonly writeBytesMax: number;
  readonly writeMs: number;
}

export abstract class Actor implements WireOwner {
  readonly world: World;
  readonly trace: Trace;
  /** For the trace. */
  readonly name: string;
  /** FIN was read. */
  hasEnded = false;
  /** RST, or connecting failed. */
  isBroken = false;
  /** Closed or reset by itself. */
  isGone = false;
  readonly #pace: Pace;
  #end: WireEnd | null = null;
  #outgoing: Buffer[] = [];
  #outgoingAt = 0;
  #isEnding = false;
  #isShut = false;
  #isStalled = false;
  #isWritePlanned = false;
  #isReadPlanned = false;
  #isDeaf = false;

  constructor(world: World, trace: Trace, name: string, pace: Pace) {
    this.world = world;
    this.trace = trace;
    this.name = name;
    this.#pace = pace;
  }

  /** `[0, count)` of `bytes` came: valid during the call. */
  protected abstract received(bytes: Buffer, count: number): void;

  /** FIN came, or the connection broke (`isBroken`). */
  protected abstract over(): void;

  /** Nothing more will come, or is wanted. */
  get isOver(): boolean {
    return this.hasEnded || this.isBroken || this.isGone;
  }

  /** Everything written is on its way. */
  get isFlushed(): boolean {
    return this.#outgoingAt === this.#outgoing.length;
  }

  /** `end` is what `dial` returned, or an accepted end. */
  attach(end: WireEnd): void {
    this.#end = end;
  }

  write(bytes: Buffer): void {
    if (this.isGone || this.#isEnding || bytes.length === 0) return;
    this.#outgoing.push(bytes);
    this.#flush();
  }

  /** FIN behind what is written. */
  end(): void {
    this.#isEnding = true;
    this.#flush();
  }

  reset(): void {
    if (this.isGone) return;
    this.trace.note(this.name, "resets");
    this.isGone = true;
    this.#end!.reset();
  }

  close(): void {
    if (this.isGone) return;
    this.trace.note(this.name, "closes");
    this.isGone = true;
    this.#end!.close();
  }

  /** Writes nothing any more, and says nothing about it. */
  stall(): void {
    this.trace.note(this.name, "stalls");
    this.#isStalled = true;
  }

  /** Reads nothing any more. */
  deafen(): void {
    this.trace.note(this.name, "reads no more");
    this.#isDeaf = true;
  }

  /** Reads again. */
  listen(): void {
    if (!this.#isDeaf) return;
    this.#isDeaf = false;
    this.#read();
  }

  wireConnected(end: WireEnd): void {
    if (end.errno !== 0) this.#break();
    else this.#flush();
  }

  wireReadable(): void {
    if (this.#pace.readMs === 0) this.#read();
    else if (!this.#isReadPlanned) {
      this.#isReadPlanned = true;
      this.world.after(this.#pace.readMs, () => {
        this.#isReadPlanned = false;
        this.#read();
      });
    }
  }

  wireWritable(): void {
    this.#flush();
  }

  #read(): void {
    if (this.isOver || this.#isDeaf) return;
    const isSlow = this.#pace.readMs > 0;
    const count = this.#end!.read(SCRATCH, 0, isSlow ? SLOW_READ_BYTES : READ_BYTES);
    if (count === NOTHING_YET) return;
    if (count > 0) {
      this.trace.note(this.name, "reads", count, SCRATCH[0], SCRATCH[count - 1]);
      this.received(SCRATCH, count);
    } else if (count === END_OF_STREAM) {
      this.trace.note(this.name, "reads FIN");
      this.hasEnded = true;
      this.over();
    } else this.#break();
    // What is left will not be announced again.
    if (!this.isOver && this.#end!.isReadable()) this.wireReadable();
  }

  #break(): void {
    if (this.isBroken || this.isGone) return;
    this.trace.note(this.name, "is broken");
    this.isBroken = true;
    this.#end!.close();
    this.over();
  }

  #flush(): void {
    const end = this.#end;
    if (end === null || !end.isConnected || this.isGone || this.isBroken) return;
    if (this.#isShut || this.#isWritePlanned || this.#isStalled) return;
    const { writeBytesMax, writeMs } = this.#pace;
    const outgoing = this.#outgoing;
    while (this.#outgoingAt < outgoing.length) {
      const bytes = outgoing[this.#outgoingAt]!;
      const wanted = writeBytesMax === 0 ? bytes.length : Math.min(bytes.length, writeBytesMax);
      const taken = end.write(bytes, 0, wanted);
      // Reading finds the error too, behind what came before it.
      if (taken < 0) return;
      if (taken === bytes.length) this.#outgoingAt++;
      else outgoing[this.#outgoingAt] = bytes.subarray(taken);
      if (taken < wanted) return;
      if (writeMs > 0) {
        this.#isWritePlanned = true;
        this.world.after(writeMs, () => {
          this.#isWritePlanned = false;
          this.#flush();
        });
        return;
      }
    }
    outgoing.length = 0;
    this.#outgoingAt = 0;
    if (!this.#isEnding) return;
    this.#isShut = true;
    end.shutdown();
  }
}
