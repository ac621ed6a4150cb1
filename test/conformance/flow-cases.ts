/** Backpressure: what is queued, what is paused, and what happens when the pool has nothing left. */
import assert from "node:assert/strict";
import { RECEIVE_BYTES } from "../../src/base/buffer-pool.ts";
import { acceptOne, type Case, type Pair, type Stage, WAYS } from "./case.ts";
import { peerWrites } from "./data-cases.ts";
import { patternOf, Tally } from "./pattern.ts";
import type { Seen } from "./witness.ts";

const MIB = 1 << 20;
/** "At most a few slots" after `pause`. */
const AFTER_PAUSE_BYTES_MAX = 8 * RECEIVE_BYTES;
/** What one connection may bring in one batch before the handler's `pause` takes hold. */
const ONE_BATCH_BYTES_MAX = 40 * RECEIVE_BYTES;

/** More than an engine may read ahead of what it tells, and two batches of it. */
const CROWD = 150;

/** The pattern with which `fillUp` fills. */
export const FILL_SEED = 5;

/**
 * Queues more than any kernel takes for a peer that does not read; nothing moves any more when it resolves.
 */
export async function fillUp({ arena, engine, witness }: Stage, { seen, peer }: Pair): Promise<void> {
  peer.pause();
  let before = -1;
  // The kernel takes a while to take what it takes.
  for (;;) {
    while (engine.buffers.freeLargeCount > 8) witness.sendPattern(seen, patternOf(FILL_SEED), RECEIVE_BYTES);
    await arena.pass(20);
    if (engine.buffers.freeLargeCount <= 8 && witness.queuedBytes(seen) === before) return;
    before = witness.queuedBytes(seen);
  }
}

