/**
 * Silence in each phase. Values are short; nothing is slept through, the event that ends the silence is
 * waited for.
 */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import { muteAddress, onEachEngine } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const SHORT_MS = 40;

onEachEngine(
  "timeouts: half a request head: 408",
  { timeouts: { requestHeadMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write("GET / HTTP/1.1\r\nHo");
    assert.match((await client.message()).head, /^HTTP\/1\.1 408 /);
    assert.equal(await client.rest(), "");
    assert.deepEqual(stage.reasons, ["request_timeout"]);
    assert.equal(stage.counter(Counter.errorRequestHeadTimeout), 1);
  },
);

onEachEngine(
  "timeouts: a client without a byte is closed",
  { timeouts: { clientIdleMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    assert.equal(await client.rest(), "");
    assert.deepEqual(stage.reasons, []);
    assert.equal(stage.counter(Counter.closedClientIdle), 1);
  },
);

onEachEngine(
  "timeouts: a client between requests is closed",
  { timeouts: { clientIdleMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    await client.head();
    assert.equal(await client.rest(), "");
    assert.equal(stage.counter(Counter.closedClientIdle), 1);
  },
);

onEachEngine(
  "timeouts: half a request body: 408",
  { timeouts: { requestBodyIdleMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
    const origin = await stage.backend.next();
    assert.match((await client.message()).head, /^HTTP\/1\.1 408 /);
    assert.equal(await client.rest(), "");
    await origin.gone();
    assert.deepEqual(stage.reasons, ["request_body_timeout"]);
    assert.equal(stage.counter(Counter.errorRequestBodyTimeout), 1);
  },
);

onEachEngine(
  "timeouts: an answered client need not send the rest of its body",
  { timeouts: { requestBodyIdleMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
    const origin = await stage.backend.next();
    await origin.until("half");
    origin.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    assert.match(await client.head(), /\r\nConnection: close\r\n/);
    // Other connections show that several periods have passed.
    for (let i = 0; i < 3; i++) {
      const other = stage.client();
      other.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
      assert.match(await other.head(), /^HTTP\/1\.1 408 /);
    }
    origin.write("0\r\n\r\n");
    assert.equal(await client.rest(), "1\r\na\r\n0\r\n\r\n");
  },
);

onEachEngine(
  "timeouts: no response head: 504, the client stays",
  { timeouts: { responseHeadMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    for (let i = 0; i < 2; i++) {
      client.write(GET);
      const origin = await stage.backend.next();
      await origin.head();
      origin.write("HTTP/1.1 200 O");
      const { head } = await client.message();
      assert.match(head, /^HTTP\/1\.1 504 /);
      assert.doesNotMatch(head, /Connection: close/);
      await origin.gone();
    }
    assert.deepEqual(stage.reasons, ["response_timeout", "response_timeout"]);
    assert.equal(stage.counter(Counter.errorOriginTimeout), 2);
  },
);

onEachEngine(
  "timeouts: a backend that takes nothing of a body: 504, not the client's fault",
  { timeouts: { responseHeadMs: 100, requestBodyIdleMs: 50 } },
  async (stage) => {
    stage.backend.onPeer = (peer) => peer.socket.pause();
    const client = stage.client();
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 ** 30}\r\n\r\n`);
    const poured = client.pour(Buffer.alloc(64 * 2 ** 20));
    assert.match(await client.head(), /^HTTP\/1\.1 504 /);
    client.close();
    await poured;
    assert.deepEqual(stage.reasons, ["response_timeout"]);
  },
);

onEachEngine(
  "timeouts: silence inside a response body cuts it",
  { timeouts: { responseBodyIdleMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    await client.until("half");
    await client.broken();
    await origin.gone();
    assert.deepEqual(stage.reasons, ["response_stalled"]);
    assert.equal(stage.counter(Counter.errorResponseIdle), 1);
  },
);

onEachEngine(
  "timeouts: an event stream may be silent",
  { timeouts: { responseBodyIdleMs: SHORT_MS, requestHeadMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    await client.until("data: 1\n\n");
    for (let i = 0; i < 4; i++) {
      const other = stage.client();
      other.write("GET ");
      assert.match(await other.head(), /^HTTP\/1\.1 408 /);
    }
    origin.write("data: 2\n\n");
    await client.until("data: 2\n\n");
  },
);

onEachEngine(
  "timeouts: a client that takes nothing of its response is reset, its backend let go",
  { timeouts: { clientSendIdleMs: SHORT_MS, responseBodyIdleMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.socket.pause();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 30}\r\n\r\n`);
    const poured = origin.pour(Buffer.alloc(64 * 2 ** 20));
    await stage.eventually("the exchange is over", () => stage.counter(Counter.requestsInFlight) === 0);
    await origin.gone();
    await poured;
    assert.deepEqual(stage.reasons, ["client_stalled"]);
    assert.equal(stage.counter(Counter.errorClientStalled), 1);
    assert.equal(stage.counter(Counter.clientsOpen), 0);
  },
);

onEachEngine(
  "timeouts: a client that takes nothing, though it went on sending until then, is reset",
  { timeouts: { clientSendIdleMs: SHORT_MS, requestBodyIdleMs: SHORT_MS, responseBodyIdleMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.socket.pause();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello");
    const origin = await stage.backend.next();
    await origin.until("hello");
    origin.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 30}\r\n\r\n`);
    const poured = origin.pour(Buffer.alloc(64 * 2 ** 20));
    await stage.eventually("much is on its way", () => stage.counter(Counter.clientBytesOut) > 200_000);
    client.write("world");
    await stage.eventually("the exchange is over", () => stage.counter(Counter.requestsInFlight) === 0);
    await poured;
    assert.deepEqual(stage.reasons, ["client_stalled"]);
  },
);

onEachEngine(
  "timeouts: the last bytes of a response may be taken slowly",
  { timeouts: { clientSendIdleMs: 400, lingerMs: 20, clientIdleMs: 60 } },
  async (stage) => {
    for (const connection of ["close", "keep-alive"]) {
      const client = stage.client();
      client.socket.pause();
      client.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\n\r\n`);
      const origin = await stage.backend.next();
      await origin.head();
      // More than the kernel takes, less than what pauses the backend for ever.
      const bytes = 5 * 2 ** 20;
      origin.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`);
      const poured = origin.pour(Buffer.alloc(bytes));
      await client.when("the head", () => {
        client.socket.resume();
        return client.receivedBytes > 0 ? true : undefined;
      });
      // In steps that take longer than each period, with progress in every one.
      for (let taken = client.receivedBytes; taken < bytes; taken = client.receivedBytes) {
        client.socket.pause();
        await new Promise<void>((resolve) => setTimeout(resolve, 25));
        client.socket.resume();
        const before = taken;
        await client.when("more bytes", () => (client.receivedBytes > before ? true : undefined));
      }
      await poured;
      await client.head();
      assert.equal((await client.bytes(bytes)).length, bytes);
      client.close();
    }
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine(
  "timeouts: idle backend connections are closed",
  { timeouts: { originIdleMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    await client.head();
    assert.equal(await origin.rest(), "");
    assert.equal(stage.counter(Counter.originsIdle), 0);
    assert.equal(stage.counter(Counter.closedOriginIdle), 1);
  },
);

onEachEngine(
  "timeouts: an old backend connection is not used again",
  { timeouts: { originAgeMs: -1 } },
  async (stage) => {
    const client = stage.client();
    for (let i = 0; i < 2; i++) {
      client.write(GET);
      const origin = await stage.backend.next();
      await origin.head();
      origin.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      await client.head();
      await origin.gone();
    }
    assert.equal(stage.counter(Counter.closedOriginAge), 2);
  },
);

onEachEngine(
  "timeouts: a backend that does not accept in time: 504, the client stays",
  { timeouts: { connectMs: SHORT_MS } },
  async (stage) => {
    const mute = await muteAddress();
    try {
      const endpoint = { name: "mute", address: mute.address, healthy: true };
      stage.replace({ clusters: [{ name: "main", endpoints: [endpoint] }] });
      const client = stage.client();
      for (let i = 0; i < 2; i++) {
        client.write(GET);
        assert.match((await client.message()).head, /^HTTP\/1\.1 504 /);
      }
      assert.deepEqual(stage.reasons, ["connect_timeout", "connect_timeout"]);
      assert.equal(stage.counter(Counter.errorConnectTimeout), 2);
    } finally {
      mute.close();
    }
  },
);

onEachEngine(
  "timeouts: a client that keeps its side open behind our last byte is let go",
  { timeouts: { lingerMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write("nonsense\r\n\r\n");
    assert.match((await client.message()).head, /^HTTP\/1\.1 400 /);
    assert.equal(await client.rest(), "");
    await stage.eventually("it is gone", () => stage.counter(Counter.clientsOpen) === 0);
    assert.equal(stage.counter(Counter.closedLinger), 1);
  },
);

onEachEngine(
  "timeouts: a whole request takes too long, its backend says nothing: 504, the client stays",
  { timeouts: { requestMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    for (let i = 0; i < 2; i++) {
      client.write(GET);
      const origin = await stage.backend.next();
      await origin.head();
      origin.write("HTTP/1.1 103 Early Hints\r\n\r\n");
      let { head } = await client.message();
      // On a busy machine the time may be up before the 103 has come.
      if (head.startsWith("HTTP/1.1 103 ")) head = (await client.message()).head;
      assert.match(head, /^HTTP\/1\.1 504 /);
      assert.doesNotMatch(head, /Connection: close/);
      await origin.gone();
    }
    assert.deepEqual(stage.reasons, ["request_deadline", "request_deadline"]);
    assert.equal(stage.counter(Counter.errorRequestDeadline), 2);
  },
);

onEachEngine(
  "timeouts: a whole request takes too long inside its response: the client is cut",
  { timeouts: { requestMs: 100 } },
  async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    await client.head();
    // Never silent, and still too long.
    origin.socket.on("error", () => {});
    const timer = setInterval(() => origin.socket.write("data: 1\n\n"), 5);
    try {
      await client.broken();
    } finally {
      clearInterval(timer);
    }
    await origin.gone();
    assert.deepEqual(stage.reasons, ["request_deadline"]);
  },
);

onEachEngine(
  "timeouts: a whole request takes too long inside its body: 504, then the end",
  { timeouts: { requestMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
    const origin = await stage.backend.next();
    await origin.until("half");
    const { head } = await client.message();
    assert.match(head, /^HTTP\/1\.1 504 [\s\S]*\r\nConnection: close\r\n/);
    assert.equal(await client.rest(), "");
    await origin.gone();
    assert.deepEqual(stage.reasons, ["request_deadline"]);
  },
);

onEachEngine(
  "timeouts: a request that ended in time is forgotten, a tunnel is no request any more",
  { timeouts: { requestMs: SHORT_MS, requestHeadMs: SHORT_MS } },
  async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    await client.head();
    const tunnel = stage.client();
    tunnel.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    await origin.head();
    origin.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    await tunnel.head();
    // Other connections show that several periods have passed.
    for (let i = 0; i < 4; i++) {
      const other = stage.client();
      other.write("GET ");
      assert.match(await other.head(), /^HTTP\/1\.1 408 /);
    }
    origin.write("still here");
    await tunnel.until("still here");
    assert.equal(client.isClosed, false);
    assert.equal(stage.counter(Counter.errorRequestDeadline), 0);
  },
);

onEachEngine(
  "timeouts: a deadline for whole requests that comes with a new snapshot holds from then on",
  {},
  async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    stage.replace({ timeouts: { ...stage.snapshot.timeouts, requestMs: SHORT_MS } });
    const late = stage.client();
    late.write(GET);
    assert.match((await late.message()).head, /^HTTP\/1\.1 504 /);
    stage.replace({ timeouts: { ...stage.snapshot.timeouts, requestMs: 0 } });
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert.equal((await client.message()).body, "ok");
  },
);
