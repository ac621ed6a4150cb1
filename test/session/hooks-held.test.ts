/** What happens to an exchange while hooks hold it. */
import assert from "node:assert/strict";
import { asciiBytes } from "../../src/base/bytes.ts";
import { Counter } from "../../src/contract/counters.ts";
import { HeadOf, type Intercepted } from "../../src/contract/interception.ts";
import { chunked, digest, GET, LARGE } from "./hook-bodies.ts";
import { RawBackend, type RawPeer } from "./raw-peer.ts";
import { answerWith, heldAt, type ScriptedChain, setField, withChain } from "./scripted-chain.ts";
import { deadAddress, type Stage } from "./stage.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const POINTS = ["onRequest", "onUpstream", "onResponse", "onError"] as const;
type Point = (typeof POINTS)[number];

/** A request that is held at `point`. */
async function hold(
  stage: Stage,
  chain: ScriptedChain,
  point: Point,
): Promise<{ client: RawPeer; exchange: Intercepted; backend: RawPeer | undefined }> {
  const held = heldAt(stage, chain, point);
  const client = stage.client();
  client.write(GET);
  let backend: RawPeer | undefined;
  if (point === "onResponse" || point === "onError") {
    backend = await stage.backend.next();
    await backend.head();
    if (point === "onResponse") backend.write(OK);
    else backend.write("garbage\r\n\r\n");
  }
  return { client, exchange: await held, backend };
}

/** Lets what is held go on, and checks what its client gets. */
async function goOn(
  stage: Stage,
  point: Point,
  { client, exchange }: { client: RawPeer; exchange: Intercepted },
): Promise<string> {
  exchange.proceed();
  if (point === "onRequest" || point === "onUpstream") {
    const backend = await stage.backend.next();
    await backend.head();
    backend.write(OK);
  }
  const { head } = await client.message();
  assert.match(head, point === "onError" ? /^HTTP\/1\.1 502 / : /^HTTP\/1\.1 200 /);
  return head;
}