export const FLOW_CASES: readonly Case[] = [
  ...WAYS.flatMap(({ way, pairOf }): Case[] => [
    {
      name: `${way}: queuedBytes is what a peer that does not read leaves, and falls to 0 when it reads`,
      async run(stage) {
        const { arena, witness } = stage;
        const pair = await pairOf(stage);
        const { seen, peer } = pair;
        assert.equal(witness.queuedBytes(seen), 0);
        await fillUp(stage, pair);
        assert.ok(witness.queuedBytes(seen) > 0 && witness.queuedBytes(seen) <= seen.sentBytes);
        witness.wantDrained(seen);
        witness.wantDrained(seen);
        await arena.pass(20);
        assert.equal(seen.drainedCount, 0, "not while something is queued");
        peer.resume();
        await arena.until("it is drained", () => seen.drainedCount > 0);
        await arena.until("all is there", () => peer.receivedBytes === seen.sentBytes);
        await arena.pass(5);
        assert.equal(seen.drainedCount, 1, "once for each asking");
        assert.equal(witness.queuedBytes(seen), 0);
      },
    },
    {
      name: `${way}: wantDrained with nothing queued is answered in the next batch`,
      async run(stage) {
        const { arena, witness } = stage;
        const { seen } = await pairOf(stage);
        witness.wantDrained(seen);
        assert.equal(seen.drainedCount, 0, "not from within");
        await arena.until("it comes", () => seen.drainedCount === 1);
        let asked = 0;
        witness.onDrained = (drained) => {
          if (++asked < 5) witness.wantDrained(drained);
        };
        witness.wantDrained(seen);
        await arena.until("it comes as often as it is asked for", () => seen.drainedCount === 6);
      },
    },
    {
      name: `${way}: pause holds a peer that sends 64 MiB, resume brings every byte`,
      async run(stage) {
        const { arena, engine, witness } = stage;
        const { seen, peer } = await pairOf(stage);
        const { buffers } = engine;
        const freeBefore = buffers.freeLargeCount;
        seen.tally = new Tally(patternOf(6));
        witness.pause(seen);
        witness.pause(seen);
        const written = peerWrites(stage, peer, 6, 64 * MIB);
        await arena.pass(50);
        const before = seen.receivedBytes;
        assert.ok(before <= AFTER_PAUSE_BYTES_MAX, `${before} bytes although paused`);
        await arena.pass(50);
        assert.equal(seen.receivedBytes, before, "nothing more comes");
        assert.ok(freeBefore - buffers.freeLargeCount <= 8, "few slots are held");
        let pauses = 0;
        witness.onReceived = (_seen, start) => {
          buffers.release(start);
          if (++pauses % 50 !== 0) return;
          witness.pause(seen);
          witness.wantDrained(seen);
        };
        witness.onDrained = () => witness.resume(seen);
        witness.resume(seen);
        witness.resume(seen);
        await written;
        await arena.until("every byte came", () => seen.receivedBytes >= 64 * MIB);
        assert.equal(seen.receivedBytes, 64 * MIB);
        assert.equal(seen.tally.wrongAt, -1);
      },
    },
    {
      name: `${way}: a slow reader behind an echo holds a bounded number of bytes`,
      async run(stage) {
        const { arena, witness } = stage;
        const { seen, peer } = await pairOf(stage);
        const tally = new Tally(patternOf(7));
        peer.onBytes = (bytes) => tally.add(bytes, 0, bytes.length);
        let queuedBytesMax = 0;
        witness.onReceived = (_seen, start, end) => {
          witness.send(seen, start, end);
          queuedBytesMax = Math.max(queuedBytesMax, witness.queuedBytes(seen));
          if (witness.queuedBytes(seen) < 2 * RECEIVE_BYTES || seen.isDrainedWanted) return;
          witness.pause(seen);
          witness.wantDrained(seen);
        };
        witness.onDrained = () => witness.resume(seen);
        peer.pause();
        const written = peerWrites(stage, peer, 7, 16 * MIB);
        for (let i = 0; i < 5; i++) {
          await arena.pass(10);
          peer.resume();
          await arena.pass(2);
          peer.pause();
        }
        peer.resume();
        await written;
        await arena.until("all came back", () => peer.receivedBytes >= 16 * MIB);
        assert.equal(tally.wrongAt, -1);
        assert.ok(queuedBytesMax <= ONE_BATCH_BYTES_MAX, `${queuedBytesMax} bytes at once`);
      },
    },
  ]),
  {
    name: "small ranges of a connection that is stuck survive those of another",
    async run(stage) {
      const { arena, witness } = stage;
      const stuck = await acceptOne(stage);
      const other = await acceptOne(stage);
      const tally = new Tally(patternOf(1));
      stuck.peer.onBytes = (bytes) => tally.add(bytes, 0, bytes.length);
      stuck.peer.pause();
      // Two at a time: an engine may put small neighbours together.
      const sendTwo = ({ seen }: Pair, seed: number): void => {
        witness.sendPattern(seen, patternOf(seed), 1500);
        witness.sendPattern(seen, patternOf(seed), 1500);
      };
      for (let stillMs = 0; stillMs < 20; stillMs++) {
        if (witness.queuedBytes(stuck.seen) === 0) {
          sendTwo(stuck, 1);
          stillMs = 0;
        }
        const batches = witness.batchCount;
        stage.engine.wake();
        await arena.until("a batch is over", () => witness.batchCount > batches);
        if (witness.queuedBytes(stuck.seen) > 0) await arena.pass(1);
      }
      for (let i = 0; i < 5; i++) {
        sendTwo(other, 2);
        await arena.until("the other has it", () => other.peer.receivedBytes === other.seen.sentBytes);
      }
      stuck.peer.resume();
      await arena.until("all is there", () => stuck.peer.receivedBytes === stuck.seen.sentBytes);
      assert.equal(tally.wrongAt, -1);
    },
  },
  {
    name: "pause in accepted: nothing comes until resume, not even the end",
    async run(stage) {
      const { arena, witness } = stage;
      witness.onAccepted = (seen) => witness.pause(seen);
      const { seen, peer } = await acceptOne(stage);
      peer.write(patternOf(1).slice(0, 100));
      peer.end();
      await arena.pass(30);
      assert.ok(seen.receivedBytes === 0 || seen.receivedBytes === 100);
      witness.resume(seen);
      await arena.until("it ended", () => seen.hasEnded);
      assert.equal(seen.receivedBytes, 100);
    },
  },
  {
    name: "pause of one connection leaves the others alone",
    async run(stage) {
      const { arena, witness } = stage;
      const quiet = await acceptOne(stage);
      const loud = await acceptOne(stage);
      witness.pause(quiet.seen);
      quiet.peer.write(patternOf(1).slice(0, 1000));
      await peerWrites(stage, loud.peer, 2, 4 * MIB);
      await arena.until("the other is heard", () => loud.seen.receivedBytes === 4 * MIB);
      witness.resume(quiet.seen);
      await arena.until("and then this one", () => quiet.seen.receivedBytes === 1000);
    },
  },
  {
    name: "of a crowd that is readable in one moment some close, pause and replace others: nothing crosses",
    options: { connectionsMax: 256, smallSlots: 256, largeSlots: 1024 },
    async run(stage) {
      const { arena, witness } = stage;
      const harbour = (await arena.listen("ipv4"))!;
      const crowd: Pair[] = [];
      for (let i = 0; i < CROWD; i++) {
        const pair = await acceptOne(stage);
        pair.seen.tally = new Tally(patternOf(i));
        crowd.push(pair);
      }
      const anew: Seen[] = [];
      witness.onReceived = (seen, start) => {
        stage.engine.buffers.release(start);
        const index = crowd.findIndex((pair) => pair.seen === seen);
        const victim = crowd[(index + 7) % CROWD]!.seen;
        if (index % 3 === 0 && !victim.isClosed) {
          // The next to be opened has its descriptor, and perhaps its number.
          witness.close(victim);
          anew.push(witness.connect(harbour.address));
        } else if (index % 3 === 1 && !victim.isClosed) {
          witness.pause(victim);
        }
      };
      for (const [i, { peer }] of crowd.entries()) {
        peer.write(patternOf(i).slice(0, 1000));
        if (i % 2 === 0) peer.end();
      }
      await arena.until(
        "the new ones stand",
        () => anew.length > 0 && anew.every((seen) => seen.isConnected),
      );
      const isOver = ({ seen }: Pair, i: number): boolean =>
        seen.isClosed || (seen.receivedBytes === 1000 && (i % 2 === 1 || seen.hasEnded));
      await arena.until("all of the others came", () => {
        for (const { seen } of crowd) if (!seen.isClosed) witness.resume(seen);
        return crowd.every(isOver);
      });
      for (const { seen } of crowd) assert.equal(seen.tally?.wrongAt, -1);
      for (const seen of anew) assert.equal(seen.receivedBytes, 0, "nobody sent it anything");
    },
  },
  {
    name: "a pool of four slots serves sixteen peers: nothing is lost, nobody is left out",
    options: { largeSlots: 4 },
    async run(stage) {
      const { arena, witness } = stage;
      const { buffers } = stage.engine;
      const held: number[] = [];
      // Slots go home from outside of any batch.
      witness.onReceived = (_seen, start) => void held.push(start);
      const timer = setInterval(() => {
        while (held.length > 0) buffers.release(held.shift()!);
        arena.changed();
      }, 1);
      try {
        await allArrive(stage, 16, MIB);
      } finally {
        clearInterval(timer);
        for (const start of held) buffers.release(start);
      }
    },
    needsSockets: true,
  },
  {
    name: "a pool of two slots serves twelve peers, slots go home at the end of each batch",
    options: { largeSlots: 2 },
    async run(stage) {
      const { witness } = stage;
      const held: number[] = [];
      witness.onReceived = (_seen, start) => void held.push(start);
      witness.onEnd = () => {
        while (held.length > 0) stage.engine.buffers.release(held.shift()!);
      };
      await allArrive(stage, 12, 300_000);
    },
  },
  {
    name: "a pool without a free slot: ended waits behind the bytes, close gives up cleanly",
    options: { largeSlots: 8 },
    async run(stage) {
      const { arena, witness } = stage;
      const { buffers } = stage.engine;
      const pairs = [await acceptOne(stage), await acceptOne(stage), await acceptOne(stage)];
      const taken: number[] = [];
      witness.onReceived = (_seen, start) => void taken.push(start);
      const takeAll = (): void => {
        while (buffers.freeLargeCount > 0) taken.push(buffers.acquireLarge());
      };
      takeAll();
      for (const [seed, { seen, peer }] of pairs.entries()) {
        seen.tally = new Tally(patternOf(seed));
        peer.write(patternOf(seed).slice(0, MIB));
        peer.end();
      }
      await arena.pass(20);
      takeAll();
      await arena.pass(20);
      assert.ok(pairs.every(({ seen }) => seen.receivedBytes < MIB && !seen.hasEnded));
      witness.close(pairs[2]!.seen);
      witness.onReceived = (_seen, start) => buffers.release(start);
      for (const start of taken) buffers.release(start);
      await arena.until("both ended", () => pairs[0]!.seen.hasEnded && pairs[1]!.seen.hasEnded);
      for (const { seen } of pairs.slice(0, 2)) {
        assert.equal(seen.receivedBytes, MIB);
        assert.equal(seen.tally!.wrongAt, -1);
      }
    },
  },
];

/** `peerCount` peers send `bytesEach` at once, each its own pattern. */
async function allArrive(stage: Stage, peerCount: number, bytesEach: number): Promise<void> {
  const pairs: Pair[] = [];
  for (let i = 0; i < peerCount; i++) pairs.push(await acceptOne(stage));
  const all: Seen[] = pairs.map(({ seen }) => seen);
  for (const [seed, { seen, peer }] of pairs.entries()) {
    seen.tally = new Tally(patternOf(seed));
    peer.write(patternOf(seed).slice(0, bytesEach));
  }
  await stage.arena.until("everybody is heard", () => all.every((seen) => seen.receivedBytes >= bytesEach));
  for (const seen of all) {
    assert.equal(seen.receivedBytes, bytesEach);
    assert.equal(seen.tally!.wrongAt, -1);
  }
}
