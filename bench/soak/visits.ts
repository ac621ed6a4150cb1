/**
 * What clients of the soak do, one visit each: a connection, some exchanges, an end. A visit returns when all
 * was as it must be, and throws `Lost` or `Wrong` when not. Paths and answers are those of hp-echo.
 */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Prng } from "../../src/base/prng.ts";
import { patternBytes } from "../../src/echo/pattern-body.ts";
import { type Head, Lost, type Sink, Wire, Wrong } from "./wire.ts";

/** One visitor after another is given the same. */
export interface Place {
  readonly port: number;
  readonly chance: Prng;
  /** An exchange has ended well. */
  readonly count: () => void;
}

export interface Visit {
  readonly name: string;
  /** Clients that do this at the same time, each with pauses of its own. */
  readonly clients: number;
  /** Mean pause between two visits of a client. */
  readonly pauseMs: number;
  run(place: Place): Promise<void>;
}

const PERIOD = 73;
const PATTERN = patternBytes(PERIOD * 1_800);
let targets = 0;

/** Throws `Wrong` unless a piece at `offset` is what hp-echo's pattern has there. */
const isPattern: Sink = (piece, offset) => {
  for (let at = 0; at < piece.length; ) {
    const from = (offset + at) % PERIOD;
    const count = Math.min(piece.length - at, PATTERN.length - from);
    if (PATTERN.compare(piece, at, at + count, from, from + count) !== 0)
      throw new Wrong(`bytes ${offset + at} to ${offset + at + count} are not those of the pattern`);
    at += count;
  }
};

function expect(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Wrong(what);
}

/** Throws `Lost` for what a backend's death can bring about, `Wrong` for any other status than `status`. */
async function expectStatus(wire: Wire, head: Head, status: number): Promise<void> {
  if (head.status === status) return;
  const text = await wire.text(head);
  const what = `status ${head.status}, not ${status}: ${text.trim()}`;
  throw [502, 503, 504].includes(head.status) ? new Lost(what) : new Wrong(what);
}

const request = (method: string, target: string, fields: readonly string[] = []): string =>
  `${[`${method} ${target} HTTP/1.1`, "Host: soak.example", ...fields].join("\r\n")}\r\n\r\n`;

async function isEcho(wire: Wire, head: Head, target: string): Promise<void> {
  await expectStatus(wire, head, 200);
  const seen = (JSON.parse(await wire.text(head)) as { target: string }).target;
  expect(seen === target, `asked for ${target}, answered for ${seen}`);
}

const closes = (head: Head): boolean => head.fields.get("connection") === "close";

async function gets(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  for (let left = place.chance.between(1, 20); left > 0; left--) {
    const target = `/get/${targets++}`;
    await wire.write(request("GET", target));
    const head = await wire.head();
    await isEcho(wire, head, target);
    place.count();
    if (closes(head)) break;
    await delay(place.chance.below(30));
  }
  await wire.leave();
}

async function pipelined(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  const asked = Array.from({ length: place.chance.between(2, 16) }, () => `/pipelined/${targets++}`);
  await wire.write(asked.map((target) => request("GET", target)).join(""));
  for (const target of asked) {
    await isEcho(wire, await wire.head(), target);
    place.count();
  }
  await wire.leave();
}

async function head(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  await wire.write(request("HEAD", "/bytes/12345") + request("GET", "/bytes/10"));
  const first = await wire.head();
  expect(first.status !== 200 || first.fields.get("content-length") === "12345", "HEAD tells the length");
  if (first.status !== 200) throw new Lost(`HEAD: status ${first.status}`);
  const second = await wire.head();
  await expectStatus(wire, second, 200);
  expect((await wire.body(second, isPattern)) === 10, "GET behind HEAD has its body");
  place.count();
  await wire.leave();
}

async function bytes(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  const length = place.chance.oneIn(8) ? place.chance.below(3_000_000) : place.chance.below(100_000);
  await wire.write(request("GET", `/bytes/${length}`));
  const answer = await wire.head();
  await expectStatus(wire, answer, 200);
  expect((await wire.body(answer, isPattern)) === length, "a body has its length");
  place.count();
  await wire.leave();
}

async function chunked(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  for (let i = 0; i < 3; i++) {
    await wire.write(request("GET", "/chunked"));
    const answer = await wire.head();
    await expectStatus(wire, answer, 200);
    const text = await wire.text(answer);
    const wanted = [1, 2, 3, 4, 5].map((n) => `chunk ${n} of 5\n`).join("");
    expect(text === wanted, `chunks: ${JSON.stringify(text)}`);
    place.count();
  }
  await wire.leave();
}

