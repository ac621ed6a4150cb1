/**
 * What a request that goes to no backend is answered, made while its head lies where it was read: its hooks may hold
 * it for longer than that.
 */
import { asciiBytes, writeBytes } from "../base/bytes.ts";
import type { Chain } from "../contract/interception.ts";
import type { ReadyRedirect } from "../route/route-plan.ts";
import type { TemplateSource } from "../route/template.ts";
import type { Failure } from "./failure.ts";

export interface LocalAnswer {
  /** The hooks of the request. */
  readonly chain: Chain;
  /** Why it is refused; null: `lines` and `body` are the answer. */
  readonly failure: Failure | null;
  /** How long its client is to wait, in seconds; 0: that is not said. */
  readonly retryAfterS: number;
  /** Hooks are told of it, but have no say before that: it was refused, or is the browser's own question. */
  readonly isDecided: boolean;
  readonly status: number;
  /** Status line and field lines, without Date and Connection. */
  readonly lines: Uint8Array;
  readonly body: Uint8Array;
}

const CRLF = Uint8Array.of(0x0d, 0x0a);
const SLASH = 0x2f;
const BACKSLASH = 0x5c;
export const NO_BYTES: Uint8Array = asciiBytes("");

/** Writes the value of Location for the request in `source` and the end of its line; there is room. Returns the end. */
export function writeLocation(
  memory: Uint8Array,
  view: DataView,
  at: number,
  { location, guardsSlashes }: ReadyRedirect,
  source: TemplateSource,
): number {
  const end = location.write(memory, view, at, source);
  return writeBytes(memory, guardsSlashes ? withOneSlash(memory, at, end) : end, CRLF);
}

/**
 * What begins with several slashes, `[start, end)`, begins with one: it would name another host (RFC 3986 §4.2;
 * browsers take a backslash for a slash). Returns its new end.
 */
function withOneSlash(memory: Uint8Array, start: number, end: number): number {
  let pos = start;
  while (pos < end && (memory[pos] === SLASH || memory[pos] === BACKSLASH)) pos++;
  if (pos === start) return end;
  memory[start] = SLASH;
  memory.copyWithin(start + 1, pos, end);
  return end - (pos - start - 1);
}
