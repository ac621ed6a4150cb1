/** Batches, deadlines, starting, stopping, and Node going on beside the engine. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { acceptOne, type Case, connectOne } from "./case.ts";
import { peerWrites } from "./data-cases.ts";
import { fillUp } from "./flow-cases.ts";
import { patternOf } from "./pattern.ts";

/** How late a deadline may be kept on a machine that others use too. */
const LATE_MS_MAX = 250;

export const LIFE_CASES: readonly Case[] = [
  {
    name: "end: its deadline is kept when nothing happens",
    async run({ arena, witness, engine }) {
      for (const waitMs of [1, 5, 40]) {
        witness.waitMs = waitMs;
        const count = witness.batchCount;
        engine.wake();
        await arena.until("the first batch", () => witness.batchCount > count);
        for (let i = 0; i < 3; i++) {
          const beforeMs = witness.nowMs;
          const batches = witness.batchCount;
          await arena.until("the deadline", () => witness.batchCount > batches);
          const spanMs = witness.nowMs - beforeMs;
          assert.ok(spanMs <= waitMs + LATE_MS_MAX, `${spanMs} ms instead of ${waitMs}`);
          assert.ok(spanMs >= waitMs - 2, `${spanMs} ms instead of ${waitMs}`);
        }
      }
      witness.waitMs = -1;
    },
  },
  {
    name: "end: a deadline that comes nearer is kept, one that goes away is forgotten",
    async run({ arena, witness, engine }) {
      witness.waitMs = 3_600_000;
      engine.wake();
      await arena.until("a far deadline", () => witness.batchCount > 0);
      witness.waitMs = 10;
      const before = witness.batchCount;
      engine.wake();
      await arena.until("a near one", () => witness.batchCount >= before + 3);
      witness.waitMs = -1;
      await arena.pass(30);
      const still = witness.batchCount;
      await arena.pass(60);
      assert.ok(witness.batchCount <= still + 1, "no batch without a reason");
    },
  },
  {
    name: "end: 0 means soon, again and again",
    async run({ arena, witness, engine }) {
      witness.waitMs = 0;
      engine.wake();
      await arena.until("a hundred batches", () => witness.batchCount >= 100);
      witness.waitMs = -1;
    },
  },
  {
    name: "wake: runs a batch, from anywhere, in a batch too",
    async run({ arena, witness, engine }) {
      engine.wake();
      engine.wake();
      assert.equal(witness.batchCount, 0, "not from within");
      await arena.until("a batch", () => witness.batchCount >= 1);
      let left = 5;
      witness.onEnd = () => {
        if (left-- > 0) engine.wake();
      };
      const before = witness.batchCount;
      engine.wake();
      await arena.until("one for each", () => witness.batchCount >= before + 5);
    },
  },
  {
    name: "commands from outside of a batch are carried out",
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await acceptOne(stage);
      await arena.pass(5);
      witness.sendPattern(seen, patternOf(1), 1000);
      await arena.until("sent", () => peer.receivedBytes === 1000);
      await arena.pass(5);
      witness.shutdown(seen);
      await arena.until("shut down", () => peer.hasEnded);
      witness.close(seen);
    },
  },
  {
    name: "start: what connected before is accepted then",
    startsItself: true,
    async run({ arena, witness, engine }) {
      const peers = Array.from({ length: 5 }, () => arena.dial(engine.listenerAddresses[0]!));
      for (const peer of peers) peer.write(patternOf(1).slice(0, 100));
      await arena.until("they wait", () => peers.every((peer) => peer.isConnected));
      await arena.pass(5);
      assert.equal(witness.batchCount, 0);
      engine.start(witness);
      assert.equal(witness.batchCount, 0, "not from within");
      await arena.until("all are accepted", () => witness.accepts.length === 5);
      await arena.until("and heard", () => witness.accepts.every((seen) => seen.receivedBytes === 100));
    },
  },
  {
    name: "stopAccepting: takes what waits, then refuses; open connections go on",
    startsItself: true,
    async run(stage) {
      const { arena, witness, engine } = stage;
      const peers = Array.from({ length: 5 }, () => arena.dial(engine.listenerAddresses[0]!));
      await arena.until("they wait", () => peers.every((peer) => peer.isConnected));
      engine.start(witness);
      engine.stopAccepting();
      engine.stopAccepting();
      await arena.until("all are accepted", () => witness.accepts.length === 5);
      await arena.pass(30);
      const late = arena.dial(engine.listenerAddresses[0]!);
      await arena.until("nobody else is", () => late.failure !== "");
      assert.equal(late.failure, "ECONNREFUSED");
      for (const peer of peers) peer.write(patternOf(1).slice(0, 1000));
      for (const seen of witness.accepts) witness.sendPattern(seen, patternOf(2), 1000);
      await arena.until("bytes go in", () => witness.accepts.every((seen) => seen.receivedBytes === 1000));
      await arena.until("and out", () => peers.every((peer) => peer.receivedBytes === 1000));
      const outgoing = await connectOne(stage);
      assert.ok(outgoing!.seen.isConnected, "connecting goes on");
    },
  },
  {
    name: "addListener: accepts there too, by its number; others are not disturbed",
    async run(stage) {
      const { arena, engine } = stage;
      const first = await acceptOne(stage);
      const address = await engine.addListener(1, { host: "127.0.0.1", port: 0 });
      assert.equal(engine.listenerAddresses[1], address);
      const second = await acceptOne(stage, 1);
      assert.equal(second.seen.listener, 1);
      assert.equal((await acceptOne(stage)).seen.listener, 0);
      for (const { peer } of [first, second]) peer.write(patternOf(1).slice(0, 1000));
      const pairs = [first, second];
      await arena.until("bytes go in", () => pairs.every(({ seen }) => seen.receivedBytes === 1000));
    },
  },
  {
    name: "removeListener: takes what waits, then refuses; its connections and other listeners go on",
    async run(stage) {
      const { arena, witness, engine } = stage;
      const address = await engine.addListener(1, { host: "127.0.0.1", port: 0 });
      const { seen, peer } = await acceptOne(stage, 1);
      const peers = Array.from({ length: 5 }, () => arena.dial(address));
      await arena.until("they wait", () => peers.every((each) => each.isConnected));
      const removed = engine.removeListener(1);
      await engine.removeListener(1);
      await arena.until("all are accepted", () => witness.accepts.length === 6);
      await arena.pass(5);
      await removed;
      assert.equal(engine.listenerAddresses[1], "");
      const late = arena.dial(address);
      await arena.until("nobody else is", () => late.failure !== "");
      assert.equal(late.failure, "ECONNREFUSED");
      peer.write(patternOf(1).slice(0, 1000));
      await arena.until("bytes go in", () => seen.receivedBytes === 1000);
      assert.equal((await acceptOne(stage)).seen.listener, 0);
      await engine.addListener(1, { host: "127.0.0.1", port: 0 });
      assert.equal((await acceptOne(stage, 1)).seen.listener, 1);
    },
  },
  {
    name: "stop: peers see the end, much queued or not, connecting or not; no event follows",
    async run(stage) {
      const { arena, witness, engine } = stage;
      const quiet = await acceptOne(stage);
      const busy = await acceptOne(stage);
      const outgoing = (await connectOne(stage))!;
      await fillUp(stage, busy);
      quiet.peer.write(patternOf(1).slice(0, 100));
      witness.connect(engine.listenerAddresses[0]!);
      witness.isStopped = true;
      await Promise.all([engine.stop(), engine.stop()]);
      busy.peer.resume();
      const isOver = ({ peer }: typeof quiet) => peer.hasEnded || peer.failure !== "";
      await arena.until("all see it", () => isOver(quiet) && isOver(busy) && isOver(outgoing));
      await arena.pass(10);
      witness.forget();
    },
  },
  {
    name: "stop: before start",
    startsItself: true,
    async run({ arena, engine }) {
      const peer = arena.dial(engine.listenerAddresses[0]!);
      await arena.until("it waits", () => peer.isConnected);
      await engine.stop();
      await arena.until("it sees the end", () => peer.hasEnded || peer.failure !== "");
    },
  },
  {
    name: "Node's timers keep their time while bytes flow",
    needsSockets: true,
    async run(stage) {
      const { arena, witness } = stage;
      const { seen, peer } = await acceptOne(stage);
      let fired = 0;
      const timer = setInterval(() => {
        fired++;
      }, 10);
      try {
        const giveUpMs = arena.nowMs() + 5000;
        for (let round = 0; fired < 20 && arena.nowMs() < giveUpMs; round++) {
          const before = seen.receivedBytes;
          await peerWrites(stage, peer, round, 1 << 20);
          await arena.until("a MiB came", () => seen.receivedBytes === before + (1 << 20));
          witness.sendPattern(seen, patternOf(1), 1000);
        }
        assert.ok(fired >= 20, `${fired} times in five seconds`);
      } finally {
        clearInterval(timer);
      }
    },
  },
  {
    name: "fetch, promises and immediates work beside it, and an idle engine lets them",
    needsSockets: true,
    async run(stage) {
      const { witness } = stage;
      const server = createServer((_request, response) => response.end("beside"));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as { port: number };
      try {
        for (let i = 0; i < 3; i++) {
          const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
          assert.equal(await response.text(), "beside");
        }
        await new Promise((resolve) => setImmediate(resolve));
        await new Promise((resolve) => setTimeout(resolve, 5));
        const { seen, peer } = await acceptOne(stage);
        let answer = "";
        witness.onReceived = (_seen, start) => {
          stage.engine.buffers.release(start);
          void fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })
            .then((response) => response.text())
            .then((text) => {
              answer = text;
              witness.sendPattern(seen, patternOf(1), 10);
            });
        };
        peer.write(Buffer.from("ask"));
        await stage.arena.until("answered by way of fetch", () => peer.receivedBytes === 10);
        assert.equal(answer, "beside");
      } finally {
        server.close();
      }
    },
  },
];
