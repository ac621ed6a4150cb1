/** The arena over the simulated wire: peers are virtual, and time passes only when somebody waits. */
import assert from "node:assert/strict";
import { errnoName } from "../../src/contract/errno.ts";
import type { Engine, EngineOptions } from "../../src/contract/port.ts";
import { createSimEngine } from "../../src/engine/sim/sim-engine.ts";
import { END_OF_STREAM, NOTHING_YET, type WireEnd, type WireOwner } from "../../src/engine/sim/wire.ts";
import { type ListenerOwner, type WireListener, World } from "../../src/engine/sim/world.ts";
import type { Arena, Harbour, HarbourKind, OpenArena, Peer } from "./arena.ts";

const PEER_HOST = "127.0.0.1";
const PATIENCE_MS = 600_000;
/** Turns of Node's loop that a world without events is given: someone else may be about to plan one. */
const PATIENCE_TURNS = 100;
const READ_BYTES = 65_536;

class SimPeer implements Peer, WireOwner {
  onBytes: (bytes: Uint8Array) => void = () => {};
  receivedBytes = 0;
  isConnected = false;
  hasEnded = false;
  failure = "";
  isGone = false;
  readonly #end: WireEnd;
  readonly #scratch = new Uint8Array(READ_BYTES);
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #isPaused = false;
  #isEnding = false;
  #isResetting = false;

  /** `endOf` makes the end that tells this peer. */
  constructor(endOf: (owner: WireOwner) => WireEnd) {
    this.#end = endOf(this);
    this.isConnected = this.#end.isConnected;
  }

  write(bytes: Uint8Array): void {
    this.#unsent.push(bytes.slice());
    this.#unsentBytes += bytes.length;
    this.#flush();
  }

  unsentBytes(): number {
    return this.#unsentBytes;
  }

  end(): void {
    this.#isEnding = true;
    this.#flush();
  }

  /** As a socket does, it connects first. */
  reset(): void {
    this.#isResetting = true;
    if (!this.isConnected || this.isGone) return;
    this.isGone = true;
    this.#end.reset();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.wireReadable();
  }

  wireConnected(end: WireEnd): void {
    if (end.errno !== 0) {
      this.#fail(end.errno);
      return;
    }
    this.isConnected = true;
    if (this.#isResetting) this.reset();
    this.#flush();
  }

  wireReadable(): void {
    while (!this.#isPaused && !this.isGone && !this.hasEnded && this.failure === "") {
      const count = this.#end.read(this.#scratch, 0, READ_BYTES);
      if (count === NOTHING_YET) return;
      if (count === END_OF_STREAM) {
        this.hasEnded = true;
      } else if (count < 0) {
        this.#fail(count);
      } else {
        this.receivedBytes += count;
        this.onBytes(this.#scratch.subarray(0, count));
      }
    }
  }

  wireWritable(): void {
    this.#flush();
  }

  #flush(): void {
    if (!this.isConnected || this.isGone || this.failure !== "") return;
    while (this.#unsent.length > 0) {
      const bytes = this.#unsent[0]!;
      const taken = this.#end.write(bytes, 0, bytes.length);
      // Reading finds the error too, behind what came before it.
      if (taken <= 0) return;
      this.#unsentBytes -= taken;
      if (taken === bytes.length) this.#unsent.shift();
      else this.#unsent[0] = bytes.subarray(taken);
      if (taken < bytes.length) return;
    }
    if (this.#isEnding) this.#end.shutdown();
  }

  #fail(errno: number): void {
    this.failure = errnoName(errno);
    this.isGone = true;
  }
}

class SimArena implements Arena {
  readonly engine: Engine;
  readonly #world: World;

  constructor(world: World, engine: Engine) {
    this.#world = world;
    this.engine = engine;
  }

  async listen(kind: HarbourKind): Promise<Harbour | null> {
    assert.equal(kind, "ipv4", "the simulated world is IPv4 only");
    const peers: Peer[] = [];
    let listener: WireListener | null = null;
    const owner: ListenerOwner = {
      wireIncoming: () => {
        const end = listener!.queue.shift()!;
        const adopt = (peer: WireOwner): WireEnd => {
          end.adopt(peer);
          return end;
        };
        peers.push(new SimPeer(adopt));
      },
    };
    listener = this.#world.listen("127.0.0.1:0", owner)!;
    return {
      address: listener.address,
      peers,
      close: async () => this.#world.refuse(listener),
    };
  }

  dial(address: string): Peer {
    return new SimPeer((owner) => this.#world.dial(address, PEER_HOST, owner));
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const giveUpMs = this.#world.nowMs + PATIENCE_MS;
    for (let turns = 0; !condition(); ) {
      if (this.#world.nowMs > giveUpMs || turns > PATIENCE_TURNS)
        throw new Error(`it never came to be that ${what}`);
      if (this.#world.step()) {
        turns = 0;
        // Others may wait in the same world.
        await null;
      } else {
        turns++;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.#world.nowMs + ms;
    while (this.#world.nowMs < endMs) {
      this.#world.run(Math.min(endMs, this.#world.nowMs + 0.1));
      await null;
    }
  }

  nowMs(): number {
    return this.#world.nowMs;
  }

  changed(): void {}

  async close(): Promise<void> {}
}

/** Arenas in worlds of `seed`. */
export function simArenas(seed: number): OpenArena {
  return async (options: EngineOptions) => {
    const world = new World({ seed });
    return new SimArena(world, createSimEngine(world, options));
  };
}
