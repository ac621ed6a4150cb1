/**
 * What only the simulated engine promises: the same seed gives the same run, time stands still unless the
 * world is run, and the wire's knobs do what they say. The engine contract itself is proved in
 * test/conformance.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../contract/errno.ts";
import { type Engine, type EngineOptions, EngineUnavailable, type Handler } from "../../contract/port.ts";
import { createSimEngine } from "./sim-engine.ts";
import { NOTHING_YET, type WireEnd, type WireOwner } from "./wire.ts";
import { World, type WorldOptions } from "./world.ts";

const OPTIONS: EngineOptions = {
  listeners: [{ host: "192.0.2.1", port: 80 }],
  connectionsMax: 16,
  smallSlots: 16,
  largeSlots: 16,
};

/** Echoes, and writes down every event with its moment. */
class Scribe implements Handler {
  readonly lines: string[] = [];
  waitMs = -1;
  readonly #engine: Engine;
  #nowMs = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  begin(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#write("begin");
  }

  accepted(connection: number): void {
    this.#write("accepted", connection);
  }

  connected(connection: number): void {
    this.#write("connected", connection);
  }

  received(connection: number, start: number, end: number): void {
    this.#write("received", connection, end - start);
    this.#engine.send(connection, start, end);
  }

  ended(connection: number): void {
    this.#write("ended", connection);
    this.#engine.shutdown(connection);
  }

  drained(): void {}

  failed(connection: number, errno: number): void {
    this.#write("failed", connection, errno);
    this.#engine.close(connection);
  }

  end(): number {
    return this.waitMs;
  }

  #write(...words: (string | number)[]): void {
    this.lines.push(`${this.#nowMs} ${words.join(" ")}`);
  }
}

/** Writes all it is given as room appears, then FIN; counts what comes back. */
class Client implements WireOwner {
  receivedBytes = 0;
  errno = 0;
  readonly #left: Uint8Array;
  #at = 0;
  readonly #scratch = new Uint8Array(65_536);

  constructor(bytes: number) {
    this.#left = new Uint8Array(bytes);
  }

  wireConnected(end: WireEnd): void {
    this.errno = end.errno;
    if (this.errno === 0) this.wireWritable(end);
  }

  wireReadable(end: WireEnd): void {
    for (let count = 1; count > 0; ) {
      count = end.read(this.#scratch, 0, this.#scratch.length);
      if (count > 0) this.receivedBytes += count;
      else if (count !== NOTHING_YET && count < 0) this.errno = count;
    }
  }

  wireWritable(end: WireEnd): void {
    this.#at += Math.max(0, end.write(this.#left, this.#at, this.#left.length));
    if (this.#at === this.#left.length) end.shutdown();
  }
}

const SILENT: WireOwner = { wireConnected: () => {}, wireReadable: () => {}, wireWritable: () => {} };

function run(options: WorldOptions): { lines: string[]; clients: Client[]; world: World } {
  const world = new World(options);
  const engine = createSimEngine(world, OPTIONS);
  const scribe = new Scribe(engine);
  engine.start(scribe);
  const clients = [100, 20_000, 700_000].map((bytes) => new Client(bytes));
  for (const client of clients) world.dial("192.0.2.1:80", "192.0.2.9", client);
  assert.deepEqual(scribe.lines, [], "nothing happens before the world is run");
  while (world.step());
  return { lines: scribe.lines, clients, world };
}

test("the same seed gives the same run, event by event; another seed another", () => {
  const one = run({ seed: 7 });
  assert.ok(one.lines.length > 30);
  assert.deepEqual(run({ seed: 7 }).lines, one.lines);
  assert.notDeepEqual(run({ seed: 8 }).lines, one.lines);
});

test("every byte comes back under any cut and any buffer size", () => {
  for (const [segmentBytesMax, socketBytesMax] of [
    [1500, 4096],
    [65_536, 1000],
    [16, 65_536],
  ] as const) {
    const { clients } = run({ seed: segmentBytesMax, segmentBytesMax, socketBytesMax });
    const bytes = clients.map((client) => client.receivedBytes);
    assert.deepEqual(bytes, [100, 20_000, 700_000], `segments of ${segmentBytesMax}`);
  }
});

test("latency is what was asked for: nobody is connected before a round trip", () => {
  const world = new World({ seed: 1, latencyMinMs: 30, latencyMaxMs: 40 });
  const engine = createSimEngine(world, OPTIONS);
  const scribe = new Scribe(engine);
  engine.start(scribe);
  const client = new Client(0);
  const end = world.dial("192.0.2.1:80", "192.0.2.9", client);
  world.run(world.nowMs + 59);
  assert.equal(end.isConnected, false);
  world.run(world.nowMs + 22);
  assert.equal(end.isConnected, true);
});

test("dialling where nobody listens is refused", () => {
  const world = new World({ seed: 1 });
  const client = new Client(1);
  world.dial("192.0.2.1:81", "192.0.2.9", client);
  while (world.step());
  assert.equal(client.errno, Errno.ECONNREFUSED);
});

test("a mute listener answers nobody, until it does; one that refuses may accept again", () => {
  const world = new World({ seed: 1 });
  const listener = world.listen("192.0.2.1:80", { wireIncoming: () => {} })!;
  listener.isMute = true;
  const lost = world.dial("192.0.2.1:80", "192.0.2.9", new Client(1));
  while (world.step());
  assert.equal(lost.isConnected || lost.errno !== 0, false, "neither connected nor refused");
  listener.isMute = false;
  world.refuse(listener);
  const refused = world.dial("192.0.2.1:80", "192.0.2.9", new Client(1));
  while (world.step());
  assert.equal(refused.errno, Errno.ECONNREFUSED);
  world.accept(listener);
  const accepted = world.dial("192.0.2.1:80", "192.0.2.9", new Client(1));
  while (world.step());
  assert.equal(accepted.isConnected, true);
});

test("a way that is blocked makes everything late, and loses nothing", () => {
  const calm = run({ seed: 3 });
  const stalled = run({ seed: 3, stallOneIn: 5, stallMaxMs: 400 });
  assert.ok(stalled.world.nowMs > calm.world.nowMs + 200);
  assert.deepEqual(
    stalled.clients.map((client) => client.receivedBytes),
    [100, 20_000, 700_000],
  );
});

test("a stream keeps its order to the last digit of the clock", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const world = new World({ seed, segmentBytesMax: 3, stallOneIn: 4, stallMaxMs: 2_000 });
    const listener = world.listen("192.0.2.1:80", { wireIncoming: () => {} })!;
    const near = world.dial("192.0.2.1:80", "192.0.2.9", { ...SILENT });
    while (world.step());
    const sent = Uint8Array.from({ length: 200 }, (_, i) => i);
    for (let at = 0; at < 200; at += 20) {
      near.write(sent, at, at + 20);
      world.run(world.nowMs + 0.1);
    }
    while (world.step());
    const read = new Uint8Array(200);
    assert.equal(listener.queue[0]!.read(read, 0, 200), 200);
    assert.deepEqual(read, sent, `seed ${seed}`);
  }
});

