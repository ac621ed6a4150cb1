// Invariant: with the scanner, a head is read and written exactly as without it.
import { test } from "node:test";
import fc from "fast-check";
import { runs } from "../../test/differential/runs.ts";
import { assertScannedAlike, assertWrittenAlike, isPlainHost } from "../../test/http1/scanned.ts";
import { asciiBytes } from "../base/bytes.ts";
import { hostEndOf } from "./authority.ts";
import { FIELD_FAMILY, FIELD_NAMES } from "./field-names.ts";
import { parseRequestHead } from "./request-head.ts";
import { parseResponseHead } from "./response-head.ts";

const LIMITS = { headBytesMax: 4096, targetBytesMax: 256, fieldCountMax: 12 };

const anyByte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const textOf = (unit: string, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ maxLength, unit: fc.constantFrom(...unit) });

/** Known names, names next to them, and others, in mixed case. */
const name = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(...FIELD_NAMES),
      fc.constantFrom(...FIELD_NAMES).map((known) => known.slice(0, -1)),
      fc.constantFrom(...FIELD_NAMES).map((known) => `${known}s`),
      textOf("-abz", 8).map((end) => FIELD_FAMILY.prefix + end),
      textOf("x-forwade", 14),
      textOf("abcXYZ019-.!~^|`'*+%&$#_", 40),
    ),
    fc.integer({ min: 0, max: 0xffff_ffff }),
  )
  .map(([text, upper]) =>
    [...text].map((letter, at) => ((upper >>> at) & 1 ? letter.toUpperCase() : letter)).join(""),
  );
const space = fc.constantFrom("", " ", "\t", "  ", " \t ");
const value = fc.oneof(
  fc.constantFrom(
    "5",
    "chunked",
    "close",
    "keep-alive, x-y",
    "a.b:80",
    "100-continue",
    "text/event-stream",
    "h2c",
  ),
  textOf('abc ,;="/\t09\xe4\xff~', 60),
);
const line = fc
  .tuple(name, space, value, space)
  .map(([text, before, content, after]) => `${text}:${before}${content}${after}\r\n`);
const startLine = fc.constantFrom("GET / HTTP/1.1\r\n", "OPTIONS * HTTP/1.0\r\n", "HTTP/1.1 200 OK\r\n");
const head = fc
  .tuple(startLine, fc.array(line, { maxLength: 14 }), fc.boolean())
  .map(([first, lines, hasHost]) => `${first}${hasHost ? "Host: a\r\n" : ""}${lines.join("")}\r\n`);

/** `text` with some bytes put in the place of others. */
function broken(text: string, changes: readonly (readonly [number, string])[]): string {
  const bytes = [...text];
  for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
  return bytes.join("");
}

for (const [what, changesMax] of [
  ["heads in order", 0],
  ["heads with other bytes in them", 3],
] as const) {
  test(`${what}, whole and cut off, are read as without the scanner`, () => {
    const changes = fc.array(fc.tuple(fc.nat(4000), anyByte), { maxLength: changesMax });
    fc.assert(
      fc.property(head, changes, anyByte, fc.nat(4000), (wire, changed, poison, cutSeed) => {
        const text = broken(wire, changed);
        for (const parse of [parseRequestHead, parseResponseHead]) {
          assertScannedAlike(parse, text, poison, LIMITS);
          assertScannedAlike(parse, text, poison, LIMITS, cutSeed % text.length);
        }
      }),
      runs(4000),
    );
  });
}

test("heads are written as without the scanner", () => {
  fc.assert(
    fc.property(head, fc.boolean(), (wire, upgrade) => {
      for (const parse of [parseRequestHead, parseResponseHead]) {
        assertWrittenAlike(parse, wire, LIMITS, upgrade);
      }
    }),
    runs(4000),
  );
});

const host = fc.oneof(
  textOf("abzAZ09-._~!$&'()*+,;=", 300),
  fc
    .tuple(textOf("ab.09-", 40), fc.constantFrom(":", "%", "[", "]", "@", "/", "", "::"), textOf("0189af", 6))
    .map((parts) => parts.join("")),
  fc.array(anyByte, { maxLength: 40 }).map((bytes) => bytes.join("").replace(/[^!-~\x80-\xff]/g, "")),
);

test("what the scanner takes for a host is one, and it knows the usual ones", () => {
  fc.assert(
    fc.property(host, (text) => {
      const isValid = hostEndOf(asciiBytes(text), 0, text.length) >= 0;
      const isUsual = /^[\w\-.~!$&'()*+,;=]{1,250}(:\d{1,4}|:[0-5]\d{4})?$/.test(text);
      const isPlain = isPlainHost(text);
      if (isPlain && !isValid) throw new Error("a host that is none");
      if (isUsual && !isPlain) throw new Error("a usual host is not known");
    }),
    runs(4000),
  );
});
