import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeExchange } from "../../test/hooks/fake-exchange.ts";
import { BLOCK_BYTES, Counter } from "../contract/counters.ts";
import { BufferStage, Buffers } from "./buffer.ts";
import { HookChain } from "./hook-chain.ts";
import { type HookSurroundings, REAL_CLOCK } from "./link.ts";

class World implements HookSurroundings {
  readonly clock = REAL_CLOCK;
  readonly clusterNames: readonly string[] = [];
  readonly cells = new Float64Array(BLOCK_BYTES / 8);
  readonly buffers = new Buffers(this.cells, 100);
  readonly wrong: string[] = [];

  tell({ message }: { message: string }): void {
    this.wrong.push(message);
  }

  stray(where: string, error: unknown): void {
    this.wrong.push(`${where}: ${String(error)}`);
  }

  chain(which: "request" | "response", bytesMax: number): HookChain {
    const hooks = this.buffers.hooksOf({ kind: "buffer", which, bytesMax });
    return new HookChain(
      [{ name: "buffer", hooks, budgetMs: 1_000, timeoutMs: 10_000, isClosed: true, number: 0 }],
      this,
    );
  }
}

function post(line: string): FakeExchange {
  const exchange = new FakeExchange(`POST / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`);
  exchange.hasRequestBody = true;
  return exchange;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await null;
}

test("buffer: a request goes on when its body is complete", async () => {
  const world = new World();
  const exchange = post("Content-Length: 20");
  world.chain("request", 20).request(exchange);
  assert.deepEqual(exchange.verdicts, ["hold"]);
  assert.ok(exchange.feed("0123456789"));
  await settle();
  assert.deepEqual([exchange.verdicts, world.buffers.bytes], [["hold"], 10]);
  exchange.stages[0]!.end();
  await settle();
  assert.deepEqual(exchange.verdicts, ["hold", "proceed"]);
  assert.deepEqual([exchange.sinks[0]!.text, exchange.sinks[0]!.ended], ["0123456789", true]);
  assert.equal(world.buffers.bytes, 0);
  assert.equal(exchange.keepsLength, true);
});

test("buffer: a request with more than there is room for goes on with the rest to come", async () => {
  const world = new World();
  const exchange = post("Transfer-Encoding: chunked");
  world.chain("request", 15).request(exchange);
  assert.ok(exchange.feed("0123456789"));
  exchange.feed("abcdefghij");
  await settle();
  assert.deepEqual(exchange.verdicts, ["hold", "proceed"]);
  exchange.feed("klm");
  exchange.stages[0]!.end();
  assert.deepEqual([exchange.sinks[0]!.text, exchange.sinks[0]!.ended], ["0123456789abcdefghijklm", true]);
  assert.equal(world.cells[Counter.buffersShort], 0);
});

test("buffer: nothing is held that is too long from the beginning, here already, or no body", () => {
  for (const [line, changes] of [
    ["Content-Length: 21", {}],
    ["Content-Length: 5", { requestBodyBytes: 5 }],
    ["X: y", { hasRequestBody: false }],
    ["Transfer-Encoding: chunked", { mayTunnel: true }],
  ] as const) {
    const exchange: FakeExchange = post(line);
    Object.assign(exchange, changes);
    new World().chain("request", 20).request(exchange);
    assert.deepEqual([exchange.verdicts, exchange.stages.length], [[], 0], line);
  }
});

test("buffer: a client that leaves gives its room back", async () => {
  const world = new World();
  const exchange = post("Content-Length: 20");
  world.chain("request", 20).request(exchange);
  exchange.feed("0123456789");
  exchange.end();
  await settle();
  assert.deepEqual([world.buffers.bytes, exchange.verdicts, world.wrong], [0, ["hold"], []]);
});

test("buffer: all bodies together have a bound, and what is beyond it flows on", async () => {
  const world = new World();
  const first = post("Content-Length: 1000");
  world.chain("request", 1_000).request(first);
  first.feed("x".repeat(95));
  const second = post("Content-Length: 1000");
  world.chain("request", 1_000).request(second);
  second.feed("y".repeat(10));
  await settle();
  assert.deepEqual([first.verdicts, second.verdicts], [["hold"], ["hold", "proceed"]]);
  assert.equal(world.cells[Counter.buffersShort], 1);
  assert.equal(second.sinks[0]!.text, "y".repeat(10));
  assert.equal(world.buffers.bytes, 95);
  first.end();
  assert.equal(world.buffers.bytes, 0);
});

test("buffer: a response flows, and what its client does not take waits", () => {
  const world = new World();
  const exchange = new FakeExchange();
  exchange.responseHead = "HTTP/1.1 200 OK\r\n\r\n";
  world.chain("response", 30).response(exchange);
  assert.deepEqual(exchange.verdicts, []);
  const sink = exchange.sinks[0]!;
  assert.ok(exchange.feed("0"));
  assert.equal(sink.text, "0");
  sink.hasRoom = false;
  assert.ok(exchange.feed("1"), "it has taken that, and no more");
  assert.ok(exchange.feed("2".repeat(20)));
  assert.equal(exchange.feed("3".repeat(10)), false, "full");
  assert.deepEqual([sink.text, world.buffers.bytes, sink.asked], ["01", 30, 0]);
  exchange.stages[0]!.drained();
  assert.equal(world.buffers.bytes, 10);
  assert.equal(sink.asked, 1, "half is free");
  exchange.stages[0]!.end();
  sink.hasRoom = true;
  exchange.stages[0]!.drained();
  assert.equal(sink.text, `01${"2".repeat(20)}${"3".repeat(10)}`);
  assert.ok(sink.ended);
  assert.equal(world.buffers.bytes, 0);
});

test("buffer: event streams and responses without a body are left alone", () => {
  for (const changes of [{ isEventStream: true }, { hasResponseBody: false }, { mayTunnel: true }]) {
    const exchange: FakeExchange = new FakeExchange();
    Object.assign(exchange, changes);
    exchange.responseHead = "HTTP/1.1 200 OK\r\n\r\n";
    new World().chain("response", 30).response(exchange);
    assert.equal(exchange.stages.length, 0);
  }
});

test("buffer: nothing follows once it is over", () => {
  const stage = new BufferStage(10, new Buffers(new Float64Array(BLOCK_BYTES / 8)), false);
  stage.abort();
  stage.abort();
  assert.ok(stage.take(Buffer.from("x")));
  stage.end();
  stage.drained();
});