test("RST leaves what has arrived to be read, or takes it along", () => {
  for (const resetFlushes of [false, true]) {
    const world = new World({ seed: 1, resetFlushes });
    const listener = world.listen("192.0.2.1:80", { wireIncoming: () => {} })!;
    const near = world.dial("192.0.2.1:80", "192.0.2.9", { ...SILENT });
    while (world.step());
    const far = listener.queue.shift()!;
    far.write(Uint8Array.of(1, 2, 3), 0, 3);
    while (world.step());
    far.reset();
    while (world.step());
    const target = new Uint8Array(8);
    assert.equal(near.read(target, 0, 8), resetFlushes ? Errno.ECONNRESET : 3);
  }
});

test("the handler's deadline is kept to the moment, in no real time", () => {
  const world = new World({ seed: 1 });
  const engine = createSimEngine(world, OPTIONS);
  const scribe = new Scribe(engine);
  scribe.waitMs = 60_000;
  engine.start(scribe);
  world.run(world.nowMs + 600_500);
  assert.equal(scribe.lines.length, 11, "at the start, and ten minutes of minutes");
});

test("an inherited descriptor is refused in words", () => {
  const options = { ...OPTIONS, listeners: [{ fd: 3 }] };
  assert.throws(() => createSimEngine(new World({ seed: 1 }), options), EngineUnavailable);
});

/** Sends a byte as soon as it can, and closes where it has read one. */
class Hasty extends Scribe {
  readonly #port: Engine;
  #connection = -1;

  constructor(engine: Engine) {
    super(engine);
    this.#port = engine;
  }

  override begin(nowMs: number): void {
    super.begin(nowMs);
    if (this.#connection < 0) return;
    const start = this.#port.buffers.acquireSmall();
    this.#port.send(this.#connection, start, start + 1);
  }

  override accepted(connection: number): void {
    this.#connection = connection;
  }

  override received(connection: number, start: number): void {
    this.#port.buffers.release(start);
    this.#connection = -1;
    this.#port.close(connection);
  }
}

test("sim: what is sent as a batch begins leaves behind it, if it still may", () => {
  const world = new World({ seed: 1 });
  const engine = createSimEngine(world, OPTIONS);
  engine.start(new Hasty(engine));
  const client = new Client(1);
  world.dial("192.0.2.1:80", "192.0.2.9", client);
  while (world.step());
  assert.equal(client.receivedBytes, 0);
  assert.equal(engine.openCount, 0);
});
