import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import zlib from "node:zlib";
import type { ContentCoding } from "../contract/hooking.ts";
import type { PipeOutput } from "./body-pipe.ts";
import { type CompressionWatch, CompressStage } from "./compress-stage.ts";
import { REAL_CLOCK } from "./link.ts";

const LEVELS: readonly (readonly [ContentCoding, number])[] = [
  ["gzip", 5],
  ["br", 4],
  ["zstd", 3],
];

function decompressorOf(coding: ContentCoding): zlib.Gunzip | zlib.BrotliDecompress | zlib.ZstdDecompress {
  if (coding === "gzip") return zlib.createGunzip();
  return coding === "br" ? zlib.createBrotliDecompress() : zlib.createZstdDecompress();
}

/** What is behind the stage; `hasRoom` is what it says to a piece. */
class Behind implements PipeOutput {
  readonly pieces: Buffer[] = [];
  hasRoom = true;
  hasEnded = false;
  failed = "";
  asked = 0;
  isFreed = false;
  tookBytes = 0;
  cameBytes = 0;
  #watchers: (() => void)[] = [];

  stage(coding: ContentCoding, level: number): CompressStage {
    const watch: CompressionWatch = {
      took: (bytes) => {
        this.tookBytes += bytes;
      },
      came: (bytes) => {
        this.cameBytes += bytes;
      },
      failed: (error) => {
        this.failed = error.message;
        this.#changed();
      },
      freed: () => {
        this.isFreed = true;
        this.#changed();
      },
    };
    const stage = new CompressStage(coding, level, watch, REAL_CLOCK);
    stage.out = this;
    return stage;
  }

  write(bytes: Uint8Array): boolean {
    this.pieces.push(Buffer.from(bytes));
    this.#changed();
    return this.hasRoom;
  }

  end(): void {
    this.hasEnded = true;
    this.#changed();
  }

  fail(reason: string): void {
    this.failed = reason;
    this.#changed();
  }

  more(): void {
    this.asked++;
    this.#changed();
  }

  async when(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  #changed(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

for (const [coding, level] of LEVELS) {
  test(`${coding}: what comes out is what went in, and its memory is given back`, async () => {
    const behind = new Behind();
    const stage = behind.stage(coding, level);
    const body = Buffer.concat([randomBytes(100_000), Buffer.alloc(400_000, "text ")]);
    for (let at = 0; at < body.length; at += 60_000) {
      const { asked } = behind;
      if (!stage.take(body.subarray(at, at + 60_000))) await behind.when(() => behind.asked > asked);
    }
    stage.end();
    await behind.when(() => behind.hasEnded && behind.isFreed);
    const plain = decompressorOf(coding);
    plain.end(behind.bytes);
    assert.deepEqual(Buffer.concat(await plain.toArray()), body);
    assert.deepEqual([behind.tookBytes, behind.cameBytes], [body.length, behind.bytes.length]);
    assert.ok(behind.cameBytes < 150_000);
  });

  test(`${coding}: nothing at all`, async () => {
    const behind = new Behind();
    behind.stage(coding, level).end();
    await behind.when(() => behind.hasEnded);
    const plain = decompressorOf(coding);
    plain.end(behind.bytes);
    assert.equal((await plain.toArray()).length, 0);
  });

  test(`${coding}: each piece can be read before the next comes`, async () => {
    const behind = new Behind();
    const stage = behind.stage(coding, level);
    const plain = decompressorOf(coding);
    behind.write = (bytes) => {
      plain.write(bytes);
      return true;
    };
    for (const piece of ["one", "two", "three"]) {
      const read = new Promise<string>((resolve) => plain.once("data", (bytes) => resolve(String(bytes))));
      stage.take(Buffer.from(piece));
      assert.equal(await read, piece);
    }
    stage.abort();
    plain.destroy();
    await behind.when(() => behind.isFreed);
  });

  test(`${coding}: nobody reads: it stops, and goes on`, async () => {
    const behind = new Behind();
    const stage = behind.stage(coding, level);
    behind.hasRoom = false;
    const piece = randomBytes(50_000);
    let pieceCount = 1;
    while (stage.take(piece)) pieceCount++;
    assert.ok(pieceCount < 10, "it takes no more than it has room for");
    await behind.when(() => behind.pieces.length === 1);
    stage.end();
    let got = 0;
    while (!behind.hasEnded) {
      got = behind.pieces.length;
      stage.drained();
      await behind.when(() => behind.pieces.length > got || behind.hasEnded);
      assert.ok(behind.pieces.length <= got + 1, "one piece for each time that there is room");
    }
    const plain = decompressorOf(coding);
    plain.end(behind.bytes);
    assert.equal(Buffer.concat(await plain.toArray()).length, pieceCount * piece.length);
  });

  test(`${coding}: broken off in the middle, nothing follows`, async () => {
    const behind = new Behind();
    const stage = behind.stage(coding, level);
    stage.take(randomBytes(100_000));
    stage.abort();
    stage.abort();
    assert.equal(stage.take(Buffer.from("x")), true);
    stage.end();
    stage.drained();
    await behind.when(() => behind.isFreed);
    assert.deepEqual([behind.pieces.length, behind.hasEnded, behind.failed], [0, false, ""]);
  });
}
