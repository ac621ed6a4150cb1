/** What a client may ask for at most, and what happens beyond; each limit with its counter. */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import { FIELD_COUNT_MAX } from "../../src/contract/snapshot.ts";
import { route } from "../route/asking.ts";
import type { RawPeer } from "./raw-peer.ts";
import { isServed, muteAddress, onEachEngine, type Stage } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CHUNKED_POST = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

/** The backend answers each request without a body by `ok`, at once. */
function answerAll(stage: Stage): void {
  stage.backend.onPeer = (peer) => {
    const serve = async (): Promise<void> => {
      await peer.head();
      peer.write(OK);
      await serve();
    };
    // It ends with the connection.
    serve().catch(() => {});
  };
}

const TOO_LARGE: readonly { name: string; head: string; bytes: string }[] = [
  { name: "a length beyond it", head: "Content-Length: 11\r\n", bytes: "" },
  { name: "a length beyond it, all of it here", head: "Content-Length: 11\r\n", bytes: "hello world" },
  {
    name: "a length beyond it, and a client that waits to be asked",
    head: "Content-Length: 11\r\nExpect: 100-continue\r\n",
    bytes: "",
  },
];
for (const { name, head: fields, bytes } of TOO_LARGE) {
  onEachEngine(
    `limits: body bytes: ${name}: 413 before a backend is asked (RFC 9110 §15.5.14)`,
    { limits: { requestBodyBytesMax: 10 } },
    async (stage) => {
      const client = stage.client();
      client.write(`POST / HTTP/1.1\r\nHost: x\r\n${fields}\r\n${bytes}`);
      const { head } = await client.message();
      assert.match(head, /^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n/);
      assert.equal(await client.rest(), "");
      assert.equal(stage.backend.peers.length, 0);
      assert.deepEqual(stage.reasons, ["request_body_too_large"]);
      assert.equal(stage.counter(Counter.errorBodyTooLarge), 1);
    },
  );
}

onEachEngine(
  "limits: fields: as many as can be allowed pass, both ways, and one more does not",
  { limits: { fieldCountMax: FIELD_COUNT_MAX } },
  async (stage) => {
    const client = stage.client();
    const lines = "a:\r\n".repeat(FIELD_COUNT_MAX - 1);
    client.write(`GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n`);
    const origin = await stage.backend.next();
    assert.ok((await origin.head()).includes(lines));
    origin.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${lines}\r\nok`);
    const { head, body } = await client.message();
    assert.ok(head.includes(lines));
    assert.equal(body, "ok");
    client.write(GET);
    await origin.head();
    origin.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\na:\r\n${lines}\r\n`);
    assert.match((await client.message()).head, /^HTTP\/1\.1 502 /);
    client.write(`GET / HTTP/1.1\r\nHost: x\r\na:\r\n${lines}\r\n`);
    assert.match((await client.message()).head, /^HTTP\/1\.1 431 /);
    assert.equal(await client.rest(), "");
    assert.deepEqual(stage.reasons, ["response_head_too_large", "too_many_fields"]);
  },
);

onEachEngine(
  "limits: body bytes: as many as allowed pass, by length and in chunks",
  { limits: { requestBodyBytesMax: 10 } },
  async (stage) => {
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789");
    const origin = await stage.backend.next();
    await origin.until("0123456789");
    origin.write(OK);
    await client.message();
    client.write(`${CHUNKED_POST}5;ext=1\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n`);
    await origin.until("0\r\n\r\n");
    origin.write(OK);
    await client.message();
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine(
  "limits: requests in one piece are answered a few at a time: their answers hold few slots",
  {
    engine: { smallSlots: 64 },
    routing: {
      routes: [route("", { action: { kind: "respond", answer: { status: 200, fields: [], body: "x" } } })],
    },
  },
  async (stage) => {
    const client = stage.client();
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000));
    client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.equal((await client.rest()).split("HTTP/1.1 200 ").length, 1002);
  },
);

