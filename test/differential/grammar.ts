/**
 * Streams of HTTP/1.1 messages for fuzzing: valid ones by the grammar of RFC 9112, then damaged. A stream is
 * text of one character per byte. Damage aims at what parsers disagree about: line ends, whitespace, framing
 * fields, numbers, chunk lines; some of it is blind.
 */
import fc from "fast-check";

/** One of `words`; the first is the most frequent, so that most of a message is ordinary. */
function mostly<T>(ordinary: fc.Arbitrary<T>, weight: number, other: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: ordinary }, { weight: 1, arbitrary: other });
}

const METHODS = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"];
const method = mostly(
  fc.constantFrom(...METHODS),
  12,
  fc.constantFrom("TRACE", "CONNECT", "QUERY", "get", "M-SEARCH", "BREW"),
);
const target = mostly(
  fc.constantFrom("/", "/a", "/a/b?c=d&e", "/%2F..%5c?%00", "//x/../y", "/;p=1,2", "/a?b=/c?d"),
  4,
  fc.constantFrom(
    "http://h.example/p?q",
    "http://h.example:81",
    "HTTPS://[::1]:8?q",
    "*",
    "h.example:443",
    '/"<>\\^`{|}',
    "/\xe4",
    "/a#b",
    "http://u@h.example/",
    "",
  ),
);
const version = mostly(
  fc.constant("HTTP/1.1"),
  8,
  fc.constantFrom("HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 "),
);

const spaceBefore = mostly(fc.constant(" "), 8, fc.constantFrom("", "\t", "  ", " \t "));
const spaceAfter = mostly(fc.constant(""), 8, fc.constantFrom(" ", "\t", " \t"));

function fieldLine(name: string, value: string): fc.Arbitrary<string> {
  return fc.tuple(spaceBefore, spaceAfter).map(([before, after]) => `${name}:${before}${value}${after}\r\n`);
}

const token = fc.string({ minLength: 1, maxLength: 10, unit: fc.constantFrom(..."abcXYZ019-.!~^|`'*+%&$_") });
const text = fc
  .string({ maxLength: 24, unit: fc.constantFrom(...'abc ,;="/\t:0129\xe4\xff~\\') })
  .map((value) => value.replace(/^[ \t]+|[ \t]+$/g, ""));

/** Fields that mean something to a proxy, right and wrong. */
const LOADED_LINES = [
  "Connection: close",
  "Connection: keep-alive",
  "Connection: upgrade",
  "Connection: content-length",
  "Connection: host, x-a",
  "Connection: transfer-encoding",
  "Connection: close, keep-alive",
  "Connection: ,,",
  "Keep-Alive: timeout=5",
  "Proxy-Connection: close",
  "TE: trailers",
  "TE: gzip;q=1",
  "Trailer: X-T",
  "Upgrade: websocket",
  "Upgrade: h2c",
  "Expect: 100-continue",
  "Expect: 200-maybe",
  "X-Forwarded-For: 1.2.3.4",
  "X-Forwarded-Port: 443",
  "X_Forwarded_For: 1.2.3.4",
  "Content_Length: 3",
  "Forwarded: for=1.2.3.4",
  "Via: 1.1 x",
  "Max-Forwards: 0",
  "Cookie: a=b; c=d",
  "Host: other.example",
  "Host:",
  "Content-Length: 0",
  "Content-Length: 5",
  "Content-Length: +5",
  "Content-Length: 5, 5",
  "Content-Length: 05",
  "Content-Length: 0x5",
  "Content-Length: -1",
  "Content-Length:",
  "Content-Length: 18446744073709551621",
  "Content-Length: 5 5",
  "Content-Length : 5",
  "Content-Length\t: 5",
  "Content-Length: 5\n",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: Chunked",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding: chunked;q=1",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: identity",
  "Transfer-Encoding:\tchunked",
  "Transfer-Encoding:\x0bchunked",
  "Transfer-Encoding: \x0cchunked",
  "Transfer-Encoding: ,chunked",
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding:",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding\r\n : chunked",
  "Transfer-Encoding:\r\n chunked",
  " Transfer-Encoding: chunked",
  "X: y\rTransfer-Encoding: chunked",
  "X: y\nTransfer-Encoding: chunked",
  "Transfer_Encoding: chunked",
  "Transfer-Encoding\0: chunked",
];
const loadedLine = fc.constantFrom(...LOADED_LINES).map((line) => `${line}\r\n`);
const plainLine = fc.tuple(token, text).chain(([name, value]) => fieldLine(name, value));
const fieldLines = fc.array(mostly(plainLine, 9, loadedLine), { maxLength: 5 });

const payload = fc.string({
  maxLength: 40,
  unit: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(..."abc019\r\n") },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) },
  ),
});
/** Bodies that would be requests if their framing were read differently. */
const poison = fc.constantFrom(
  "GET /poison HTTP/1.1\r\nHost: p\r\n\r\n",
  "0\r\n\r\nGET /poison HTTP/1.1\r\nHost: p\r\n\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n0\r\n\r\n",
);
const content = mostly(payload, 3, poison);

const extension = mostly(
  fc.constant(""),
  4,
  fc.constantFrom(
    ";",
    ";a",
    ";a=b",
    ' ;a="b;c"',
    "\t;a",
    ";\n",
    " ",
    "; a = b",
    ";a=",
    ";a b",
    ';a="b',
    ";a;;b",
  ),
);
const chunk = fc
  .tuple(
    content.filter((bytes) => bytes !== ""),
    fc.nat({ max: 2 }),
    fc.boolean(),
    extension,
  )
  .map(([bytes, zeros, upper, tail]) => {
    const size = "0".repeat(zeros) + bytes.length.toString(16);
    return `${upper ? size.toUpperCase() : size}${tail}\r\n${bytes}\r\n`;
  });
