/** Which origins may, and what is said to them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { request } from "../../test/route/asking.ts";
import type { Cors } from "../contract/routing.ts";
import { ReadyCors } from "./cors.ts";

const CORS: Cors = {
  origins: ["https://a.example", "https://*.b.example", "http://*.c.example:81", "http://[::1]:5173"],
  methods: ["GET", "PUT"],
  headers: null,
  credentials: false,
  maxAgeS: 600,
  exposedHeaders: [],
};

function ask(changes: Partial<Cors>, line: string, ...fields: readonly string[]) {
  const cors = new ReadyCors({ ...CORS, ...changes });
  const { memory, head } = request(line, ...fields);
  cors.read(memory, head);
  const into = new Uint8Array(4096);
  const end = cors.writeLines(into, 0);
  if (!cors.isPreflight) assert.ok(end <= cors.linesBytesMax, "lines fit what is promised");
  const lines = Buffer.from(into.subarray(0, end)).toString("latin1");
  return {
    isAllowed: cors.isAllowed,
    isPreflight: cors.isPreflight,
    lines: lines.split("\r\n").slice(0, -1),
  };
}

const ORIGINS: readonly (readonly [origin: string, isAllowed: boolean])[] = [
  ["https://a.example", true],
  ["http://a.example", false],
  ["https://a.example:443", false],
  ["https://a.example.evil.example", false],
  ["https://evil-a.example", false],
  ["https://A.example", false],
  ["https://x.b.example", true],
  ["https://x.y-1.b.example", true],
  ["https://b.example", false],
  ["https://.b.example", false],
  ["https://x..b.example", false],
  ["https://evil.example/.b.example", false],
  ["https://evil.example#.b.example", false],
  ["https://evil.example:1.b.example", false],
  ["https://user@x.b.example", false],
  ["https://x.b.example:8443", false],
  ["https://xb.example", false],
  ["http://x.c.example:81", true],
  ["http://x.c.example", false],
  ["http://[::1]:5173", true],
  ["null", false],
  ["", false],
  [`https://${"x".repeat(400)}.b.example`, false],
];

for (const [origin, isAllowed] of ORIGINS) {
  test(`cors: ${origin.slice(0, 40) || "an empty origin"} ${isAllowed ? "may" : "may not"}`, () => {
    const asked = ask({}, "GET /", `Origin: ${origin}`);
    assert.equal(asked.isAllowed, isAllowed);
    const lines = isAllowed ? ["Vary: Origin", `Access-Control-Allow-Origin: ${origin}`] : ["Vary: Origin"];
    assert.deepEqual(asked.lines, lines);
  });
}

test("cors: of two origins none may", () => {
  const { isAllowed } = ask({}, "GET /", "Origin: https://a.example", "Origin: https://a.example");
  assert.equal(isAllowed, false);
});

test("cors: every origin may, and those that name none get the same", () => {
  const expected = ["Access-Control-Allow-Origin: *", "Access-Control-Expose-Headers: X-A, X-B"];
  const changes = { origins: ["*"], exposedHeaders: ["X-A", "X-B"] };
  assert.deepEqual(ask(changes, "GET /").lines, expected);
  assert.deepEqual(ask(changes, "GET /", "Origin: null").lines, expected);
});

test("cors: credentials and names of fields", () => {
  const changes = { credentials: true, exposedHeaders: ["X-A"] };
  assert.deepEqual(ask(changes, "GET /", "Origin: https://a.example").lines, [
    "Vary: Origin",
    "Access-Control-Allow-Origin: https://a.example",
    "Access-Control-Allow-Credentials: true",
    "Access-Control-Expose-Headers: X-A",
  ]);
});

const PREFLIGHT = ["Origin: https://a.example", "Access-Control-Request-Method: PUT"];

test("cors: a preflight is an OPTIONS with an origin and a method", () => {
  assert.equal(ask({}, "OPTIONS /", ...PREFLIGHT).isPreflight, true);
  assert.equal(ask({}, "OPTIONS /", PREFLIGHT[0]!).isPreflight, false);
  assert.equal(ask({}, "OPTIONS /", PREFLIGHT[1]!).isPreflight, false);
  assert.equal(ask({}, "GET /", ...PREFLIGHT).isPreflight, false);
});

test("cors: a preflight is told what it asks for, or what the route says", () => {
  const asked = [...PREFLIGHT, "Access-Control-Request-Headers: x-a,content-type"];
  const own = ["Vary: Origin", "Access-Control-Allow-Origin: https://a.example"];
  assert.deepEqual(ask({ exposedHeaders: ["X"] }, "OPTIONS /", ...asked).lines, [
    ...own,
    "Access-Control-Allow-Headers: x-a,content-type",
  ]);
  assert.deepEqual(ask({ headers: ["X-A"] }, "OPTIONS /", ...asked).lines, own);
  const long = `Access-Control-Request-Headers: ${"x".repeat(1100)}`;
  assert.deepEqual(ask({}, "OPTIONS /", ...PREFLIGHT, long).lines, own);
  const { status, lines } = new ReadyCors({ ...CORS, headers: ["X-A", "X-B"] }).preflight;
  assert.equal(status, 204);
  assert.equal(
    Buffer.from(lines).toString(),
    "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Methods: GET, PUT\r\n" +
      "Access-Control-Allow-Headers: X-A, X-B\r\nAccess-Control-Max-Age: 600\r\n",
  );
});

test("cors: a later request forgets the headers of a preflight", () => {
  const cors = new ReadyCors(CORS);
  const first = request("OPTIONS /", ...PREFLIGHT, "Access-Control-Request-Headers: x-a");
  cors.read(first.memory, first.head);
  const second = request("OPTIONS /", ...PREFLIGHT);
  cors.read(second.memory, second.head);
  const into = new Uint8Array(4096);
  const end = cors.writeLines(into, 0);
  assert.doesNotMatch(Buffer.from(into.subarray(0, end)).toString(), /Allow-Headers/);
});