for (const point of POINTS) {
  withChain(`draining waits for what ${point} holds`, {}, async (stage, chain) => {
    const held = await hold(stage, chain, point);
    stage.engine.stopAccepting();
    stage.session.drain();
    stage.engine.wake();
    const head = await goOn(stage, point, held);
    // That of a response was written before.
    assert.equal(/\r\nConnection: close\r\n/.test(head), point !== "onResponse");
    await held.client.gone();
    await stage.when("it is drained", () => stage.drainedCount === 1 || undefined);
  });

  withChain(`the snapshot is replaced while ${point} holds`, {}, async (stage, chain) => {
    const held = await hold(stage, chain, point);
    stage.replace({ viaName: "other" });
    await goOn(stage, point, held);
    held.client.write(GET);
    const backend = point === "onResponse" ? held.backend! : await nextOf(stage, point);
    assert.match(await backend.head(), /\r\nVia: 1\.1 other\r\n/);
    backend.write(OK);
    await held.client.message();
  });

  withChain(`a listener that goes takes along what ${point} holds`, {}, async (stage, chain) => {
    const { client, exchange } = await hold(stage, chain, point);
    stage.session.drainListener(0);
    stage.session.cutListener(0);
    stage.engine.wake();
    assert.match((await client.message()).head, /^HTTP\/1\.1 503 [\s\S]*details="drain_cut"/);
    assert.equal(exchange.isLive, false);
    exchange.proceed();
    assert.equal(chain.told.at(-1), "log 503 drain_cut");
  });

  withChain(
    `the time of a request that ${point} holds is over`,
    { timeouts: { requestMs: 150 } },
    async (stage, chain) => {
      const { client, exchange } = await hold(stage, chain, point);
      // A deadline has come and gone by the time that an error is held.
      if (point === "onError") exchange.proceed();
      const { head } = await client.message();
      assert.match(head, point === "onError" ? /^HTTP\/1\.1 502/ : /^HTTP\/1\.1 504 [\s\S]*request_deadline/);
      exchange.proceed();
      client.write(GET);
      const backend = await nextOf(stage, point);
      await backend.head();
      backend.write(OK);
      await client.message();
      const logs = chain.told.filter((told) => told.startsWith("log"));
      assert.equal(logs.length, 2);
    },
  );

  withChain(`an abandoned connection while ${point} holds`, {}, async (stage, chain) => {
    const { client, exchange } = await hold(stage, chain, point);
    client.reset();
    await stage.eventually("it is over", () => !exchange.isLive);
    assert.match(chain.told.at(-1)!, /^log 0 client_gone$/);
  });

  withChain(`a client that leaves its body unread while ${point} holds`, {}, async (stage, chain) => {
    // A response and an error come when the body has been passed on, or is not wanted any more.
    if (point === "onResponse" || point === "onError") return;
    for (const leave of ["end", "reset"] as const) {
      stage.counters[Counter.clientBytesIn] = 0;
      const held = heldAt(stage, chain, point);
      const client = stage.client();
      client.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${LARGE.length}\r\n\r\n`);
      const exchange = await held;
      client.write(LARGE.subarray(0, 3_000));
      await stage.eventually("a piece has come", () => stage.counters[Counter.clientBytesIn]! > 3_000);
      // Nothing of this is read.
      client.write(LARGE.subarray(3_000, 90_000));
      if (leave === "reset") client.reset();
      else client.end();
      if (stage.engine.name === "net") {
        exchange.answer(200, asciiBytes(""), 0).end();
        await client.gone();
        continue;
      }
      await stage.eventually("it is over", () => !exchange.isLive);
      assert.match(chain.told.at(-1)!, /^log 0 client_gone$/);
    }
  });

  withChain(
    `a client that has said all is served what ${point} held`,
    { policy: { halfClosedClients: "serve" } },
    async (stage, chain) => {
      const held = await hold(stage, chain, point);
      held.client.end();
      await goOn(stage, point, held);
      await held.client.gone();
    },
  );
}

for (const leave of ["end before", "end", "reset"] as const) {
  withChain(
    `a client that was not read when its request was held is seen to leave: ${leave}`,
    {},
    async (stage, chain) => {
      const client = stage.client();
      // More than is read ahead of an answer.
      client.write(GET.repeat(Math.ceil(90_000 / GET.length)));
      const backend = await stage.backend.next();
      await backend.head();
      if (leave === "end before") client.end();
      const held = heldAt(stage, chain, "onRequest");
      backend.write(OK);
      const exchange = await held;
      if (leave === "end") client.end();
      if (leave === "reset") client.reset();
      if (stage.engine.name === "net") {
        // Node does not look at a descriptor from which nothing is wanted.
        chain.onRequest = (next) => void answerWith(next, 200, "ok");
        answerWith(exchange, 200, "ok");
        await client.gone();
        return;
      }
      await stage.eventually("it is over", () => !exchange.isLive);
      assert.match(chain.told.at(-1)!, /^log 0 client_gone$/);
    },
  );
}

/** The next connection to the backend that is used. */
async function nextOf(stage: Stage, point: Point): Promise<RawPeer> {
  const wasUsed = point === "onRequest" || point === "onUpstream";
  const open = stage.backend.peers.filter(({ isClosed, hasEnded }) => !isClosed && !hasEnded);
  return wasUsed && open.length > 0 ? open[0]! : await stage.backend.next();
}

withChain("the endpoint that was chosen has gone meanwhile", { backends: 2 }, async (stage, chain) => {
  const { client, exchange } = await hold(stage, chain, "onUpstream");
  const chosen = Number(exchange.endpoint.at(-1));
  const other = stage.backends[1 - chosen]!;
  stage.replace({
    clusters: [{ name: "main", endpoints: [{ name: "left", address: other.address, healthy: true }] }],
  });
  exchange.proceed();
  const backend = await other.next();
  await backend.head();
  backend.write(OK);
  await client.message();
  assert.equal(stage.backends[chosen]!.peers.length, 0);
  assert.deepEqual(chain.told, ["request", "upstream", "upstream", "response", "log 200"]);
});

withChain("a held request goes to where its cluster is now", {}, async (stage, chain) => {
  const { client, exchange } = await hold(stage, chain, "onRequest");
  const moved = await RawBackend.listen();
  stage.replace({
    clusters: [{ name: "main", endpoints: [{ name: "new", address: moved.address, healthy: true }] }],
  });
  exchange.proceed();
  const backend = await moved.next();
  await backend.head();
  backend.write(OK);
  await client.message();
  assert.equal(stage.backend.peers.length, 0);
  await moved.close();
});

withChain("each attempt is told", { backends: 1 }, async (stage, chain) => {
  const dead = await deadAddress();
  stage.replace({
    clusters: [
      {
        name: "main",
        endpoints: [
          { name: "dead", address: dead, healthy: true },
          { name: "live", address: stage.backend.address, healthy: true },
        ],
      },
    ],
  });
  const seen: string[] = [];
  chain.onUpstream = (e) => {
    seen.push(`${e.endpoint} ${e.attempts}`);
    assert.ok(setField(e, HeadOf.request, "x-attempt", String(e.attempts)));
  };
  const attempts: string[] = [];
  const client = stage.client();
  for (let i = 0; i < 2; i++) {
    client.write(GET);
    const backend = i === 0 ? await stage.backend.next() : stage.backend.peers[0]!;
    attempts.push(/\r\nx-attempt: (\d)\r\n/.exec(await backend.head())![1]!);
    backend.write(OK);
    await client.message();
  }
  // The dead one is met once, and then left alone.
  const order = seen[0] === "dead 1" ? ["dead 1", "live 2", "live 1"] : ["live 1", "dead 1", "live 2"];
  assert.deepEqual(seen, order);
  assert.deepEqual(
    attempts,
    order.filter((one) => one.startsWith("live")).map((one) => one.at(-1)),
  );
});

withChain("routeTo sends a request to another cluster", { backends: 2 }, async (stage, chain) => {
  stage.replace({
    clusters: stage.backends.map(({ address }, i) => ({
      name: `cluster-${i}`,
      endpoints: [{ name: `b${i}`, address, healthy: true }],
    })),
  });
  chain.onRequest = (e) => {
    assert.equal(e.routeTo(7), false);
    assert.ok(e.routeTo(1));
    assert.equal(e.cluster, "cluster-1");
  };
  const client = stage.client();
  client.write(GET);
  const backend = await stage.backends[1]!.next();
  await backend.head();
  backend.write(OK);
  await client.message();
});

withChain("a body waits while its request is held", {}, async (stage, chain) => {
  const held = heldAt(stage, chain, "onRequest");
  const client = stage.client();
  client.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${LARGE.length}\r\n\r\n`);
  void client.pour(LARGE);
  const exchange = await held;
  assert.equal(stage.backend.peers.length, 0);
  exchange.proceed();
  const backend = await stage.backend.next();
  await backend.head();
  assert.equal(digest(await backend.bytes(LARGE.length)), digest(LARGE));
  backend.write(OK);
  assert.equal((await client.message()).body, "ok");
});

for (const framing of ["length", "chunked", "close"] as const) {
  for (const end of ["goes on", "ends meanwhile", "is reset meanwhile"] as const) {
    if (framing !== "close" && end === "ends meanwhile") continue;
    withChain(`a held response (${framing}) whose backend ${end}`, {}, async (stage, chain) => {
      const held = heldAt(stage, chain, "onResponse");
      const client = stage.client();
      client.write(GET);
      const backend = await stage.backend.next();
      await backend.head();
      const text = "x".repeat(30_000);
      const line =
        framing === "length"
          ? "Content-Length: 60000\r\n"
          : framing === "chunked"
            ? "Transfer-Encoding: chunked\r\n"
            : "";
      const piece = framing === "chunked" ? `7530\r\n${text}\r\n` : text;
      backend.write(`HTTP/1.1 200 OK\r\n${line}\r\n${piece}`);
      const exchange = await held;
      if (end === "goes on") backend.write(piece);
      if (end === "ends meanwhile") {
        backend.write(piece);
        backend.end();
      }
      if (end === "is reset meanwhile") backend.reset();
      assert.equal(client.receivedBytes, 0);
      exchange.proceed();
      if (end === "is reset meanwhile") {
        await client.broken();
        assert.deepEqual(stage.reasons, ["response_cut"]);
        return;
      }
      if (framing === "chunked") backend.write("0\r\n\r\n");
      if (framing === "close" && end === "goes on") backend.end();
      await client.head();
      const body = framing === "length" ? await client.bytes(60_000) : await chunked(client);
      assert.equal(body.length, 60_000);
    });
  }
}

withChain("a held response may be answered although its backend has died", {}, async (stage, chain) => {
  const { client, exchange, backend } = await hold(stage, chain, "onResponse");
  backend!.reset();
  answerWith(exchange, 200, "instead");
  assert.equal((await client.message()).body, "instead");
});

withChain(
  "a backend is not timed while its response is held",
  { timeouts: { responseHeadMs: 50, responseBodyIdleMs: 50 } },
  async (stage, chain) => {
    const held = heldAt(stage, chain, "onResponse");
    const client = stage.client();
    client.write(GET);
    const backend = await stage.backend.next();
    await backend.head();
    backend.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    const exchange = await held;
    // Another request meets the limit meanwhile.
    const other = stage.client();
    other.write(GET);
    assert.match((await other.message()).head, /^HTTP\/1\.1 504/);
    assert.equal(exchange.isLive, true);
    exchange.proceed();
    backend.write("ok");
    assert.equal((await client.message()).body, "ok");
  },
);

withChain(
  "held responses give way where slots are short",
  { engine: { largeSlots: 16, connectionsMax: 64 } },
  async (stage, chain) => {
    let heldCount = 0;
    chain.onResponse = (e) => {
      e.hold();
      heldCount++;
    };
    stage.backend.onPeer = (peer) => {
      peer.onBytes = () =>
        peer.write(`HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n${"x".repeat(20_000)}`);
    };
    const clients = Array.from({ length: 20 }, () => stage.client());
    for (const client of clients) client.write(GET);
    await stage.eventually("some are given up", () => stage.reasons.includes("overload"));
    assert.ok(heldCount > 4);
    for (const client of clients) client.close();
    await stage.eventually("all are over", () => stage.counter(Counter.requestsInFlight) === 0);
    chain.onResponse = () => {};
    const client = stage.client();
    client.write(GET);
    await client.head();
    await client.bytes(20_000);
  },
);

withChain("an error that is held does not read the body that was wrong", {}, async (stage, chain) => {
  const held = heldAt(stage, chain, "onError");
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  const backend = await stage.backend.next();
  await backend.until("hello");
  client.write("zz\r\n");
  const exchange = await held;
  assert.deepEqual([exchange.status, exchange.failureReason], [400, "bad_chunk_size"]);
  client.write("more of it\r\n");
  await backend.gone();
  answerWith(exchange, 400, "bad", "x-own: 1\r\n");
  const { head, body } = await client.message();
  assert.match(head, /\r\nx-own: 1\r\n[\s\S]*Connection: close\r\n/);
  assert.equal(body, "bad");
  assert.deepEqual(
    stage.failures.map(({ status, reason }) => [status, reason]),
    [[400, "bad_chunk_size"]],
  );
  client.end();
  await client.gone();
});

withChain("nothing counts that comes from a call that is over", {}, async (stage, chain) => {
  chain.onRequest = (e) => {
    e.hold();
    e.proceed();
    e.hold();
    e.proceed();
    e.proceed();
  };
  let seen: Intercepted | undefined;
  chain.onLog = (e) => {
    seen = e;
    e.hold();
    e.fail("hook_threw");
    assert.equal(e.answer(200, asciiBytes(""), 0).write(asciiBytes("x")), false);
  };
  const client = stage.client();
  client.write(GET);
  const backend = await stage.backend.next();
  await backend.head();
  backend.write(OK);
  await client.message();
  await stage.eventually("it is over", () => seen?.isLive === false);
  assert.deepEqual(stage.reasons, []);
});
