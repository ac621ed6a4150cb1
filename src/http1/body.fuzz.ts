// Invariant: however a chunked body is split into buffers, what is yielded adds up to the canonical framing
// of its chunks (or to their payload).
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readBody } from "../../test/http1/bodies.ts";
import { BodyMode } from "./body.ts";
import { Framing } from "./framing.ts";

const latin1 = (options: { minLength?: number; maxLength?: number }) =>
  fc.string({ ...options, unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });

const chunk = fc.record({
  payload: latin1({ minLength: 1, maxLength: 300 }),
  zeros: fc.integer({ min: 0, max: 4 }),
  upperCase: fc.boolean(),
  extension: fc.constantFrom("", "", "", ";", ";a=b", " ;a", '\t; a = "\\"; "', `;${"x".repeat(40)}`),
});
const trailers = fc.array(fc.constantFrom("A: b\r\n", "Content-Length: 5\r\n", "X:\r\n"), { maxLength: 3 });
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
      const bare = readBody(split(wire + next, sizes), Framing.chunked, 0, BodyMode.payload);
      assert.deepEqual([bare.out, bare.done, bare.result], [payload, true, wire.length]);
    }),
    { numRuns: 2000 },
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
      for (const mode of [BodyMode.wire, BodyMode.payload]) {
        const whole = readBody([wire], Framing.chunked, 0, mode);
        const cut = readBody(split(wire, sizes), Framing.chunked, 0, mode);
        const { ranges: _whole, ...expected } = whole;
        const { ranges: _cut, ...found } = cut;
        assert.deepEqual(found, expected);
      }
    }),
    { numRuns: 3000 },
  );
});
