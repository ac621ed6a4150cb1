/**
 * Reading and rewriting heads; beside it llhttp, the parser of Node.js, as a JavaScript program can reach it:
 * with a callback for each message that gets its fields as strings. Ours leaves offsets and makes no strings,
 * so the comparison is of what a proxy in JavaScript would pay, and not of two scanners.
 */
import { asciiBytes } from "../../src/base/bytes.ts";
import { ResponsePolicy, writeRequestHead, writeResponseHead } from "../../src/http1/head-writer.ts";
import { MessageHead } from "../../src/http1/message-head.ts";
import { findHeadEnd, parseRequestHead } from "../../src/http1/request-head.ts";
import { RequestPolicy } from "../../src/http1/request-policy.ts";
import { parseResponseHead } from "../../src/http1/response-head.ts";
import { HTTPParser } from "../../test/differential/llhttp.ts";
import { type Micro, type Run, smokeMicros } from "./micro.ts";
import { COPIES, headBytes, LIMITS, place, REQUESTS, RESPONSES } from "./samples.ts";

const OUT_BYTES = 4096;
const HEADER_BYTES_MAX = 1 << 20;
const GO_ON = 0;

const viaLine = asciiBytes("Via: 1.1 hp-proxy\r\n");
const peer = asciiBytes("192.0.2.123");

/** One parser for requests of every micro that asks for one. */
function requestParse(lines: readonly string[]): Run {
  const { memory, bytes, starts } = place(headBytes(lines));
  const head = new MessageHead();
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const start = starts[i & (COPIES - 1)]!;
      sum = (sum + parseRequestHead(memory, start, start + bytes, head, LIMITS)) | 0;
    }
    return sum;
  };
}

function responseParse(lines: readonly string[]): Run {
  const { memory, bytes, starts } = place(headBytes(lines));
  const head = new MessageHead();
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const start = starts[i & (COPIES - 1)]!;
      sum = (sum + parseResponseHead(memory, start, start + bytes, head, LIMITS)) | 0;
    }
    return sum;
  };
}

function headEnd(lines: readonly string[]): Run {
  const { memory, bytes, starts } = place(headBytes(lines));
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const start = starts[i & (COPIES - 1)]!;
      sum = (sum + findHeadEnd(memory, start, start + bytes)) | 0;
    }
    return sum;
  };
}

/** `memory` with room for the rewritten head behind it. */
function withRoom(memory: Uint8Array): { grown: Uint8Array; view: DataView; out: number } {
  const grown = new Uint8Array(memory.length + OUT_BYTES);
  grown.set(memory);
  return { grown, view: new DataView(grown.buffer), out: memory.length };
}

function requestRewrite(lines: readonly string[]): Run {
  const { memory, bytes, starts } = place(headBytes(lines));
  const { grown, view, out } = withRoom(memory);
  const policy = new RequestPolicy(viaLine, asciiBytes("http"));
  grown.set(peer);
  policy.peerStart = 0;
  policy.peerEnd = peer.length;
  const head = new MessageHead();
  parseRequestHead(grown, starts[0]!, starts[0]! + bytes, head, LIMITS);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++)
      sum = (sum + writeRequestHead(grown, view, out, out + OUT_BYTES, head, policy)) | 0;
    return sum;
  };
}

function responseRewrite(lines: readonly string[]): Run {
  const { memory, bytes, starts } = place(headBytes(lines));
  const { grown, view, out } = withRoom(memory);
  const policy = new ResponsePolicy(viaLine);
  policy.date = asciiBytes("Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n");
  const head = new MessageHead();
  parseResponseHead(grown, starts[0]!, starts[0]! + bytes, head, LIMITS);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++)
      sum = (sum + writeResponseHead(grown, view, out, out + OUT_BYTES, head, policy)) | 0;
    return sum;
  };
}

function llhttp(lines: readonly string[], type: number): Run {
  const bytes = Buffer.from(headBytes(lines.filter((line) => !line.startsWith("Content-Length"))));
  const parser = new HTTPParser();
  parser.initialize(type, {}, HEADER_BYTES_MAX, HTTPParser.kLenientNone);
  let fieldCount = 0;
  parser[HTTPParser.kOnHeadersComplete] = (_major: number, _minor: number, fields: string[]) => {
    fieldCount += fields.length;
    return GO_ON;
  };
  parser[HTTPParser.kOnMessageComplete] = () => undefined;
  return (count) => {
    for (let i = 0; i < count; i++) {
      if (type === HTTPParser.RESPONSE)
        parser.initialize(type, {}, HEADER_BYTES_MAX, HTTPParser.kLenientNone);
      if (typeof parser.execute(bytes) !== "number") throw new Error("a head that llhttp reads");
    }
    return fieldCount;
  };
}

export const MICROS: readonly Micro[] = [
  ...Object.entries(REQUESTS).flatMap(([name, lines]): Micro[] => {
    const bytes = headBytes(lines).length;
    return [
      { name: `parse request, ${name}`, bytes, prepare: () => requestParse(lines) },
      { name: `llhttp request, ${name}`, bytes, prepare: () => llhttp(lines, HTTPParser.REQUEST) },
      { name: `find head's end, ${name}`, bytes, prepare: () => headEnd(lines) },
      { name: `rewrite request, ${name}`, bytes, prepare: () => requestRewrite(lines) },
    ];
  }),
  ...Object.entries(RESPONSES).flatMap(([name, lines]): Micro[] => {
    const bytes = headBytes(lines).length;
    return [
      { name: `parse response, ${name}`, bytes, prepare: () => responseParse(lines) },
      { name: `rewrite response, ${name}`, bytes, prepare: () => responseRewrite(lines) },
    ];
  }),
];

export function smoke(): void {
  smokeMicros(MICROS);
}
