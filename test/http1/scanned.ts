/**
 * The same head, read by TypeScript alone and with the scanner in WebAssembly: the verdict and what is known of the
 * head must be the same.
 */
import assert from "node:assert/strict";
import { linearMemory } from "../../src/base/linear-memory.ts";
import { type FieldScanner, fieldScannerOf } from "../../src/http1/field-scanner.ts";
import { FIELD_STRIDE, MessageHead } from "../../src/http1/message-head.ts";
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
