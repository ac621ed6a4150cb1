/**
 * The other end of a browser's WebSocket: sends back every message (RFC 6455), over an upgraded socket of
 * node:http.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CLOSE = 8;
const PONG = 10;
const OPCODE_MASK = 0x0f;
const LENGTH_MASK = 0x7f;

/** Answers an `upgrade` event of a server. */
export function echoWebSocket(request: IncomingMessage, socket: Duplex): void {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let waiting = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    waiting = Buffer.concat([waiting, bytes]);
    for (let end = echoFrame(waiting, socket); end > 0; end = echoFrame(waiting, socket)) {
      waiting = waiting.subarray(end);
    }
  });
}

/**
 * Sends the frame at the start of `bytes` back without its mask. Returns its end, or 0 while it is not whole.
 */
function echoFrame(bytes: Buffer, socket: Duplex): number {
  if (bytes.length < 2) return 0;
  const code = bytes[1]! & LENGTH_MASK;
  const lengthEnd = code < 126 ? 2 : code === 126 ? 4 : 10;
  if (bytes.length < lengthEnd + 4) return 0;
  const length = code < 126 ? code : code === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const start = lengthEnd + 4;
  if (bytes.length < start + length) return 0;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  for (let i = 0; i < length; i++) payload[i]! ^= bytes[lengthEnd + (i & 3)]!;
  const opcode = bytes[0]! & OPCODE_MASK;
  const head = Buffer.from(bytes.subarray(0, lengthEnd));
  head[1]! &= LENGTH_MASK;
  if (opcode !== PONG) socket.write(Buffer.concat([head, payload]));
  if (opcode === CLOSE) socket.end();
  return start + length;
}
