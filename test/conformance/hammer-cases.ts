/**
 * Law: under thousands of connects, closes and resets in any order, no byte is lost, doubled or crossed to
 * another connection, and no event of an old connection reaches the next owner of its number.
 */
import assert from "node:assert/strict";
import { Prng } from "../../src/base/prng.ts";
import type { Peer } from "./arena.ts";
import type { Case, Stage } from "./case.ts";
import { patternOf, Tally } from "./pattern.ts";
import type { Seen } from "./witness.ts";

const CONNECTIONS = 3000;
const OPEN_MAX = 40;
/** The first bytes on every connection say which it is: the peer's number, then its pattern. */
const ID_BYTES = 4;
const PATTERNS = 251;

interface Life {
  readonly peer: Peer;
  readonly id: number;
  readonly toSend: number;
  /** What the peer does when it has sent all: 0 FIN and reads on, 1 RST, 2 nothing. */
  readonly ending: number;
  readonly tally: Tally;
}

class Hammer {
  readonly #stage: Stage;
  readonly #prng: Prng;
  readonly #lives = new Set<Life>();
  #begun = 0;
  #echoed = 0;
  #idBytes = new Map<Seen, number[]>();

  constructor(stage: Stage, seed: number) {
    this.#stage = stage;
    this.#prng = new Prng(seed);
  }

  async run(): Promise<void> {
    const { arena, engine, witness } = this.#stage;
    witness.onReceived = (seen, start, end) => this.#received(seen, start, end);
    witness.onEnded = (seen) => {
      witness.shutdown(seen);
      witness.close(seen);
    };
    witness.onFailed = (seen) => witness.close(seen);
    while (this.#begun < CONNECTIONS || this.#lives.size > 0) {
      while (this.#begun < CONNECTIONS && this.#lives.size < OPEN_MAX)
        this.#begin(engine.listenerAddresses[0]!);
      const before = this.#begun - this.#lives.size;
      await arena.until("some connection is over", () => {
        for (const life of this.#lives) if (this.#isOver(life)) this.#lives.delete(life);
        return this.#begun - this.#lives.size > before;
      });
    }
    assert.ok(this.#echoed > CONNECTIONS, "bytes went to and fro");
  }

  #begin(address: string): void {
    const prng = this.#prng;
    const id = this.#begun++;
    const life: Life = {
      peer: this.#stage.arena.dial(address),
      id,
      toSend: prng.oneIn(20) ? prng.below(300_000) : prng.below(3000),
      ending: prng.below(3),
      tally: new Tally(patternOf(id % PATTERNS)),
    };
    this.#lives.add(life);
    life.peer.onBytes = (bytes) => life.tally.add(bytes, 0, bytes.length);
    const head = Buffer.alloc(ID_BYTES);
    head.writeUInt32LE(id);
    life.peer.write(head);
    if (life.toSend > 0) life.peer.write(patternOf(id % PATTERNS).slice(0, life.toSend));
    if (life.ending === 0) life.peer.end();
    else if (life.ending === 1 && prng.oneIn(2)) life.peer.reset();
  }

  #received(seen: Seen, start: number, end: number): void {
    const { engine, witness } = this.#stage;
    const { memory } = engine.buffers;
    let at = start;
    if (seen.tally === null) {
      const head = this.#idBytes.get(seen) ?? [];
      while (at < end && head.length < ID_BYTES) head.push(memory[at++]!);
      this.#idBytes.set(seen, head);
      if (head.length < ID_BYTES) {
        engine.buffers.release(start);
        return;
      }
      this.#idBytes.delete(seen);
      seen.tally = new Tally(patternOf(Buffer.from(head).readUInt32LE() % PATTERNS));
      // Later ranges are added by the witness.
      seen.tally.add(memory, at, end);
    }
    if (seen.tally.wrongAt >= 0) witness.broken.push("bytes of another connection, or at another place");
    this.#echoed += end - at;
    // Behind the last reference the range may be anybody's: the choice comes first.
    const choice = this.#prng.below(100);
    if (at < end) witness.send(seen, at, end);
    else engine.buffers.release(start);
    if (choice === 0) witness.close(seen);
    else if (choice === 1) witness.reset(seen);
    else if (choice === 2) {
      witness.pause(seen);
      witness.resume(seen);
    }
  }

  #isOver(life: Life): boolean {
    const { peer, tally } = life;
    assert.equal(tally.wrongAt, -1, "what comes back is what was sent");
    assert.ok(tally.bytes <= life.toSend, "nothing is doubled");
    if (peer.failure !== "" || peer.isGone) return true;
    if (peer.hasEnded) {
      if (life.ending !== 0) peer.reset();
      return true;
    }
    if (life.ending !== 0 && tally.bytes === life.toSend && peer.isConnected) {
      peer.reset();
      return true;
    }
    return false;
  }
}

export const HAMMER_CASES: readonly Case[] = [1, 2].map((seed) => ({
  name: `hammer: ${CONNECTIONS} connections, seed ${seed}`,
  options: { connectionsMax: OPEN_MAX + 4, largeSlots: 32 },
  run: (stage: Stage) => new Hammer(stage, seed).run(),
}));
