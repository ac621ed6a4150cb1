/** Answers that hooks give in place of a backend: of any size, by length or in chunks, slow and broken ones. */
import assert from "node:assert/strict";
import { asciiBytes } from "../../src/base/bytes.ts";
import { Counter } from "../../src/contract/counters.ts";
import type { BodySink, Intercepted } from "../../src/contract/interception.ts";
import { chunked, digest, GET, LARGE, PIECE_BYTES, pour, writeAndTakeBack } from "./hook-bodies.ts";
import { answerWith, heldAt, withChain } from "./scripted-chain.ts";

for (const [name, bytes] of [
  ["a length", LARGE.length],
  ["chunks", -1],
] as const) {
  withChain(`an answer of 700 kB, by ${name}`, {}, async (stage, chain) => {
    const waits: { waits: number }[] = [];
    chain.onRequest = (e) => {
      const sink = e.answer(200, asciiBytes("x-a: b\r\n"), bytes);
      waits.push(pour(sink, LARGE, (go) => (sink.onDrained = go)));
    };
    const client = stage.client();
    for (let i = 0; i < 2; i++) {
      client.write(GET);
      const head = await client.head();
      const isChunked = /\r\nTransfer-Encoding: chunked\r\n/.test(head);
      assert.equal(isChunked, bytes < 0);
      const body = isChunked ? await chunked(client) : await client.bytes(LARGE.length);
      assert.equal(digest(body), digest(LARGE));
    }
    assert.ok(
      waits.every(({ waits }) => waits > 3),
      "the sink has said enough",
    );
  });
}

withChain("an answer waits for a client that does not read", {}, async (stage, chain) => {
  let written = 0;
  let exchange: Intercepted | undefined;
  chain.onRequest = (e) => {
    exchange = e;
    const sink = e.answer(200, asciiBytes(""), -1);
    const go = (): void => {
      do written += PIECE_BYTES;
      while (sink.write(LARGE.subarray(0, PIECE_BYTES)));
    };
    sink.onDrained = go;
    sink.onAborted = () => chain.told.push("aborted");
    go();
  };
  const client = stage.client();
  client.socket.pause();
  client.write(GET);
  let before = -1;
  await stage.eventually("nothing more is written", () => {
    const isStill = written > 0 && written === before;
    before = written;
    return isStill;
  });
  assert.ok(written < 20_000_000, `${written} bytes`);
  client.close();
  await stage.eventually("it is over", () => !exchange!.isLive);
  assert.deepEqual(chain.told.slice(1), ["log 200 client_gone", "aborted"]);
});

withChain("an answer to HTTP/1.0 ends with its connection", {}, async (stage, chain) => {
  chain.onRequest = (e) => {
    const sink = e.answer(200, asciiBytes(""), -1);
    sink.write(asciiBytes("un"));
    sink.write(asciiBytes("til"));
    sink.end();
  };
  const client = stage.client();
  client.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const text = await client.rest();
  assert.match(text, /^HTTP\/1\.1 200 OK\r\nConnection: close\r\nDate: [^\r]+\r\n\r\nuntil$/);
});

for (const [asked, status, length] of [
  ["HEAD", 200, "5"],
  ["GET", 204, ""],
  ["GET", 205, "0"],
  ["HEAD", 205, "0"],
  ["GET", 304, ""],
] as const) {
  withChain(`an answer ${status} to ${asked} has no body`, {}, async (stage, chain) => {
    let isKnown = false;
    chain.onRequest = (e) => {
      isKnown = !isKnown || asked === "HEAD";
      if (isKnown) {
        answerWith(e, status, "hello");
        return;
      }
      const sink = e.answer(status, asciiBytes(""), -1);
      assert.equal(sink.write(asciiBytes("hello")), false);
      sink.end();
    };
    const client = stage.client();
    for (let i = 0; i < 2; i++) {
      client.write(`${asked} / HTTP/1.1\r\nHost: h\r\n\r\n`);
      const head = await client.head();
      assert.equal(/\r\nContent-Length: (\d+)/.exec(head)?.[1] ?? "", length);
      assert.doesNotMatch(head, /Transfer-Encoding|Connection/);
    }
    assert.equal(client.text, "");
  });
}

