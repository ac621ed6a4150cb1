/**
 * Field names that the proxy knows, recognised by length, first letter and 4-byte words, never by strings.
 *
 * No two known names share both length and first letter, so these two choose the only candidate from a table;
 * its words then decide. (`| 0x20` folds case exactly within tokens, except that `^` and `_` turn into bytes
 * that no known name has.)
 *
 * @hot
 */
import { assert } from "../base/assert.ts";

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
  /** Any name with `_`: the parser says so, since none of the others has one. */
  underscored: 26,
} as const;
export type Field = (typeof Field)[keyof typeof Field];

export const FIELD_ID_COUNT = 27;

const NAMES: readonly string[] = [
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

const NAME_BYTES_MAX = 31;
const WORDS_PER_NAME = 8;
const FOLD = 0x2020_2020;

/** The candidate for (length, low five bits of the first byte). */
const CANDIDATES = new Uint8Array((NAME_BYTES_MAX + 1) * 32);
/** Words of each name at 0, 4, 8, …; the last word ends with the name and may lie over the one before it. */
const WORDS = new Int32Array(FIELD_ID_COUNT * WORDS_PER_NAME);

for (let id = 1; id < NAMES.length; id++) {
  const name = NAMES[id]!;
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
assert(NAMES.length === Field.underscored, "every id but the last has a name");

/** The `Field` whose name is `[start, end)`, a token; 0 where none is. */
export function fieldIdOf(memory: Uint8Array, view: DataView, start: number, end: number): number {
  const length = end - start;
  if (length > NAME_BYTES_MAX) return 0;
  const id = CANDIDATES[(length << 5) | (memory[start]! & 31)]!;
  if (id === 0) return 0;
  let word = id * WORDS_PER_NAME;
  if (length < 4) return shortNameIs(memory, start, end, word) ? id : 0;
  const last = end - 4;
  for (; start < last; start += 4, word++) {
    if ((view.getInt32(start, true) | FOLD) !== WORDS[word]) return 0;
  }
  return (view.getInt32(last, true) | FOLD) === WORDS[word] ? id : 0;
}

function shortNameIs(memory: Uint8Array, start: number, end: number, word: number): boolean {
  let packed = FOLD;
  for (let shift = 0; start < end; start++, shift += 8) packed |= memory[start]! << shift;
  return packed === WORDS[word];
}

/** The name of a known field, in lower case. */
export function fieldName(id: Field): string {
  return NAMES[id]!;
}
