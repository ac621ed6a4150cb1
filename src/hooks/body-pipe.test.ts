import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSink } from "../../test/hooks/fake-exchange.ts";
import { BodyPipe, NOWHERE, type PipeOutput, type PipeStage } from "./body-pipe.ts";
import { BodyReader } from "./body-reader.ts";
import { WebStage } from "./web-stage.ts";

/** Passes what comes on, with a mark around it. */
class Marking implements PipeStage {
  out: PipeOutput = NOWHERE;
  readonly isAtWork = false;
  readonly isGathering = false;
  readonly #mark: string;
  aborted = false;

  constructor(mark: string) {
    this.#mark = mark;
  }

  take(bytes: Uint8Array): boolean {
    return this.out.write(Buffer.from(`${this.#mark}${Buffer.from(bytes).toString()}${this.#mark}`));
  }

  end(): void {
    this.out.write(Buffer.from("."));
    this.out.end();
  }

  abort(): void {
    this.aborted = true;
  }

  drained(): void {
    this.out.more();
  }
}

function pipeOf(...stages: readonly PipeStage[]): { pipe: BodyPipe; sink: FakeSink } {
  const pipe = new BodyPipe(false);
  const sink = new FakeSink();
  pipe.connect(sink);
  for (const stage of stages) pipe.add(stage);
  return { pipe, sink };
}

function feed(pipe: BodyPipe, text: string): boolean {
  // As the memory of some engines: a Buffer, which is used again at once.
  const memory = Buffer.from(`<<${text}>>`);
  const goOn = pipe.feed(memory, 2, 2 + text.length);
  memory.fill(0);
  return goOn;
}