onEachEngine(
  "limits: body bytes: chunks that pass it: 413, and no byte beyond it reaches the backend",
  { limits: { requestBodyBytesMax: 10 } },
  async (stage) => {
    const client = stage.client();
    client.write(`${CHUNKED_POST}5\r\nhello\r\n`);
    const origin = await stage.backend.next();
    await origin.until("hello\r\n");
    client.write("6\r\nworlds\r\n0\r\n\r\n");
    const { head } = await client.message();
    assert.match(head, /^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n/);
    assert.equal(await client.rest(), "");
    await origin.gone();
    assert.equal(origin.text, "");
    assert.deepEqual(stage.reasons, ["request_body_too_large"]);
    assert.equal(stage.counter(Counter.errorBodyTooLarge), 1);
  },
);

onEachEngine(
  "limits: body bytes: one chunk that promises too much is refused before it is sent",
  { limits: { requestBodyBytesMax: 1_000_000 } },
  async (stage) => {
    const client = stage.client();
    client.write(`${CHUNKED_POST}fffffffffffff\r\nhello`);
    assert.match((await client.message()).head, /^HTTP\/1\.1 413 /);
    assert.equal(await client.rest(), "");
    assert.equal(stage.counter(Counter.errorBodyTooLarge), 1);
  },
);

onEachEngine(
  "limits: body bytes: chunks that pass it behind a response that has begun cut both",
  { limits: { requestBodyBytesMax: 10 } },
  async (stage) => {
    const client = stage.client();
    client.write(`${CHUNKED_POST}5\r\nhello\r\n`);
    const origin = await stage.backend.next();
    await origin.until("hello");
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    await client.until("half");
    client.write("6\r\nworlds\r\n");
    await client.broken();
    await origin.gone();
    assert.equal(stage.counter(Counter.errorBodyTooLarge), 1);
  },
);

for (const mode of ["http", "tcp"] as const) {
  onEachEngine(
    `limits: clients per address, mode ${mode}: the next one is reset`,
    { mode, limits: { clientsPerAddressMax: 2 } },
    async (stage) => {
      const first = stage.client();
      const second = stage.client();
      await stage.eventually("two are in", () => stage.counter(Counter.clientsOpen) === 2);
      await stage.client().broken();
      assert.equal(stage.counter(Counter.refusedClientsPerAddress), 1);
      assert.equal(stage.counter(Counter.clientsRefused), 1);
      assert.equal(stage.counter(Counter.refusedClientsMax), 0);
      first.close();
      if (mode === "tcp") (await stage.backend.next()).close();
      await stage.eventually("one has gone", () => stage.counter(Counter.clientsOpen) === 1);
      const fourth = stage.client();
      await stage.eventually("the next is in", () => stage.counter(Counter.clientsOpen) === 2);
      assert.equal(fourth.isClosed || second.isClosed, false);
    },
  );
}

onEachEngine(
  "limits: clients per address: tunnels and cut connections count until they are gone",
  { limits: { clientsPerAddressMax: 1 } },
  async (stage) => {
    for (let i = 0; i < 3; i++) {
      const client = stage.client();
      client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      const origin = await stage.backend.next();
      await origin.head();
      origin.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      await client.head();
      await stage.client().broken();
      client.reset();
      await stage.eventually("it is gone", () => stage.counter(Counter.clientsOpen) === 0);
    }
    assert.equal(stage.counter(Counter.refusedClientsPerAddress), 3);
  },
);

