/** Each way in which a request can fail, as the log tells it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FailureNotice } from "../contract/notices.ts";
import { FAULTS } from "../http1/fault.ts";
import { type Failure, Failures } from "../session/failure.ts";
import { failureText, suppressedText } from "./failure-text.ts";

const NOTICE: FailureNotice = {
  by: "client",
  phase: "response-body",
  reason: "client_gone",
  status: 0,
  client: "192.0.2.1",
  endpoint: "localhost:3001",
  request: "GET /x",
  message: "The client left before its response was complete.",
};

const CASES: readonly { name: string; change: Partial<FailureNotice>; text: string }[] = [
  {
    name: "a client that leaves",
    change: {},
    text: "client 192.0.2.1 left while the response was on its way (GET /x, backend localhost:3001)",
  },
  {
    name: "a client that leaves early",
    change: { phase: "connect", endpoint: "" },
    text: "client 192.0.2.1 left before a backend was connected (GET /x)",
  },
  {
    name: "a client that leaves its upload",
    change: { phase: "request-body" },
    text: "client 192.0.2.1 left while its request body was on its way (GET /x, backend localhost:3001)",
  },
  {
    name: "a client that leaves a tunnel of which nothing is known",
    change: { phase: "tunnel", client: "", endpoint: "", request: "" },
    text: "a client left while its tunnel was open",
  },
  {
    name: "a client behind a proxy that is trusted",
    change: { client: "203.0.113.7", peer: "192.0.2.1" },
    text:
      "client 203.0.113.7 through 192.0.2.1 left while the response was on its way " +
      "(GET /x, backend localhost:3001)",
  },
  {
    name: "a client that a trusted proxy has not named yet",
    change: { client: "", peer: "192.0.2.1", phase: "request-head", endpoint: "", request: "" },
    text: "a client through 192.0.2.1 left while its request head was read",
  },
  {
    name: "a backend that refuses",
    change: {
      by: "origin",
      phase: "connect",
      reason: "connect_refused",
      status: 502,
      message: Failures.connectRefused.text,
    },
    text:
      "client 192.0.2.1 got 502 before a backend was connected (GET /x, backend localhost:3001). " +
      "The backend refused the connection.",
  },
  {
    name: "a cut response",
    change: { by: "origin", reason: "response_cut", message: Failures.responseCut.text },
    text:
      "client 192.0.2.1 was cut off while the response was on its way (GET /x, backend localhost:3001). " +
      "The backend closed the connection inside the response body.",
  },
  {
    name: "a head that cannot be read",
    change: {
      phase: "request-head",
      reason: "bad_method",
      status: 400,
      endpoint: "",
      request: "",
      message: "The method is not a token.",
    },
    text: "client 192.0.2.1 got 400 while its request head was read. The method is not a token.",
  },
];

for (const { name, change, text } of CASES) {
  test(`failure text: ${name}`, () => assert.equal(failureText({ ...NOTICE, ...change }), text));
}

const ROWS = [
  ...Object.values(Failures).map(({ reason, by, phase, status, text }: Failure) => {
    return { reason, by, phase: phase === "" ? ("response-head" as const) : phase, status, message: text };
  }),
  ...Object.values(FAULTS).map(({ name, status, text }) => {
    return { reason: name, by: "client" as const, phase: "request-head" as const, status, message: text };
  }),
];
for (const row of ROWS) {
  test(`failure text: ${row.reason} says who, when and why`, () => {
    const line = failureText({ ...NOTICE, ...row });
    assert.match(line, /^client 192\.0\.2\.1 (left|was cut off|got \d{3}) (while|before) \w[^.]*\(GET \/x, /);
    if (row.reason !== "client_gone") assert.ok(line.endsWith(`). ${row.message}`), line);
    if (row.status !== 0) assert.ok(line.includes(` got ${row.status} `), line);
  });
}

test("failure text: what is left out is counted", () => {
  assert.equal(suppressedText("loop", 1), "1 more request failed with loop, not told one by one");
  assert.equal(suppressedText("loop", 12), "12 more requests failed with loop, not told one by one");
});