/** Lets promises settle. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await null;
}

test("stages stand one behind the other, and nothing leaves before the gate opens", () => {
  const { pipe, sink } = pipeOf(new Marking("a"), new Marking("b"));
  feed(pipe, "1");
  assert.equal(sink.text, "");
  pipe.open();
  feed(pipe, "2");
  pipe.end();
  assert.equal(sink.text, "ba1ab" + "ba2ab" + "b.b" + ".");
  assert.equal(sink.ended, true);
});

test("a stage that comes later sees all that came before", () => {
  const { pipe, sink } = pipeOf(new Marking("a"));
  feed(pipe, "1");
  pipe.end();
  pipe.add(new Marking("b"));
  assert.equal(sink.ended, false);
  pipe.open();
  assert.equal(sink.text, "ba1ab" + "b.b" + ".");
  assert.equal(sink.ended, true);
});

test("a full gate stops the source, and opening it lets it go on", () => {
  const { pipe, sink } = pipeOf(new Marking(""));
  let fed = 0;
  while (feed(pipe, "x".repeat(10_000))) fed++;
  assert.ok(fed < 10, "the gate is bounded");
  assert.equal(sink.asked, 0);
  pipe.open();
  assert.equal(sink.asked, 1);
  assert.equal(sink.text.length, (fed + 1) * 10_000);
});

test("whose turn it is: the source's while it may go on and has not ended", () => {
  const { pipe, sink } = pipeOf(new Marking(""));
  assert.equal(pipe.awaitsSource, true);
  pipe.open();
  feed(pipe, "1");
  assert.equal(pipe.awaitsSource, true);
  sink.hasRoom = false;
  feed(pipe, "2");
  assert.equal(pipe.awaitsSource, false);
  sink.hasRoom = true;
  pipe.drained();
  assert.equal(pipe.awaitsSource, true);
  pipe.end();
  assert.equal(pipe.awaitsSource, false);
});

test("a full sink stops the source until it has drained", () => {
  const { pipe, sink } = pipeOf(new Marking(""));
  pipe.open();
  sink.hasRoom = false;
  assert.equal(feed(pipe, "1"), false);
  assert.equal(sink.text, "1", "what it took counts");
  sink.hasRoom = true;
  pipe.drained();
  assert.equal(sink.asked, 1);
  assert.equal(feed(pipe, "2"), true);
});

test("abort reaches every stage, and nothing is written behind it", () => {
  const [a, b] = [new Marking("a"), new Marking("b")];
  const { pipe, sink } = pipeOf(a, b);
  pipe.open();
  feed(pipe, "1");
  const before = sink.text;
  pipe.abort();
  a.take(Buffer.from("2"));
  b.end();
  assert.deepEqual([a.aborted, b.aborted, sink.text, sink.ended], [true, true, before, false]);
});

test("a body is read whole and sent on as it came", async () => {
  const reader = new BodyReader(100);
  const { pipe, sink } = pipeOf(reader);
  feed(pipe, "hello ");
  feed(pipe, "world");
  pipe.end();
  assert.equal(Buffer.from(await reader.body).toString(), "hello world");
  assert.equal(sink.text, "");
  pipe.open();
  assert.equal(sink.text, "hello world");
  assert.equal(sink.ended, true);
});

test("a body that is too large to be read can still be sent on", async () => {
  const reader = new BodyReader(8);
  const { pipe, sink } = pipeOf(reader);
  pipe.open();
  feed(pipe, "12345");
  feed(pipe, "67890");
  await assert.rejects(reader.body, { name: "HookError", code: "body_too_large" });
  feed(pipe, "more");
  pipe.end();
  assert.equal(sink.text, "1234567890more");
  assert.equal(sink.ended, true);
});

test("a reader whose exchange ends is told", async () => {
  const reader = new BodyReader(8);
  const { pipe } = pipeOf(reader);
  feed(pipe, "1");
  pipe.abort();
  await assert.rejects(reader.body, { name: "HookError", code: "ended" });
});

test("web streams: pieces, strings and the end come out; an error cuts the body and is told", async () => {
  const failures: unknown[] = [];
  const upper = new TransformStream<Uint8Array, Uint8Array | string>({
    transform(piece, controller) {
      const text = Buffer.from(piece).toString().toUpperCase();
      if (text === "BAD") throw new Error("bad");
      controller.enqueue(text);
      controller.enqueue(Buffer.from("-"));
    },
    flush: (controller) => controller.enqueue("end"),
  });
  const good = new WebStage(upper, (error) => failures.push(error));
  const { pipe, sink } = pipeOf(good);
  good.begin();
  pipe.open();
  feed(pipe, "a");
  feed(pipe, "b");
  pipe.end();
  await settle();
  assert.deepEqual([sink.text, sink.ended, sink.failed], ["A-B-end", true, ""]);

  const broken = new WebStage(
    (body) =>
      body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform() {
            throw new Error("bad");
          },
        }),
      ),
    (error) => failures.push(error),
  );
  const other = pipeOf(broken);
  broken.begin();
  other.pipe.open();
  feed(other.pipe, "a");
  await settle();
  assert.deepEqual([other.sink.ended, other.sink.failed], [false, "hook_threw"]);
  assert.match(String(failures), /^Error: bad$/);
  assert.equal(feed(other.pipe, "b"), true, "what comes now goes nowhere");
});

test("a web stream that writes what is no bytes fails", async () => {
  const failures: unknown[] = [];
  const stage = new WebStage(
    () => new ReadableStream({ start: (controller) => controller.enqueue(5 as never) }),
    (error) => failures.push(error),
  );
  const { pipe, sink } = pipeOf(stage);
  stage.begin();
  pipe.open();
  await settle();
  assert.equal(sink.failed, "hook_threw");
  assert.match(String(failures), /TypeError: a body is made of/);
});

test("a slow reader stops the source: the stream's queue is bounded", async () => {
  const stage = new WebStage(new TransformStream(), () => {});
  const { pipe, sink } = pipeOf(stage);
  stage.begin();
  pipe.open();
  sink.hasRoom = false;
  await settle();
  let fed = 0;
  while (feed(pipe, "x".repeat(10_000))) {
    fed++;
    await settle();
    assert.ok(fed < 30, "it is stopped at last");
  }
  const asked = sink.asked;
  sink.hasRoom = true;
  pipe.drained();
  await settle();
  assert.ok(sink.asked > asked, "and goes on when there is room");
  assert.equal(sink.text.length, (fed + 1) * 10_000);
});

test("no transform is refused at once", () => {
  assert.throws(() => new WebStage((() => 5) as never, () => {}), /transformBody needs/);
});

test("a stream that uses the memory of its pieces again", async () => {
  const memory = new Uint8Array(1);
  let next = 0x41;
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (next > 0x43) return controller.close();
      memory[0] = next++;
      controller.enqueue(memory);
    },
  });
  const stage = new WebStage(
    () => source,
    () => {},
  );
  const { pipe, sink } = pipeOf(stage);
  stage.begin();
  await settle();
  pipe.open();
  await settle();
  assert.equal(sink.text, "ABC");
});
