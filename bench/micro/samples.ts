/** Heads as they are met, laid into memory in several copies, so that nothing is learned about one place. */
import { asciiBytes } from "../../src/base/bytes.ts";

export const LIMITS = { headBytesMax: 32_768, targetBytesMax: 8_192, fieldCountMax: 128 };
/** Copies of each head; a power of two. */
export const COPIES = 16;
const GAP_BYTES = 83;

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

export const REQUESTS: Readonly<Record<string, readonly string[]>> = {
  "40 bytes": ["GET / HTTP/1.1", "Host: localhost:80"],
  wrk: ["GET / HTTP/1.1", "Host: 127.0.0.1:8080", "X: 1"],
  browser: BROWSER,
};
export const RESPONSES: Readonly<Record<string, readonly string[]>> = {
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

/** The bytes of a head with these lines. */
export function headBytes(lines: readonly string[]): Uint8Array {
  return asciiBytes(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Copies of one head in memory of their own. */
export interface Placed {
  readonly memory: Uint8Array;
  readonly bytes: number;
  /** Where each copy begins. */
  readonly starts: Int32Array;
}

export function place(bytes: Uint8Array): Placed {
  const stride = bytes.length + GAP_BYTES;
  const memory = new Uint8Array(COPIES * stride + GAP_BYTES);
  const starts = new Int32Array(COPIES);
  for (let copy = 0; copy < COPIES; copy++) {
    starts[copy] = GAP_BYTES + copy * stride;
    memory.set(bytes, starts[copy]!);
  }
  return { memory, bytes: bytes.length, starts };
}