onEachEngine(
  "limits: requests per client: the last answer says close, what was pipelined behind it is not asked",
  { limits: { requestsPerClientMax: 3 } },
  async (stage) => {
    answerAll(stage);
    const client = stage.client();
    client.write(GET + GET);
    for (let i = 0; i < 2; i++) assert.doesNotMatch((await client.message()).head, /Connection: close/);
    client.write(GET + GET + GET);
    const { head, body } = await client.message();
    assert.match(head, /\r\nConnection: close\r\n/);
    assert.equal(body, "ok");
    // FIN, not RST, though there was input left.
    assert.equal(await client.rest(), "");
    client.write(GET);
    client.end();
    await stage.eventually("it is gone", () => stage.counter(Counter.clientsOpen) === 0);
    assert.equal(client.failure, "");
    assert.equal(stage.counter(Counter.requests), 3);
    assert.equal(stage.counter(Counter.closedRequestsPerClient), 1);
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine(
  "limits: requests per client: our own answers count, and say close too",
  { endpoints: [], limits: { requestsPerClientMax: 2 } },
  async (stage) => {
    const client = stage.client();
    client.write(GET + GET + GET);
    assert.doesNotMatch((await client.message()).head, /Connection: close/);
    assert.match((await client.message()).head, /\r\nConnection: close\r\n/);
    assert.equal(await client.rest(), "");
    assert.equal(stage.counter(Counter.closedRequestsPerClient), 1);
  },
);

onEachEngine(
  "limits: requests per client: who closes by itself is not counted",
  { limits: { requestsPerClientMax: 1 } },
  async (stage) => {
    answerAll(stage);
    const client = stage.client();
    client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await client.message();
    assert.equal(await client.rest(), "");
    assert.equal(stage.counter(Counter.closedRequestsPerClient), 0);
  },
);

onEachEngine(
  "limits: pipelining: so many in a row behind the first, then the end, with notice",
  { limits: { pipelinedRequestsMax: 2 } },
  async (stage) => {
    answerAll(stage);
    const client = stage.client();
    // One after the other, as often as it likes.
    for (let i = 0; i < 5; i++) {
      client.write(GET);
      assert.doesNotMatch((await client.message()).head, /Connection: close/);
    }
    client.write(GET + GET + GET + GET);
    for (let i = 0; i < 2; i++) assert.doesNotMatch((await client.message()).head, /Connection: close/);
    assert.match((await client.message()).head, /\r\nConnection: close\r\n/);
    assert.equal(await client.rest(), "");
    assert.equal(stage.counter(Counter.requests), 8);
    assert.equal(stage.counter(Counter.closedPipelining), 1);
  },
);

onEachEngine(
  "limits: in flight: the next one gets 503 with Retry-After and keeps its connection",
  { limits: { requestsInFlightMax: 1 } },
  async (stage) => {
    const first = stage.client();
    first.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    const second = stage.client();
    for (const request of [GET, GET, `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello`]) {
      second.write(request);
      const { head } = await second.message();
      assert.match(head, /^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: \d+\r\n/);
      assert.doesNotMatch(head, /Connection: close/);
    }
    // Its body would have to be read and thrown away.
    second.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhello");
    assert.match((await second.message()).head, /^HTTP\/1\.1 503 [\s\S]*\r\nConnection: close\r\n/);
    assert.equal(await second.rest(), "");
    assert.equal(stage.counter(Counter.errorTooManyInFlight), 4);
    origin.write(OK);
    assert.equal((await first.message()).body, "ok");
    const third = stage.client();
    third.write(GET);
    await origin.head();
    origin.write(OK);
    assert.equal((await third.message()).body, "ok");
    assert.equal(stage.backend.peers.length, 1);
  },
);

onEachEngine(
  "limits: a backend is told that its connection is not kept",
  { limits: { poolSizePerEndpoint: 0 } },
  async (stage) => {
    const client = stage.client();
    for (let i = 0; i < 2; i++) {
      client.write(GET);
      const origin = await stage.backend.next();
      assert.match(await origin.head(), /\r\nConnection: close\r\n\r\n$/);
      origin.write(OK);
      assert.equal((await client.message()).body, "ok");
      await origin.gone();
    }
  },
);

/** More than a small slot holds. */
const PIECE = "u".repeat(8_000);

onEachEngine(
  "slots: uploads that wait for a backend give way when slots are short: 503, the longest first",
  // Longer than the case may take: whoever gives up waiting gives its slot back.
  { engine: { largeSlots: 64, smallSlots: 256, connectionsMax: 400 }, timeouts: { connectMs: 60_000 } },
  async (stage) => {
    const { clusters } = stage.snapshot;
    const mute = await muteAddress();
    try {
      const endpoint = { name: "mute", address: mute.address, healthy: true };
      stage.replace({ clusters: [{ name: "main", endpoints: [endpoint] }] });
      const { buffers } = stage.engine;
      const stuck: RawPeer[] = [];
      while (buffers.freeLargeCount >= buffers.largeCount >> 3 && stuck.length < 100) {
        const client = stage.client();
        client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${PIECE}`);
        stuck.push(client);
        const count = stuck.length;
        await stage.eventually("it is read", () => stage.counter(Counter.requests) === count);
      }
      assert.ok(stuck.length < 100, "slots are short");
      stage.replace({ clusters });
      await isServed(stage);
      assert.match((await stuck[0]!.message()).head, /^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: /);
      assert.equal(await stuck[0]!.rest(), "");
      assert.equal(stage.reasons[0], "overload");
      // Only as many as it took.
      assert.equal(stuck.at(-1)!.text, "");
      assert.equal(stage.counter(Counter.errorOverload), stage.reasons.length);
    } finally {
      mute.close();
    }
  },
);

onEachEngine(
  "slots: what is asked ahead of an answer gives way when slots are short, the answer does not",
  {},
  async (stage) => {
    const { buffers } = stage.engine;
    const client = stage.client();
    // More than small slots take: a large one waits with it.
    client.write(GET.repeat(300));
    const origin = await stage.backend.next();
    await origin.head();
    const held: number[] = [];
    while (buffers.freeLargeCount >= buffers.largeCount >> 3) held.push(buffers.acquireLarge());
    stage.engine.wake();
    await stage.eventually("it has given way", () => buffers.freeLargeCount >= buffers.largeCount >> 3);
    origin.write(OK);
    assert.equal((await client.message()).body, "ok");
    assert.equal(await client.rest(), "");
    assert.equal(stage.counter(Counter.requests), 1);
    assert.deepEqual(stage.reasons, []);
    for (const slot of held) buffers.release(slot);
  },
);

onEachEngine(
  "slots: clients that do not take their answers give way when slots are short: they are cut",
  { engine: { largeSlots: 64, smallSlots: 256, connectionsMax: 400 } },
  async (stage) => {
    const bytes = Buffer.alloc(8 * 2 ** 20);
    stage.backend.onPeer = (peer) => {
      void peer.head().then(async () => {
        peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 40}\r\n\r\n`);
        while (!peer.socket.destroyed) await peer.pour(bytes);
      });
    };
    const stuck: RawPeer[] = [];
    const { buffers } = stage.engine;
    while (buffers.freeLargeCount >= buffers.largeCount >> 3 && stuck.length < 100) {
      const client = stage.client();
      client.socket.pause();
      client.write(GET);
      stuck.push(client);
      let before = -1;
      await stage.eventually("nothing moves", () => {
        const moved = stage.counter(Counter.clientBytesOut) !== before;
        before = stage.counter(Counter.clientBytesOut);
        return !moved && before > 0;
      });
    }
    await stage.eventually("one has given way", () => stage.reasons.length > 0);
    assert.equal(stage.reasons[0], "overload");
    assert.equal(stage.failures[0]!.status, 0);
    assert.equal(stage.failures[0]!.phase, "response-body");
    const first = stuck[0]!;
    first.onBytes = () => {};
    first.socket.resume();
    await first.broken();
  },
);

for (const mode of ["http", "tcp"] as const) {
  onEachEngine(
    `limits: connections of the worker, mode ${mode}: more clients wait, on net a few, and the rest is told of`,
    { mode, engine: { connectionsMax: 2 } },
    async (stage) => {
      const fillers = Array.from({ length: mode === "http" ? 2 : 1 }, () => stage.client());
      await stage.eventually(
        "no number is free",
        () => stage.counter(Counter.clientsOpen) === fillers.length,
      );
      if (mode === "tcp") await stage.backend.next();
      for (let i = 0; i < 16 + 5; i++) stage.client();
      if (stage.engine.name === "net") {
        await stage.eventually("they are counted", () => stage.counter(Counter.refusedConnectionsMax) >= 5);
        assert.deepEqual(stage.reasons, new Array(5).fill("connections_max"));
      }
      fillers[0]!.reset();
      await stage.eventually("the next is in", () => stage.counter(Counter.clientsAccepted) > fillers.length);
      const turnedAway = stage.engine.name === "net" ? 5 : 0;
      assert.equal(stage.counter(Counter.refusedConnectionsMax), turnedAway);
      assert.equal(stage.counter(Counter.clientsRefused), turnedAway);
    },
  );
}
