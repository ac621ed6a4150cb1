/** Smuggling vectors, old and new, each with what the proxy makes of it. */

export interface Attack {
  /** What is tried, and where it is known from. */
  readonly name: string;
  readonly wire: string;
  /** Statuses that the client gets, in order, without interim ones. */
  readonly answers: readonly number[];
  /** What goes to the backend: method, target, host unless it is `h`, body. Nothing by default. */
  readonly forwarded?: readonly string[];
  /** Field names, in lower case, that no backend may see. */
  readonly gone?: readonly string[];
  /** Methods of the requests, where HEAD is among them. */
  readonly methods?: readonly string[];
}

const POISON = "GET /poison HTTP/1.1\r\nHost: h\r\n\r\n";

/** A request whose body is `body`, for fields that frame it as somebody may understand them. */
function post(fields: string, body: string): string {
  return `POST /a HTTP/1.1\r\nHost: h\r\n${fields}\r\n${body}`;
}

function get(fields: string, target = "/a"): string {
  return `GET ${target} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;
}

const CHUNKED = "Transfer-Encoding: chunked\r\n";
const LAST = "0\r\n\r\n";

/** Two lengths in one head, in every spelling. */
const FRAMING: readonly Attack[] = [
  { name: "CL.TE", wire: post(`Content-Length: 6\r\n${CHUNKED}`, `${LAST}G${POISON}`), answers: [400] },
  { name: "TE.CL", wire: post(`${CHUNKED}Content-Length: 4\r\n`, `5c\r\n${POISON}`), answers: [400] },
  {
    name: "CL.CL, different",
    wire: post("Content-Length: 0\r\nContent-Length: 33\r\n", POISON),
    answers: [400],
  },
  { name: "CL.CL, equal", wire: post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), answers: [400] },
  { name: "CL as a list", wire: post("Content-Length: 5, 5\r\n", "hello"), answers: [400] },
  { name: "CL with a sign", wire: post("Content-Length: +5\r\n", "hello"), answers: [400] },
  { name: "CL below zero", wire: post("Content-Length: -1\r\n", "hello"), answers: [400] },
  { name: "CL in hexadecimal", wire: post("Content-Length: 0x5\r\n", "hello"), answers: [400] },
  { name: "CL with a zero in front", wire: post("Content-Length: 010\r\n", "helloworld"), answers: [400] },
  {
    name: "CL with an underscore in it",
    wire: post("Content-Length: 1_0\r\n", "helloworld"),
    answers: [400],
  },
  { name: "CL with a space in it", wire: post("Content-Length: 1 0\r\n", "helloworld"), answers: [400] },
  { name: "CL as a fraction", wire: post("Content-Length: 5.0\r\n", "hello"), answers: [400] },
  {
    name: "CL beyond 64 bits",
    wire: post("Content-Length: 18446744073709551621\r\n", "hello"),
    answers: [400],
  },
  { name: "CL empty", wire: post("Content-Length:\r\n", POISON), answers: [400] },
  { name: "CL with a space before its colon", wire: post("Content-Length : 5\r\n", "hello"), answers: [400] },
  { name: "CL with a NUL behind", wire: post("Content-Length: 5\0\r\n", "hello"), answers: [400] },
  {
    name: "CL with a vertical tab in front",
    wire: post("Content-Length: \x0b5\r\n", "hello"),
    answers: [400],
  },
  { name: "CL in digits of another script", wire: post("Content-Length: \xb2\r\n", "he"), answers: [400] },
  {
    name: "CL under a name with an underscore",
    wire: post("Content_Length: 33\r\nConnection: close\r\n", ""),
    answers: [200],
    forwarded: ["POST /a"],
    gone: ["content_length"],
  },
];

/** Transfer codings that one reader takes for chunked and another does not. */
const CODINGS: readonly Attack[] = [
  ["TE.TE, a second coding", `${CHUNKED}Transfer-Encoding: x\r\n`, 400],
  ["TE.TE, the second in lower case", `${CHUNKED}transfer-encoding: identity\r\n`, 400],
  ["TE twice chunked", `${CHUNKED}${CHUNKED}`, 400],
  ["TE: chunked, chunked", "Transfer-Encoding: chunked, chunked\r\n", 400],
  ["TE: xchunked", "Transfer-Encoding: xchunked\r\n", 400],
  ["TE: chunkedx", "Transfer-Encoding: chunkedx\r\n", 400],
  ["TE: chunked;q=1", "Transfer-Encoding: chunked;q=1\r\n", 400],
  ['TE: "chunked"', 'Transfer-Encoding: "chunked"\r\n', 400],
  ["TE: identity", "Transfer-Encoding: identity\r\n", 400],
  ["TE: chunked, identity", "Transfer-Encoding: chunked, identity\r\n", 400],
  ["TE: identity, chunked", "Transfer-Encoding: identity, chunked\r\n", 501],
  ["TE: gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n", 501],
  ["TE: ,chunked", "Transfer-Encoding: ,chunked\r\n", 400],
  ["TE empty", "Transfer-Encoding:\r\n", 400],
  ["TE with a vertical tab", "Transfer-Encoding: \x0bchunked\r\n", 400],
  ["TE with a form feed", "Transfer-Encoding: \x0cchunked\r\n", 400],
  ["TE with a NUL behind", "Transfer-Encoding: chunked\0\r\n", 400],
  ["TE with a no-break space", "Transfer-Encoding: \xa0chunked\r\n", 400],
  ["TE with a space before its colon", "Transfer-Encoding : chunked\r\n", 400],
  ["TE with a tab before its colon", "Transfer-Encoding\t: chunked\r\n", 400],
  ["TE folded", "Transfer-Encoding:\r\n chunked\r\n", 400],
  ["TE folded behind another field", "X: y\r\n Transfer-Encoding: chunked\r\n", 400],
  ["TE with a space in front of its name", " Transfer-Encoding: chunked\r\n", 400],
  ["TE behind a bare CR", "X: y\rTransfer-Encoding: chunked\r\n", 400],
  ["TE behind a bare LF", "X: y\nTransfer-Encoding: chunked\r\n", 400],
  ["TE with a NUL in its name", "Transfer-Encoding\0: chunked\r\n", 400],
  ["TE behind a line without colon", "X\r\nTransfer-Encoding: chunked\r\n", 400],
].map(([name, fields, status]) => ({
  name: `${name}`,
  wire: post(`${fields}Content-Length: 5\r\n`, `${LAST}${POISON}`),
  answers: [Number(status)],
}));

const MORE_CODINGS: readonly Attack[] = [
  {
    name: "TE in HTTP/1.0",
    wire: `POST /a HTTP/1.0\r\nHost: h\r\n${CHUNKED}\r\n${LAST}${POISON}`,
    answers: [400],
  },
  {
    name: "TE under a name with an underscore",
    wire: post("Transfer_Encoding: chunked\r\nContent-Length: 5\r\nConnection: close\r\n", LAST),
    answers: [200],
    forwarded: [`POST /a ${LAST}`],
    gone: ["transfer_encoding"],
  },
  {
    name: "TE: Chunked, which is chunked",
    wire: post("Transfer-Encoding:\tChunked\r\nConnection: close\r\n", `5\r\nhello\r\n${LAST}`),
    answers: [200],
    forwarded: ["POST /a hello"],
  },
];

/** Bodies where some expect none. */
const BODIES: readonly Attack[] = [
  {
    name: "CL.0: GET with a body that is a request",
    wire: `GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: ${POISON.length}\r\nConnection: close\r\n\r\n${POISON}`,
    answers: [200],
    forwarded: [`GET /a ${POISON}`],
  },
  {
    name: "0.CL: HEAD with a body that is a request",
    wire: `HEAD /a HTTP/1.1\r\nHost: h\r\nContent-Length: ${POISON.length}\r\nConnection: close\r\n\r\n${POISON}`,
    methods: ["HEAD"],
    answers: [200],
    forwarded: [`HEAD /a ${POISON}`],
  },
  {
    // CVE-2026-29057: a rewriting proxy forwarded chunked bodies of these without their framing.
    name: "DELETE with a chunked body that is a request",
    wire: `DELETE /a HTTP/1.1\r\nHost: h\r\n${CHUNKED}Connection: close\r\n\r\n${chunk(POISON)}${LAST}`,
    answers: [200],
    forwarded: [`DELETE /a ${POISON}`],
  },
  {
    name: "OPTIONS with a chunked body that is a request",
    wire: `OPTIONS /a HTTP/1.1\r\nHost: h\r\n${CHUNKED}Connection: close\r\n\r\n${chunk(POISON)}${LAST}`,
    answers: [200],
    forwarded: [`OPTIONS /a ${POISON}`],
  },
  {
    name: "Expect: 100-continue on a GET, the body being a request",
    wire: get(`Expect: 100-continue\r\nContent-Length: ${POISON.length}\r\nConnection: close\r\n`) + POISON,
    answers: [200],
    forwarded: [`GET /a ${POISON}`],
  },
  {
    name: "Expect: y 100-continue",
    wire: post("Expect: y 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n", "hello"),
    answers: [200],
    forwarded: ["POST /a hello"],
  },
  {
    name: "pipelined: a request behind a refused one is not read",
    wire: `${post("Content-Length: x\r\n", "")}${POISON}`,
    answers: [400],
  },
  {
    name: "pipelined: a request behind Connection: close is not read",
    wire: `${get("Connection: close\r\n")}${POISON}`,
    answers: [200],
    forwarded: ["GET /a"],
  },
  {
    name: "a body shorter than its length waits, and takes the next request for body",
    wire: `${post("Content-Length: 40\r\n", "")}${POISON}`,
    answers: [408],
  },
];

function chunk(bytes: string): string {
  return `${bytes.length.toString(16)}\r\n${bytes}\r\n`;
}

function chunked(name: string, body: string, answers: readonly number[], sent?: string): Attack {
  const forwarded = sent === undefined ? [] : [["POST /a", sent].filter((part) => part !== "").join(" ")];
  return { name, wire: post(`${CHUNKED}Connection: close\r\n`, body), answers, forwarded };
}

/** Chunk lines whose end, or size, two readers see in different places. */
const CHUNKS: readonly Attack[] = [
  chunked("TERM.EXT: a bare LF ends an extension", `0;\n${LAST}${POISON}`, [400]),
  chunked("EXT.TERM: a bare CR in an extension", `5;a\rb\r\nhello\r\n${LAST}`, [400]),
  chunked("a bare LF behind a size", `5\nhello\r\n${LAST}`, [400]),
  chunked("a bare CR behind a size", `5\r5hello\r\n${LAST}`, [400]),
  chunked("ONE.TWO: two bytes that are not CRLF end a chunk", `5\r\nhelloXX${LAST}`, [400]),
  chunked("TWO.ONE: a bare LF ends a chunk", `5\r\nhello\n${LAST}`, [400]),
  chunked("nothing ends a chunk", `5\r\nhello${LAST}`, [400]),
  chunked("a size beyond 64 bits", `10000000000000005\r\nhello\r\n${LAST}`, [400]),
  chunked("a size in 0x", `0x5\r\nhello\r\n${LAST}`, [400]),
  chunked("a size with a sign", `+5\r\nhello\r\n${LAST}`, [400]),
  chunked("a size below zero", `-5\r\nhello\r\n${LAST}`, [400]),
  chunked("a size with an underscore", `1_0\r\nhello\r\n${LAST}`, [400]),
  chunked("a size with a space in front", ` 5\r\nhello\r\n${LAST}`, [400]),
  chunked("a size with a space behind", `5 \r\nhello\r\n${LAST}`, [400]),
  chunked("no size", `\r\nhello\r\n${LAST}`, [400]),
  chunked("an extension is dropped", `5;a="b"\r\nhello\r\n${LAST}`, [200], "hello"),
  chunked("leading zeros are dropped", `0005\r\nhello\r\n000\r\n\r\n`, [200], "hello"),
  chunked(
    "a trailer that frames is dropped",
    `5\r\nhello\r\n0\r\nContent-Length: 33\r\n\r\n`,
    [200],
    "hello",
  ),
  chunked("a trailer section that ends in a bare LF", `5\r\nhello\r\n0\r\nA: b\n\r\n`, [400]),
  chunked("a trailer that is folded", `5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n`, [400]),
];

/** Start lines and hosts that two readers take for different ones. */
const TARGETS: readonly Attack[] = [
  { name: "two Hosts", wire: get("Host: evil\r\n"), answers: [400] },
  { name: "two equal Hosts", wire: get("Host: h\r\n"), answers: [400] },
  { name: "no Host", wire: "GET /a HTTP/1.1\r\n\r\n", answers: [400] },
  { name: "Host with a space before its colon", wire: "GET /a HTTP/1.1\r\nHost : h\r\n\r\n", answers: [400] },
  { name: "Host with a path", wire: "GET /a HTTP/1.1\r\nHost: h/../x\r\n\r\n", answers: [400] },
  { name: "Host with user information", wire: "GET /a HTTP/1.1\r\nHost: u@h\r\n\r\n", answers: [400] },
  { name: "Host as a list", wire: "GET /a HTTP/1.1\r\nHost: h, evil\r\n\r\n", answers: [400] },
  { name: "a folded Host", wire: "GET /a HTTP/1.1\r\nHost:\r\n h\r\n\r\n", answers: [400] },
  {
    name: "absolute-form wins over Host",
    wire: "GET http://real/a HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n",
    answers: [200],
    forwarded: ["GET /a host=real"],
  },
  { name: "absolute-form with user information", wire: get("", "http://u@h/a"), answers: [400] },
  { name: "absolute-form without host", wire: get("", "http:///a"), answers: [400] },
  { name: "absolute-form of another scheme", wire: get("", "ftp://h/a"), answers: [400] },
  { name: "a target with a space", wire: get("", "/a HTTP/1.1 /b"), answers: [400] },
  { name: "a target with a tab", wire: get("", "/a\tb"), answers: [400] },
  { name: "a target with a fragment", wire: get("", "/a#b"), answers: [400] },
  { name: "a target with a raw byte", wire: get("", "/\xff"), answers: [400] },
  { name: "a tab for a space", wire: "GET\t/a HTTP/1.1\r\nHost: h\r\n\r\n", answers: [400] },
  { name: "two spaces", wire: "GET  /a HTTP/1.1\r\nHost: h\r\n\r\n", answers: [400] },
  { name: "a space behind the version", wire: "GET /a HTTP/1.1 \r\nHost: h\r\n\r\n", answers: [400] },
  { name: "HTTP/0.9", wire: "GET /a\r\n", answers: [400] },
  { name: "HTTP/1.2", wire: "GET /a HTTP/1.2\r\nHost: h\r\n\r\n", answers: [505] },
  { name: "the preface of HTTP/2", wire: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", answers: [505] },
  { name: "HTTP/1.10", wire: "GET /a HTTP/1.10\r\nHost: h\r\n\r\n", answers: [400] },
  { name: "a request line that ends in a bare LF", wire: "GET /a HTTP/1.1\nHost: h\r\n\r\n", answers: [400] },
  { name: "a head that ends in bare LFs", wire: "GET /a HTTP/1.1\r\nHost: h\n\n", answers: [400] },
  { name: "a field in front of the request line", wire: `X: y\r\n${get("")}`, answers: [400] },
  { name: "CONNECT", wire: "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", answers: [405] },
  { name: "TRACE", wire: "TRACE /a HTTP/1.1\r\nHost: h\r\n\r\n", answers: [405] },
];

/** Connection fields that take away what a backend relies on, and fields that speak in our name. */
const FIELDS: readonly Attack[] = [
  {
    name: "Connection: content-length",
    wire: post("Content-Length: 5\r\nConnection: close, content-length\r\n", "hello"),
    answers: [200],
    forwarded: ["POST /a hello"],
  },
  {
    name: "Connection: transfer-encoding",
    wire: post(`${CHUNKED}Connection: close, transfer-encoding\r\n`, `5\r\nhello\r\n${LAST}`),
    answers: [200],
    forwarded: ["POST /a hello"],
  },
  {
    name: "Connection: host",
    wire: get("Connection: close, host\r\n"),
    answers: [200],
    forwarded: ["GET /a"],
  },
  {
    name: "Connection: x-forwarded-for, x-forwarded-proto",
    wire: get("Connection: close, X-Forwarded-For, X-Forwarded-Proto\r\nX-Forwarded-For: 1.2.3.4\r\n"),
    answers: [200],
    forwarded: ["GET /a"],
  },
  {
    name: "Connection: cookie takes the cookie away, as it must",
    wire: get("Cookie: a=b\r\nConnection: close, cookie\r\n"),
    answers: [200],
    forwarded: ["GET /a"],
    gone: ["cookie", "connection"],
  },
  {
    name: "Upgrade: h2c",
    wire: get(
      "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings, close\r\n",
    ),
    answers: [200],
    forwarded: ["GET /a"],
    gone: ["upgrade", "connection", "http2-settings"],
  },
  {
    name: "Upgrade that a backend ignores, a request behind",
    wire: `${get("Upgrade: other/1\r\nConnection: Upgrade\r\n")}${get("Connection: close\r\n", "/b")}`,
    answers: [200, 200],
    forwarded: ["GET /a", "GET /b"],
  },
  {
    name: "hop-by-hop fields of every kind",
    wire: get(
      "Keep-Alive: timeout=1\r\nProxy-Connection: close\r\nTE: trailers\r\nTrailer: X\r\nConnection: close\r\n" +
        "Proxy-Authorization: Basic eA==\r\n",
    ),
    answers: [200],
    forwarded: ["GET /a"],
    gone: ["keep-alive", "proxy-connection", "te", "trailer", "proxy-authorization", "connection"],
  },
];

export const ATTACKS: readonly Attack[] = [
  ...FRAMING,
  ...CODINGS,
  ...MORE_CODINGS,
  ...BODIES,
  ...CHUNKS,
  ...TARGETS,
  ...FIELDS,
];
