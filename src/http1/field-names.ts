/**
 * Field names that the proxy knows, recognised by length, first letter and 4-byte words, never by strings.
 *
 * No two known names share both length and first letter, so these two choose the only candidate from a table;
 * its words then decide. (`| 0x20` folds case exactly within tokens, except that `^` and `_` turn into bytes
 * that no known name has.) Only a name that is none of them and begins with an `x` is looked at once more.
 *
 * @hot
 */
import { assert } from "../base/assert.ts";
import { asciiBytes } from "../base/bytes.ts";

/** Ids of known field names; 0 is any other name. */
export const Field = {
  other: 0,
  host: 1,
  connection: 2,
  keepAlive: 3,
  proxyConnection: 4,
  te: 5,
  trailer: 6,
  transferEncoding: 7,
  contentLength: 8,
  upgrade: 9,
  expect: 10,
  via: 11,
  xForwardedFor: 12,
  xForwardedProto: 13,
  xForwardedHost: 14,
  forwarded: 15,
  date: 16,
  server: 17,
  contentType: 18,
  proxyAuthenticate: 19,
  proxyAuthorization: 20,
  retryAfter: 21,
  maxForwards: 22,
  xRequestId: 23,
  proxy: 24,
  proxyAuthenticationInfo: 25,
  /** Any other name that begins with `x-forwarded`: X-Forwarded-Port, -Prefix, -Ssl and what else there is. */
  xForwardedOther: 26,
  /** Any name with `_` but the next: the parser says so, since none of the others has one. */
  underscored: 27,
  /** A name with `_` that CGI and its heirs take for one that begins with `x-forwarded`. */
  underscoredForwarded: 28,
} as const;
export type Field = (typeof Field)[keyof typeof Field];

export const FIELD_ID_COUNT = 29;

/** Known names by id, in lower case. */
export const FIELD_NAMES: readonly string[] = [
  "",
  "host",
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "content-length",
  "upgrade",
  "expect",
  "via",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "forwarded",
  "date",
  "server",
  "content-type",
  "proxy-authenticate",
  "proxy-authorization",
  "retry-after",
  "max-forwards",
  "x-request-id",
  "proxy",
  "proxy-authentication-info",
];

/** No known name is longer. */
export const NAME_BYTES_MAX = 31;
const WORDS_PER_NAME = 8;
const FOLD = 0x2020_2020;

/** The candidate for (length, low five bits of the first byte). */
const CANDIDATES = new Uint8Array((NAME_BYTES_MAX + 1) * 32);
/** Words of each name at 0, 4, 8, …; the last word ends with the name and may lie over the one before it. */
const WORDS = new Int32Array(FIELD_ID_COUNT * WORDS_PER_NAME);

for (let id = 1; id < FIELD_NAMES.length; id++) {
  const name = FIELD_NAMES[id]!;
  const key = (name.length << 5) | (name.charCodeAt(0) & 31);
  assert(CANDIDATES[key] === 0, "length and first letter tell known names apart");
  CANDIDATES[key] = id;
  for (let at = 0, word = 0; at < name.length; at += 4, word++) {
    const from = name.length >= 4 && at > name.length - 4 ? name.length - 4 : at;
    let packed = 0;
    for (let i = 0; i < 4; i++) packed |= (name.charCodeAt(from + i) || 0x20) << (8 * i);
    WORDS[id * WORDS_PER_NAME + word] = packed;
  }
}
assert(FIELD_NAMES.length === Field.xForwardedOther, "every id has a name, but for those of many");

const X_FORWARDED_OTHER = Field.xForwardedOther;
const UNDERSCORED = Field.underscored;
const UNDERSCORED_FORWARDED = Field.underscoredForwarded;
/** What the names begin with that share an id, where they have none of their own. */
export const FIELD_FAMILY: { readonly prefix: string; readonly id: Field } = {
  prefix: "x-forwarded",
  id: Field.xForwardedOther,
};
const X_FORWARDED = asciiBytes(FIELD_FAMILY.prefix);
const X_FORWARDED_BYTES = X_FORWARDED.length;
const LOWER_X = 0x78;
const HYPHEN = 0x2d;
const UNDERSCORE = 0x5f;

/** The `Field` whose name is `[start, end)`, a token without `_`; 0 where none is. */
export function fieldIdOf(memory: Uint8Array, view: DataView, start: number, end: number): number {
  const length = end - start;
  if (length > NAME_BYTES_MAX) return otherIdOf(memory, start, end);
  const id = CANDIDATES[(length << 5) | (memory[start]! & 31)]!;
  if (id === 0) return otherIdOf(memory, start, end);
  let word = id * WORDS_PER_NAME;
  if (length < 4) return shortNameIs(memory, start, end, word) ? id : 0;
  const last = end - 4;
  for (let pos = start; pos < last; pos += 4, word++) {
    if ((view.getInt32(pos, true) | FOLD) !== WORDS[word]) return otherIdOf(memory, start, end);
  }
  return (view.getInt32(last, true) | FOLD) === WORDS[word] ? id : otherIdOf(memory, start, end);
}

/** The `Field` of a token `[start, end)` with `_` in it. */
export function underscoredIdOf(memory: Uint8Array, start: number, end: number): number {
  return beginsForwarded(memory, start, end) ? UNDERSCORED_FORWARDED : UNDERSCORED;
}

function otherIdOf(memory: Uint8Array, start: number, end: number): number {
  if ((memory[start]! | 0x20) !== LOWER_X) return 0;
  return beginsForwarded(memory, start, end) ? X_FORWARDED_OTHER : 0;
}

/** Whether `[start, end)` begins with `x-forwarded`, in any case and with `_` for `-`. */
function beginsForwarded(memory: Uint8Array, start: number, end: number): boolean {
  if (end - start < X_FORWARDED_BYTES) return false;
  for (let i = 0; i < X_FORWARDED_BYTES; i++) {
    const byte = memory[start + i]!;
    if ((byte === UNDERSCORE ? HYPHEN : byte | 0x20) !== X_FORWARDED[i]) return false;
  }
  return true;
}

function shortNameIs(memory: Uint8Array, start: number, end: number, word: number): boolean {
  let packed = FOLD;
  for (let shift = 0; start < end; start++, shift += 8) packed |= memory[start]! << shift;
  return packed === WORDS[word];
}

/** The name of a known field, in lower case; not of those that stand for many names. */
export function fieldName(id: Field): string {
  return FIELD_NAMES[id]!;
}
