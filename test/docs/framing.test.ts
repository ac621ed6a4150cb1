/** docs/framing.md is right about every sample that it shows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyMode } from "../../src/http1/body.ts";
import { FAULTS, type Fault } from "../../src/http1/fault.ts";
import { Framing, requestFraming, responseFraming } from "../../src/http1/framing.ts";
import { MessageHead as Head, type MessageHead, Method } from "../../src/http1/message-head.ts";
import { parseRequestHead } from "../../src/http1/request-head.ts";
import { parseResponseHead } from "../../src/http1/response-head.ts";
import { readBody } from "../http1/bodies.ts";
import { feedAll, type Parse } from "../http1/feeds.ts";
import { documentedRows } from "./tables.ts";

const COLUMNS = ["status", "reason", "RFC"];

/** A sample with its escapes made bytes. */
function bytesOf(sample: string): string {
  return sample
    .replace(/\\x([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replaceAll("\\r", "\r")
    .replaceAll("\\n", "\n");
}

function described(fault: number): string[] {
  const row = FAULTS[fault as Fault];
  return row === undefined ? [`no fault: ${fault}`] : [`${row.status}`, row.name, row.rfc];
}

function verdict(parse: Parse, wire: string, judge: (head: MessageHead) => number): number {
  const head = new Head();
  const end = feedAll(parse, head, wire, "");
  return end < 0 ? end : judge(head);
}

for (const [sample, ...expected] of documentedRows("framing.md", ["fields", ...COLUMNS])) {
  const fields = bytesOf(sample!);
  test(`docs/framing.md: ${sample}`, () => {
    const request = `POST / HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n`;
    assert.deepEqual(described(verdict(parseRequestHead, request, requestFraming)), expected);
    const response = `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`;
    const judge = (head: MessageHead) => responseFraming(head, Method.GET);
    assert.deepEqual(described(verdict(parseResponseHead, response, judge)), expected);
  });
}

for (const [sample, ...expected] of documentedRows("framing.md", ["bytes", ...COLUMNS])) {
  test(`docs/framing.md: ${sample}`, () => {
    const { result } = readBody([bytesOf(sample!)], Framing.chunked, 0, BodyMode.wire);
    assert.deepEqual(described(result), expected);
  });
}
