// Invariants: however a chunked body is split into buffers, what is yielded adds up to the canonical framing of
// its chunks (or to their payload); and whatever bytes are accepted, what leaves is canonical, carries the
// payload that a plain reader finds, and frames it in no more bytes than came.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runs } from "../../test/differential/runs.ts";
import { readBody } from "../../test/http1/bodies.ts";
import { BodyMode } from "./body.ts";
import { Framing } from "./framing.ts";

const latin1 = (options: { minLength?: number; maxLength?: number }) =>
  fc.string({ ...options, unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });

const chunk = fc.record({
  payload: latin1({ minLength: 1, maxLength: 300 }),
  zeros: fc.integer({ min: 0, max: 4 }),
  upperCase: fc.boolean(),
  extension: fc.constantFrom(
    "",
    "",
    "",
    ";a",
    ";a=b",
    " ;a",
    '\t; a = "\\"; "',
    `;${"x".repeat(40)}`,
    ';q="a;b"',
  ),
});
const trailers = fc.array(fc.constantFrom("A: b\r\n", "Content-Length: 5\r\n", "X:\r\n", "Host: a\r\n"), {
  maxLength: 3,
});
const last = fc.record({ zeros: fc.integer({ min: 0, max: 3 }), extension: fc.constantFrom("", "", ";z") });
const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 30 });

function split(wire: string, sizes: readonly number[]): string[] {
  const parts: string[] = [];
  for (let at = 0, i = 0; at < wire.length; i++) {
    const size = sizes[i % sizes.length]!;
    parts.push(wire.slice(at, at + size));
    at += size;
  }
  return parts;
}

test("re-framing does not depend on the split", () => {
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 12 }), last, trailers, cuts, (chunks, end, fields, sizes) => {
      let wire = "";
      let canonical = "";
      let payload = "";
      for (const { payload: text, zeros, upperCase, extension } of chunks) {
        const size = text.length.toString(16);
        wire += `${"0".repeat(zeros)}${upperCase ? size.toUpperCase() : size}${extension}\r\n${text}\r\n`;
        canonical += `${size}\r\n${text}\r\n`;
        payload += text;
      }
      wire += `0${"0".repeat(end.zeros)}${end.extension}\r\n${fields.join("")}\r\n`;
      canonical += "0\r\n\r\n";
      const next = "POST / HTTP/1.1\r\n";
      const wired = readBody(split(wire + next, sizes), Framing.chunked, 0, BodyMode.wire);
      assert.deepEqual([wired.out, wired.done, wired.result], [canonical, true, wire.length]);
      const kept = fields.filter((line) => !/^(Content-Length|Host):/.test(line)).join("");
      const trailed = readBody(split(wire + next, sizes), Framing.chunked, 0, BodyMode.wireWithTrailers);
      const withKept = `${canonical.slice(0, -2)}${kept}\r\n`;
      assert.deepEqual([trailed.out, trailed.done, trailed.result], [withKept, true, wire.length]);
      const bare = readBody(split(wire + next, sizes), Framing.chunked, 0, BodyMode.payload);
      assert.deepEqual([bare.out, bare.done, bare.result], [payload, true, wire.length]);
    }),
    runs(2000),
  );
});

test("any bytes: every split comes to the same verdict, and nothing throws", () => {
  const noise = fc.array(
    fc.oneof(
      fc.constantFrom(
        "0",
        "1",
        "5",
        "a",
        "F",
        "\r\n",
        "\r",
        "\n",
        ";",
        " ",
        ":",
        "A: b\r\n",
        "0\r\n",
        "\r\n\r\n",
      ),
      latin1({ maxLength: 6 }),
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(noise, cuts, (parts, sizes) => {
      const wire = parts.join("");
      for (const mode of Object.values(BodyMode)) {
        const whole = readBody([wire], Framing.chunked, 0, mode);
        const cut = readBody(split(wire, sizes), Framing.chunked, 0, mode);
        const { ranges: _whole, ...expected } = whole;
        const { ranges: _cut, ...found } = cut;
        assert.deepEqual(found, expected);
      }
    }),
    runs(3000),
  );
});

/** Reads a chunked body as plainly as can be, by RFC 9112 §7.1.3; `wire` is known to be well-formed. */
function decode(wire: string): { canonical: string; payload: string } {
  let canonical = "";
  let payload = "";
  for (let at = 0; ; ) {
    const lineEnd = wire.indexOf("\r\n", at);
    const size = Number.parseInt(wire.slice(at, lineEnd), 16);
    if (size === 0) return { canonical: `${canonical}0\r\n\r\n`, payload };
    const data = wire.slice(lineEnd + 2, lineEnd + 2 + size);
    canonical += `${size.toString(16)}\r\n${data}\r\n`;
    payload += data;
    at = lineEnd + 2 + size + 2;
  }
}

/** Every string that a reader of canonical chunks takes, and no other. */
function isCanonical(out: string): boolean {
  let at = 0;
  for (;;) {
    const line = /^(0|[1-9a-f][0-9a-f]*)\r\n/.exec(out.slice(at));
    if (line === null) return false;
    at += line[0].length;
    const size = Number.parseInt(line[1]!, 16);
    if (out.slice(at + size, at + size + 2) !== "\r\n") return false;
    at += size + 2;
    if (size === 0) return at === out.length;
  }
}

test("bodies changed here and there: what is accepted leaves canonical, with its payload, and no longer", () => {
  const change = fc.record({
    at: fc.nat({ max: 400 }),
    deleted: fc.nat({ max: 2 }),
    inserted: fc.constantFrom(
      "",
      "\r",
      "\n",
      "\r\n",
      "0",
      "1",
      "a",
      ";",
      ";a",
      " ",
      '"',
      "0\r\n",
      "\r\n\r\n",
    ),
  });
  const small = fc.record({
    payload: latin1({ minLength: 1, maxLength: 20 }),
    zeros: fc.integer({ min: 0, max: 2 }),
    extension: fc.constantFrom("", ";a=b", ' ;q="x"'),
  });
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.array(small, { maxLength: 5 }),
      fc.array(change, { maxLength: 2 }),
      cuts,
      (chunks, changes, sizes) => {
        let wire = "";
        for (const { payload, zeros, extension } of chunks) {
          wire += `${"0".repeat(zeros)}${payload.length.toString(16)}${extension}\r\n${payload}\r\n`;
        }
        wire += "0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n";
        for (const { at, deleted, inserted } of changes) {
          const place = at % wire.length;
          wire = wire.slice(0, place) + inserted + wire.slice(place + deleted);
        }
        const { out, result, done } = readBody(split(wire, sizes), Framing.chunked, 0, BodyMode.wire);
        if (!done) return;
        accepted++;
        const taken = wire.slice(0, result);
        const expected = decode(taken);
        assert.equal(out, expected.canonical);
        assert.ok(isCanonical(out));
        assert.ok(out.length <= taken.length, "framing does not grow");
        assert.equal(readBody([taken], Framing.chunked, 0, BodyMode.payload).out, expected.payload);
      },
    ),
    runs(3000),
  );
  assert.ok(accepted > 500, `only ${accepted} were accepted`);
});
