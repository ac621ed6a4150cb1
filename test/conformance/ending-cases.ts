/**
 * FIN, RST, failures, and giving up: what the peer sees, what the handler is told, and that nothing comes
 * after.
 */
import assert from "node:assert/strict";
import { RECEIVE_BYTES, SMALL_SLOT_BYTES } from "../../src/base/buffer-pool.ts";
import { Errno } from "../../src/contract/errno.ts";
import { acceptOne, type Case, type Stage, WAYS } from "./case.ts";
import { peerWrites } from "./data-cases.ts";
import { FILL_SEED, fillUp } from "./flow-cases.ts";
import { patternOf, Tally } from "./pattern.ts";
import type { Seen } from "./witness.ts";

const BROKEN_BY_PEER: readonly number[] = [Errno.ECONNRESET, Errno.EPIPE];

/** Pauses and watches; what the engine had already taken has come when this resolves. */
async function pauseAndPass({ arena, witness }: Stage, seen: Seen): Promise<void> {
  witness.pause(seen, true);
  await arena.pass(5);
}

const BOTH_WAYS = WAYS.flatMap(({ way, pairOf }): Case[] => [
  {
    name: `${way}: the peer's FIN is ended, and sending goes on`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      peer.end();
      await arena.until("it ended", () => seen.hasEnded);
      await arena.pass(5);
      witness.sendPattern(seen, patternOf(1), 500_000);
      await arena.until("the peer has it", () => peer.receivedBytes === 500_000);
      assert.equal(peer.hasEnded, false);
      witness.shutdown(seen);
      await arena.until("the peer sees the end", () => peer.hasEnded);
      assert.equal(peer.failure, "");
    },
  },
  {
    name: `${way}: after shutdown reading goes on until the peer's FIN`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      witness.shutdown(seen);
      witness.shutdown(seen);
      await arena.until("the peer sees the end", () => peer.hasEnded);
      seen.tally = new Tally(patternOf(2));
      await peerWrites(stage, peer, 2, 500_000);
      await arena.until("we have it", () => seen.receivedBytes === 500_000);
      assert.equal(seen.hasEnded, false);
      peer.end();
      await arena.until("it ended", () => seen.hasEnded);
      assert.equal(seen.tally.wrongAt, -1);
      await arena.pass(5);
      witness.wantDrained(seen);
      await arena.until("it still answers", () => seen.drainedCount === 1);
    },
  },
  {
    name: `${way}: shutdown waits for what is queued`,
    async run(stage) {
      const { arena, witness } = stage;
      const pair = await pairOf(stage);
      const { seen, peer } = pair;
      const tally = new Tally(patternOf(FILL_SEED));
      peer.onBytes = (bytes) => tally.add(bytes, 0, bytes.length);
      await fillUp(stage, pair);
      witness.shutdown(seen);
      await arena.pass(10);
      assert.equal(peer.hasEnded, false);
      peer.resume();
      await arena.until("the peer sees the end", () => peer.hasEnded);
      assert.equal(peer.receivedBytes, seen.sentBytes);
      assert.equal(tally.wrongAt, -1);
    },
  },
  {
    name: `${way}: close is a FIN, and nothing comes any more`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      witness.close(seen);
      await arena.until("the peer sees the end", () => peer.hasEnded || peer.failure !== "");
      assert.equal(peer.failure, "");
      peer.write(patternOf(1).slice(0, 1000));
      await arena.pass(10);
      assert.equal(seen.receivedBytes, 0);
    },
  },
  {
    name: `${way}: close drops what is queued and gives its slots back`,
    async run(stage) {
      const { arena, witness } = stage;
      const pair = await pairOf(stage);
      const { seen } = pair;
      await fillUp(stage, pair);
      witness.close(seen);
      await arena.until("every slot is home", stage.slotsAreHome);
    },
  },
  {
    name: `${way}: of what is sent and given up in one batch not a byte leaves`,
    async run(stage) {
      const { arena, engine, witness } = stage;
      const bySizes = [10, SMALL_SLOT_BYTES, 3 * RECEIVE_BYTES];
      for (const bytes of bySizes) {
        for (const isReset of [false, true]) {
          for (const isAtEnd of [false, true]) {
            const { seen, peer } = await pairOf(stage);
            const giveUp = () => (isReset ? witness.reset(seen) : witness.close(seen));
            witness.onReceived = (_seen, start) => {
              engine.buffers.release(start);
              witness.sendPattern(seen, patternOf(1), bytes);
              if (!isAtEnd) giveUp();
            };
            witness.onEnd = () => {
              if (isAtEnd && seen.sentBytes > 0 && !seen.isClosed) giveUp();
            };
            peer.write(patternOf(2).slice(0, 1));
            await arena.until("the peer is told", () => peer.hasEnded || peer.failure !== "");
            assert.equal(peer.receivedBytes, 0, `of ${bytes} bytes`);
          }
        }
      }
    },
  },
  {
    name: `${way}: reset is an RST`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      witness.reset(seen);
      await arena.until("the peer is told", () => peer.hasEnded || peer.failure !== "");
      assert.equal(peer.failure, "ECONNRESET");
    },
  },
  {
    name: `${way}: reset drops what is queued; after shutdown too`,
    async run(stage) {
      const { arena, witness } = stage;
      const pair = await pairOf(stage);
      const { seen, peer } = pair;
      await fillUp(stage, pair);
      witness.shutdown(seen);
      await arena.pass(10);
      witness.reset(seen);
      await arena.until("every slot is home", stage.slotsAreHome);
      peer.resume();
      await arena.until("the peer is told", () => peer.hasEnded || peer.failure !== "");
      assert.equal(peer.failure, "ECONNRESET");
    },
  },
  {
    name: `${way}: shutdown and reset in one breath`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      peer.write(patternOf(1).slice(0, 1_000_000));
      await arena.until("bytes are on their way", () => seen.receivedBytes > 0);
      witness.shutdown(seen);
      witness.reset(seen);
      await arena.until("the peer is told", () => peer.hasEnded || peer.failure !== "");
    },
  },
  {
    name: `${way}: the peer's RST is failed, once, as -ECONNRESET`,
    async run(stage) {
      const { arena, engine, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      peer.reset();
      await arena.until("it fails", () => seen.errno !== 0);
      assert.equal(seen.errno, Errno.ECONNRESET);
      await arena.pass(5);
      // Until it is closed the connection is the handler's, and what is asked of it is harmless.
      witness.sendPattern(seen, patternOf(1), 100_000);
      engine.queuedBytes(seen.connection);
      witness.pause(seen);
      witness.resume(seen);
      witness.shutdown(seen);
      await arena.pass(5);
    },
  },
  {
    name: `${way}: the peer's RST while much is queued is failed, and the slots come home`,
    async run(stage) {
      const { arena, witness } = stage;
      const pair = await pairOf(stage);
      const { seen, peer } = pair;
      await fillUp(stage, pair);
      await arena.pass(10);
      peer.reset();
      await arena.until("it fails", () => seen.errno !== 0);
      assert.ok(BROKEN_BY_PEER.includes(seen.errno), `errno ${seen.errno}`);
      witness.close(seen);
      await arena.until("every slot is home", stage.slotsAreHome);
    },
  },
  {
    name: `${way}: writing to a peer that is gone is failed`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      peer.end();
      await arena.until("it ended", () => seen.hasEnded);
      peer.reset();
      await arena.until("it fails when written to", () => {
        if (seen.errno === 0) witness.sendPattern(seen, patternOf(1), 10);
        return seen.errno !== 0;
      });
      assert.ok(BROKEN_BY_PEER.includes(seen.errno), `errno ${seen.errno}`);
    },
  },
  {
    name: `${way}: a peer that breaks off while it is paused and watched is failed at once`,
    needsWatching: true,
    async run(stage) {
      const { arena, witness } = stage;
      for (const paused of ["before", "between", "after"]) {
        const { seen, peer } = await pairOf(stage);
        if (paused === "before") await pauseAndPass(stage, seen);
        peer.write(patternOf(1).slice(0, 100_000));
        await arena.pass(5);
        if (paused === "between") await pauseAndPass(stage, seen);
        peer.reset();
        if (paused === "after") witness.pause(seen, true);
        await arena.until(`it fails, paused ${paused}`, () => seen.errno !== 0);
        assert.ok(BROKEN_BY_PEER.includes(seen.errno), `errno ${seen.errno}`);
        witness.close(seen);
      }
    },
  },
  {
    name: `${way}: the FIN of a peer that is paused and watched waits behind its bytes`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      await pauseAndPass(stage, seen);
      const before = seen.receivedBytes;
      peer.write(patternOf(1).slice(0, 1000));
      peer.end();
      await arena.pass(20);
      assert.ok(!seen.hasEnded && seen.errno === 0 && seen.receivedBytes === before);
      witness.shutdown(seen);
      await arena.until("the peer sees the end", () => peer.hasEnded);
      await arena.pass(20);
      assert.ok(!seen.hasEnded && seen.errno === 0, "both have ended, and nothing is broken");
      witness.resume(seen);
      await arena.until("it ended", () => seen.hasEnded);
      assert.equal(seen.receivedBytes, 1000);
    },
  },
  {
    name: `${way}: a peer that breaks off behind its FIN, paused and watched, is failed at once`,
    needsWatching: true,
    async run(stage) {
      const { arena } = stage;
      const { seen, peer } = await pairOf(stage);
      await pauseAndPass(stage, seen);
      peer.write(patternOf(1).slice(0, 1000));
      peer.end();
      await arena.pass(20);
      assert.equal(seen.errno, 0);
      peer.reset();
      await arena.until("it fails", () => seen.errno !== 0);
      assert.ok(BROKEN_BY_PEER.includes(seen.errno), `errno ${seen.errno}`);
    },
  },
  {
    name: `${way}: the FIN of a peer that is paused and watched for it breaks off at once`,
    needsWatching: true,
    async run(stage) {
      const { arena, witness } = stage;
      for (const paused of ["before", "between", "after"]) {
        const { seen, peer } = await pairOf(stage);
        if (paused === "before") witness.pause(seen, true, true);
        await arena.pass(5);
        peer.write(patternOf(1).slice(0, 1000));
        await arena.pass(5);
        if (paused === "between") witness.pause(seen, true, true);
        await arena.pass(5);
        peer.end();
        if (paused === "after") witness.pause(seen, true, true);
        // Read before it was paused, it is an end like any other.
        await arena.until(`it is over, paused ${paused}`, () => seen.errno !== 0 || seen.hasEnded);
        if (paused !== "after") assert.equal(seen.errno, Errno.ECONNRESET);
        witness.close(seen);
      }
    },
  },
  {
    name: `${way}: a FIN that was watched for and not sent changes nothing`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      await pauseAndPass(stage, seen);
      witness.resume(seen);
      witness.pause(seen, true, true);
      await arena.pass(5);
      witness.resume(seen);
      await pauseAndPass(stage, seen);
      peer.write(patternOf(1).slice(0, 1000));
      peer.end();
      await arena.pass(20);
      assert.ok(!seen.hasEnded && seen.errno === 0, "it is watched for what breaks it alone");
      witness.resume(seen);
      await arena.until("it ended", () => seen.hasEnded);
      assert.equal(seen.receivedBytes, 1000);
    },
  },
  {
    name: `${way}: a paused peer that has ended or broken off is failed as soon as that is watched for`,
    needsWatching: true,
    async run(stage) {
      const { arena, witness } = stage;
      for (const [leave, watchedBefore] of [
        ["end", false],
        ["end", true],
        ["reset", false],
      ] as const) {
        for (const isAfter of [true, false]) {
          const { seen, peer } = await pairOf(stage);
          witness.pause(seen, watchedBefore);
          await arena.pass(5);
          peer.write(patternOf(1).slice(0, 1000));
          if (!isAfter) witness.pause(seen, true, true);
          await arena.pass(5);
          peer[leave]();
          await arena.pass(20);
          if (isAfter) assert.equal(seen.errno, 0);
          witness.pause(seen, true, true);
          await arena.until(`${leave} is told (${watchedBefore}, ${isAfter})`, () => seen.errno !== 0);
          assert.ok(BROKEN_BY_PEER.includes(seen.errno), `errno ${seen.errno}`);
          witness.close(seen);
        }
      }
    },
  },
  {
    name: `${way}: a paused peer that ends is left in peace where that is not watched for any more`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      witness.pause(seen, true, true);
      await arena.pass(5);
      witness.pause(seen, true);
      const before = seen.receivedBytes;
      peer.write(patternOf(1).slice(0, 1000));
      peer.end();
      await arena.pass(20);
      assert.ok(!seen.hasEnded && seen.errno === 0 && seen.receivedBytes === before);
      witness.resume(seen);
      await arena.until("it ended", () => seen.hasEnded);
      assert.equal(seen.receivedBytes, 1000);
    },
  },
  {
    name: `${way}: what a peer sent before it broke off comes first where it was not watched`,
    async run(stage) {
      const { arena, engine, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      witness.pause(seen);
      await arena.pass(5);
      peer.write(patternOf(1).slice(0, 1000));
      await arena.pass(5);
      peer.reset();
      await arena.pass(20);
      // Node may have read ahead, and met what broke it.
      if (engine.name !== "net") assert.equal(seen.errno, 0);
      witness.resume(seen);
      await arena.until("it fails", () => seen.errno !== 0);
    },
  },
  {
    name: `${way}: pausing and resuming in turn, watched or not, loses nothing`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      seen.tally = new Tally(patternOf(3));
      let turns = 0;
      witness.onReceived = (_seen, start) => {
        stage.engine.buffers.release(start);
        turns++;
        witness.pause(seen, turns % 3 !== 0);
        if (turns % 2 === 0) witness.resume(seen);
        if (turns % 4 === 0) witness.pause(seen, true);
        witness.wantDrained(seen);
      };
      witness.onDrained = () => witness.resume(seen);
      await peerWrites(stage, peer, 3, 4_000_000);
      await arena.until("every byte came", () => seen.receivedBytes === 4_000_000);
      assert.equal(seen.tally.wrongAt, -1);
      peer.end();
      await arena.until("it ended", () => seen.hasEnded);
    },
  },
  {
    name: `${way}: close from received, although more is there`,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await pairOf(stage);
      witness.onReceived = (from, start) => {
        stage.engine.buffers.release(start);
        witness.close(from);
      };
      peer.write(patternOf(1).slice(0, 2_000_000));
      await arena.until("the peer is told", () => peer.hasEnded || peer.failure !== "");
      assert.ok(seen.receivedBytes <= RECEIVE_BYTES);
    },
  },
  {
    name: `${way}: close from ended, drained and failed`,
    async run(stage) {
      const { arena, witness } = stage;
      const one = await pairOf(stage);
      const two = await pairOf(stage);
      const three = await pairOf(stage);
      witness.onEnded = (seen) => witness.close(seen);
      witness.onDrained = (seen) => witness.close(seen);
      witness.onFailed = (seen) => witness.close(seen);
      one.peer.end();
      witness.wantDrained(two.seen);
      three.peer.reset();
      await arena.until("all are closed", () => witness.openCount === 0);
      await arena.until("the peer sees the end", () => two.peer.hasEnded);
    },
  },
]);

