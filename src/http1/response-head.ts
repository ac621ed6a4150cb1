/**
 * The head of a response (RFC 9112 §4 and §5). As strict as the request parser, with one concession to
 * origins: the SP between status code and an empty reason may be missing; `writeResponseHead` puts it in.
 *
 * @hot
 */
import { FIELD_VALUE } from "../base/ascii.ts";
import { asciiBytes, viewOf } from "../base/bytes.ts";
import { Fault } from "./fault.ts";
import { parseFieldLines } from "./field-lines.ts";
import { type MessageHead, NEED_MORE } from "./message-head.ts";

/** Bounds of a response head; `Limits` of a snapshot has them. */
export interface ResponseHeadLimits {
  readonly headBytesMax: number;
  readonly fieldCountMax: number;
}

const IS_VALUE = FIELD_VALUE;
const MORE = NEED_MORE;
const BAD = Fault.badStatusLine;
const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const WORD_HTTP = 0x5054_5448;
const WORD_1_1 = 0x312e_312f;
const WORD_1_0 = 0x302e_312f;
/** `HTTP/1.1 200` and CR: the shortest beginning of a status line that decides everything but the reason. */
const STATUS_BYTES = 13;
const PREFIX_BYTES = asciiBytes("HTTP/1.");

/**
 * Reads the head that begins at `start` into `head`, looking at nothing outside `memory[start, end)`. Returns
 * the offset just past the head, `NEED_MORE`, or a `Fault`; `head` is meaningful only in the first case. Body
 * length is judged apart, by `responseFraming`.
 */
export function parseResponseHead(
  memory: Uint8Array,
  start: number,
  end: number,
  head: MessageHead,
  limits: ResponseHeadLimits,
): number {
  const headBytesMax = limits.headBytesMax;
  const limit = end - start > headBytesMax ? start + headBytesMax : end;
  const view = viewOf(memory);
  head.reset(start);
  let pos = parseStatusLine(memory, view, start, limit, head);
  if (pos >= 0) pos = parseFieldLines(memory, view, pos, limit, head, limits.fieldCountMax, false);
  return pos === MORE && end - start >= headBytesMax ? Fault.headTooLarge : pos;
}

function parseStatusLine(
  memory: Uint8Array,
  view: DataView,
  start: number,
  limit: number,
  head: MessageHead,
): number {
  if (start + STATUS_BYTES > limit) return partialStatusLine(memory, start, limit);
  const minor = view.getInt32(start + 4, true);
  if (view.getInt32(start, true) !== WORD_HTTP || memory[start + 8] !== SP) return BAD;
  if (minor === WORD_1_1) head.versionMinor = 1;
  else if (minor === WORD_1_0) head.versionMinor = 0;
  else return BAD;
  const hundreds = memory[start + 9]! - 0x30;
  const tens = memory[start + 10]! - 0x30;
  const ones = memory[start + 11]! - 0x30;
  if (hundreds < 1 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return BAD;
  head.status = hundreds * 100 + tens * 10 + ones;
  let pos = start + 12;
  if (memory[pos] === SP) pos++;
  else if (memory[pos] !== CR) return BAD;
  head.reasonStart = pos;
  while (pos < limit && IS_VALUE[memory[pos]!] !== 0) pos++;
  if (pos >= limit) return MORE;
  head.reasonEnd = pos;
  if (memory[pos] !== CR) return memory[pos] === LF ? Fault.bareLf : BAD;
  if (pos + 1 >= limit) return MORE;
  return memory[pos + 1] === LF ? pos + 2 : Fault.bareCr;
}

/** Judges what there is of a status line: `NEED_MORE` while it may still become one. */
function partialStatusLine(memory: Uint8Array, start: number, limit: number): number {
  for (let i = 0; i < PREFIX_BYTES.length && start + i < limit; i++) {
    if (memory[start + i] !== PREFIX_BYTES[i]) return BAD;
  }
  for (let pos = start; pos < limit; pos++) if (memory[pos] === LF) return BAD;
  return MORE;
}
