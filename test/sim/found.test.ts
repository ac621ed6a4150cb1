/** What the simulation has found, each in the smallest world that shows it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { blockOf, segmentBytes } from "../../src/contract/counters.ts";
import {
  DEFAULT_LIMITS,
  DEFAULT_POLICY,
  DEFAULT_TIMEOUTS,
  type Limits,
  type Snapshot,
} from "../../src/contract/snapshot.ts";
import { createSimEngine } from "../../src/engine/sim/sim-engine.ts";
import { World } from "../../src/engine/sim/world.ts";
import { createHttpSession } from "../../src/session/http-session.ts";
import { Actor } from "./actor.ts";
import { Trace } from "./trace.ts";

const AT_ONCE = { readMs: 0, writeBytesMax: 0, writeMs: 0 };
/** Long enough for everything that is under way, shorter than any timeout. */
const MOMENT_MS = 100;

/** Keeps what it reads. */
class Peer extends Actor {
  text = "";

  say(text: string): void {
    this.write(Buffer.from(text, "latin1"));
  }

  protected override received(bytes: Buffer, count: number): void {
    this.text += bytes.toString("latin1", 0, count);
  }

  protected override over(): void {}
}

/** A proxy, a client that is connected to it, and a backend that answers nothing by itself. */
class Theatre {
  readonly world = new World({ seed: 1, latencyMaxMs: 0.1 });
  readonly engine = createSimEngine(this.world, {
    listeners: [{ host: "127.0.0.1", port: 0 }],
    connectionsMax: 16,
    smallSlots: 32,
    largeSlots: 8,
  });
  readonly trace = new Trace(this.world);
  readonly client = new Peer(this.world, this.trace, "client", AT_ONCE);
  readonly backends: Peer[] = [];
  readonly #address: string;
  readonly #session;

  constructor() {
    const listener = this.world.listen("127.0.0.1:0", {
      wireIncoming: () => {
        const end = listener.queue.shift()!;
        const backend = new Peer(this.world, this.trace, "backend", AT_ONCE);
        this.backends.push(backend);
        backend.attach(end);
        end.adopt(backend);
      },
    })!;
    this.#address = listener.address;
    const counters = blockOf(new ArrayBuffer(segmentBytes(1)), 0);
    const notices = { admits: () => true, failure: () => {}, endpoint: () => {}, drained: () => {} };
    this.#session = createHttpSession(this.engine, this.#snapshot(1, {}), counters, notices, 0);
    this.engine.start(this.#session);
    this.client.attach(this.world.dial(this.engine.listenerAddresses[0]!, "10.0.0.1", this.client));
  }

  /** Lets happen what is under way. */
  wait(): void {
    this.world.run(this.world.nowMs + MOMENT_MS);
  }

  reload(limits: Partial<Limits>): void {
    this.#session.replaceSnapshot(this.#snapshot(2, limits));
  }

  #snapshot(version: number, limits: Partial<Limits>): Snapshot {
    const endpoint = { name: "b", address: this.#address, healthy: true };
    return {
      version,
      mode: "http",
      viaName: "sim",
      clusters: [{ name: "main", endpoints: [endpoint] }],
      listeners: [{ cluster: 0 }],
      timeouts: DEFAULT_TIMEOUTS,
      limits: { ...DEFAULT_LIMITS, ...limits },
      policy: DEFAULT_POLICY,
    };
  }
}

test("found: the bound for heads falls below what has come of one: it is refused", () => {
  const theatre = new Theatre();
  theatre.client.say(`GET / HTTP/1.1\r\nHost: sim\r\nX-A: ${"a".repeat(1_000)}`);
  theatre.wait();
  theatre.reload({ headBytesMax: 500 });
  theatre.client.say("a\r\n\r\n");
  theatre.wait();
  assert.match(theatre.client.text, /^HTTP\/1\.1 431 /);
});

test("found: a failure that cannot be told ends the connection, and nothing answers in its place", () => {
  const theatre = new Theatre();
  const { buffers } = theatre.engine;
  const lines = "Host: sim\r\nContent-Length: 0\r\n";
  // Too long for a small slot, so that its end frees none.
  theatre.client.say(`POST /first HTTP/1.1\r\nX-A: ${"a".repeat(5_000)}\r\n${lines}\r\n`);
  theatre.client.say(`POST /second HTTP/1.1\r\n${lines}\r\n`);
  theatre.wait();
  const taken: number[] = [];
  while (buffers.freeSmallCount > 0) taken.push(buffers.acquireSmall());
  theatre.backends[0]!.reset();
  theatre.wait();
  for (const slot of taken) buffers.release(slot);
  theatre.wait();
  assert.equal(theatre.client.text, "");
  assert.equal(theatre.client.isOver, true);
  assert.equal(theatre.backends.length, 1, "the second request is not sent");
});

test("found: a chunked body without a byte is sent once: what is repeated would wait for it for ever", () => {
  const theatre = new Theatre();
  theatre.client.say("PUT / HTTP/1.1\r\nHost: sim\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  theatre.wait();
  assert.match(theatre.backends[0]!.text, /\r\n\r\n0\r\n\r\n$/);
  theatre.backends[0]!.close();
  theatre.wait();
  assert.match(theatre.client.text, /^HTTP\/1\.1 502 /);
});
