import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferPool, HEADROOM_BYTES, RECEIVE_BYTES } from "../base/buffer-pool.ts";
import type { Port } from "../contract/port.ts";
import { Fault } from "../http1/fault.ts";
import { Method } from "../http1/message-head.ts";
import { Reading, ResponseReader } from "./response-reader.ts";

const LONG = `X-Long: ${"v".repeat(3000)}\r\n`;
const SMALL_SLOTS = 4;
const LARGE_SLOTS = 6;

interface Case {
  readonly name: string;
  readonly rfc: string;
  readonly wire: string;
  readonly method?: number;
  /** Requests in flight. */
  readonly asked?: number;
  readonly statuses: readonly number[];
  /** What the last `feed` returns. */
  readonly reading: number;
  /** What `finish` returns after an open reading. */
  readonly finish?: number;
}

const CASES: readonly Case[] = [
  {
    name: "length",
    rfc: "9112 §6.3",
    wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    statuses: [200],
    reading: 0,
  },
  {
    name: "no body",
    rfc: "9112 §6.3",
    wire: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    statuses: [200],
    reading: 0,
  },
  {
    name: "chunked with extension and trailer",
    rfc: "9112 §7.1",
    wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    statuses: [200],
    reading: 0,
  },
  {
    name: "until close",
    rfc: "9112 §6.3",
    wire: "HTTP/1.1 200 OK\r\n\r\nhello",
    statuses: [200],
    reading: 0,
    finish: 1,
  },
  {
    name: "several in a row",
    rfc: "9112 §9.3.2",
    wire: `${"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na".repeat(3)}HTTP/1.1 204 No Content\r\n\r\n`,
    asked: 4,
    statuses: [200, 200, 200, 204],
    reading: 0,
  },
  {
    name: "interim responses",
    rfc: "9110 §15.2",
    wire:
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
      "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    statuses: [201],
    reading: 0,
  },
  {
    name: "HEAD",
    rfc: "9110 §9.3.2",
    wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    method: Method.HEAD,
    statuses: [200],
    reading: 0,
  },
  {
    name: "304 with length",
    rfc: "9112 §6.3",
    wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    statuses: [304],
    reading: 0,
  },
  {
    name: "close",
    rfc: "9112 §9.6",
    wire: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
    statuses: [200],
    reading: Reading.last,
  },
  {
    name: "HTTP/1.0",
    rfc: "9112 §9.3",
    wire: "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
    statuses: [200],
    reading: Reading.last,
  },
  {
    name: "HTTP/1.0 keep-alive",
    rfc: "9112 §9.3",
    wire: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
    statuses: [200],
    reading: 0,
  },
  {
    name: "a head longer than the headroom",
    rfc: "9112 §4",
    wire:
      `HTTP/1.1 200 OK\r\n${LONG}Content-Length: 1\r\n\r\na` +
      `HTTP/1.1 404 Not Found\r\n${LONG}Content-Length: 0\r\n\r\n`,
    asked: 2,
    statuses: [200, 404],
    reading: 0,
  },
  {
    name: "not HTTP",
    rfc: "9112 §4",
    wire: "SSH-2.0-OpenSSH_9\r\n",
    statuses: [],
    reading: Fault.badStatusLine,
  },
  {
    name: "bad chunk",
    rfc: "9112 §7.1",
    wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    statuses: [],
    reading: Fault.badChunkSize,
  },
  {
    name: "length and chunked",
    rfc: "9112 §6.1",
    wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    statuses: [],
    reading: Fault.contentLengthWithTransferEncoding,
  },
  {
    name: "unasked 101",
    rfc: "9110 §15.2.2",
    wire: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    statuses: [],
    reading: Reading.switched,
  },
  {
    name: "more than was asked",
    rfc: "9112 §9.2",
    wire: "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    statuses: [204],
    reading: Reading.unasked,
  },
  {
    name: "cut in the head",
    rfc: "9112 §8",
    wire: "HTTP/1.1 200 O",
    statuses: [],
    reading: 0,
    finish: Reading.cut,
  },
  { name: "cut before the head", rfc: "9112 §8", wire: "", statuses: [], reading: 0, finish: Reading.cut },
  {
    name: "cut in the body",
    rfc: "9112 §8",
    wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
    statuses: [],
    reading: 0,
    finish: Reading.cut,
  },
  {
    name: "cut between chunks",
    rfc: "9112 §8",
    wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    statuses: [],
    reading: 0,
    finish: Reading.cut,
  },
];

/** Feeds `pieces`, each in its own slot, at `offset` behind the headroom; returns what was seen. */
function read(row: Case, pieces: readonly Buffer[], offset: number) {
  const buffers = new BufferPool(
    new Uint8Array(BufferPool.regionBytes(SMALL_SLOTS, LARGE_SLOTS)),
    SMALL_SLOTS,
    LARGE_SLOTS,
  );
  const statuses: number[] = [];
  const asked = row.asked ?? 1;
  const sink = {
    awaits: () => statuses.length < asked,
    responded: (_connection: number, status: number) => void statuses.push(status),
  };
  const reader = new ResponseReader({ buffers, connectionsMax: 2 } as Port, row.method ?? Method.GET, sink);
  reader.opened(1);
  let reading: number = Reading.open;
  for (const piece of pieces) {
    if (reading !== Reading.open) break;
    const start = buffers.acquireLarge() + HEADROOM_BYTES + offset;
    assert.ok(start > 0, "a slot is free: none leaks");
    buffers.memory.set(piece, start);
    reading = reader.feed(1, start, start + piece.length);
  }
  const finish = reading === Reading.open ? reader.finish(1) : undefined;
  reader.closed(1);
  assert.equal(buffers.freeSmallCount, SMALL_SLOTS, "every small slot came home");
  assert.equal(buffers.freeLargeCount, LARGE_SLOTS, "every large slot came home");
  return { statuses, reading, finish };
}

function cut(wire: Buffer, length: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < wire.length; at += length) pieces.push(wire.subarray(at, at + length));
  return pieces;
}

for (const row of CASES) {
  const wire = Buffer.from(row.wire, "latin1");
  const expected = {
    statuses: row.statuses,
    reading: row.reading,
    finish: row.reading === Reading.open ? (row.finish ?? Reading.last) : undefined,
  };
  test(`response: ${row.name} (RFC ${row.rfc})`, () => {
    assert.deepEqual(read(row, wire.length > 0 ? [wire] : [], 0), expected, "whole");
    for (const length of [1, 2, 7, 1500, 2500]) {
      assert.deepEqual(read(row, cut(wire, length), 0), expected, `in pieces of ${length}`);
    }
    // The first bytes at the very end of their slot: there is no room behind them.
    if (wire.length > 0 && wire.length <= 4096) {
      assert.deepEqual(read(row, cut(wire, 1100), RECEIVE_BYTES - 1100), expected, "at the end of the slot");
    }
  });
}
