/** How long a body is (RFC 9112 §6.3), and finding its end. */
import { asciiBytes } from "../../src/base/bytes.ts";
import { BodyMode, BodyReader } from "../../src/http1/body.ts";
import { Framing, requestFraming, responseFraming } from "../../src/http1/framing.ts";
import { MessageHead, Method } from "../../src/http1/message-head.ts";
import { parseRequestHead } from "../../src/http1/request-head.ts";
import { parseResponseHead } from "../../src/http1/response-head.ts";
import { type Micro, type Run, smokeMicros } from "./micro.ts";
import { headBytes, LIMITS, place, REQUESTS, RESPONSES } from "./samples.ts";

const CHUNK_COUNT = 8;
const CHUNKED = asciiBytes(`${`400\r\n${"x".repeat(1024)}\r\n`.repeat(CHUNK_COUNT)}0\r\n\r\n`);
const SMALL_CHUNKS = asciiBytes(`${"7\r\npayload\r\n".repeat(64)}0\r\n\r\n`);

function request(lines: readonly string[]): Run {
  const { memory, bytes, starts } = place(headBytes(lines));
  const head = new MessageHead();
  parseRequestHead(memory, starts[0]!, starts[0]! + bytes, head, LIMITS);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum = (sum + requestFraming(head)) | 0;
    return sum;
  };
}

function response(lines: readonly string[]): Run {
  const { memory, bytes, starts } = place(headBytes(lines));
  const head = new MessageHead();
  parseResponseHead(memory, starts[0]!, starts[0]! + bytes, head, LIMITS);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum = (sum + responseFraming(head, Method.GET)) | 0;
    return sum;
  };
}

function chunked(body: Uint8Array): Run {
  const memory = new Uint8Array(body);
  const view = new DataView(memory.buffer);
  const reader = new BodyReader();
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      reader.begin(Framing.chunked, 0, BodyMode.wire);
      sum = (sum + reader.feed(memory, view, 0, memory.length)) | 0;
    }
    return sum;
  };
}

export const MICROS: readonly Micro[] = [
  { name: "framing of a request, browser", bytes: 0, prepare: () => request(REQUESTS.browser!) },
  { name: "framing of a response, nginx", bytes: 0, prepare: () => response(RESPONSES.nginx!) },
  { name: "chunked body, 8 × 1 KiB", bytes: CHUNKED.length, prepare: () => chunked(CHUNKED) },
  { name: "chunked body, 64 × 7 bytes", bytes: SMALL_CHUNKS.length, prepare: () => chunked(SMALL_CHUNKS) },
];

export function smoke(): void {
  smokeMicros(MICROS);
}
