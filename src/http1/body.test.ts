/** Bodies: what is refused, what is yielded, and that in one range where it can be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pieces, readBody } from "../../test/http1/bodies.ts";
import { asciiBytes } from "../base/bytes.ts";
import { BodyMode, BodyReader, CHUNK_EXTENSION_BYTES_MAX } from "./body.ts";
import { FAULTS, Fault } from "./fault.ts";
import { Framing } from "./framing.ts";
import { TRAILER_BYTES_MAX, TRAILER_FIELDS_MAX } from "./trailer-section.ts";

const REFUSALS: { name: string; rfc: string; wire: string; fault: Fault }[] = [
  { name: "no size", rfc: "9112 §7.1", wire: "\r\n", fault: Fault.badChunkSize },
  { name: "a size that is no number", rfc: "9112 §7.1", wire: "x\r\n", fault: Fault.badChunkSize },
  { name: "a prefix", rfc: "9112 §7.1", wire: "0x5\r\nhello\r\n", fault: Fault.badChunkSize },
  { name: "a sign", rfc: "9112 §7.1", wire: "+5\r\n", fault: Fault.badChunkSize },
  { name: "space in front", rfc: "9112 §7.1", wire: " 5\r\n", fault: Fault.badChunkSize },
  { name: "space behind", rfc: "9112 §7.1", wire: "5 \r\n", fault: Fault.badChunkSize },
  { name: "an underscore", rfc: "9112 §7.1", wire: "1_0\r\n", fault: Fault.badChunkSize },
  { name: "HTAB in front", rfc: "9112 §7.1", wire: "\t5\r\n", fault: Fault.badChunkSize },
  { name: "HTAB behind", rfc: "9112 §7.1", wire: "5\t\r\n", fault: Fault.badChunkSize },
  { name: "a minus", rfc: "9112 §7.1", wire: "-5\r\n", fault: Fault.badChunkSize },
  { name: "a hexadecimal suffix", rfc: "9112 §7.1", wire: "5h\r\n", fault: Fault.badChunkSize },
  { name: "NUL behind the size", rfc: "9112 §7.1", wire: "5\x00\r\n", fault: Fault.badChunkSize },
  { name: "two sizes", rfc: "9112 §7.1", wire: "5 5\r\nhello\r\n", fault: Fault.badChunkSize },
  { name: "a comma", rfc: "9112 §7.1", wire: "5,5\r\nhello\r\n", fault: Fault.badChunkSize },
  { name: "an empty line first", rfc: "9112 §7.1", wire: "\r\n5\r\nhello\r\n", fault: Fault.badChunkSize },
  { name: "CR CR LF behind the size", rfc: "9112 §2.2", wire: "5\r\r\nhello", fault: Fault.bareCr },
  {
    name: "2^32 wrapped by zeros",
    rfc: "9112 §7.1",
    wire: `${"0".repeat(8)}100000005\r\n`,
    fault: Fault.chunkSizeOverflow,
  },
  {
    name: "17 zeros at the end",
    rfc: "9112 §7.1",
    wire: `${"0".repeat(17)}\r\n\r\n`,
    fault: Fault.chunkSizeOverflow,
  },
  { name: "LF behind the size", rfc: "9112 §2.2", wire: "5\nhello\r\n", fault: Fault.badChunkSize },
  { name: "CR without LF", rfc: "9112 §2.2", wire: "5\rhello\r\n", fault: Fault.bareCr },
  { name: "17 digits", rfc: "9112 §7.1", wire: "00000000000000005\r\n", fault: Fault.chunkSizeOverflow },
  { name: "2^53", rfc: "9112 §7.1", wire: "20000000000000\r\n", fault: Fault.chunkSizeOverflow },
  { name: "2^64 + 5", rfc: "9112 §7.1", wire: "10000000000000005\r\n", fault: Fault.chunkSizeOverflow },
  { name: "LF in an extension", rfc: "9112 §7.1.1", wire: "5;a\nhello\r\n", fault: Fault.badChunkExtension },
  { name: "NUL in an extension", rfc: "9112 §7.1.1", wire: "5;a\x00\r\n", fault: Fault.badChunkExtension },
  { name: "CR in an extension", rfc: "9112 §2.2", wire: "5;a\rb\r\n", fault: Fault.bareCr },
  { name: "an empty extension", rfc: "9112 §7.1.1", wire: "5;\r\nhello", fault: Fault.badChunkExtension },
  { name: "an empty extension name", rfc: "9112 §7.1.1", wire: "5;=a\r\n", fault: Fault.badChunkExtension },
  { name: "an empty extension value", rfc: "9112 §7.1.1", wire: "5;a=\r\n", fault: Fault.badChunkExtension },
  { name: "two semicolons", rfc: "9112 §7.1.1", wire: "5;;a\r\n", fault: Fault.badChunkExtension },
  {
    name: "an extension name of two words",
    rfc: "9112 §7.1.1",
    wire: "5;a b\r\n",
    fault: Fault.badChunkExtension,
  },
  { name: "space behind an extension", rfc: "9112 §7.1.1", wire: "5;a \r\n", fault: Fault.badChunkExtension },
  {
    name: "space behind an extension's value",
    rfc: "9112 §7.1.1",
    wire: "5;a=b\t\r\n",
    fault: Fault.badChunkExtension,
  },
  { name: "a comma in an extension", rfc: "9112 §7.1.1", wire: "5;a,b\r\n", fault: Fault.badChunkExtension },
  {
    name: "CRLF in quotes",
    rfc: "9112 §7.1.1",
    wire: '5;a="\r\n0\r\n\r\n"\r\n',
    fault: Fault.badChunkExtension,
  },
  { name: "LF in quotes", rfc: "9112 §7.1.1", wire: '5;a="\n"\r\n', fault: Fault.badChunkExtension },
  { name: "CR in quotes", rfc: "9112 §7.1.1", wire: '5;a="\r"\r\n', fault: Fault.badChunkExtension },
  { name: "an escaped CR", rfc: "9112 §7.1.1", wire: '5;a="\\\r\n"\r\n', fault: Fault.badChunkExtension },
  { name: "an escaped last quote", rfc: "9112 §7.1.1", wire: '5;a="\\"\r\n', fault: Fault.badChunkExtension },
  { name: "a word behind quotes", rfc: "9112 §7.1.1", wire: '5;a="b"c\r\n', fault: Fault.badChunkExtension },
  { name: "a quoted name", rfc: "9112 §7.1.1", wire: '5;"a"\r\n', fault: Fault.badChunkExtension },
  {
    name: "many tiny chunks with extensions, each short",
    rfc: "9112 §7.1.1",
    wire: `1;${"a".repeat(62)}\r\nx\r\n`.repeat(66),
    fault: Fault.chunkExtensionTooLong,
  },
  {
    name: "many tiny chunks with whitespace in front of an extension",
    rfc: "9112 §7.1.1",
    wire: `1${" ".repeat(62)};a\r\nx\r\n`.repeat(66),
    fault: Fault.chunkExtensionTooLong,
  },
  {
    name: "long extensions",
    rfc: "9112 §7.1.1",
    wire: `1;${"a".repeat(CHUNK_EXTENSION_BYTES_MAX / 2)}\r\nx\r\n1;${"a".repeat(CHUNK_EXTENSION_BYTES_MAX / 2)}`,
    fault: Fault.chunkExtensionTooLong,
  },
  {
    name: "a chunk longer than its size",
    rfc: "9112 §7.1",
    wire: "5\r\nhello!\r\n",
    fault: Fault.badChunkEnd,
  },
  { name: "no CRLF behind a chunk", rfc: "9112 §7.1", wire: "5\r\nhello0\r\n\r\n", fault: Fault.badChunkEnd },
  {
    name: "a chunk shorter than its size",
    rfc: "9112 §7.1",
    wire: "5\r\nhel\r\n0\r\n\r\n",
    fault: Fault.badChunkEnd,
  },
  {
    name: "CR CR LF behind a chunk",
    rfc: "9112 §7.1",
    wire: "5\r\nhello\r\r\n0\r\n",
    fault: Fault.badChunkEnd,
  },
  { name: "LF ends a chunk", rfc: "9112 §7.1", wire: "5\r\nhello\n0\r\n", fault: Fault.badChunkEnd },
  { name: "CR ends a chunk", rfc: "9112 §7.1", wire: "5\r\nhello\r0\r\n", fault: Fault.badChunkEnd },
  { name: "a trailer without colon", rfc: "9112 §7.1.2", wire: "0\r\nFoo\r\n", fault: Fault.badTrailer },
  { name: "a folded trailer", rfc: "9112 §5.2", wire: "0\r\nA: b\r\n c\r\n", fault: Fault.badTrailer },
  {
    name: "space before a trailer's colon",
    rfc: "9112 §5.1",
    wire: "0\r\nA : b\r\n",
    fault: Fault.badTrailer,
  },
  { name: "LF ends a trailer", rfc: "9112 §2.2", wire: "0\r\nA: b\n\r\n", fault: Fault.badTrailer },
  { name: "LF ends the body", rfc: "9112 §2.2", wire: "0\r\n\n", fault: Fault.badTrailer },
  { name: "CR without LF at the end", rfc: "9112 §2.2", wire: "0\r\n\rX", fault: Fault.bareCr },
  {
    name: "many trailers",
    rfc: "6585 §5",
    wire: `0\r\n${"A: b\r\n".repeat(TRAILER_FIELDS_MAX + 1)}\r\n`,
    fault: Fault.trailerTooLarge,
  },
  { name: "a trailer with NUL", rfc: "9110 §5.5", wire: "0\r\nA: \x00\r\n\r\n", fault: Fault.badTrailer },
  { name: "a trailer with CR", rfc: "9112 §2.2", wire: "0\r\nA: b\rc\r\n\r\n", fault: Fault.bareCr },
  { name: "a trailer without a name", rfc: "9112 §5", wire: "0\r\n: b\r\n\r\n", fault: Fault.badTrailer },
  {
    name: "a request line for a trailer",
    rfc: "9112 §7.1.2",
    wire: "0\r\nGET / HTTP/1.1\r\n\r\n",
    fault: Fault.badTrailer,
  },
  {
    name: "a large trailer section",
    rfc: "6585 §5",
    wire: `0\r\nA: ${"b".repeat(TRAILER_BYTES_MAX)}\r\n\r\n`,
    fault: Fault.trailerTooLarge,
  },
];
for (const { name, rfc, wire, fault } of REFUSALS) {
  test(`chunked refused: ${name} (RFC ${rfc})`, () => {
    for (const mode of Object.values(BodyMode)) {
      for (const buffers of [[wire], pieces(wire, 1), pieces(wire, 3)]) {
        const { result } = readBody(buffers, Framing.chunked, 0, mode);
        assert.equal(result < -1 ? FAULTS[result as Fault].name : result, FAULTS[fault].name);
      }
    }
  });
}

const CHUNKED: { name: string; rfc: string; wire: string; out: string; ranges: number }[] = [
  { name: "empty", rfc: "9112 §7.1", wire: "0\r\n\r\n", out: "0\r\n\r\n", ranges: 1 },
  {
    name: "canonical chunks are one range",
    rfc: "9112 §7.1",
    wire: "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    out: "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    ranges: 1,
  },
  {
    name: "upper case is folded in place",
    rfc: "9112 §7.1",
    wire: "A\r\n0123456789\r\n1\r\nX\r\n0\r\n\r\n",
    out: "a\r\n0123456789\r\n1\r\nX\r\n0\r\n\r\n",
    ranges: 1,
  },
  {
    name: "leading zeros",
    rfc: "9112 §7.1",
    wire: "005\r\nhello\r\n000\r\n\r\n",
    out: "5\r\nhello\r\n0\r\n\r\n",
    ranges: 2,
  },
  {
    name: "extensions are dropped",
    rfc: "9112 §7.1.1",
    wire: '5;a=b\r\nhello\r\n2 ; q=";\t"\r\nhi\r\n0;x\r\n\r\n',
    out: "5\r\nhello\r\n2\r\nhi\r\n0\r\n\r\n",
    ranges: 3,
  },
  {
    name: "trailers are dropped",
    rfc: "9112 §7.1.2",
    wire: "2\r\nhi\r\n0\r\nA: b\r\nExpires:\r\n\r\n",
    out: "2\r\nhi\r\n0\r\n\r\n",
    ranges: 2,
  },
  {
    name: "payload that looks like framing",
    rfc: "9112 §7.1",
    wire: "5\r\n0\r\n\r\n\r\n0\r\n\r\n",
    out: "5\r\n0\r\n\r\n\r\n0\r\n\r\n",
    ranges: 1,
  },
];
for (const { name, rfc, wire, out, ranges } of CHUNKED) {
  test(`chunked to chunked: ${name} (RFC ${rfc})`, () => {
    const whole = readBody([`${wire}NEXT`], Framing.chunked, 0, BodyMode.wire);
    assert.deepEqual(whole, { result: wire.length, out, ranges, done: true });
    for (let size = 1; size < wire.length; size++) {
      const split = readBody(pieces(wire, size), Framing.chunked, 0, BodyMode.wire);
      assert.equal(split.out, out, `in buffers of ${size}`);
      assert.ok(split.done);
    }
  });
}

const EXTENSIONS: { name: string; extension: string }[] = [
  { name: "a name", extension: ";a" },
  { name: "names", extension: ";a;b;c" },
  { name: "a value", extension: ";a=b" },
  { name: "a name of token bytes", extension: ";!#$%&'*+-.^_`|~09AZ=x" },
  { name: "a quoted value", extension: ';a="b; c=\\"d\\" \\\\"' },
  { name: "an empty quoted value", extension: ';a=""' },
  { name: "obs-text in quotes", extension: ';a="\xe4"' },
  { name: "bad whitespace wherever it may be", extension: ' \t;\ta = b\t; c =\t"d" ;e' },
];
for (const { name, extension } of EXTENSIONS) {
  test(`chunk extension dropped: ${name} (RFC 9112 §7.1.1)`, () => {
    const wire = `5${extension}\r\nhello\r\n0${extension}\r\n\r\n`;
    for (const size of [wire.length, 1, 2, 3]) {
      const { out, done } = readBody(pieces(wire, size), Framing.chunked, 0, BodyMode.wire);
      assert.deepEqual([out, done], ["5\r\nhello\r\n0\r\n\r\n", true]);
    }
  });
}

const TRAILERS: { name: string; fields: string; kept: string }[] = [
  { name: "none", fields: "", kept: "" },
  { name: "one", fields: "Checksum: 1\r\n", kept: "Checksum: 1\r\n" },
  { name: "as they are", fields: "a:\r\nB:\t x \r\n", kept: "a:\r\nB:\t x \r\n" },
  { name: "framing goes", fields: "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", kept: "" },
  { name: "one between two that go", fields: "Host: x\r\nA: b\r\nHOST: y\r\n", kept: "A: b\r\n" },
  {
    name: "one that goes between two",
    fields: "A: b\r\nSet-Cookie: x\r\nC: d\r\n",
    kept: "A: b\r\nC: d\r\n",
  },
  {
    name: "a line as long as may be",
    fields: `A: ${"b".repeat(8183)}\r\n`,
    kept: `A: ${"b".repeat(8183)}\r\n`,
  },
  { name: "as many as may be", fields: "A: b\r\n".repeat(64), kept: "A: b\r\n".repeat(64) },
];
for (const { name, fields, kept } of TRAILERS) {
  test(`trailers that may go on: ${name} (RFC 9110 §6.5.1)`, () => {
    for (const last of ["0", "000;x"]) {
      const wire = `2\r\nhi\r\n${last}\r\n${fields}\r\n`;
      const out = `2\r\nhi\r\n0\r\n${kept}\r\n`;
      for (const size of [wire.length + 4, 1, 2, 3, 5, 7, 100]) {
        const mode = BodyMode.wireWithTrailers;
        const body = readBody(pieces(`${wire}NEXT`, size), Framing.chunked, 0, mode);
        assert.deepEqual([body.out, body.done, body.result], [out, true, wire.length]);
      }
    }
  });
}

test("a reader keeps no trailers of the body before", () => {
  const reader = new BodyReader();
  const memory = asciiBytes("    0\r\nA: b\r\n\r\n0\r\n\r\n");
  const view = new DataView(memory.buffer);
  reader.begin(Framing.chunked, -1, BodyMode.wireWithTrailers);
  assert.equal(reader.feed(memory, view, 4, memory.length), 15);
  assert.equal(reader.endBytes, 11);
  reader.begin(Framing.chunked, -1, BodyMode.wireWithTrailers);
  assert.equal(reader.endBytes, 0);
  assert.equal(reader.feed(memory, view, 15, memory.length), memory.length);
  assert.deepEqual([reader.endBytes, reader.outStart, reader.outEnd], [0, 15, 20]);
  reader.begin(Framing.none, -1, BodyMode.payload);
  assert.equal(reader.endBytes, 0);
});

test("chunked to payload, in any split (RFC 9112 §7.1)", () => {
  const wire = "5;x\r\nhello\r\n0006\r\n world\r\n0\r\nA: b\r\n\r\n";
  for (let size = 1; size <= wire.length; size++) {
    const { out, done } = readBody(pieces(wire, size), Framing.chunked, 0, BodyMode.payload);
    assert.equal(out, "hello world");
    assert.ok(done);
  }
});

test("a length takes exactly its bytes (RFC 9112 §6.2)", () => {
  assert.deepEqual(readBody(["helloNEXT"], Framing.length, 5, BodyMode.wire), {
    result: 5,
    out: "hello",
    ranges: 1,
    done: true,
  });
  assert.equal(readBody(pieces("helloNEXT", 2), Framing.length, 5, BodyMode.wire).out, "hello");
  const reader = new BodyReader();
  reader.begin(Framing.length, Number.MAX_SAFE_INTEGER, BodyMode.payload);
  const memory = asciiBytes("hello");
  assert.equal(reader.feed(memory, new DataView(memory.buffer), 0, 5), 5);
  assert.ok(!reader.done);
  assert.ok(!reader.finish(), "the end came too early");
});

test("no body is done before it begins", () => {
  const reader = new BodyReader();
  reader.begin(Framing.none, -1, BodyMode.wire);
  assert.ok(reader.done);
  reader.begin(Framing.length, 0, BodyMode.wire);
  assert.ok(reader.done);
  assert.ok(reader.finish());
});

test("until close: everything, and complete at the end of the stream (RFC 9112 §6.3)", () => {
  const reader = new BodyReader();
  reader.begin(Framing.untilClose, -1, BodyMode.wire);
  const memory = asciiBytes("hello");
  assert.equal(reader.feed(memory, new DataView(memory.buffer), 1, 5), 5);
  assert.deepEqual([reader.outStart, reader.outEnd, reader.done], [1, 5, false]);
  assert.ok(reader.finish());
  assert.ok(reader.done);
});

test("a chunked body that stops early is not complete (RFC 9112 §8)", () => {
  const wire = "5\r\nhello\r\n0\r\n\r\n";
  for (let cut = 0; cut < wire.length; cut++) {
    assert.ok(!readBody([wire.slice(0, cut)], Framing.chunked, 0, BodyMode.wire).done);
  }
});
