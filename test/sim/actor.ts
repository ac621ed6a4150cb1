/**
 * One end of a simulated connection in the hands of a simulation: writes as the wire takes it, in pieces and
 * pauses that chance decides, and keeps what comes. Clients and backends are actors.
 */
import { END_OF_STREAM, NOTHING_YET, type WireEnd, type WireOwner } from "../../src/engine/sim/wire.ts";
import type { World } from "../../src/engine/sim/world.ts";

const READ_BYTES = 65_536;

export class Actor implements WireOwner {
  readonly world: World;
  /** All that came and was not used. */
  input: Buffer = Buffer.alloc(0);
  hasEnded = false;
  /** RST, or connecting failed. */
  isBroken = false;
  isGone = false;
  /** Called whenever something came: bytes, FIN, RST. */
  onChange: () => void = () => {};
  readonly #scratch = Buffer.alloc(READ_BYTES);
  #end: WireEnd | null = null;
  #outgoing: Buffer[] = [];
  #isEnding = false;
  #isShut = false;
  #isWritePlanned = false;
  /** Reads this long after bytes came: a slow reader. */
  readMs = 0;
  /** Writes at most so much at once, `writeMs` apart; 0: all at once. */
  writeBytesMax = 0;
  writeMs = 0;

  constructor(world: World) {
    this.world = world;
  }

  /** `end` is what `dial` returned, or an accepted end. */
  attach(end: WireEnd): void {
    this.#end = end;
  }

  write(bytes: Buffer | string): void {
    this.#outgoing.push(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    this.#flush();
  }

  /** FIN behind what is written. */
  end(): void {
    this.#isEnding = true;
    this.#flush();
  }

  reset(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#end!.reset();
  }

  close(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#end!.close();
  }

  wireConnected(end: WireEnd): void {
    if (end.errno !== 0) this.#break();
    else this.#flush();
  }

  wireReadable(): void {
    if (this.readMs === 0) this.#read();
    else this.world.after(this.readMs, () => this.#read());
  }

  wireWritable(): void {
    this.#flush();
  }

  #read(): void {
    if (this.isGone || this.hasEnded || this.isBroken) return;
    const countMax = this.readMs === 0 ? READ_BYTES : 4_096;
    const count = this.#end!.read(this.#scratch, 0, countMax);
    if (count === NOTHING_YET) return;
    if (count === END_OF_STREAM) this.hasEnded = true;
    else if (count < 0) {
      this.#break();
      return;
    } else this.input = Buffer.concat([this.input, this.#scratch.subarray(0, count)]);
    this.onChange();
    if (this.isGone) return;
    // What is left will not be announced again.
    if (count > 0 && this.#end!.isReadable()) this.wireReadable();
  }

  #break(): void {
    if (this.isBroken || this.isGone) return;
    this.isBroken = true;
    this.isGone = true;
    this.#end!.close();
    this.onChange();
  }

  #flush(): void {
    const end = this.#end;
    if (end === null || !end.isConnected || this.isGone || this.#isShut || this.#isWritePlanned) return;
    while (this.#outgoing.length > 0) {
      const bytes = this.#outgoing[0]!;
      const wanted = this.writeBytesMax === 0 ? bytes.length : Math.min(bytes.length, this.writeBytesMax);
      const taken = end.write(bytes, 0, wanted);
      // Reading finds the error too, behind what came before it.
      if (taken < 0) return;
      if (taken === bytes.length) this.#outgoing.shift();
      else this.#outgoing[0] = bytes.subarray(taken);
      if (taken < wanted) return;
      if (this.writeMs > 0) {
        this.#isWritePlanned = true;
        this.world.after(this.writeMs, () => {
          this.#isWritePlanned = false;
          this.#flush();
        });
        return;
      }
    }
    if (!this.#isEnding) return;
    this.#isShut = true;
    end.shutdown();
  }
}
