/**
 * What a head costs: nanoseconds per parse and per rewrite, of typical heads. Runs for a moment; prints a
 * checksum, so that the work cannot be optimised away. `node src/http1/parse.bench.ts`
 */
import { asciiBytes } from "../base/bytes.ts";
import { BodyMode, BodyReader } from "./body.ts";
import { Framing, requestFraming, responseFraming } from "./framing.ts";
import { ResponsePolicy, writeRequestHead, writeResponseHead } from "./head-writer.ts";
import { MessageHead, Method } from "./message-head.ts";
import { findHeadEnd, parseRequestHead } from "./request-head.ts";
import { RequestPolicy } from "./request-policy.ts";
import { parseResponseHead } from "./response-head.ts";

const LIMITS = { headBytesMax: 32_768, targetBytesMax: 8_192, fieldCountMax: 128 };
const ROUND_MS = Number(process.env.BENCH_MS ?? 8);
const ROUNDS = 15;

const BROWSER = [
  "GET /products/4711/reviews?page=2&sort=newest HTTP/1.1",
  "Host: shop.example.com",
  "Connection: keep-alive",
  'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Sec-Fetch-Site: same-origin",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-User: ?1",
  "Sec-Fetch-Dest: document",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9",
  "Cookie: session=0123456789abcdef0123456789abcdef",
];
const REQUESTS = {
  "40 bytes": ["GET / HTTP/1.1", "Host: localhost:80"],
  wrk: ["GET / HTTP/1.1", "Host: 127.0.0.1:8080", "X: 1"],
  browser: BROWSER,
};
const RESPONSES = {
  small: ["HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 13", "Connection: keep-alive"],
  nginx: [
    "HTTP/1.1 200 OK",
    "Server: nginx/1.22.1",
    "Date: Thu, 01 Jan 2026 00:00:00 GMT",
    "Content-Type: text/html; charset=utf-8",
    "Content-Length: 10240",
    "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT",
    "Connection: keep-alive",
    'ETag: "6955b900-2800"',
    "Accept-Ranges: bytes",
  ],
};

const memory = new Uint8Array(8 << 20);
const view = new DataView(memory.buffer);
let checksum = 0;

interface Work {
  readonly name: string;
  readonly bytes: number;
  /** `copy` chooses one of 16 places, so that nothing is learned about one. */
  readonly run: (copy: number) => number;
  bestNs: number;
}
const works: Work[] = [];

function add(name: string, bytes: number, run: (copy: number) => number): void {
  works.push({ name, bytes, run, bestNs: Infinity });
}

function round(work: Work, spanMs: number): void {
  let calls = 0;
  let spentMs = 0;
  const begin = performance.now();
  while (spentMs < spanMs) {
    for (let i = 0; i < 1000; i++) checksum = (checksum + work.run(i & 15)) | 0;
    calls += 1000;
    spentMs = performance.now() - begin;
  }
  work.bestNs = Math.min(work.bestNs, (spentMs * 1e6) / calls);
}

let placeNext = 1024;

/**
 * Puts 16 copies of a head into memory. Returns where copy 0 begins and how long each is; the others follow
 * in `STRIDE`s.
 */
function place(lines: readonly string[]): { at: number; bytes: number } {
  const bytes = asciiBytes(`${lines.join("\r\n")}\r\n\r\n`);
  const at = placeNext;
  for (let copy = 0; copy < 16; copy++) memory.set(bytes, at + copy * STRIDE);
  placeNext += 16 * STRIDE;
  return { at, bytes: bytes.length };
}

const STRIDE = 8211;
const OUT_STRIDE = 4416;
const OUT = 7_000_000;
const PEER = 6_900_000;
const BODY = 6_000_000;

const viaLine = asciiBytes("Via: 1.1 hp-proxy\r\n");
const requestPolicy = new RequestPolicy(viaLine, asciiBytes("http"));
const responsePolicy = new ResponsePolicy(viaLine);
responsePolicy.date = asciiBytes("Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n");
const peer = asciiBytes("192.0.2.123");
memory.set(peer, PEER);
requestPolicy.peerStart = PEER;
requestPolicy.peerEnd = PEER + peer.length;

for (const [name, lines] of Object.entries(REQUESTS)) {
  const { at, bytes } = place(lines);
  const head = new MessageHead();
  add(`request parse, ${name}`, bytes, (copy) => {
    const start = at + copy * STRIDE;
    return parseRequestHead(memory, start, start + bytes, head, LIMITS) + requestFraming(head);
  });
  add(`request rewrite, ${name}`, bytes, (copy) => {
    const out = OUT + copy * OUT_STRIDE;
    return writeRequestHead(memory, view, out, out + 4096, head, requestPolicy);
  });
  add(`head end, ${name}`, bytes, (copy) =>
    findHeadEnd(memory, at + copy * STRIDE, at + copy * STRIDE + bytes),
  );
}
for (const [name, lines] of Object.entries(RESPONSES)) {
  const { at, bytes } = place(lines);
  const head = new MessageHead();
  add(`response parse, ${name}`, bytes, (copy) => {
    const start = at + copy * STRIDE;
    return parseResponseHead(memory, start, start + bytes, head, LIMITS) + responseFraming(head, Method.GET);
  });
  add(`response rewrite, ${name}`, bytes, (copy) => {
    const out = OUT + copy * OUT_STRIDE;
    return writeResponseHead(memory, view, out, out + 4096, head, responsePolicy);
  });
}

const reader = new BodyReader();
const chunked = asciiBytes(`${`400\r\n${"x".repeat(1024)}\r\n`.repeat(8)}0\r\n\r\n`);
memory.set(chunked, BODY);
add("chunked wire, 8 x 1 KiB", chunked.length, () => {
  reader.begin(Framing.chunked, 0, BodyMode.wire);
  return reader.feed(memory, view, BODY, BODY + chunked.length);
});

/** A moment of each, so that they cannot rot. */
export function smoke(): void {
  for (const work of works) round(work, 0.1);
}

function main(): void {
  // Everything is warmed up before anything counts: types seen late undo what was compiled before.
  for (let i = 0; i < 3; i++) for (const work of works) round(work, ROUND_MS);
  for (const work of works) work.bestNs = Infinity;
  for (let i = 0; i < ROUNDS; i++) for (const work of works) round(work, ROUND_MS);
  for (const { name, bytes, bestNs } of works) {
    const perByte = (bestNs / bytes).toFixed(2);
    console.log(`${name.padEnd(28)} ${bytes} bytes  ${bestNs.toFixed(0).padStart(5)} ns  ${perByte} ns/byte`);
  }
  console.log(`checksum ${checksum}`);
}

if (import.meta.main) main();
