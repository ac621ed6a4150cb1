/** Clients that leave, draining, new snapshots, and want of buffers. */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import { onEachEngine } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

for (const way of ["fin", "rst"] as const) {
  const leave = (client: { end(): void; reset(): void }): void =>
    way === "fin" ? client.end() : client.reset();

  onEachEngine(`leaving: ${way} inside the request head`, {}, async (stage) => {
    const client = stage.client();
    client.write("GET / HT");
    await stage.eventually("it has come", () => stage.counter(Counter.clientBytesIn) === 8);
    leave(client);
    await stage.eventually("it is gone", () => stage.counter(Counter.clientsOpen) === 0);
  });

  onEachEngine(`leaving: ${way} inside the request body`, {}, async (stage) => {
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
    const origin = await stage.backend.next();
    await origin.until("half");
    leave(client);
    await origin.gone();
    assert.deepEqual(stage.reasons, ["client_gone"]);
  });

  onEachEngine(`leaving: ${way} while the backend thinks`, {}, async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    leave(client);
    await origin.gone();
    assert.deepEqual(stage.reasons, ["client_gone"]);
    assert.equal(stage.counter(Counter.errorClientGone), 1);
  });

  onEachEngine(`leaving: ${way} inside the response`, {}, async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    await client.until("half");
    leave(client);
    await origin.gone();
    assert.deepEqual(stage.reasons, ["client_gone"]);
  });

  onEachEngine(`leaving: ${way} inside a large response`, {}, async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 30}\r\n\r\n`);
    const poured = origin.pour(Buffer.alloc(32 * 2 ** 20));
    await client.head();
    leave(client);
    await origin.gone();
    origin.close();
    await poured;
  });
}

/** Its input waits, so it is not read: an engine on node:net cannot see it break off. */
const SEES_BREAKS = ["uring", "epoll"];

onEachEngine("leaving: rst while requests ahead wait for the answer", {}, async (stage) => {
  const client = stage.client();
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  client.write(GET.repeat(200));
  const came = GET.length * 201;
  await stage.eventually("it has come", () => stage.counter(Counter.clientBytesIn) === came);
  client.write(GET);
  client.reset();
  if (!SEES_BREAKS.includes(stage.engine.name)) {
    origin.write(OK);
    return;
  }
  await origin.gone();
  assert.deepEqual(stage.reasons, ["client_gone"]);
});

onEachEngine(
  "leaving: rst while an upload is held back",
  { limits: { queuedBytesMax: 65_536 } },
  async (stage) => {
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
    const origin = await stage.backend.next();
    await origin.head();
    origin.socket.pause();
    let before = -1;
    client.socket.on("error", () => {});
    // Until nothing moves any more: the kernels on the way hold some, too.
    for (let still = 0; still < 20; still++) {
      if (client.socket.writableLength < 65_536) client.write(new Uint8Array(65_536));
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (stage.counter(Counter.clientBytesIn) !== before) still = 0;
      before = stage.counter(Counter.clientBytesIn);
    }
    client.reset();
    if (!SEES_BREAKS.includes(stage.engine.name)) {
      origin.close();
      return;
    }
    await stage.eventually("it is seen", () => stage.reasons.length > 0);
    assert.deepEqual(stage.reasons, ["client_gone"]);
    assert.equal(stage.counter(Counter.clientsOpen), 0);
  },
);

const UPLOADS: readonly { name: string; head: string; pieces: string; unread: string }[] = [
  {
    name: "by length",
    head: "Content-Length: 99999999",
    pieces: "u".repeat(16_384),
    unread: "u".repeat(5_000),
  },
  {
    name: "in chunks",
    head: "Transfer-Encoding: chunked",
    pieces: `4000\r\n${"u".repeat(0x4000)}\r\n`,
    unread: `4000\r\n${"u".repeat(5_000)}`,
  },
];
for (const { name, head, pieces, unread } of UPLOADS) {
  onEachEngine(
    `leaving: fin behind unread bytes of an upload ${name} that is held back`,
    { limits: { queuedBytesMax: 65_536 } },
    async (stage) => {
      const client = stage.client();
      client.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`);
      const origin = await stage.backend.next();
      await origin.head();
      origin.socket.pause();
      let before = stage.counter(Counter.clientBytesIn);
      // Piece by piece, so that FIN finds room behind the one that is not read any more.
      for (let still = 0; still < 50; ) {
        if (still === 0) client.write(pieces);
        await new Promise<void>((resolve) => setImmediate(resolve));
        const came = stage.counter(Counter.clientBytesIn);
        still = came - before < pieces.length ? still + 1 : 0;
        if (still === 0) before += pieces.length;
      }
      assert.deepEqual(stage.reasons, []);
      client.write(unread);
      client.end();
      if (!SEES_BREAKS.includes(stage.engine.name)) {
        origin.close();
        return;
      }
      await stage.eventually("it is seen", () => stage.reasons.length > 0);
      assert.deepEqual(stage.reasons, ["client_gone"]);
      assert.equal(stage.counter(Counter.errorClientGone), 1);
      assert.equal(stage.counter(Counter.clientsOpen), 0);
      await stage.eventually("the backend is let go", () => stage.counter(Counter.originsOpen) === 0);
    },
  );
}