const trailerLines = mostly(
  fc.constant(""),
  4,
  fc.constantFrom(
    "A: b\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: t\r\n",
    "A b\r\n",
  ),
);
const chunkedBody = fc
  .tuple(
    fc.array(chunk, { maxLength: 4 }),
    mostly(fc.constant("0"), 4, fc.constantFrom("00", "0;x", "0 ")),
    trailerLines,
  )
  .map(([chunks, last, trailers]) => `${chunks.join("")}${last}\r\n${trailers}\r\n`);

/** Framing fields and the body they announce. */
const framing = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ line: "", body: "" }) },
  {
    weight: 3,
    arbitrary: content.chain((body) =>
      fieldLine("Content-Length", `${body.length}`).map((line) => ({ line, body })),
    ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fieldLine("Transfer-Encoding", "chunked"), chunkedBody)
      .map(([line, body]) => ({ line, body })),
  },
);

function message(startLine: fc.Arbitrary<string>, host: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(startLine, host, fieldLines, framing, fc.nat({ max: 7 }))
    .map(([start, hostLine, lines, { line, body }, at]) => {
      const all = lines.toSpliced(at, 0, line);
      return `${start}\r\n${hostLine}${all.join("")}\r\n${body}`;
    });
}

const requestLine = fc.tuple(method, target, version).map((parts) => parts.join(" "));
const hostLine = mostly(
  fc.constant("Host: h.example\r\n"),
  12,
  fc.constantFrom(
    "",
    "Host: h:81\r\n",
    "host:[::1]\r\n",
    "Host: h\r\nHost: h\r\n",
    "Host: a b\r\n",
    "Host: a/b\r\n",
    "Host:\r\n",
  ),
);
/** One request with its body; most of them are valid. */
export const request = message(requestLine, hostLine);

const status = mostly(
  fc.constantFrom("200", "404", "500"),
  3,
  fc.constantFrom("100", "103", "101", "204", "304", "99", "1000", "600"),
);
const statusLine = fc
  .tuple(version, status, fc.constantFrom(" OK", " ", "", " Not \xe4 Found", "  two"))
  .map(([name, code, reason]) => `${name} ${code}${reason}`);
/** One response with its body; most of them are valid. */
export const response = message(statusLine, fc.constant(""));

/** What is done to a stream that was valid. */
export interface Damage {
  readonly kind: "insert" | "delete" | "flip" | "end" | "twice" | "fold" | "cut";
  /** Where, in ten-thousandths of the stream. */
  readonly place: number;
  readonly bytes: string;
  readonly count: number;
}

const DAMAGING_BYTES = [
  "\r\n",
  "\n",
  "\r",
  "\r\r\n",
  "\n\r",
  " ",
  "\t",
  "\0",
  "\x0b",
  "\x7f",
  "\xa0",
  ":",
  ";",
  ",",
  "0",
  "+",
  "-",
  "_",
  "0x",
  "\r\n\r\n",
  " \r\n",
  "\r\n ",
  "0\r\n\r\n",
  "HTTP/1.1",
  "GET /poison HTTP/1.1\r\nHost: p\r\n\r\n",
  ...LOADED_LINES.map((line) => `${line}\r\n`),
];
const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom("insert", "delete", "flip", "end", "twice", "fold", "cut"),
  place: fc.nat({ max: 9999 }),
  bytes: fc.constantFrom(...DAMAGING_BYTES),
  count: fc.integer({ min: 1, max: 3 }),
});

/** `stream` after `damage`. */
export function damaged(stream: string, { kind, place, bytes, count }: Damage): string {
  const at = Math.floor((place * stream.length) / 10_000);
  const lineStart = stream.lastIndexOf("\r\n", at) + 2;
  const lineEnd = stream.indexOf("\r\n", at);
  const cut = (start: number, end: number, by: string) => stream.slice(0, start) + by + stream.slice(end);
  switch (kind) {
    case "insert":
      return cut(at, at, bytes);
    case "delete":
      return cut(at, at + count, "");
    case "flip":
      return cut(at, at + 1, String.fromCharCode((stream.charCodeAt(at) ^ (1 << (place % 8))) & 0xff));
    case "end":
      return lineEnd < 0 ? stream : cut(lineEnd, lineEnd + 2, bytes);
    case "twice":
      return lineEnd < lineStart ? stream : cut(lineStart, lineStart, stream.slice(lineStart, lineEnd + 2));
    case "fold":
      return cut(lineStart, lineStart, bytes);
    case "cut":
      return stream.slice(0, at);
  }
}

/** Up to four messages, damaged in up to three places. */
function streamOf(one: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const messages = fc.array(one, { minLength: 1, maxLength: 4 }).map((all) => all.join(""));
  const damages = mostly(fc.array(damage, { maxLength: 3 }), 2, fc.constant<Damage[]>([]));
  return fc.tuple(messages, damages).map(([whole, all]) => all.reduce(damaged, whole));
}

export const requestStream = streamOf(request);
export const responseStream = streamOf(response);

/** Sizes of the pieces that a stream arrives in. */
export const pieceSizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 12 });

/** `stream` in pieces of these sizes, again and again. */
export function inPieces(stream: string, sizes: readonly number[]): string[] {
  const parts: string[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length]!;
    parts.push(stream.slice(at, at + size));
    at += size;
  }
  return parts;
}
