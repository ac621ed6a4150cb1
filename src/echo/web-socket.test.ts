/** WebSocket frames against RFC 6455, whole and in pieces; and Node's own client. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { BufferPool, HEADROOM_BYTES } from "../base/buffer-pool.ts";
import type { Port } from "../contract/port.ts";
import { BodyDigest } from "./body-digest.ts";
import type { EchoRequest } from "./echo-request.ts";
import { startEcho } from "./start-echo.ts";
import { acceptWebSocket, WebSocketEcho } from "./web-socket.ts";

/** A socket whose peer sent `pieces`: what it sent back in hexadecimal, and whether it went on. */
function feed(pieces: readonly Buffer[]): { sent: string; isOpen: boolean } {
  const memory = Buffer.alloc(BufferPool.regionBytes(4, 4));
  const buffers = new BufferPool(memory, 4, 4);
  const sent: Buffer[] = [];
  const port = {
    buffers,
    send(_connection: number, start: number, end: number) {
      sent.push(Buffer.from(memory.subarray(start, end)));
      buffers.release(start);
    },
  } as unknown as Port;
  const socket = new WebSocketEcho(port, 0, memory);
  let isOpen = true;
  for (const piece of pieces) {
    if (!isOpen) break;
    const slot = buffers.acquireLarge();
    const start = slot + HEADROOM_BYTES;
    piece.copy(memory, start);
    isOpen = socket.feed(start, start + piece.length);
    buffers.release(slot);
  }
  assert.equal(buffers.freeLargeCount + buffers.freeSmallCount, 8, "every slot came home");
  return { sent: Buffer.concat(sent).toString("hex"), isOpen };
}

/** A client's frame with a mask. */
function frame(first: number, payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload as string, "latin1");
  const mask = Buffer.of(0x37, 0xfa, 0x21, 0x3d);
  const length = Buffer.alloc(bytes.length < 126 ? 1 : bytes.length < 65_536 ? 3 : 9);
  if (length.length === 1) length[0] = bytes.length;
  else if (length.length === 3) length.writeUInt16BE(bytes.length, 1);
  else length.writeBigUInt64BE(BigInt(bytes.length), 1);
  if (length.length > 1) length[0] = length.length === 3 ? 126 : 127;
  length[0]! |= 0x80;
  return Buffer.concat([Buffer.of(first), length, mask, bytes.map((byte, i) => byte ^ mask[i & 3]!)]);
}

const hex = (first: number, payload: string) =>
  Buffer.concat([Buffer.of(first, payload.length), Buffer.from(payload, "latin1")]).toString("hex");
const closeFrame = (code: number) => hex(0x88, String.fromCharCode(code >> 8, code & 0xff));

const CASES: { name: string; rfc: string; wire: Buffer; sent: string; isOpen: boolean }[] = [
  {
    name: "text",
    rfc: "§5.7",
    wire: Buffer.from("818537fa213d7f9f4d5158", "hex"),
    sent: hex(0x81, "Hello"),
    isOpen: true,
  },
  { name: "binary", rfc: "§5.6", wire: frame(0x82, "\x00\xff"), sent: hex(0x82, "\x00\xff"), isOpen: true },
  { name: "an empty message", rfc: "§5.6", wire: frame(0x81, ""), sent: "8100", isOpen: true },
  {
    name: "fragments with a ping between them",
    rfc: "§5.4",
    wire: Buffer.concat([frame(0x01, "He"), frame(0x89, "p"), frame(0x00, ""), frame(0x80, "llo")]),
    sent: hex(0x01, "He") + hex(0x8a, "p") + hex(0x00, "") + hex(0x80, "llo"),
    isOpen: true,
  },
  {
    name: "a character in two fragments",
    rfc: "§5.6",
    wire: Buffer.concat([frame(0x01, "\xc3"), frame(0x80, "\xa4")]),
    sent: hex(0x01, "\xc3") + hex(0x80, "\xa4"),
    isOpen: true,
  },
  { name: "a pong", rfc: "§5.5.3", wire: frame(0x8a, "x"), sent: "", isOpen: true },
  {
    name: "close with a code",
    rfc: "§5.5.1",
    wire: frame(0x88, "\x03\xe9bye"),
    sent: closeFrame(1001),
    isOpen: false,
  },
  {
    name: "close without a code",
    rfc: "§5.5.1",
    wire: frame(0x88, ""),
    sent: closeFrame(1000),
    isOpen: false,
  },
  {
    name: "close with half a code",
    rfc: "§5.5.1",
    wire: frame(0x88, "\x03"),
    sent: closeFrame(1002),
    isOpen: false,
  },
  {
    name: "close with a reserved code",
    rfc: "§7.4.1",
    wire: frame(0x88, "\x03\xed"),
    sent: closeFrame(1002),
    isOpen: false,
  },
  {
    name: "nothing behind a close",
    rfc: "§5.5.1",
    wire: Buffer.concat([frame(0x88, "\x03\xe8"), frame(0x81, "a")]),
    sent: closeFrame(1000),
    isOpen: false,
  },
  {
    name: "no mask",
    rfc: "§5.1",
    wire: Buffer.from("810548656c6c6f", "hex"),
    sent: closeFrame(1002),
    isOpen: false,
  },
  { name: "a reserved bit", rfc: "§5.2", wire: frame(0xc1, "a"), sent: closeFrame(1002), isOpen: false },
  { name: "an unknown opcode", rfc: "§5.2", wire: frame(0x83, "a"), sent: closeFrame(1002), isOpen: false },
  {
    name: "an unknown control opcode",
    rfc: "§5.2",
    wire: frame(0x8b, "a"),
    sent: closeFrame(1002),
    isOpen: false,
  },
  {
    name: "a long control frame",
    rfc: "§5.5",
    wire: frame(0x89, "a".repeat(126)),
    sent: closeFrame(1002),
    isOpen: false,
  },
  {
    name: "a fragmented control frame",
    rfc: "§5.5",
    wire: frame(0x09, "a"),
    sent: closeFrame(1002),
    isOpen: false,
  },
  {
    name: "a continuation of nothing",
    rfc: "§5.4",
    wire: frame(0x80, "a"),
    sent: closeFrame(1002),
    isOpen: false,
  },
  {
    name: "a message inside a message",
    rfc: "§5.4",
    wire: Buffer.concat([frame(0x01, ""), frame(0x81, "b")]),
    sent: `0100${closeFrame(1002)}`,
    isOpen: false,
  },
  {
    name: "a length that could be shorter",
    rfc: "§5.2",
    wire: Buffer.from("81fe000537fa213d7f9f4d5158", "hex"),
    sent: closeFrame(1002),
    isOpen: false,
  },
  {
    name: "a length past 2^63",
    rfc: "§5.2",
    wire: Buffer.from("82ff800000000000000037fa213d", "hex"),
    sent: closeFrame(1002),
    isOpen: false,
  },
  {
    name: "text that is none",
    rfc: "§8.1",
    wire: frame(0x81, "\xff"),
    sent: closeFrame(1007),
    isOpen: false,
  },
  {
    name: "text that ends early",
    rfc: "§8.1",
    wire: frame(0x81, "\xc3"),
    sent: closeFrame(1007),
    isOpen: false,
  },
];