export const ENDING_CASES: readonly Case[] = [
  ...BOTH_WAYS,
  {
    name: "close from accepted and from connected",
    async run(stage) {
      const { arena, engine, witness } = stage;
      witness.onAccepted = (seen) => witness.close(seen);
      witness.onConnected = (seen) => witness.close(seen);
      const peer = arena.dial(engine.listenerAddresses[0]!);
      await arena.until("the peer sees the end", () => peer.hasEnded || peer.failure !== "");
      const seen = witness.connect(engine.listenerAddresses[0]!);
      await arena.until("our own is closed too", () => seen.isClosed && witness.accepts.length === 2);
    },
  },
  {
    name: "accepted and closed in the same batch: its number may be taken at once, and is nobody else's before",
    options: { connectionsMax: 8 },
    async run(stage) {
      const { arena, engine, witness } = stage;
      witness.onReceived = (seen, start) => {
        engine.buffers.release(start);
        witness.close(seen);
        const next = witness.tryConnect(engine.listenerAddresses[0]!);
        if (typeof next !== "number") witness.close(next);
      };
      for (let i = 0; i < 30; i++) {
        const { peer } = await acceptOne(stage);
        peer.write(patternOf(1).slice(0, 10));
        await arena.until("the peer is told", () => peer.hasEnded || peer.failure !== "");
        witness.closeAll();
        await arena.pass(1);
      }
    },
  },
];
