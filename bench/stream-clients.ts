/**
 * Load that an HTTP generator cannot make: messages over WebSockets, and streams of events of which the first
 * one counts. Every byte that comes back is compared.
 *
 *     node stream-clients.ts web-socket|first-byte PORT PATH CONNECTIONS SECONDS WARMUP-SECONDS
 *
 * Prints one line of JSON, a `LoadResult`. `web-socket`: each connection sends a message of 64 bytes, waits
 * for the same bytes back (RFC 6455), and sends the next; latency is from message to echo. `first-byte`: each
 * connection asks for a stream, waits for its end, and asks again; latency is from request to first event.
 */
import { connect, type Socket } from "node:net";
import {
  FINE_SUB_BITS,
  histogramCells,
  histogramMean,
  histogramQuantile,
  histogramRecord,
} from "../src/base/histogram.ts";
import type { LoadResult } from "./load.ts";

const MESSAGE_BYTES = 64;
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
/** FIN and opcode text; the length fits its 7 bits. */
const FRAME_TEXT = 0x81;
const MASKED = 0x80;
/** The example key of RFC 6455 §1.3, and the answer that it must get. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const HEAD_END = "\r\n\r\n";
const FIRST_EVENT = "id: 1\n";
/** The last chunk (RFC 9112 §7.1) ends a stream. */
const STREAM_END = "0\r\n\r\n";
const STREAM_BYTES_MAX = 65_536;

const message = Buffer.from("hp-proxy echoes! ".repeat(8).slice(0, MESSAGE_BYTES), "latin1");
const echoed = Buffer.concat([Buffer.from([FRAME_TEXT, MESSAGE_BYTES]), message]);
const masked = Buffer.concat([
  Buffer.from([FRAME_TEXT, MASKED | MESSAGE_BYTES]),
  MASK,
  message.map((byte, index) => byte ^ MASK[index % 4]!),
]);

class Tally {
  readonly #cells = new Float64Array(histogramCells(FINE_SUB_BITS));
  requests = 0;
  warmupRequests = 0;
  errors = 0;
  maxUs = 0;
  isWarm = false;

  count(sinceMs: number): void {
    if (!this.isWarm) {
      this.warmupRequests++;
      return;
    }
    const us = Math.round((performance.now() - sinceMs) * 1000);
    histogramRecord(this.#cells, 0, us, FINE_SUB_BITS);
    this.requests++;
    this.maxUs = Math.max(this.maxUs, us);
  }

  result(seconds: number): LoadResult {
    const at = (fraction: number) => histogramQuantile(this.#cells, 0, fraction, FINE_SUB_BITS);
    const { requests, warmupRequests, errors, maxUs } = this;
    const meanUs = histogramMean(this.#cells, 0, FINE_SUB_BITS);
    const percentiles = { p50Us: at(0.5), p90Us: at(0.9), p99Us: at(0.99), p999Us: at(0.999) };
    return { requests, warmupRequests, seconds, meanUs, ...percentiles, maxUs, errors };
  }
}

/** Opens one connection that goes on until it is destroyed; `lost` when that was not expected. */
type Client = (socket: Socket, path: string, tally: Tally, lost: () => void) => void;

const webSocket: Client = (socket, path, tally, lost) => {
  let head = "";
  let isOpen = false;
  let sentAtMs = 0;
  let matched = 0;
  const send = () => {
    matched = 0;
    sentAtMs = performance.now();
    socket.write(masked);
  };
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: bench.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
  );
  socket.on("data", (chunk: Buffer) => {
    if (!isOpen) {
      head += chunk.toString("latin1");
      if (!head.includes(HEAD_END)) return;
      if (!head.startsWith("HTTP/1.1 101") || !head.includes(ACCEPT)) return lost();
      isOpen = true;
      return send();
    }
    if (echoed.compare(chunk, 0, chunk.length, matched, matched + chunk.length) !== 0) return lost();
    matched += chunk.length;
    if (matched < echoed.length) return;
    tally.count(sentAtMs);
    send();
  });
};

const firstByte: Client = (socket, path, tally, lost) => {
  const request = `GET ${path} HTTP/1.1\r\nHost: bench.example\r\nAccept: text/event-stream\r\n\r\n`;
  let text = "";
  let sentAtMs = 0;
  let hasBegun = false;
  const ask = () => {
    text = "";
    hasBegun = false;
    sentAtMs = performance.now();
    socket.write(request);
  };
  ask();
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (text.length > STREAM_BYTES_MAX) return lost();
    if (!hasBegun && text.includes(FIRST_EVENT)) {
      if (!text.startsWith("HTTP/1.1 200")) return lost();
      hasBegun = true;
      tally.count(sentAtMs);
    }
    if (!text.endsWith(STREAM_END)) return;
    if (hasBegun) ask();
    else lost();
  });
};

/**
 * Runs `connections` of one kind for `warmupSeconds` that do not count, and then for `seconds`. A lost
 * connection is an error and is not opened again.
 */
async function run(
  client: Client,
  port: number,
  path: string,
  connections: number,
  seconds: number,
  warmupSeconds: number,
): Promise<LoadResult> {
  const tally = new Tally();
  let isOver = false;
  const sockets = Array.from({ length: connections }, () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const lost = () => {
      if (!isOver && !socket.destroyed) socket.destroy(new Error("not what was expected"));
    };
    socket.on("connect", () => client(socket, path, tally, lost));
    socket.on("error", () => {});
    socket.on("close", () => {
      if (!isOver) tally.errors++;
    });
    return socket;
  });
  await new Promise((resolve) => setTimeout(resolve, warmupSeconds * 1000));
  tally.isWarm = true;
  const beganMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  isOver = true;
  const result = tally.result((performance.now() - beganMs) / 1000);
  for (const socket of sockets) socket.destroy();
  return result;
}

if (import.meta.main) {
  const [kind, port, path, connections, seconds, warmupSeconds] = process.argv.slice(2);
  const client = kind === "web-socket" ? webSocket : firstByte;
  const times = [Number(seconds), Number(warmupSeconds)] as const;
  const result = await run(client, Number(port), path!, Number(connections), ...times);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
