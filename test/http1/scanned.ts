/**
 * The same head, read and written by TypeScript alone and with the scanner in WebAssembly: the verdict, what is known
 * of the head, and what goes on of it must be the same.
 */
import assert from "node:assert/strict";
import { asciiBytes, textOf } from "../../src/base/bytes.ts";
import { linearMemory } from "../../src/base/linear-memory.ts";
import { type FieldScanner, fieldScannerOf } from "../../src/http1/field-scanner.ts";
import { ResponsePolicy, writeRequestHead, writeResponseHead } from "../../src/http1/head-writer.ts";
import { FIELD_STRIDE, MessageHead } from "../../src/http1/message-head.ts";
import { RequestPolicy } from "../../src/http1/request-policy.ts";
import { type Limits, type Parse, START, surround } from "./feeds.ts";

const REGION_BYTES = 65_536;
const FIELD_COUNT_MAX = 128;

/** Memory with a scanner on it; everything of this process uses it in turn. */
const linear = linearMemory(REGION_BYTES)!;
const memory = new Uint8Array(linear.buffer, 0, REGION_BYTES);
export const SCANNER: FieldScanner = fieldScannerOf(memory, linear)!;
const scanned = new MessageHead(FIELD_COUNT_MAX, SCANNER);
const alone = new MessageHead(FIELD_COUNT_MAX);

/**
 * Parses `wire` both ways, with `poison` around it. What comes out may differ in nothing. `cut`: so many bytes of
 * `wire` are behind the end of what the parser may read.
 */
export function assertScannedAlike(
  parse: Parse,
  wire: string,
  poison: string,
  limits: Limits,
  cut = 0,
): void {
  const bytes = surround(wire, poison, poison);
  memory.set(bytes);
  const end = START + wire.length - cut;
  const expected = parse(bytes, START, end, alone, limits);
  assert.equal(
    parse(memory, START, end, scanned, limits),
    expected,
    `scanned, ${JSON.stringify(poison)} around`,
  );
  if (expected >= 0) assert.deepEqual(known(scanned), known(alone));
}

/** Whether the scanner takes the field lines `lines`, with their empty line, upon itself. */
export function isScanned(lines: string): boolean {
  memory.set(surround(lines, "\r\n", "\r\n"));
  const end = START + lines.length;
  const after = SCANNER.scan(START, end, scanned.fieldsAt, scanned.fieldIdsAt, FIELD_COUNT_MAX);
  assert.ok(after === 0 || after === end);
  return after !== 0;
}

/** Whether the scanner sees at once that `host` is a valid one. */
export function isPlainHost(host: string): boolean {
  const before = "a: b\r\nHost: ";
  assert.ok(isScanned(`${before}${host}\r\n\r\n`));
  const at = SCANNER.plainHostAt;
  assert.ok(at === 0 || at === START + before.length);
  return at !== 0;
}

/** Where heads are written, and up to where. */
const OUT = 40_960;
const OUT_LIMIT = 60_000;
const PEER_AT = 36_864;
const PEER = asciiBytes("2001:db8::1");
const VIA = asciiBytes("Via: 1.1 somebody\r\n");
const HTTP = asciiBytes("http");
const EMPTY = new Uint8Array(0);

const requestPolicies = [SCANNER, null].map((scanner) => {
  const policy = new RequestPolicy(VIA, HTTP, EMPTY, undefined, null, scanner);
  policy.peerStart = PEER_AT;
  policy.peerEnd = PEER_AT + PEER.length;
  return policy;
});
const responsePolicies = [SCANNER, null].map((scanner) => new ResponsePolicy(VIA, scanner));

/** Writes the head of `wire`, if it is one, with the scanner's copies and without. `upgrade`: it passes that on. */
export function assertWrittenAlike(parse: Parse, wire: string, limits: Limits, upgrade: boolean): void {
  const bytes = new Uint8Array(memory.length);
  bytes.set(surround(wire, "\0", "\0"));
  bytes.set(PEER, PEER_AT);
  memory.set(bytes);
  const written = [scanned, alone].map((head, i) => {
    const region = i === 0 ? memory : bytes;
    if (parse(region, START, START + wire.length, head, limits) < 0) return undefined;
    const policies = head.status === 0 ? requestPolicies : responsePolicies;
    const policy = policies[i]!;
    policy.upgrade = upgrade;
    const view = new DataView(region.buffer, region.byteOffset, region.length);
    const end =
      policy instanceof RequestPolicy
        ? writeRequestHead(region, view, OUT, OUT_LIMIT, head, policy)
        : writeResponseHead(region, view, OUT, OUT_LIMIT, head, policy);
    return textOf(region, OUT, end);
  });
  assert.equal(written[0], written[1]);
}

/** All that a parser found. */
function known(head: MessageHead): Record<string, unknown> {
  const { scanner, fieldsAt, fieldIdsAt, fields, fieldIds, nominations, ...rest } = head;
  return {
    ...rest,
    fields: [...fields.subarray(0, head.fieldCount * FIELD_STRIDE)],
    fieldIds: [...fieldIds.subarray(0, head.fieldCount)],
    nominations: [...nominations.subarray(0, head.nominationCount * 2)],
  };
}
