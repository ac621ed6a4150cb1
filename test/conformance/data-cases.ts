/** Bytes: all of them, in order, whatever their number and however they are cut. */
import assert from "node:assert/strict";
import { RECEIVE_BYTES, SMALL_SLOT_BYTES } from "../../src/base/buffer-pool.ts";
import type { Peer } from "./arena.ts";
import { type Case, type Pair, type Stage, WAYS } from "./case.ts";
import { patternOf, Tally } from "./pattern.ts";

const MIB = 1 << 20;
const SIZES = [
  1,
  2,
  1000,
  SMALL_SLOT_BYTES + 1,
  RECEIVE_BYTES - 1,
  RECEIVE_BYTES,
  RECEIVE_BYTES + 1,
  3 * MIB + 7,
];
const WRITE_BYTES = 262_144;

/** Has the peer write `count` bytes of a pattern, never more than a few writes ahead of its kernel. */
export async function peerWrites(stage: Stage, peer: Peer, seed: number, count: number): Promise<void> {
  for (let at = 0; at < count; at += WRITE_BYTES) {
    peer.write(patternOf(seed).slice(at, Math.min(WRITE_BYTES, count - at)));
    await stage.arena.until("the peer's kernel takes more", () => peer.unsentBytes() < 4 * WRITE_BYTES);
  }
}

/** Sends `count` bytes as fast as `drained` comes. */
export function sendAll({ witness }: Stage, { seen }: Pair, seed: number, count: number): void {
  const more = (): void => {
    const part = Math.min(count - seen.sentBytes, 8 * RECEIVE_BYTES);
    if (part === 0) return;
    assert.ok(witness.sendPattern(seen, patternOf(seed), part), "there are slots");
    witness.wantDrained(seen);
  };
  witness.onDrained = (drained) => {
    if (drained === seen) more();
  };
  more();
}

function tallyOf(peer: Peer, seed: number): Tally {
  const tally = new Tally(patternOf(seed));
  peer.onBytes = (bytes) => tally.add(bytes, 0, bytes.length);
  return tally;
}

async function inward(stage: Stage, { seen, peer }: Pair, seed: number, count: number): Promise<void> {
  seen.tally = new Tally(patternOf(seed));
  seen.receivedBytes = 0;
  await peerWrites(stage, peer, seed, count);
  await stage.arena.until(`${count} bytes came`, () => seen.receivedBytes >= count);
  assert.equal(seen.receivedBytes, count);
  assert.equal(seen.tally.wrongAt, -1);
}

async function outward(stage: Stage, pair: Pair, seed: number, count: number): Promise<void> {
  const { seen, peer } = pair;
  seen.sentBytes = 0;
  peer.receivedBytes = 0;
  const tally = tallyOf(peer, seed);
  sendAll(stage, pair, seed, count);
  await stage.arena.until(`${count} bytes left`, () => peer.receivedBytes >= count);
  assert.equal(peer.receivedBytes, count);
  assert.equal(tally.wrongAt, -1);
}

export const DATA_CASES: readonly Case[] = WAYS.flatMap(({ way, pairOf }): Case[] => [
  {
    name: `${way}: bytes come in, ${SIZES.join(", ")} of them`,
    async run(stage) {
      const pair = await pairOf(stage);
      for (const [seed, size] of SIZES.entries()) await inward(stage, pair, seed, size);
    },
  },
  {
    name: `${way}: bytes go out, ${SIZES.join(", ")} of them`,
    async run(stage) {
      const pair = await pairOf(stage);
      for (const [seed, size] of SIZES.entries()) await outward(stage, pair, seed, size);
    },
  },
  {
    name: `${way}: 64 MiB come in`,
    run: async (stage) => inward(stage, await pairOf(stage), 1, 64 * MIB),
  },
  {
    name: `${way}: 64 MiB go out`,
    run: async (stage) => outward(stage, await pairOf(stage), 1, 64 * MIB),
  },
  {
    name: `${way}: 16 MiB are echoed from the slots they came in`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      const tally = tallyOf(peer, 3);
      witness.onReceived = (from, start, end) => {
        witness.send(from, start, end);
        if (witness.queuedBytes(from) > 4 * RECEIVE_BYTES) {
          witness.pause(from);
          witness.wantDrained(from);
        }
      };
      witness.onDrained = (from) => witness.resume(from);
      await peerWrites(stage, peer, 3, 16 * MIB);
      peer.end();
      await arena.until("all came back", () => peer.receivedBytes >= 16 * MIB && seen.hasEnded);
      assert.equal(peer.receivedBytes, 16 * MIB);
      assert.equal(tally.wrongAt, -1);
    },
  },
  {
    name: `${way}: many sends in one batch leave in order, small and large, from one slot or several`,
    options: { smallSlots: 600 },
    async run(stage) {
      const { arena, engine, witness } = stage;
      const { buffers } = engine;
      const { seen, peer } = await pairOf(stage);
      const pattern = patternOf(9);
      const tally = tallyOf(peer, 9);
      let sent = 0;
      witness.onReceived = (_seen, trigger) => {
        buffers.release(trigger);
        for (let i = 0; i < 500; i++) {
          const slot = i % 100 === 7 ? buffers.acquireLarge() : buffers.acquireSmall();
          const count = i % 100 === 7 ? 50_000 : 1 + (i % 300);
          pattern.fill(buffers.memory, slot, slot + count, sent);
          // In two halves, each with its reference.
          const middle = slot + (count >> 1);
          buffers.retain(slot);
          witness.send(seen, slot, middle);
          witness.send(seen, middle, slot + count);
          sent += count;
        }
      };
      peer.write(Buffer.from("go"));
      await arena.until("all is there", () => sent > 0 && peer.receivedBytes >= sent);
      assert.equal(peer.receivedBytes, sent);
      assert.equal(tally.wrongAt, -1);
    },
  },
  {
    name: `${way}: an empty range only gives back its reference`,
    async run(stage) {
      const { arena, engine, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      const slot = engine.buffers.acquireSmall();
      engine.buffers.retain(slot);
      witness.send(seen, slot + 10, slot + 10);
      engine.buffers.memory.fill(0x61, slot, slot + 5);
      witness.send(seen, slot, slot + 5);
      await arena.until("five bytes came", () => peer.receivedBytes === 5);
      assert.equal(witness.queuedBytes(seen), 0);
    },
  },
  {
    name: `${way}: the bytes before a FIN come before ended`,
    async run(stage) {
      const { arena } = stage;
      const { seen, peer } = await pairOf(stage);
      seen.tally = new Tally(patternOf(4));
      peer.write(patternOf(4).slice(0, 300_000));
      peer.end();
      await arena.until("it ended", () => seen.hasEnded);
      assert.equal(seen.receivedBytes, 300_000);
      assert.equal(seen.tally.wrongAt, -1);
    },
  },
]);