withChain("an answer of no bytes", {}, async (stage, chain) => {
  chain.onRequest = (e) => answerWith(e, 200, "");
  const client = stage.client();
  client.write(GET.repeat(3));
  for (let i = 0; i < 3; i++) assert.match(await client.head(), /\r\nContent-Length: 0\r\n/);
});

for (const [name, write] of [
  ["fewer bytes than it said", (sink: BodySink) => sink.write(asciiBytes("abc"))],
  ["more bytes than it said", (sink: BodySink) => sink.write(asciiBytes("abcdefgh"))],
  ["bytes whose memory goes away", (sink: BodySink) => writeAndTakeBack(sink, "abcde")],
] as const) {
  withChain(`an answer with ${name} is cut`, {}, async (stage, chain) => {
    let sink: BodySink | undefined;
    chain.onRequest = (e) => (sink = e.answer(200, asciiBytes(""), 5));
    const client = stage.client();
    client.write(GET);
    await client.head();
    write(sink!);
    sink!.end();
    await client.broken();
    assert.deepEqual(stage.reasons, ["hook_threw"]);
    assert.equal(chain.told.at(-1), "log 200 hook_threw");
  });
}

withChain("an answer that fails before it has begun is a 500", {}, async (stage, chain) => {
  chain.onRequest = (e) => e.answer(200, asciiBytes(""), 5).fail("hook_threw");
  const client = stage.client();
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 500 /);
});

withChain(
  "an answer that falls silent is cut",
  { timeouts: { responseBodyIdleMs: 60 } },
  async (stage, chain) => {
    let aborted = 0;
    chain.onRequest = (e) => {
      const sink = e.answer(200, asciiBytes(""), -1);
      sink.onAborted = () => aborted++;
      sink.write(asciiBytes("and then"));
    };
    const client = stage.client();
    client.write(GET);
    await client.until("and then\r\n".slice(0, 8));
    await client.broken();
    assert.deepEqual(stage.reasons, ["hook_stalled"]);
    assert.equal(aborted, 1);
    assert.equal(stage.counter(Counter.errorHookStalled), 1);
  },
);

withChain(
  "an answer that is an event stream may be silent",
  { timeouts: { responseBodyIdleMs: 30 } },
  async (stage, chain) => {
    let sink: BodySink | undefined;
    chain.onRequest = (e) => (sink = e.answer(200, asciiBytes("content-type: text/event-stream\r\n"), -1));
    const client = stage.client();
    client.write(GET);
    await client.head();
    // Another client's answer is cut for as much silence.
    chain.onRequest = (e) => void e.answer(200, asciiBytes(""), -1);
    const other = stage.client();
    other.write(GET);
    await other.broken();
    sink!.write(asciiBytes("data: 1\n\n"));
    sink!.end();
    assert.equal((await chunked(client)).toString(), "data: 1\n\n");
  },
);

withChain("an answer before the body ends the connection", {}, async (stage, chain) => {
  chain.onRequest = (e) => answerWith(e, 401, "no");
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\nbegin");
  const { head } = await client.message();
  assert.match(head, /\r\nConnection: close\r\n/);
  client.end();
  await client.gone();
});

withChain("pipelined requests behind a held one are answered in order", {}, async (stage, chain) => {
  const held = heldAt(stage, chain, "onRequest");
  const client = stage.client();
  client.write("GET /0 HTTP/1.1\r\nHost: h\r\n\r\n");
  const exchange = await held;
  let count = 1;
  chain.onRequest = (e) => answerWith(e, 200, `answer ${count++}`);
  client.write(Array.from({ length: 9 }, (_, i) => `GET /${i + 1} HTTP/1.1\r\nHost: h\r\n\r\n`).join(""));
  answerWith(exchange, 200, "answer 0");
  for (let i = 0; i < 10; i++) assert.equal((await client.message()).body, `answer ${i}`);
});
