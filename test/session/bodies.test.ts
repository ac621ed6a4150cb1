/** Much, slowly, in order: large bodies both ways, slow readers, pipelining, event streams. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Counter } from "../../src/contract/counters.ts";
import type { RawPeer } from "./raw-peer.ts";
import { onEachEngine, type Stage } from "./stage.ts";

/** And some more: a last receive that fills its buffer would end the connection, as more may lie behind it. */
const LARGE_BYTES = 64 * 2 ** 20 + 1_001;
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Bytes without a short period, so that what is lost, doubled or crossed shows. */
function body(bytes: number, seed: number): Buffer {
  const out = Buffer.allocUnsafe(bytes);
  let state = seed | 1;
  for (let at = 0; at + 4 <= bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    out.writeInt32LE(state, at);
  }
  return out;
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * Hashes the next `count` bytes that `peer` gets, as they come. `head` bytes before them are already taken.
 */
async function digestNext(peer: RawPeer, count: number): Promise<string> {
  const hash = createHash("sha256");
  const early = await peer.bytes(Math.min(count, Buffer.byteLength(peer.text, "latin1")));
  hash.update(early);
  let left = count - early.length;
  peer.onBytes = (chunk) => {
    assert.ok(chunk.length <= left, "nothing comes behind the body");
    hash.update(chunk);
    left -= chunk.length;
  };
  await peer.when("the whole body", () => {
    if (peer.failure !== "" || peer.hasEnded) throw new Error(`cut with ${left} bytes left: ${peer.failure}`);
    return left === 0 ? true : undefined;
  });
  peer.onBytes = null;
  return hash.digest("hex");
}

function chunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  // Chunk sizes that never fall on buffer ends.
  for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 100_003) {
    const piece = bytes.subarray(at, at + size);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  parts.push(Buffer.from("0\r\n\r\n"));
  return Buffer.concat(parts);
}

for (const framing of ["length", "chunked"] as const) {
  const plain = body(LARGE_BYTES, 3);
  const wire = framing === "length" ? plain : chunked(plain);
  const field = framing === "length" ? `Content-Length: ${plain.length}` : "Transfer-Encoding: chunked";

  onEachEngine(`bodies: 64 MiB down, ${framing}`, {}, async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n`);
    const poured = origin.pour(wire);
    await client.head();
    // Canonical chunks pass as they are.
    assert.equal(await digestNext(client, wire.length), digest(wire));
    await poured;
    await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
  });

  onEachEngine(`bodies: 64 MiB up, ${framing}`, {}, async (stage) => {
    const client = stage.client();
    client.write(`POST / HTTP/1.1\r\nHost: x\r\n${field}\r\n\r\n`);
    const poured = client.pour(wire);
    const origin = await stage.backend.next();
    await origin.head();
    assert.equal(await digestNext(origin, wire.length), digest(wire));
    await poured;
    origin.write(OK);
    assert.equal((await client.message()).body, "ok");
    await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
  });
}

onEachEngine("bodies: both ways at once on one exchange", {}, async (stage) => {
  const up = body(4 * 2 ** 20, 5);
  const down = body(4 * 2 ** 20, 7);
  const client = stage.client();
  client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${up.length}\r\n\r\n`);
  const poured = client.pour(up);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write(`HTTP/1.1 200 OK\r\nContent-Length: ${down.length}\r\n\r\n`);
  const answered = origin.pour(down.subarray(0, -1));
  await client.head();
  const got = digestNext(client, down.length);
  assert.equal(await digestNext(origin, up.length), digest(up));
  await poured;
  await answered;
  origin.write(down.subarray(-1));
  assert.equal(await got, digest(down));
});

/** While one client is stuck, the next finds slots. */
async function othersAreServed(stage: Stage): Promise<void> {
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  const origin = await stage.backend.next();
  await origin.until("hello");
  origin.write(OK);
  assert.equal((await client.message()).body, "ok");
  client.close();
}

