/** What tests of bodies that foreign code writes have in common. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { BodySink } from "../../src/contract/interception.ts";
import type { RawPeer } from "./raw-peer.ts";

export const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
export const LARGE = pattern(700_000);
export const PIECE_BYTES = 50_000;

function pattern(bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) all[i] = (i * 31 + (i >> 8) * 7) & 0xff;
  return all;
}

export function digest(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}

/** Takes a chunked body: its payload. */
export async function chunked(peer: RawPeer): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (;;) {
    const size = Number.parseInt(await peer.until("\r\n"), 16);
    const part = await peer.bytes(size + 2);
    assert.equal(part.subarray(size).toString(), "\r\n");
    if (size === 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, size));
  }
}

/** Writes `bytes` piece by piece, as far as the sink says, and then ends. Returns how often it had to wait. */
export function pour(sink: BodySink, bytes: Uint8Array, onFull: (go: () => void) => void): { waits: number } {
  const outcome = { waits: 0 };
  let at = 0;
  const go = (): void => {
    while (at < bytes.length) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      at += piece.length;
      if (!sink.write(piece)) {
        outcome.waits++;
        onFull(go);
        return;
      }
    }
    sink.end();
  };
  go();
  return outcome;
}

/** Writes `text`, and transfers its memory before it can be sent, as a thread or a stream does that gets it. */
export function writeAndTakeBack(sink: BodySink, text: string): void {
  const bytes = Uint8Array.from(Buffer.from(text));
  sink.write(bytes);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
}

/** `bytes` as a chunked body. */
export function chunksOf(bytes: Uint8Array): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 7001) {
    const part = bytes.subarray(at, at + 7001);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), Buffer.from(part), Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}
