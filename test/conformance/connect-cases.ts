/** Listeners, addresses, connecting and accepting. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { HEADROOM_BYTES } from "../../src/base/buffer-pool.ts";
import { Errno } from "../../src/contract/errno.ts";
import { PEER_ADDRESS_BYTES } from "../../src/contract/port.ts";
import type { HarbourKind } from "./arena.ts";
import { acceptOne, type Case, connectOne, connectTo, type Stage } from "./case.ts";
import { patternOf, Tally } from "./pattern.ts";
import type { Seen } from "./witness.ts";

const UNREADABLE_ADDRESSES = [
  "",
  ":80",
  "127.0.0.1",
  "127.0.0.1:",
  "127.0.0.1:65536",
  "127.0.0.1:-1",
  "127.0.0.1:80x",
  "127.0.0.1: 80",
  " 127.0.0.1:80",
  "127.0.0:80",
  "127.0.0.256:80",
  "localhost:80",
  "[::1]",
  "[::1:80",
  "::1:80",
  "[127.0.0.1]:80",
  "[:::1]:80",
  "unix:",
  `unix:/${"a".repeat(200)}`,
];

function peerAddressOf({ engine }: Stage, seen: Seen): string {
  const slot = engine.buffers.acquireSmall();
  engine.buffers.memory.fill(0xee, slot, slot + PEER_ADDRESS_BYTES + 1);
  const end = engine.writePeerAddress(seen.connection, slot);
  assert.ok(end - slot <= PEER_ADDRESS_BYTES, "the text has its room");
  assert.equal(engine.buffers.memory[slot + PEER_ADDRESS_BYTES], 0xee, "nothing is written beyond it");
  const text = Buffer.from(engine.buffers.memory.subarray(slot, end)).toString("latin1");
  engine.buffers.release(slot);
  return text;
}

async function roundTrip(stage: Stage, kind: HarbourKind): Promise<string | undefined> {
  const { arena, witness } = stage;
  const pair = await connectOne(stage, kind);
  if (pair === null) return `no ${kind} here`;
  const { seen, peer } = pair;
  seen.tally = new Tally(patternOf(1));
  peer.write(patternOf(1).slice(0, 10_000));
  witness.sendPattern(seen, patternOf(2), 10_000);
  await arena.until(
    "both have 10000 bytes",
    () => peer.receivedBytes === 10_000 && seen.receivedBytes === 10_000,
  );
  assert.equal(seen.tally.wrongAt, -1);
  return undefined;
}

export const CONNECT_CASES: readonly Case[] = [
  {
    name: "listenerAddresses: port 0 is resolved, in the form that connect takes",
    options: {
      listeners: [
        { host: "127.0.0.1", port: 0 },
        { host: "127.0.0.1", port: 0 },
      ],
    },
    async run({ engine, witness, arena }) {
      assert.equal(engine.listenerAddresses.length, 2);
      for (const address of engine.listenerAddresses) assert.match(address, /^127\.0\.0\.1:[1-9][0-9]*$/);
      const seen = witness.connect(engine.listenerAddresses[1]!);
      await arena.until("it reaches itself", () => seen.isConnected && witness.accepts.length === 1);
    },
  },
  {
    name: "accepted: with the number of the listener",
    options: {
      listeners: [
        { host: "127.0.0.1", port: 0 },
        { host: "127.0.0.1", port: 0 },
      ],
    },
    async run(stage) {
      assert.equal((await acceptOne(stage, 1)).seen.listener, 1);
      assert.equal((await acceptOne(stage, 0)).seen.listener, 0);
      assert.equal((await acceptOne(stage, 1)).seen.listener, 1);
    },
  },
  {
    name: "listeners: with reusePort another socket may listen beside it",
    needsSockets: true,
    options: { listeners: [{ host: "127.0.0.1", port: 0, reusePort: true }] },
    async run(stage) {
      if (process.platform !== "linux") return "reusePort shares load on Linux only";
      const port = Number(stage.engine.listenerAddresses[0]!.slice("127.0.0.1:".length));
      const beside = createServer();
      beside.listen({ host: "127.0.0.1", port, reusePort: true });
      await once(beside, "listening");
      await new Promise((resolve) => beside.close(resolve));
      await acceptOne(stage);
      return undefined;
    },
  },
  {
    name: "connect: an address that cannot be read is -EINVAL",
    async run({ witness }) {
      for (const address of UNREADABLE_ADDRESSES)
        assert.equal(witness.tryConnect(address), Errno.EINVAL, JSON.stringify(address));
    },
  },
  {
    name: "connect: to nobody fails with -ECONNREFUSED",
    async run({ arena, witness }) {
      const harbour = (await arena.listen("ipv4"))!;
      await harbour.close();
      const seen = witness.connect(harbour.address);
      await arena.until("it fails", () => seen.errno !== 0);
      assert.equal(seen.errno, Errno.ECONNREFUSED);
      assert.equal(seen.isConnected, false);
    },
  },
  {
    name: "connect: bytes go both ways over IPv4",
    run: (stage) => roundTrip(stage, "ipv4"),
  },
  {
    name: "connect: bytes go both ways over IPv6",
    needsSockets: true,
    run: (stage) => roundTrip(stage, "ipv6"),
  },
  {
    name: "connect: bytes go both ways over a unix socket",
    needsSockets: true,
    run: (stage) => roundTrip(stage, "unix"),
  },
  {
    name: "connect: a unix socket that is not there fails with -ENOENT",
    needsSockets: true,
    async run({ arena, witness }) {
      const seen = witness.tryConnect("unix:/nonexistent/hp-proxy/socket");
      if (typeof seen === "number") return void assert.equal(seen, Errno.ENOENT);
      await arena.until("it fails", () => seen.errno !== 0);
      assert.equal(seen.errno, Errno.ENOENT);
    },
  },
  {
    name: "connect: twenty in one batch, all to one address",
    async run({ arena, witness }) {
      const harbour = (await arena.listen("ipv4"))!;
      const all = Array.from({ length: 20 }, () => witness.connect(harbour.address));
      await arena.until(
        "all stand",
        () => all.every((seen) => seen.isConnected) && harbour.peers.length === 20,
      );
      assert.equal(new Set(all.map((seen) => seen.connection)).size, 20);
    },
  },
  {
    name: "connect and close at once: no event, and the number comes back",
    options: { connectionsMax: 4 },
    async run({ arena, witness }) {
      const harbour = (await arena.listen("ipv4"))!;
      for (let round = 0; round < 40; round++) {
        const seen = witness.tryConnect(harbour.address);
        if (typeof seen === "number") {
          assert.equal(seen, Errno.EMFILE);
          await arena.pass(1);
          continue;
        }
        if (round % 2 === 0) witness.close(seen);
        else witness.reset(seen);
      }
      await arena.until("a number is free again", () => {
        const seen = witness.tryConnect(harbour.address);
        return typeof seen !== "number";
      });
    },
  },
  {
    name: "connect: -EMFILE at connectionsMax, and again possible after a close",
    options: { connectionsMax: 4 },
    async run(stage) {
      const { arena, witness } = stage;
      const harbour = (await arena.listen("ipv4"))!;
      const pairs = [];
      for (let i = 0; i < 4; i++) pairs.push(await connectTo(stage, harbour));
      assert.equal(witness.tryConnect(harbour.address), Errno.EMFILE);
      witness.close(pairs[2]!.seen);
      await arena.until(
        "one more is possible",
        () => typeof witness.tryConnect(harbour.address) !== "number",
      );
    },
  },
  {
    name: "accepted: never more than connectionsMax, and again after a close",
    options: { connectionsMax: 4 },
    async run(stage) {
      const { arena, engine, witness } = stage;
      const first = await acceptOne(stage);
      for (let i = 0; i < 3; i++) await acceptOne(stage);
      // Whether one too many waits or is turned away is the engine's choice.
      const beyond = arena.dial(engine.listenerAddresses[0]!);
      await arena.until("the fifth has knocked", () => beyond.isConnected || beyond.failure !== "");
      await arena.pass(20);
      assert.equal(witness.accepts.length, 4);
      witness.close(first.seen);
      const dialled = [beyond];
      await arena.until("one more is accepted", () => {
        const last = dialled[dialled.length - 1]!;
        const wasTurnedAway = last.failure !== "" || last.hasEnded;
        if (witness.accepts.length === 4 && wasTurnedAway)
          dialled.push(arena.dial(engine.listenerAddresses[0]!));
        return witness.accepts.length >= 5;
      });
    },
  },
  {
    name: "writePeerAddress: IPv4",
    async run(stage) {
      assert.equal(peerAddressOf(stage, (await acceptOne(stage)).seen), "127.0.0.1");
      assert.equal(peerAddressOf(stage, (await connectOne(stage))!.seen), "127.0.0.1");
    },
  },
  {
    name: "writePeerAddress: IPv6",
    needsSockets: true,
    async run(stage) {
      const pair = await connectOne(stage, "ipv6");
      if (pair === null) return "no IPv6 here";
      assert.equal(peerAddressOf(stage, pair.seen), "::1");
      return undefined;
    },
  },
  {
    name: "writePeerAddress: an IPv4 client of an IPv6 listener is written as IPv4",
    needsSockets: true,
    options: { listeners: [{ host: "::", port: 0 }] },
    async run(stage) {
      const { arena, engine, witness } = stage;
      const [address] = engine.listenerAddresses;
      assert.match(address!, /^\[::\]:[0-9]+$/);
      arena.dial(`127.0.0.1:${address!.slice("[::]:".length)}`);
      await arena.until("it is accepted", () => witness.accepts.length === 1);
      assert.equal(peerAddressOf(stage, witness.accepts[0]!), "127.0.0.1");
    },
  },
  {
    name: "writePeerAddress: a unix socket is `unix:`",
    needsSockets: true,
    async run(stage) {
      const pair = await connectOne(stage, "unix");
      if (pair === null) return "no unix sockets here";
      assert.equal(peerAddressOf(stage, pair.seen), "unix:");
      return undefined;
    },
  },
  {
    name: "received: bytes that came with the connection are not lost, and may be rewritten in front",
    async run({ arena, engine, witness }) {
      const peer = arena.dial(engine.listenerAddresses[0]!);
      const answers: Buffer[] = [];
      peer.onBytes = (bytes) => answers.push(Buffer.from(bytes));
      witness.onReceived = (seen, start, end) => {
        const front = start - HEADROOM_BYTES;
        engine.buffers.memory.fill(0x41, front, start);
        witness.send(seen, front, end);
      };
      peer.write(Buffer.from("hello"));
      await arena.until("the answer is there", () => peer.receivedBytes === HEADROOM_BYTES + 5);
      assert.equal(Buffer.concat(answers).toString(), `${"A".repeat(HEADROOM_BYTES)}hello`);
    },
  },
];