/** Most slots in use at once while `during` runs, looked at between events. */
async function slotsUsedMax(stage: Stage, during: Promise<unknown>): Promise<number> {
  let max = 0;
  let isOver = false;
  const look = (): void => {
    max = Math.max(max, stage.counter(Counter.smallSlotsUsed), stage.counter(Counter.largeSlotsUsed));
    if (!isOver) setImmediate(look);
  };
  look();
  await during;
  isOver = true;
  return max;
}

/** Beyond what queuedBytesMax allows: what was under way, and what an engine keeps ready. */
const SLOTS_MAX = 40;

onEachEngine("bodies: a client that does not read holds a bounded number of slots", {}, async (stage) => {
  const client = stage.client();
  client.socket.pause();
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  const bytes = body(LARGE_BYTES, 9);
  origin.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
  const poured = origin.pour(bytes);
  // The kernel's buffers fill, then the backend is stopped.
  let sentBefore = -1;
  const stuck = stage.eventually("nothing moves", () => {
    const moved = stage.counter(Counter.clientBytesOut) !== sentBefore;
    sentBefore = stage.counter(Counter.clientBytesOut);
    return !moved && sentBefore > 200_000;
  });
  const used = await slotsUsedMax(stage, stuck);
  assert.ok(used <= SLOTS_MAX, `${used} slots`);
  await othersAreServed(stage);
  client.socket.resume();
  await client.head();
  assert.equal(await digestNext(client, bytes.length), digest(bytes));
  await poured;
});