for (const { name, rfc, wire, sent, isOpen } of CASES) {
  test(`web socket: ${name} (RFC 6455 ${rfc})`, () => {
    assert.deepEqual(feed([wire]), { sent, isOpen }, "whole");
    const bytes = Array.from(wire, (byte) => Buffer.of(byte));
    assert.deepEqual(feed(bytes), { sent, isOpen }, "one byte at a time");
  });
}

test("web socket: messages of every length form, split anywhere", () => {
  for (const size of [125, 126, 65_535, 65_536, 200_000]) {
    const payload = Buffer.alloc(size, "0123456789abc");
    const wire = frame(0x82, payload);
    for (const first of [1, 5, 9, 13, 14, 1000]) {
      const pieces = [wire.subarray(0, first)];
      for (let at = first; at < wire.length; at += 60_000) pieces.push(wire.subarray(at, at + 60_000));
      const { sent, isOpen } = feed(pieces);
      assert.equal(isOpen, true);
      const echoed = Buffer.from(sent, "hex");
      assert.ok(echoed.subarray(-size).equals(payload), `payload of ${size} bytes after ${first}`);
      assert.equal(echoed.length, wire.length - 4, "the same frame without its mask");
    }
  }
});

test("web socket: the handshake (RFC 6455 §1.3, §4.2)", () => {
  const request = (method: string, ...fields: [string, string][]): EchoRequest => ({
    method,
    target: "/ws",
    versionMinor: 1,
    fields,
    isHead: false,
    isUpgrade: fields.some(([name]) => name === "Upgrade"),
    persists: true,
    route: { name: "ws" },
    body: new BodyDigest(false),
  });
  const upgrade: [string, string] = ["Upgrade", "WebSocket"];
  const version: [string, string] = ["Sec-WebSocket-Version", "13"];
  const key: [string, string] = ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="];
  assert.equal(acceptWebSocket(request("GET", upgrade, version, key)), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert.equal(acceptWebSocket(request("POST", upgrade, version, key)), 400);
  assert.equal(acceptWebSocket(request("GET", upgrade, version)), 400);
  assert.equal(acceptWebSocket(request("GET", upgrade, key)), 426);
  assert.equal(acceptWebSocket(request("GET", version, key)), 426);
});

test("web socket: Node's client gets its messages back and closes well", async () => {
  const echo = await startEcho({ engine: "net" });
  const socket = new WebSocket(`ws://${echo.address}/ws`);
  socket.binaryType = "arraybuffer";
  await once(socket, "open");
  const long = "ä€😀".repeat(100_000);
  for (const message of ["hello", long]) {
    socket.send(message);
    const [event] = (await once(socket, "message")) as [MessageEvent];
    assert.equal(event.data, message);
  }
  socket.close(1000);
  const [event] = (await once(socket, "close")) as [CloseEvent];
  assert.equal(event.code, 1000);
  assert.equal(event.wasClean, true);
  await echo.close();
});