onEachEngine(
  "leaving: fin behind a request that waits behind an upload: that is answered",
  {},
  async (stage) => {
    const client = stage.client();
    client.write(
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n${GET}`,
    );
    const origin = await stage.backend.next();
    await origin.until("hello");
    // The body was held back until the backend stood; the request behind it still is, and is not read past.
    client.end();
    await stage.eventually("FIN is sent", () => client.socket.writableFinished);
    origin.write(OK);
    assert.equal((await client.message()).body, "ok");
  },
);

onEachEngine("draining: nothing is open: it is told at once, and once", {}, async (stage) => {
  stage.session.drain();
  stage.engine.wake();
  await stage.when("drained is told", () => (stage.drainedCount > 0 ? true : undefined));
  stage.engine.wake();
  const client = stage.client();
  await stage.eventually("a late one comes", () => stage.counter(Counter.clientsOpen) === 1);
  client.close();
  await stage.eventually("and goes", () => stage.counter(Counter.clientsOpen) === 0);
  assert.equal(stage.drainedCount, 1);
});

onEachEngine(
  "draining: an idle client is closed after a moment, in which it may still ask",
  {},
  async (stage) => {
    const silent = stage.client();
    const late = stage.client();
    await stage.eventually("both are in", () => stage.counter(Counter.clientsOpen) === 2);
    stage.session.drain();
    stage.engine.wake();
    late.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write(OK);
    const { head, body } = await late.message();
    assert.match(head, /\r\nConnection: close\r\n/);
    assert.equal(body, "ok");
    assert.equal(await late.rest(), "");
    assert.equal(await silent.rest(), "");
    await stage.when("drained is told", () => (stage.drainedCount === 1 ? true : undefined));
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine("draining: a head, a body, an answer on their way are finished", {}, async (stage) => {
  const inHead = stage.client();
  inHead.write("GET /head HTTP/1.1\r\nHo");
  const inBody = stage.client();
  inBody.write("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
  const bodyOrigin = await stage.backend.next();
  await bodyOrigin.until("he");
  const inAnswer = stage.client();
  inAnswer.write(GET + GET);
  const answerOrigin = await stage.backend.next();
  await answerOrigin.head();
  answerOrigin.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nans");
  await inAnswer.until("ans");
  stage.session.drain();
  stage.engine.wake();
  inHead.write("st: x\r\n\r\n");
  const headOrigin = await stage.backend.next();
  await headOrigin.head();
  headOrigin.write(OK);
  assert.match((await inHead.message()).head, /\r\nConnection: close\r\n/);
  inBody.write("llo");
  await bodyOrigin.until("llo");
  bodyOrigin.write(OK);
  assert.equal((await inBody.message()).body, "ok");
  assert.equal(stage.drainedCount, 0);
  answerOrigin.write("wer");
  // The second of the pipelined requests is not answered: the client asks it again elsewhere (RFC 9112
  // §9.3.1).
  assert.equal(await inAnswer.rest(), "wer");
  for (const client of [inHead, inBody, inAnswer]) {
    await client.rest();
    client.end();
  }
  await stage.when("drained is told", () => (stage.drainedCount === 1 ? true : undefined));
});

onEachEngine("draining: a request without a backend is told to close", { endpoints: [] }, async (stage) => {
  const client = stage.client();
  await stage.eventually("it is in", () => stage.counter(Counter.clientsOpen) === 1);
  stage.session.drain();
  stage.engine.wake();
  client.write(GET);
  assert.match((await client.message()).head, /\r\nConnection: close\r\n/);
  assert.equal(await client.rest(), "");
});

onEachEngine(
  "snapshot: the next request goes where the new one says, the last one ends where it began",
  {
    backends: 2,
  },
  async (stage) => {
    const [old, young] = stage.backends;
    const only = (address: string) => ({
      clusters: [{ name: "main", endpoints: [{ name: address, address, healthy: true }] }],
    });
    stage.replace(only(old!.address));
    const idle = stage.client();
    idle.write(GET);
    const idleOrigin = await old!.next();
    await idleOrigin.head();
    const busy = stage.client();
    busy.write(GET);
    const busyOrigin = await old!.next();
    await busyOrigin.head();
    idleOrigin.write(OK);
    await idle.message();
    await stage.eventually("one is idle", () => stage.counter(Counter.originsIdle) === 1);
    stage.replace(only(young!.address));
    assert.equal(await idleOrigin.rest(), "");
    busyOrigin.write(OK);
    assert.equal((await busy.message()).body, "ok");
    // It is not kept for reuse: nobody will ask for it.
    assert.equal(await busyOrigin.rest(), "");
    busy.write(GET);
    const origin = await young!.next();
    await origin.head();
    origin.write(OK);
    assert.equal((await busy.message()).body, "ok");
  },
);

onEachEngine(
  "snapshot: an exchange whose endpoints are all gone is tried again only where it may",
  {
    backends: 2,
  },
  async (stage) => {
    const [old, young] = stage.backends;
    const endpoint = (address: string) => ({ name: address, address, healthy: true });
    stage.replace({ clusters: [{ name: "main", endpoints: [endpoint(old!.address)] }] });
    const client = stage.client();
    client.write(GET);
    const origin = await old!.next();
    await origin.head();
    stage.replace({ clusters: [{ name: "main", endpoints: [endpoint(young!.address)] }] });
    await old!.kill();
    assert.match((await client.message()).head, /^HTTP\/1\.1 502 /);
    client.write(GET);
    const next = await young!.next();
    await next.head();
    next.write(OK);
    assert.equal((await client.message()).body, "ok");
  },
);

onEachEngine(
  "buffers: without small slots a request is refused and its body not taken for a request",
  {
    engine: { smallSlots: 1 },
  },
  async (stage) => {
    // The only small slot goes to addresses; heads and answers have to use large ones or do without.
    const { buffers } = stage.engine;
    const kept: number[] = [];
    for (let slot = buffers.acquireSmall(); slot >= 0; slot = buffers.acquireSmall()) kept.push(slot);
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 27\r\n\r\n");
    client.write("GET /x HTTP/1.1\r\nHost: y\r\n\r\n".slice(0, 27));
    assert.equal(await client.rest(), "");
    assert.equal(stage.counter(Counter.requests), 1);
    assert.deepEqual(stage.reasons, ["overload"]);
    for (const slot of kept) buffers.release(slot);
    const next = stage.client();
    next.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write(OK);
    assert.equal((await next.message()).body, "ok");
  },
);

onEachEngine(
  "buffers: twenty large exchanges at once through a handful of slots",
  {
    engine: { largeSlots: 6, smallSlots: 128 },
  },
  async (stage) => {
    const bytes = 300_000;
    stage.backend.onPeer = (peer) => {
      const serve = async (): Promise<void> => {
        await peer.head();
        await peer.bytes(bytes);
        peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
        await peer.pour(Buffer.alloc(bytes, "r"));
        await serve();
      };
      // It ends with the connection.
      serve().catch(() => {});
    };
    const clients = Array.from({ length: 20 }, () => stage.client());
    await Promise.all(
      clients.map(async (client) => {
        client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`);
        await client.pour(Buffer.alloc(bytes, "q"));
        const { head, body } = await client.message();
        assert.match(head, /^HTTP\/1\.1 200 /);
        assert.equal(body, "r".repeat(bytes));
      }),
    );
  },
);