onEachEngine(
  "bodies: nor does it when the response trickles, however many bytes may be queued",
  { limits: { queuedBytesMax: 2 ** 30 } },
  async (stage) => {
    const client = stage.client();
    client.socket.pause();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.0 200 OK\r\n\r\n");
    // Pieces too large to be copied, each received apart: once the kernel is full, each would hold a slot.
    const piece = Buffer.alloc(3_000, "f");
    let pieces = 0;
    while (origin.socket.writableLength === 0) {
      origin.write(piece);
      pieces++;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await othersAreServed(stage);
    let left = pieces * piece.length;
    client.onBytes = (chunk) => {
      for (const byte of chunk) if (byte === 0x66) left--;
    };
    client.socket.resume();
    // One f more or less is in the head and the sizes of chunks.
    await client.when("everything", () => (left <= 0 ? true : undefined));
  },
);

onEachEngine(
  "bodies: an upload to a backend that does not read holds a bounded number of slots",
  {},
  async (stage) => {
    stage.backend.onPeer = (peer) => peer.socket.pause();
    const client = stage.client();
    const bytes = body(LARGE_BYTES, 11);
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    const poured = client.pour(bytes);
    const origin = await stage.backend.next();
    let sentBefore = -1;
    const stuck = stage.eventually("nothing moves", () => {
      const moved = stage.counter(Counter.originBytesOut) !== sentBefore;
      sentBefore = stage.counter(Counter.originBytesOut);
      return !moved && sentBefore > 200_000;
    });
    const used = await slotsUsedMax(stage, stuck);
    assert.ok(used <= SLOTS_MAX, `${used} slots`);
    origin.socket.resume();
    await origin.head();
    assert.equal(await digestNext(origin, bytes.length), digest(bytes));
    await poured;
    origin.write(OK);
    assert.equal((await client.message()).body, "ok");
  },
);

/** A backend that answers every request with its target as the body, `padding` bytes behind it. */
function answerTargets(stage: Stage, padding: number): void {
  stage.backend.onPeer = (peer) => {
    let input = "";
    peer.onBytes = (chunk) => {
      input += chunk.toString("latin1");
      for (let end = input.indexOf("\r\n\r\n"); end >= 0; end = input.indexOf("\r\n\r\n")) {
        const target = input.split(" ")[1]!;
        input = input.slice(end + 4);
        const text = target.padEnd(target.length + padding, ".");
        peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
      }
    };
  };
}

onEachEngine("pipelining: 1,000 requests are answered in order (RFC 9112 §9.3.2)", {}, async (stage) => {
  answerTargets(stage, 0);
  const client = stage.client();
  const requests = Array.from({ length: 1_000 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`);
  client.write(requests.join(""));
  for (let i = 0; i < 1_000; i++) assert.equal((await client.message()).body, `/${i}`);
  assert.equal(stage.backend.peers.length, 1);
});

onEachEngine("pipelining: who asks without reading the answers waits", {}, async (stage) => {
  answerTargets(stage, 60_000);
  const client = stage.client();
  client.socket.pause();
  const requests = Array.from({ length: 400 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`);
  client.write(requests.join(""));
  let before = -1;
  const stuck = stage.eventually("nothing moves", () => {
    const moved = stage.counter(Counter.requests) !== before;
    before = stage.counter(Counter.requests);
    return !moved && before > 2 && stage.counter(Counter.requestsInFlight) === 0;
  });
  const used = await slotsUsedMax(stage, stuck);
  assert.ok(used <= SLOTS_MAX, `${used} slots`);
  assert.ok(stage.counter(Counter.requests) < 400, "not all are asked");
  client.socket.resume();
  for (let i = 0; i < 400; i++) {
    assert.ok((await client.message()).body.startsWith(`/${i}.`), `answer ${i}`);
  }
});

onEachEngine("pipelining: requests with bodies between requests without", {}, async (stage) => {
  stage.backend.onPeer = (peer) => {
    const serve = async (): Promise<void> => {
      const { head, body: text } = await peer.message();
      const answer = `${head.split(" ")[1]}=${text}`;
      peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`);
      await serve();
    };
    // It ends with the connection.
    serve().catch(() => {});
  };
  const client = stage.client();
  const sizes = [0, 5, 0, 4_000, 70_000, 0, 200_000, 1];
  let wire = "";
  for (const [i, size] of sizes.entries()) {
    wire +=
      size === 0
        ? `GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`
        : `POST /${i} HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n${String(i).repeat(size)}`;
  }
  client.write(wire);
  for (const [i, size] of sizes.entries()) {
    assert.equal((await client.message()).body, `/${i}=${String(i).repeat(size)}`);
  }
});

onEachEngine("bodies: an event passes before the next one is made", {}, async (stage) => {
  const client = stage.client();
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  await client.head();
  for (let i = 0; i < 20; i++) {
    const event = `data: ${String(i).padStart(3, "0")}\n\n`;
    origin.write(`${event.length.toString(16)}\r\n${event}\r\n`);
    await client.until(event);
  }
  origin.write("0\r\n\r\n");
  await client.until("0\r\n\r\n");
});

onEachEngine("bodies: 100-continue is the backend's to give (RFC 9110 §10.1.1)", {}, async (stage) => {
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  const origin = await stage.backend.next();
  assert.match(await origin.head(), /\r\nExpect: 100-continue\r\n/);
  origin.write("HTTP/1.1 100 Continue\r\n\r\n");
  assert.match(await client.head(), /^HTTP\/1\.1 100 /);
  client.write("hello");
  await origin.until("hello");
  origin.write(OK);
  assert.equal((await client.message()).body, "ok");
  client.write(GET);
  await origin.head();
  origin.write(OK);
  await client.message();
});

onEachEngine("bodies: a refusal instead of 100-continue ends the connection", {}, async (stage) => {
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  const origin = await stage.backend.next();
  await origin.head();
  origin.write("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
  const head = await client.head();
  assert.match(head, /^HTTP\/1\.1 417 /);
  assert.match(head, /\r\nConnection: close\r\n/);
  assert.equal(await client.rest(), "");
  // Its request is not whole, so nobody else may have the connection.
  await origin.gone();
});

onEachEngine(
  "bodies: an answer in the middle of an upload arrives, whatever the upload does",
  {},
  async (stage) => {
    const client = stage.client();
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${LARGE_BYTES}\r\n\r\n`);
    const poured = client.pour(Buffer.alloc(2 * 2 ** 20));
    const origin = await stage.backend.next();
    await origin.head();
    origin.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    const { head, body: text } = await client.message();
    assert.match(head, /^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n/);
    assert.equal(text, "big");
    await poured;
    assert.equal(await client.rest(), "");
    await origin.gone();
  },
);
