/** Connections in the background: they stand behind others, few at a time, and lose nothing by it. */
import assert from "node:assert/strict";
import { BACKGROUND_READS_MAX } from "../../src/contract/port.ts";
import { acceptOne, type Case, type Pair, type Stage, WAYS } from "./case.ts";
import { peerWrites } from "./data-cases.ts";
import { patternOf, Tally } from "./pattern.ts";
import type { Seen } from "./witness.ts";

const MIB = 1 << 20;
const CROWD = 200;
const ROOM = { connectionsMax: 256, smallSlots: 256, largeSlots: 256 };
const PIECE = new Uint8Array(10);

/** Connections that are in the background and have been since before they were last read. */
async function crowdOf(stage: Stage): Promise<Pair[]> {
  const { arena, witness } = stage;
  const crowd: Pair[] = [];
  while (crowd.length < CROWD) crowd.push(await acceptOne(stage));
  for (const { seen, peer } of crowd) {
    witness.setBackground(seen, true);
    peer.write(PIECE);
  }
  await arena.until("each has said something", () => crowd.every(({ seen }) => seen.receivedBytes > 0));
  return crowd;
}

const hasAll = ({ seen }: Pair): boolean => seen.receivedBytes === 2 * PIECE.length;

export const BACKGROUND_CASES: readonly Case[] = [
  {
    name: "of many background connections a batch reads only so many",
    options: ROOM,
    async run(stage) {
      const { arena, engine, witness } = stage;
      const crowd = await crowdOf(stage);
      const inBatch = new Set<Seen>();
      let most = 0;
      witness.onReceived = (seen, start) => {
        engine.buffers.release(start);
        inBatch.add(seen);
      };
      witness.onEnd = () => {
        most = Math.max(most, inBatch.size);
        inBatch.clear();
      };
      for (const { peer } of crowd) peer.write(PIECE);
      await arena.until("all came", () => crowd.every(hasAll));
      assert.ok(most > 0 && most <= BACKGROUND_READS_MAX, `${most} in one batch`);
    },
  },
  {
    name: "what comes behind a crowd in the background is told before most of it",
    options: ROOM,
    needsSockets: true,
    async run(stage) {
      const { arena, witness } = stage;
      const crowd = await crowdOf(stage);
      const { seen, peer } = await acceptOne(stage);
      for (const each of crowd) each.peer.write(PIECE);
      peer.write(PIECE);
      await arena.until("it came", () => seen.receivedBytes > 0);
      const ahead = crowd.filter(hasAll).length;
      assert.ok(ahead <= 2 * BACKGROUND_READS_MAX, `${ahead} came before it`);
      witness.close(seen);
      await arena.until("all came", () => crowd.every(hasAll));
    },
  },
  {
    name: "of a crowd in the background that is closed while it waits nothing comes any more",
    options: ROOM,
    async run(stage) {
      const { arena, engine, witness, slotsAreHome } = stage;
      const crowd = await crowdOf(stage);
      witness.onReceived = (_seen, start) => {
        engine.buffers.release(start);
        for (const { seen } of crowd) if (!seen.isClosed) witness.close(seen);
      };
      for (const { peer } of crowd) peer.write(PIECE);
      await arena.until("all are closed", () => crowd.every(({ seen }) => seen.isClosed));
      await arena.until("every slot is home", slotsAreHome);
      const again = await acceptOne(stage);
      again.peer.write(PIECE);
      await arena.until("a number serves again", () => again.seen.receivedBytes === PIECE.length);
    },
  },
  {
    name: "a crowd in the background learns how each connection ended",
    options: ROOM,
    async run(stage) {
      const { arena } = stage;
      const crowd = await crowdOf(stage);
      for (const [index, { peer }] of crowd.entries()) {
        if (index % 2 === 1) peer.reset();
        else {
          peer.write(PIECE);
          peer.end();
        }
      }
      const isOver = ({ seen }: Pair, index: number): boolean =>
        index % 2 === 1 ? seen.errno !== 0 : seen.hasEnded;
      await arena.until("all are over", () => crowd.every(isOver));
      assert.ok(
        crowd.filter((_each, index) => index % 2 === 0).every(hasAll),
        "the end came behind the bytes",
      );
    },
  },
  ...WAYS.map(
    ({ way, pairOf }): Case => ({
      name: `${way}: in and out of the background, paused and resumed, every byte comes, then the end`,
      async run(stage) {
        const { arena, engine, witness } = stage;
        const { seen, peer } = await pairOf(stage);
        seen.tally = new Tally(patternOf(8));
        let count = 0;
        witness.onReceived = (_seen, start) => {
          engine.buffers.release(start);
          count++;
          witness.setBackground(seen, count % 7 < 4);
          if (count % 10 !== 0) return;
          witness.pause(seen);
          witness.wantDrained(seen);
        };
        witness.onDrained = () => witness.resume(seen);
        for (let i = 0; i < 20; i++) {
          peer.write(patternOf(8).slice(i * PIECE.length, PIECE.length));
          await arena.until("a small piece came", () => seen.receivedBytes === (i + 1) * PIECE.length);
        }
        seen.tally = new Tally(patternOf(9));
        await peerWrites(stage, peer, 9, 8 * MIB);
        peer.end();
        await arena.until("the end came", () => seen.hasEnded);
        assert.equal(seen.receivedBytes, 8 * MIB + 20 * PIECE.length);
        assert.equal(seen.tally.wrongAt, -1);
      },
    }),
  ),
];