/** Uploads of chance, framed by length or in chunks of chance, all at once or with pauses. */
async function upload(place: Place): Promise<void> {
  const { chance } = place;
  const wire = await Wire.open(place.port);
  const length = chance.oneIn(6) ? chance.below(1_000_000) : chance.below(40_000);
  const body = Buffer.alloc(length, PATTERN);
  for (let at = 0; at < length; at += 97) body[at] = chance.below(256);
  const isChunked = chance.oneIn(2);
  const waits = chance.oneIn(4);
  const fields = [isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`];
  if (waits) fields.push("Expect: 100-continue");
  await wire.write(request("POST", "/upload", fields));
  if (waits) {
    const interim = await wire.head(true);
    if (interim.status !== 100) await expectStatus(wire, interim, 100);
  }
  for (let at = 0; at < length; ) {
    const piece = body.subarray(at, at + chance.between(1, 60_000));
    if (isChunked) await wire.write(`${piece.length.toString(16)}\r\n`);
    await wire.write(piece);
    if (isChunked) await wire.write("\r\n");
    at += piece.length;
    if (chance.oneIn(5)) await delay(chance.below(20));
  }
  if (isChunked) await wire.write("0\r\n\r\n");
  const answer = await wire.head();
  await expectStatus(wire, answer, 200);
  const seen = JSON.parse(await wire.text(answer)) as { bodyBytes: number; bodySha256: string };
  expect(seen.bodyBytes === length, `uploaded ${length} bytes, ${seen.bodyBytes} arrived`);
  expect(seen.bodySha256 === createHash("sha256").update(body).digest("hex"), "an upload has its hash");
  place.count();
  await wire.leave();
}

async function events(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  const count = place.chance.between(5, 60);
  await wire.write(request("GET", `/events?interval=50&count=${count}`));
  const answer = await wire.head();
  await expectStatus(wire, answer, 200);
  const text = await wire.text(answer);
  const wanted = Array.from({ length: count }, (_, i) => eventText(i + 1)).join("");
  expect(text === wanted, "every event once and in order");
  place.count();
  await wire.leave();
}

const eventText = (n: number): string => `id: ${n}\nevent: tick\ndata: {"count":${n}}\n\n`;

async function webSocket(place: Place): Promise<void> {
  const { chance } = place;
  const wire = await Wire.open(place.port);
  const key = Buffer.from(Array.from({ length: 16 }, () => chance.below(256))).toString("base64");
  const fields = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  await wire.write(request("GET", "/ws", [...fields, `Sec-WebSocket-Key: ${key}`]));
  await expectStatus(wire, await wire.head(), 101);
  for (let left = chance.between(1, 30); left > 0; left--) {
    const payload = Buffer.alloc(chance.oneIn(4) ? chance.below(60_000) : chance.below(120), PATTERN);
    await wire.write(maskedFrame(payload));
    const headerBytes = payload.length < 126 ? 2 : 4;
    const header = await wire.exactly(headerBytes);
    const length = headerBytes === 2 ? header[1]! : header.readUInt16BE(2);
    expect(header[0] === 0x82 && length === payload.length, "a frame comes back as it was");
    expect((await wire.exactly(length)).equals(payload), "a message comes back as it was");
    place.count();
    await delay(chance.below(60));
  }
  await wire.leave();
}

/** A binary message in one frame (RFC 6455 §5.2), masked with zeros here and there. */
function maskedFrame(payload: Buffer): Buffer {
  const mask = Buffer.of(0x5a, 0x00, 0xff, 0x21);
  const short = payload.length < 126;
  const header = Buffer.alloc(short ? 2 : 4);
  header[0] = 0x82;
  header[1] = 0x80 | (short ? payload.length : 126);
  if (!short) header.writeUInt16BE(payload.length, 2);
  const masked = Buffer.from(payload);
  for (let i = 0; i < masked.length; i++) masked[i]! ^= mask[i & 3]!;
  return Buffer.concat([header, mask, masked]);
}

/** Reads a large body in sips. */
async function slowReader(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  const length = 1_500_000 + place.chance.below(1_500_000);
  await wire.write(request("GET", `/bytes/${length}`));
  const answer = await wire.head();
  await expectStatus(wire, answer, 200);
  let offset = 0;
  while (offset < length) {
    const piece = await wire.exactly(Math.min(32_768, length - offset));
    isPattern(piece, offset);
    offset += piece.length;
    await delay(25);
  }
  place.count();
  await wire.leave();
}

/** Writes a head in drops. On a machine that is busy with others this may take longer than a head may. */
async function slowWriter(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  const target = `/slow-writer/${targets++}`;
  const text = request("POST", target, ["Content-Length: 10"]);
  const startedMs = performance.now();
  for (let at = 0; at < text.length; at += 4) {
    await wire.write(text.slice(at, at + 4));
    await delay(5);
  }
  const isLate = performance.now() - startedMs > HEAD_MS_SURE;
  await wire.write("0123456789");
  const answer = await wire.head();
  if (!isLate || answer.status !== 408) await isEcho(wire, answer, target);
  place.count();
  await wire.leave();
}

async function oldVersion(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  await wire.write("GET /bytes/5000 HTTP/1.0\r\n\r\n");
  const answer = await wire.head();
  await expectStatus(wire, answer, 200);
  expect((await wire.body(answer, isPattern)) === 5000, "a body has its length");
  expect((await wire.ended()) === "", "HTTP/1.0 ends with FIN");
  place.count();
  wire.socket.destroy();
}

/** Half of something, then silence: the proxy must end it by itself, with the status that it names. */
function stalled(text: string, status: number): (place: Place) => Promise<void> {
  return async (place) => {
    const wire = await Wire.open(place.port);
    await wire.write(text);
    if (status !== 0) await expectStatus(wire, await wire.head(), status);
    await wire.ended();
    place.count();
    wire.socket.destroy();
  };
}

/** Asks for much and reads nothing: the proxy gives it up. */
async function stalledReader(place: Place): Promise<void> {
  const wire = await Wire.open(place.port);
  await wire.write(request("GET", "/bytes/30000000"));
  // Node reads ahead by itself until its own buffer is full, and the kernel's behind it.
  await delay(STALLED_READER_MS);
  await wire.ended();
  place.count();
  wire.socket.destroy();
}

/** Shorter than the limit by what a busy machine may add to it. */
const HEAD_MS_SURE = 1_000;
const STALLED_READER_MS = 9_000;
const PARTS: readonly string[] = [
  "",
  "GE",
  "GET / HTTP/1.1\r\nHost: so",
  request("GET", "/slow/500"),
  request("GET", "/bytes/2000000"),
  request("GET", "/events?interval=20"),
  `${request("POST", "/upload", ["Content-Length: 50000"])}${"x".repeat(20_000)}`,
  `${request("POST", "/upload", ["Transfer-Encoding: chunked"])}400\r\nx`,
  request("GET", "/a").repeat(20),
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/** Says a part of something, and leaves after a moment by FIN, by close, or by RST. */
async function leaving(place: Place): Promise<void> {
  const { chance } = place;
  const wire = await Wire.open(place.port);
  await wire.write(PARTS[chance.below(PARTS.length)]!);
  if (chance.oneIn(2)) await delay(chance.below(120));
  const { socket } = wire;
  if (chance.oneIn(2)) socket.resetAndDestroy();
  else socket.destroy();
  place.count();
}

const CHUNKED_HEAD = request("POST", "/upload", ["Transfer-Encoding: chunked"]);

/** All together. Pauses are such that the whole takes a fraction of one core. */
export const VISITS: readonly Visit[] = [
  { name: "GET", clients: 4, pauseMs: 150, run: gets },
  { name: "pipelined", clients: 1, pauseMs: 300, run: pipelined },
  { name: "HEAD", clients: 1, pauseMs: 300, run: head },
  { name: "bytes", clients: 2, pauseMs: 300, run: bytes },
  { name: "chunked", clients: 1, pauseMs: 300, run: chunked },
  { name: "upload", clients: 2, pauseMs: 200, run: upload },
  { name: "events", clients: 3, pauseMs: 500, run: events },
  { name: "WebSocket", clients: 3, pauseMs: 500, run: webSocket },
  { name: "slow reader", clients: 2, pauseMs: 500, run: slowReader },
  { name: "slow writer", clients: 2, pauseMs: 500, run: slowWriter },
  { name: "HTTP/1.0", clients: 1, pauseMs: 500, run: oldVersion },
  { name: "leaving", clients: 4, pauseMs: 100, run: leaving },
  { name: "no head", clients: 1, pauseMs: 500, run: stalled("GET / HTTP/1.1\r\nHost:", 408) },
  { name: "no body", clients: 1, pauseMs: 500, run: stalled(`${CHUNKED_HEAD}5\r\nab`, 408) },
  { name: "no word", clients: 1, pauseMs: 500, run: stalled("", 0) },
  { name: "no sense", clients: 1, pauseMs: 500, run: stalled("\x16\x03\x01\x02\x00\r\n\r\n", 400) },
  { name: "no reading", clients: 2, pauseMs: 500, run: stalledReader },
];
